//! UpdateFeatures: what is so already is allowed, what cannot be is refused in Kafka's words.

use klamm::wire::messages::update_features::{FeatureUpdateKey, UpdateFeaturesRequest, UpdateFeaturesResponse};

use crate::incremental_alter_configs::node;
use crate::rig::{Client, client, is_reference};

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;

fn ask(client: &mut Client, feature: &str, level: i16, upgrade_type: i8, version: i16) -> UpdateFeaturesResponse {
    let update = FeatureUpdateKey {
        feature: feature.to_owned(),
        max_version_level: level,
        allow_downgrade: version == 0 && upgrade_type != UPGRADE,
        upgrade_type,
    };
    let request =
        UpdateFeaturesRequest { timeout_ms: 10_000, feature_updates: vec![update], validate_only: version > 0 };
    client.call(&request, version)
}

#[test]
fn every_version_keeps_what_is_so() {
    let mut client = client();
    for version in 0..=2 {
        let answer = ask(&mut client, "metadata.version", 33, UPGRADE, version);
        assert_eq!((answer.error_code.0, answer.error_message), (0, None));
        let rows: Vec<_> = answer.results.iter().map(|row| (row.feature.as_str(), row.error_code.0)).collect();
        let expected: &[_] = if version < 2 { &[("metadata.version", 0)] } else { &[] };
        assert_eq!(rows, expected, "{version}");
    }
}

#[test]
fn what_cannot_be_is_refused_in_kafkas_words() {
    let mut client = client();
    let node = node(&mut client);
    let range = format!("Local controller {node} only supports versions");
    let cases = [
        ("metadata.version", 99, UPGRADE, format!("Invalid update version 99 for feature metadata.version. {range} 7-33")),
        ("group.version", 2, UPGRADE, format!("Invalid update version 2 for feature group.version. {range} 0-1")),
        (
            "nope",
            1,
            UPGRADE,
            format!("Invalid update version 1 for feature nope. Local controller {node} does not support this feature."),
        ),
        (
            "metadata.version",
            20,
            UPGRADE,
            "Invalid update version 20 for feature metadata.version. Can't downgrade the version of this feature without \
             setting the upgrade type to either safe or unsafe downgrade."
                .to_owned(),
        ),
        (
            "metadata.version",
            20,
            SAFE_DOWNGRADE,
            "Unsupported metadata.version downgrade from 33 to 20. Refusing to perform the requested downgrade because it \
             might delete metadata information."
                .to_owned(),
        ),
    ];
    for version in 0..=2 {
        // Version 0 cannot ask for a downgrade that is heard.
        for (feature, level, kind, words) in cases.iter().filter(|case| version > 0 || case.2 == UPGRADE) {
            let answer = ask(&mut client, feature, *level, *kind, version);
            let expected =
                format!("The update failed for all features since the following feature had an error: {words}");
            assert_eq!((answer.error_code.0, answer.error_message), (95, Some(expected)), "{version}");
            assert!(answer.results.is_empty());
        }
    }
}

#[test]
fn no_level_is_changed() {
    if is_reference() {
        return;
    }
    let mut client = client();
    assert_eq!(ask(&mut client, "group.version", 0, SAFE_DOWNGRADE, 2).error_code.0, 95);
}
