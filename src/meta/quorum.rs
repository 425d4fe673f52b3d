//! The quorum of one node: its voters, its epoch, and `quorum-state`, as Kafka's Raft keeps them.
//!
//! ```text
//! {"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}
//! ```
//!
//! References: Kafka `FileQuorumStateStore.java`, `QuorumStateData.json`; KIP-595, KIP-853.

use super::options::Endpoint;
use crate::base::ids::{LeaderEpoch, Uuid};
use crate::record::control::{
    ControlRecord, KRaftVersionFeature, KRaftVersionRecord, LeaderChangeMessage, QuorumVoter, Voter, VoterEndpoint,
    VotersRecord,
};

/// The file that Kafka keeps the election in.
pub(super) const QUORUM_STATE: &str = "quorum-state";

/// What the control records of the metadata log say.
#[derive(Clone, Debug, Default)]
pub(super) struct Quorum {
    /// 0: voters are configured (static). 1: they are recorded (KIP-853).
    pub(super) kraft_version: i16,
    pub(super) voters: Option<VotersRecord>,
}

impl Quorum {
    /// The quorum of a new directory.
    pub(super) fn of_one(node_id: i32, directory_id: Uuid, controller: &Endpoint) -> Quorum {
        let endpoint =
            VoterEndpoint { name: controller.name.clone(), host: controller.host.clone(), port: controller.port };
        let voter = QuorumVoter {
            voter_id: node_id,
            voter_directory_id: directory_id,
            endpoints: vec![endpoint],
            kraft_version_feature: KRaftVersionFeature { min_supported_version: 0, max_supported_version: 1 },
        };
        Quorum { kraft_version: 1, voters: Some(VotersRecord { version: 0, voters: vec![voter] }) }
    }

    /// Takes note of a control record.
    pub(super) fn observe(&mut self, record: &ControlRecord) {
        match record {
            ControlRecord::KRaftVersion(record) => self.kraft_version = record.kraft_version,
            ControlRecord::Voters(voters) => self.voters = Some(voters.clone()),
            _ => {}
        }
    }

    /// The records that say this again.
    pub(super) fn records(&self) -> Vec<ControlRecord> {
        let mut records = Vec::new();
        if self.kraft_version > 0 {
            let record = KRaftVersionRecord { version: 0, kraft_version: self.kraft_version };
            records.push(ControlRecord::KRaftVersion(record));
            records.extend(self.voters.clone().map(ControlRecord::Voters));
        }
        records
    }

    /// The directory that the quorum knows a node by.
    pub(super) fn directory_of(&self, node_id: i32) -> Option<Uuid> {
        let voters = self.voters.as_ref()?;
        voters.voters.iter().find(|voter| voter.voter_id == node_id).map(|voter| voter.voter_directory_id)
    }

    /// Members other than `node_id`.
    pub(super) fn others(&self, node_id: i32) -> Vec<i32> {
        let voters = self.voters.iter().flat_map(|record| &record.voters);
        voters.map(|voter| voter.voter_id).filter(|id| *id != node_id).collect()
    }
}

/// The first record of an epoch.
pub(super) fn leader_change(node_id: i32) -> ControlRecord {
    let voters = vec![Voter { voter_id: node_id, ..Voter::default() }];
    let granting_voters = voters.clone();
    ControlRecord::LeaderChange(LeaderChangeMessage { version: 0, leader_id: node_id, voters, granting_voters })
}

/// The content of `quorum-state`.
pub(super) fn print_state(quorum: &Quorum, node_id: i32, epoch: LeaderEpoch) -> String {
    if quorum.kraft_version == 0 {
        return format!(
            "{{\"clusterId\":\"\",\"leaderId\":{node_id},\"leaderEpoch\":{epoch},\"votedId\":-1,\"appliedOffset\":0,\
             \"currentVoters\":[{{\"voterId\":{node_id}}}],\"data_version\":0}}"
        );
    }
    let none = Uuid::ZERO;
    format!(
        "{{\"leaderId\":{node_id},\"leaderEpoch\":{epoch},\"votedId\":-1,\"votedDirectoryId\":\"{none}\",\"data_version\":1}}"
    )
}

/// The epoch in `quorum-state`; `UNKNOWN` if it cannot be made out, and the log's alone counts.
pub(super) fn epoch_in_state(text: &[u8]) -> LeaderEpoch {
    let text = String::from_utf8_lossy(text);
    let number = text.split_once("\"leaderEpoch\"").and_then(|(_, rest)| rest.trim_start().strip_prefix(':'));
    let digits: String = number.unwrap_or_default().trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().map_or(LeaderEpoch::UNKNOWN, LeaderEpoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_is_read_from_what_kafka_and_we_write() {
        let kafkas = br#"{"leaderId":1,"leaderEpoch":12,"votedId":-1,"votedDirectoryId":"A","data_version":1}"#;
        assert_eq!(epoch_in_state(kafkas), LeaderEpoch(12));
        assert_eq!(epoch_in_state(br#"{ "leaderEpoch" : 3 }"#), LeaderEpoch(3));
        for kraft_version in [0, 1] {
            let quorum = Quorum { kraft_version, voters: None };
            let text = print_state(&quorum, 7, LeaderEpoch(5));
            assert_eq!(epoch_in_state(text.as_bytes()), LeaderEpoch(5));
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        }
        for torn in ["", "{\"leaderEpoch\":", "\u{0}\u{0}", "{\"leaderEpoch\":99999999999}"] {
            assert_eq!(epoch_in_state(torn.as_bytes()), LeaderEpoch::UNKNOWN);
        }
    }
}
