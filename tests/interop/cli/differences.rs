//! Where a tool says something else of Klamm than of Apache Kafka, each with its reason.
//!
//! A difference that is not in the table fails, and so does a line of the table that no longer occurs.

/// Lines of one session's commands that stand in one broker's output only.
struct Difference {
    session: &'static str,
    commands: &'static [&'static str],
    reason: &'static str,
    /// A line that ends in `*` is the beginning of one.
    kafka: &'static [&'static str],
    klamm: &'static [&'static str],
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        session: "cluster",
        commands: &["cluster unregister --id 7 {broker}"],
        reason: "there is one broker: UnregisterBroker is not served",
        kafka: &[
            "! [(time)] ERROR [AdminClient clientId=adminclient-N] Unregister broker request for broker ID 7 failed: Broker ID 7 is not currently registered (org.apache.kafka.clients.admin.KafkaAdminClient)",
            "! org.apache.kafka.common.errors.BrokerIdNotRegisteredException: Broker ID 7 is not currently registered",
            "! java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.BrokerIdNotRegisteredException: Broker ID 7 is not currently registered",
            "! Caused by: org.apache.kafka.common.errors.BrokerIdNotRegisteredException: Broker ID 7 is not currently registered",
            "= 1",
        ],
        klamm: &["| The target cluster does not support the broker unregistration API.", "= 0"],
    },
    Difference {
        session: "cluster",
        commands: &["metadata-quorum {broker} describe --status"],
        reason: "no controller's listener is opened: the only voter is the broker itself",
        kafka: &[
            "| CurrentVoters:          [{\"id\": 1, \"directoryId\": \"(directory id)\", \"endpoints\": [\"CONTROLLER://127.0.0.1:N\"]}]",
        ],
        klamm: &["| CurrentVoters:          [{\"id\": 1, \"directoryId\": \"(directory id)\"}]"],
    },
    Difference {
        session: "cluster",
        commands: &[
            "metadata-quorum {broker} remove-controller --controller-id 7 --controller-directory-id AAAAAAAAAAAAAAAAAAAAZA",
        ],
        reason: "there is one voter: RemoveRaftVoter is not served",
        kafka: &[
            "! org.apache.kafka.common.errors.VoterNotFoundException: Cannot remove voter ReplicaKey(id=7, directoryId=AAAAAAAAAAAAAAAAAAAAZA) from the set of voters [ReplicaKey(id=1, directoryId=(directory id))]",
            "! java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.VoterNotFoundException: Cannot remove voter ReplicaKey(id=7, directoryId=AAAAAAAAAAAAAAAAAAAAZA) from the set of voters [ReplicaKey(id=1, directoryId=(directory id))]",
            "! Caused by: org.apache.kafka.common.errors.VoterNotFoundException: Cannot remove voter ReplicaKey(id=7, directoryId=AAAAAAAAAAAAAAAAAAAAZA) from the set of voters [ReplicaKey(id=1, directoryId=(directory id))]",
        ],
        klamm: &[
            "! org.apache.kafka.common.errors.UnsupportedVersionException: The node does not support REMOVE_RAFT_VOTER",
            "! java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.UnsupportedVersionException: The node does not support REMOVE_RAFT_VOTER",
            "! Caused by: org.apache.kafka.common.errors.UnsupportedVersionException: The node does not support REMOVE_RAFT_VOTER",
        ],
    },
    Difference {
        session: "cluster",
        commands: &["features {broker} describe"],
        reason: "features come with what they stand for: transactions, share and streams groups are not here yet, voters and eligible replicas mean nothing to one node",
        kafka: &[
            "| Feature: eligible.leader.replicas.version          SupportedMinVersion: 0                SupportedMaxVersion: 1                FinalizedVersionLevel: 1                Epoch: N",
            "| Feature: kraft.version                             SupportedMinVersion: 0                SupportedMaxVersion: 1                FinalizedVersionLevel: 1                Epoch: N",
            "| Feature: share.version                             SupportedMinVersion: 0                SupportedMaxVersion: 2                FinalizedVersionLevel: 2                Epoch: N",
            "| Feature: streams.version                           SupportedMinVersion: 0                SupportedMaxVersion: 1                FinalizedVersionLevel: 1                Epoch: N",
            "| Feature: transaction.version                       SupportedMinVersion: 0                SupportedMaxVersion: 2                FinalizedVersionLevel: 2                Epoch: N",
        ],
        klamm: &[],
    },
    Difference {
        session: "configs",
        commands: &["configs --describe --topic configured --all"],
        reason: "Klamm's own keys",
        kafka: &[],
        klamm: &[
            "|   compressed.validation=records sensitive=false synonyms={DEFAULT_CONFIG:compressed.validation=records}",
            "|   durability.mode=sync sensitive=false synonyms={DEFAULT_CONFIG:durability.mode=sync}",
        ],
    },
    Difference {
        session: "configs",
        commands: &["configs --describe --broker 1 --all"],
        reason: "Klamm's own keys",
        kafka: &[],
        klamm: &[
            "|   cluster.id=null sensitive=false synonyms={}",
            "|   compressed.validation=records sensitive=false synonyms={DEFAULT_CONFIG:compressed.validation=records}",
            "|   durability.interval.bytes=8388608 sensitive=false synonyms={DEFAULT_CONFIG:durability.interval.bytes=8388608}",
            "|   durability.interval.ms=50 sensitive=false synonyms={DEFAULT_CONFIG:durability.interval.ms=50}",
            "|   durability.mode=sync sensitive=false synonyms={DEFAULT_CONFIG:durability.mode=sync}",
            "|   durability.sync.threads=16 sensitive=false synonyms={DEFAULT_CONFIG:durability.sync.threads=16}",
            "|   durability.visibility=acknowledged sensitive=false synonyms={DEFAULT_CONFIG:durability.visibility=acknowledged}",
            "|   klamm.disk.max.bytes=-1 sensitive=false synonyms={DEFAULT_CONFIG:klamm.disk.max.bytes=-1}",
            "|   klamm.disk.min.free.bytes=-1 sensitive=false synonyms={DEFAULT_CONFIG:klamm.disk.min.free.bytes=-1}",
            "|   klamm.replication.clamp=false sensitive=false synonyms={STATIC_BROKER_CONFIG:klamm.replication.clamp=false, DEFAULT_CONFIG:klamm.replication.clamp=true}",
            "|   klamm.shutdown.timeout.ms=30000 sensitive=false synonyms={DEFAULT_CONFIG:klamm.shutdown.timeout.ms=30000}",
            "|   recovery.mode=quarantine sensitive=false synonyms={DEFAULT_CONFIG:recovery.mode=quarantine}",
        ],
    },
    Difference {
        session: "configs",
        commands: &["configs --describe --broker 1 --all"],
        reason: "bounds against a flood of connections and requests that are finite",
        kafka: &[
            "|   max.connection.creation.rate=2147483647 sensitive=false synonyms={DEFAULT_CONFIG:max.connection.creation.rate=2147483647}",
            "|   max.connections=2147483647 sensitive=false synonyms={DEFAULT_CONFIG:max.connections=2147483647}",
            "|   max.connections.per.ip=2147483647 sensitive=false synonyms={DEFAULT_CONFIG:max.connections.per.ip=2147483647}",
            "|   queued.max.request.bytes=-1 sensitive=false synonyms={DEFAULT_CONFIG:queued.max.request.bytes=-1}",
        ],
        klamm: &[
            "|   klamm.connection.queued.bytes=1048576 sensitive=false synonyms={DEFAULT_CONFIG:klamm.connection.queued.bytes=1048576}",
            "|   klamm.connection.queued.requests=256 sensitive=false synonyms={DEFAULT_CONFIG:klamm.connection.queued.requests=256}",
            "|   klamm.group.memory.bytes=268435456 sensitive=false synonyms={DEFAULT_CONFIG:klamm.group.memory.bytes=268435456}",
            "|   klamm.request.progress.ms=10000 sensitive=false synonyms={DEFAULT_CONFIG:klamm.request.progress.ms=10000}",
            "|   klamm.send.stall.ms=300000 sensitive=false synonyms={DEFAULT_CONFIG:klamm.send.stall.ms=300000}",
            "|   max.connection.creation.rate=2000 sensitive=false synonyms={DEFAULT_CONFIG:max.connection.creation.rate=2000}",
            "|   max.connections=50000 sensitive=false synonyms={DEFAULT_CONFIG:max.connections=50000}",
            "|   max.connections.per.ip=20000 sensitive=false synonyms={DEFAULT_CONFIG:max.connections.per.ip=20000}",
            "|   queued.max.request.bytes=268435456 sensitive=false synonyms={DEFAULT_CONFIG:queued.max.request.bytes=268435456}",
        ],
    },
    Difference {
        session: "configs",
        commands: &["configs --describe --broker 1 --all"],
        reason: "the other broker is told its roles, its ids and a controller's listener; Klamm knows the first two and has no third",
        kafka: &[
            "|   advertised.listeners=PLAINTEXT://(broker),CONTROLLER://127.0.0.1:N sensitive=false synonyms={STATIC_BROKER_CONFIG:advertised.listeners=PLAINTEXT://(broker),CONTROLLER://127.0.0.1:N}",
            "|   broker.id=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:broker.id=1, DEFAULT_CONFIG:broker.id=-1}",
            "|   controller.listener.names=CONTROLLER sensitive=false synonyms={STATIC_BROKER_CONFIG:controller.listener.names=CONTROLLER}",
            "|   controller.quorum.bootstrap.servers=127.0.0.1:N sensitive=false synonyms={STATIC_BROKER_CONFIG:controller.quorum.bootstrap.servers=127.0.0.1:N, DEFAULT_CONFIG:controller.quorum.bootstrap.servers=}",
            "|   inter.broker.listener.name=PLAINTEXT sensitive=false synonyms={STATIC_BROKER_CONFIG:inter.broker.listener.name=PLAINTEXT}",
            "|   listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT sensitive=false synonyms={STATIC_BROKER_CONFIG:listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT, DEFAULT_CONFIG:listener.security.protocol.map=SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT}",
            "|   listeners=PLAINTEXT://(broker),CONTROLLER://127.0.0.1:N sensitive=false synonyms={STATIC_BROKER_CONFIG:listeners=PLAINTEXT://(broker),CONTROLLER://127.0.0.1:N, DEFAULT_CONFIG:listeners=PLAINTEXT://:9092}",
            "|   node.id=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:node.id=1}",
            "|   process.roles=broker,controller sensitive=false synonyms={STATIC_BROKER_CONFIG:process.roles=broker,controller}",
        ],
        klamm: &[
            "|   advertised.listeners=null sensitive=false synonyms={}",
            "|   broker.id=-1 sensitive=false synonyms={DEFAULT_CONFIG:broker.id=-1}",
            "|   controller.listener.names=null sensitive=false synonyms={}",
            "|   controller.quorum.bootstrap.servers= sensitive=false synonyms={DEFAULT_CONFIG:controller.quorum.bootstrap.servers=}",
            "|   inter.broker.listener.name=null sensitive=false synonyms={}",
            "|   listener.security.protocol.map=SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT sensitive=false synonyms={DEFAULT_CONFIG:listener.security.protocol.map=SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT}",
            "|   listeners=PLAINTEXT://(broker) sensitive=false synonyms={STATIC_BROKER_CONFIG:listeners=PLAINTEXT://(broker), DEFAULT_CONFIG:listeners=PLAINTEXT://localhost:9092}",
            "|   node.id=1 sensitive=false synonyms={DEFAULT_CONFIG:node.id=1}",
            "|   process.roles=broker,controller sensitive=false synonyms={DEFAULT_CONFIG:process.roles=broker,controller}",
        ],
    },
    Difference {
        session: "configs",
        commands: &["configs --describe --broker 1 --all"],
        reason: "Klamm's own defaults, each with its reason in the settings' rows: one node, a small machine, no waiting",
        kafka: &[
            "|   group.consumer.assignment.interval.ms=1000 sensitive=false synonyms={DEFAULT_CONFIG:group.consumer.assignment.interval.ms=1000}",
            "|   group.initial.rebalance.delay.ms=0 sensitive=false synonyms={STATIC_BROKER_CONFIG:group.initial.rebalance.delay.ms=0, DEFAULT_CONFIG:group.initial.rebalance.delay.ms=3000}",
            "|   group.streams.initial.rebalance.delay.ms=3000 sensitive=false synonyms={DEFAULT_CONFIG:group.streams.initial.rebalance.delay.ms=3000}",
            "|   log.cleaner.dedupe.buffer.size=134217728 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.dedupe.buffer.size=134217728}",
            "|   log.dir=/tmp/kafka-logs sensitive=false synonyms={DEFAULT_CONFIG:log.dir=/tmp/kafka-logs}",
            "|   log.retention.check.interval.ms=300000 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.check.interval.ms=300000}",
            "|   offsets.topic.replication.factor=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:offsets.topic.replication.factor=1, DEFAULT_CONFIG:offsets.topic.replication.factor=3}",
            "|   share.coordinator.state.topic.min.isr=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:share.coordinator.state.topic.min.isr=1, DEFAULT_CONFIG:share.coordinator.state.topic.min.isr=2}",
            "|   share.coordinator.state.topic.replication.factor=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:share.coordinator.state.topic.replication.factor=1, DEFAULT_CONFIG:share.coordinator.state.topic.replication.factor=3}",
            "|   transaction.state.log.min.isr=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:transaction.state.log.min.isr=1, DEFAULT_CONFIG:transaction.state.log.min.isr=2}",
            "|   transaction.state.log.replication.factor=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:transaction.state.log.replication.factor=1, DEFAULT_CONFIG:transaction.state.log.replication.factor=3}",
        ],
        klamm: &[
            "|   group.consumer.assignment.interval.ms=0 sensitive=false synonyms={DEFAULT_CONFIG:group.consumer.assignment.interval.ms=0}",
            "|   group.initial.rebalance.delay.ms=0 sensitive=false synonyms={STATIC_BROKER_CONFIG:group.initial.rebalance.delay.ms=0, DEFAULT_CONFIG:group.initial.rebalance.delay.ms=0}",
            "|   group.streams.initial.rebalance.delay.ms=0 sensitive=false synonyms={DEFAULT_CONFIG:group.streams.initial.rebalance.delay.ms=0}",
            "|   log.cleaner.dedupe.buffer.size=4194304 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.dedupe.buffer.size=4194304}",
            "|   log.dir=./klamm-data sensitive=false synonyms={DEFAULT_CONFIG:log.dir=./klamm-data}",
            "|   log.retention.check.interval.ms=30000 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.check.interval.ms=30000}",
            "|   offsets.topic.replication.factor=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:offsets.topic.replication.factor=1, DEFAULT_CONFIG:offsets.topic.replication.factor=1}",
            "|   share.coordinator.state.topic.min.isr=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:share.coordinator.state.topic.min.isr=1, DEFAULT_CONFIG:share.coordinator.state.topic.min.isr=1}",
            "|   share.coordinator.state.topic.replication.factor=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:share.coordinator.state.topic.replication.factor=1, DEFAULT_CONFIG:share.coordinator.state.topic.replication.factor=1}",
            "|   transaction.state.log.min.isr=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:transaction.state.log.min.isr=1, DEFAULT_CONFIG:transaction.state.log.min.isr=1}",
            "|   transaction.state.log.replication.factor=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:transaction.state.log.replication.factor=1, DEFAULT_CONFIG:transaction.state.log.replication.factor=1}",
        ],
    },
    Difference {
        session: "configs",
        commands: &["configs --describe --group no-such-group --all"],
        reason: "the broker key is a list, whose first element is this key's default: not a value to fall back to",
        kafka: &[
            "|   streams.assignor.name=sticky sensitive=false synonyms={DEFAULT_CONFIG:group.streams.assignors=sticky}",
        ],
        klamm: &[
            "|   streams.assignor.name=sticky sensitive=false synonyms={DEFAULT_CONFIG:streams.assignor.name=sticky}",
        ],
    },
    Difference {
        session: "configs",
        commands: &["configs --describe --group no-such-group --all"],
        reason: "Klamm's own defaults: groups do not wait",
        kafka: &[
            "|   consumer.assignment.interval.ms=1000 sensitive=false synonyms={DEFAULT_CONFIG:group.consumer.assignment.interval.ms=1000}",
            "|   streams.initial.rebalance.delay.ms=3000 sensitive=false synonyms={DEFAULT_CONFIG:group.streams.initial.rebalance.delay.ms=3000}",
        ],
        klamm: &[
            "|   consumer.assignment.interval.ms=0 sensitive=false synonyms={DEFAULT_CONFIG:group.consumer.assignment.interval.ms=0}",
            "|   streams.initial.rebalance.delay.ms=0 sensitive=false synonyms={DEFAULT_CONFIG:group.streams.initial.rebalance.delay.ms=0}",
        ],
    },
    Difference {
        session: "configs",
        commands: &["[only root=] configs --describe --broker-logger 1"],
        reason: "each logs at the level that it was started with",
        kafka: &["|   root=WARN sensitive=false synonyms={}"],
        klamm: &["|   root=INFO sensitive=false synonyms={}"],
    },
    Difference {
        session: "records",
        commands: &["console-producer --topic made-by-writing"],
        reason: "a topic that is made by its first use is there with the answer",
        kafka: &[
            "! [(time)] WARN [Producer clientId=console-producer] The metadata response from the cluster reported a recoverable issue with correlation id N : {made-by-writing=UNKNOWN_TOPIC_OR_PARTITION} (org.apache.kafka.clients.NetworkClient)",
        ],
        klamm: &[],
    },
    Difference {
        session: "load",
        commands: &[
            "[numbers] producer-perf-test --topic transacted --num-records 10 --record-size 100 --throughput -1 --transaction-duration-ms 100 --reporting-interval 600000 {broker}",
        ],
        reason: "no transactions yet",
        kafka: &[
            "| N records sent, N.N records/sec (N.N MB/sec), N.N ms avg latency, N.N ms max latency, N ms Nth, N ms Nth, N ms Nth, N ms N.Nth.",
            "= 0",
        ],
        klamm: &[
            "! Exception in thread \"main\" org.apache.kafka.common.errors.TransactionalIdAuthorizationException: Transactional Id authorization failed.",
            "= 1",
        ],
    },
    Difference {
        session: "load",
        commands: &["get-offsets --topic transacted"],
        reason: "no transactions yet",
        kafka: &["| transacted:0:11"],
        klamm: &["| transacted:0:0"],
    },
];

