//! DescribeUserScramCredentials: nobody has any.

use klamm::wire::messages::describe_user_scram_credentials::{DescribeUserScramCredentialsRequest, UserName};

use crate::rig::client;

#[test]
fn nobody_has_credentials() {
    let mut client = client();
    for users in [None, Some(vec![])] {
        let answer = client.call(&DescribeUserScramCredentialsRequest { users }, 0);
        assert_eq!((answer.error_code.0, answer.error_message.as_deref(), answer.results.len()), (0, Some(""), 0));
    }
    let users = ["alice", "bob", "bob"].map(|name| UserName { name: name.to_owned() });
    let answer = client.call(&DescribeUserScramCredentialsRequest { users: Some(users.into()) }, 0);
    let mut rows: Vec<_> = answer
        .results
        .iter()
        .map(|row| (row.user.as_str(), row.error_code.0, row.error_message.as_deref().unwrap_or_default()))
        .collect();
    rows.sort_unstable();
    let expected = [
        ("alice", 91, "Attempt to describe a user credential that does not exist: alice"),
        ("bob", 92, "Cannot describe SCRAM credentials for the same user twice in a single request: bob"),
    ];
    assert_eq!(rows, expected);
}
