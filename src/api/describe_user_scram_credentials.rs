//! DescribeUserScramCredentials (key 50), version 0.
//!
//! Behavior: the credentials that the metadata keeps, without the secrets. Only a directory of Kafka's brings any: none can be set,
//! and nobody is asked for one.
//!
//! Reference: Kafka `ScramImage.describe` (KIP-554).

use std::collections::BTreeMap;

use super::{Call, Outcome};
use crate::meta::record::Record;
use crate::wire::ErrorCode;
use crate::wire::messages::describe_user_scram_credentials::{
    CredentialInfo, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
};

pub fn handle(
    call: Call<'_>,
    request: DescribeUserScramCredentialsRequest,
    (): (),
) -> Outcome<DescribeUserScramCredentialsResponse> {
    let image = call.broker.registry.image();
    let mut credentials: BTreeMap<&str, Vec<CredentialInfo>> = BTreeMap::new();
    for record in image.kept() {
        if let Record::UserScramCredential(one) = record {
            let info = CredentialInfo { mechanism: one.mechanism, iterations: one.iterations };
            credentials.entry(&one.name).or_default().push(info);
        }
    }
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    match request.users.filter(|users| !users.is_empty()) {
        Some(users) => users.into_iter().for_each(|user| *asked.entry(user.name).or_default() += 1),
        None => asked.extend(credentials.keys().map(|name| ((*name).to_owned(), 1))),
    }
    let result = |(user, times): (String, usize)| {
        let (error_code, message, credential_infos) = match credentials.get(user.as_str()) {
            _ if times > 1 => {
                let message =
                    format!("Cannot describe SCRAM credentials for the same user twice in a single request: {user}");
                (ErrorCode::DUPLICATE_RESOURCE, Some(message), Vec::new())
            }
            Some(found) => (ErrorCode::NONE, None, found.clone()),
            None => {
                let message = format!("Attempt to describe a user credential that does not exist: {user}");
                (ErrorCode::RESOURCE_NOT_FOUND, Some(message), Vec::new())
            }
        };
        DescribeUserScramCredentialsResult { user, error_code, error_message: message, credential_infos }
    };
    let results = asked.into_iter().map(result).collect();
    Outcome::Now(DescribeUserScramCredentialsResponse { results, ..Default::default() })
}