/// APIs that `broker-api-versions` shows for Apache Kafka only.
struct Unserved {
    reason: &'static str,
    apis: &'static [&'static str],
}

const UNSERVED: &[Unserved] = &[
    Unserved {
        reason: "no transactions yet",
        apis: &[
            "AddPartitionsToTxn(24)",
            "AddOffsetsToTxn(25)",
            "EndTxn(26)",
            "WriteTxnMarkers(27)",
            "TxnOffsetCommit(28)",
            "DescribeTransactions(65)",
            "ListTransactions(66)",
        ],
    },
    Unserved { reason: "no quotas yet", apis: &["AlterClientQuotas(49)"] },
    Unserved {
        reason: "no users and no rights yet",
        apis: &[
            "SaslHandshake(17)",
            "CreateAcls(30)",
            "DeleteAcls(31)",
            "SaslAuthenticate(36)",
            "CreateDelegationToken(38)",
            "RenewDelegationToken(39)",
            "ExpireDelegationToken(40)",
            "DescribeDelegationToken(41)",
            "AlterUserScramCredentials(51)",
        ],
    },
    Unserved {
        reason: "one node is the whole cluster",
        apis: &["UnregisterBroker(64)", "AddRaftVoter(80)", "RemoveRaftVoter(81)"],
    },
    Unserved {
        reason: "no share groups and no streams groups yet",
        apis: &[
            "ShareGroupHeartbeat(76)",
            "ShareGroupDescribe(77)",
            "ShareFetch(78)",
            "ShareAcknowledge(79)",
            "InitializeShareGroupState(83)",
            "ReadShareGroupState(84)",
            "WriteShareGroupState(85)",
            "DeleteShareGroupState(86)",
            "ReadShareGroupStateSummary(87)",
            "StreamsGroupHeartbeat(88)",
            "StreamsGroupDescribe(89)",
            "DescribeShareGroupOffsets(90)",
            "AlterShareGroupOffsets(91)",
            "DeleteShareGroupOffsets(92)",
            "UNKNOWN(93)",
            "UNKNOWN(94)",
        ],
    },
];

