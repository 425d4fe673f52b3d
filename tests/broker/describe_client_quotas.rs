//! DescribeClientQuotas: none are set, and filters that cannot be meant are refused.

use klamm::wire::messages::describe_client_quotas::{ComponentData, DescribeClientQuotasRequest};

use crate::rig::client;

fn component(entity_type: &str, match_type: i8, name: Option<&str>) -> ComponentData {
    ComponentData { entity_type: entity_type.to_owned(), match_type, r#match: name.map(str::to_owned) }
}

#[test]
fn every_version_has_no_quota() {
    let mut client = client();
    for version in 0..=1 {
        for components in [vec![], vec![component("user", 0, Some("a")), component("client-id", 2, None)]] {
            let answer = client.call(&DescribeClientQuotasRequest { components, strict: false }, version);
            assert_eq!((answer.error_code.0, answer.error_message.as_deref()), (0, Some("")));
            assert_eq!(answer.entries.map(|entries| entries.len()), Some(0));
        }
    }
}

#[test]
fn a_filter_that_cannot_be_meant_is_refused_in_kafkas_words() {
    let mut client = client();
    let cases = [
        (vec![component("", 0, Some("a"))], 42, "Invalid empty entity type."),
        (
            vec![component("user", 0, Some("a")), component("user", 2, None)],
            42,
            "Entity type user cannot appear more than once in the filter.",
        ),
        (vec![component("planet", 0, Some("a"))], 35, "Unsupported entity type planet"),
        (vec![component("user", 0, None)], 42, "Request specified MATCH_TYPE_EXACT, but set match string to null."),
        (
            vec![component("user", 1, Some("a"))],
            42,
            "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.",
        ),
        (
            vec![component("user", 2, Some("a"))],
            42,
            "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.",
        ),
        (vec![component("user", 9, None)], 42, "Unknown match type 9"),
        (
            vec![component("ip", 2, None), component("user", 2, None)],
            42,
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.",
        ),
    ];
    for (components, code, words) in cases {
        let answer = client.call(&DescribeClientQuotasRequest { components, strict: false }, 1);
        assert_eq!((answer.error_code.0, answer.error_message.as_deref()), (code, Some(words)));
        assert_eq!(answer.entries, None);
    }
}
