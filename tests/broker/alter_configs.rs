//! AlterConfigs: a resource has what is named, and nothing else.

use klamm::wire::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
};

use crate::incremental_alter_configs::{BROKER, GROUP, TOPIC, described, expect, node};
use crate::rig::{Client, client, fresh};

/// Names and values.
type Configs<'a> = &'a [(&'a str, Option<&'a str>)];

fn ask(
    client: &mut Client,
    kind: i8,
    name: &str,
    configs: Configs<'_>,
    validate_only: bool,
    version: i16,
) -> AlterConfigsResourceResponse {
    let config = |(name, value): &(&str, Option<&str>)| AlterableConfig {
        name: (*name).to_owned(),
        value: value.map(str::to_owned),
    };
    let configs = configs.iter().map(config).collect();
    let resources = vec![AlterConfigsResource { resource_type: kind, resource_name: name.to_owned(), configs }];
    let mut rows = client.call(&AlterConfigsRequest { resources, validate_only }, version).responses;
    assert_eq!((rows.len(), rows[0].resource_type, rows[0].resource_name.as_str()), (1, kind, name));
    rows.remove(0)
}

#[test]
fn every_version_replaces_what_was_set() {
    let mut client = client();
    for version in 0..=2 {
        let topic = fresh("alter-replaces");
        client.create(&topic, 1, &[("segment.ms", "5000"), ("retention.ms", "6000")]);
        let row = ask(&mut client, TOPIC, &topic, &[("retention.ms", Some("7000"))], true, version);
        assert_eq!((row.error_code.0, row.error_message), (0, None));
        expect(&mut client, TOPIC, &topic, "segment.ms", "5000", 1);
        let row = ask(&mut client, TOPIC, &topic, &[("retention.ms", Some("7000"))], false, version);
        assert_eq!((row.error_code.0, row.error_message), (0, None));
        expect(&mut client, TOPIC, &topic, "retention.ms", "7000", 1);
        expect(&mut client, TOPIC, &topic, "segment.ms", "604800000", 5);
        assert_eq!(ask(&mut client, TOPIC, &topic, &[], false, version).error_code.0, 0);
        expect(&mut client, TOPIC, &topic, "retention.ms", "604800000", 5);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_in_kafkas_words() {
    let mut client = client();
    let topic = fresh("alter-bad");
    client.create(&topic, 1, &[("segment.ms", "5000")]);
    let node = node(&mut client);
    let never = fresh("never");
    let unknown = format!("The topic '{never}' does not exist.");
    let cases: &[(i8, &str, Configs<'_>, i16, &str)] = &[
        (TOPIC, &topic, &[("retention.ms", None)], 42, "Null value not supported for : retention.ms"),
        (
            TOPIC,
            &topic,
            &[("retention.ms", Some("1")), ("retention.ms", Some("2"))],
            42,
            "Error due to duplicate config keys",
        ),
        (TOPIC, &topic, &[("no.such", Some("1"))], 40, "Unknown topic config name: no.such"),
        (TOPIC, &never, &[], 3, &unknown),
        (GROUP, "", &[], 42, "Default group resources are not allowed."),
        (8, &node, &[("root", Some("INFO"))], 42, "Unknown resource type 8"),
        (BROKER, &node, &[("node.id", Some("7"))], 42, "Cannot update these configs dynamically: [node.id]"),
        (BROKER, "", &[], 40, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."),
    ];
    for (kind, name, configs, code, words) in cases {
        let row = ask(&mut client, *kind, name, configs, false, 2);
        assert_eq!((row.error_code.0, row.error_message.as_deref()), (*code, Some(*words)), "{kind} {name:?}");
    }
    assert_eq!(described(&mut client, TOPIC, &topic)["segment.ms"].value.as_deref(), Some("5000"));
}