/// Whether Klamm says what is wanted, but for the differences.
///
/// # Errors
/// What is neither equal nor in the table, and what of the table did not occur.
pub fn judge(session: &str, command: &str, wanted: &[String], got: &[String]) -> Result<(), String> {
    let (mut wanted, mut got) = (wanted.to_vec(), got.to_vec());
    let listed = DIFFERENCES.iter().filter(|listed| listed.session == session && listed.commands.contains(&command));
    for difference in listed {
        difference.kafka.iter().try_for_each(|line| take(&mut wanted, line, difference.reason))?;
        difference.klamm.iter().try_for_each(|line| take(&mut got, line, difference.reason))?;
    }
    if command == "broker-api-versions" {
        for unserved in UNSERVED {
            for api in unserved.apis {
                take(&mut wanted, &format!("| \t{api}: *"), unserved.reason)?;
                // the client knows no name for the newest, and asks for none
                if !api.starts_with("UNKNOWN") {
                    take(&mut got, &format!("| \t{api}: UNSUPPORTED*"), unserved.reason)?;
                }
            }
        }
    }
    if wanted == got { Ok(()) } else { Err(shown(&wanted, &got)) }
}

/// Takes a line of the table out of what was said.
fn take(said: &mut Vec<String>, line: &str, reason: &str) -> Result<(), String> {
    let fits = |said: &String| match line.strip_suffix('*') {
        Some(beginning) => said.starts_with(beginning),
        None => said == line,
    };
    let at = said.iter().position(fits).ok_or_else(|| format!("  no longer occurs ({reason}): {line}\n"))?;
    said.remove(at);
    Ok(())
}

