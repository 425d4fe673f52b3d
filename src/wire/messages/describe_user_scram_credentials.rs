//! DescribeUserScramCredentials (key 50), version 0: SCRAM credentials, without the secrets (KIP-554).
//!
//! Reference: Kafka `DescribeUserScramCredentialsRequest.json`, `DescribeUserScramCredentialsResponse.json`.

use crate::wire::error_code::ErrorCode;
use crate::wire::{ApiKey, Request};

crate::message! {
    /// Users; null or empty: all.
    pub struct DescribeUserScramCredentialsRequest, flexible 0+ {
        [0+] users: Option<Vec<UserName>> = Some(Vec::new()),
    }
    /// A user.
    pub struct UserName {
        [0+] name: String,
    }
}

crate::message! {
    /// The credentials.
    pub struct DescribeUserScramCredentialsResponse, flexible 0+ {
        [0+] throttle_time_ms: i32,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
        [0+] results: Vec<DescribeUserScramCredentialsResult>,
    }
    /// A user's, or why not.
    pub struct DescribeUserScramCredentialsResult {
        [0+] user: String,
        [0+] error_code: ErrorCode,
        [0+] error_message: Option<String> = Some(String::new()),
        [0+] credential_infos: Vec<CredentialInfo>,
    }
    /// A credential.
    pub struct CredentialInfo {
        [0+] mechanism: i8,
        [0+] iterations: i32,
    }
}

impl Request for DescribeUserScramCredentialsRequest {
    const KEY: ApiKey = ApiKey::DescribeUserScramCredentials;
    type Response = DescribeUserScramCredentialsResponse;
    type Facts = ();

    fn facts(_: i16) {}
}