/// Lines of the table that belong to no command.
pub fn orphans(commands: &[(&str, String)]) -> Vec<String> {
    let all =
        DIFFERENCES.iter().flat_map(|one| one.commands.iter().map(|command| (one.session, (*command).to_owned())));
    all.filter(|one| !commands.contains(one))
        .map(|(session, command)| format!("no such command: {session}: {command}"))
        .collect()
}

/// The lines that only one has; all of both if they are merely in another order.
pub fn shown(wanted: &[String], got: &[String]) -> String {
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        let mut those: Vec<&String> = those.iter().collect();
        let mut only = these.to_vec();
        only.retain(|line| match those.iter().position(|that| *that == line) {
            Some(at) => {
                those.remove(at);
                false
            }
            None => true,
        });
        only
    };
    let (lacks, has) = (only(wanted, got), only(got, wanted));
    let (lacks, has) = if lacks.is_empty() && has.is_empty() { (wanted.to_vec(), got.to_vec()) } else { (lacks, has) };
    let lines =
        |mark: &str, lines: &[String]| lines.iter().map(|line| format!("  {mark} {line}\n")).collect::<String>();
    lines("-", &lacks) + &lines("+", &has)
}

#[test]
fn what_is_not_listed_and_what_is_listed_in_vain_both_fail() {
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
    let (session, command) = ("load", "get-offsets --topic transacted");
    let (kafka, klamm) = (lines(&["| transacted:0:11", "= 0"]), lines(&["| transacted:0:0", "= 0"]));
    assert_eq!(judge(session, command, &kafka, &klamm), Ok(()));
    let vain = judge(session, command, &kafka, &kafka).expect_err("the listed difference does not occur");
    assert!(vain.contains("no longer occurs"), "{vain}");
    let unlisted = judge(session, "get-offsets --topic load", &kafka, &klamm).expect_err("nothing is listed");
    assert_eq!(unlisted, "  - | transacted:0:11\n  + | transacted:0:0\n");
    judge(session, command, &kafka, &lines(&["| transacted:0:0", "= 1"])).expect_err("only a part is listed");
}
