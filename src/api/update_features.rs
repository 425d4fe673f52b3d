//! UpdateFeatures (key 57), versions 0-2.
//!
//! Behavior: what is asked is judged as Kafka judges it. A level that is in force already is no change and allowed; every other one
//! is refused: the levels are those this release works with.
//!
//! Version notes: v1: kinds of changes, checks only (KIP-778). v2: one outcome for all (KIP-1022).
//!
//! Reference: Kafka `FeatureControlManager.updateFeatures` (KIP-584).

use super::{Broker, Call, Outcome};
use crate::meta::change::SUPPORTED_FEATURES;
use crate::meta::image::METADATA_VERSION;
use crate::wire::ErrorCode;
use crate::wire::messages::update_features::{
    FeatureUpdateKey, UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

pub fn handle(call: Call<'_>, request: UpdateFeaturesRequest, (): ()) -> Outcome<UpdateFeaturesResponse> {
    let refused = request.feature_updates.iter().find_map(|update| judge(call.broker, update).err());
    if let Some(reason) = refused {
        let message =
            format!("The update failed for all features since the following feature had an error: {reason}");
        return Outcome::Now(UpdateFeaturesResponse {
            error_code: ErrorCode::INVALID_UPDATE_VERSION,
            error_message: Some(message),
            ..Default::default()
        });
    }
    let done = |update: FeatureUpdateKey| UpdatableFeatureResult {
        feature: update.feature,
        error_message: None,
        ..Default::default()
    };
    let results = request.feature_updates.into_iter().map(done).collect();
    Outcome::Now(UpdateFeaturesResponse { error_message: None, results, ..Default::default() })
}

fn judge(broker: &Broker, update: &FeatureUpdateKey) -> Result<(), String> {
    let (name, asked) = (update.feature.as_str(), update.max_version_level);
    // What v0 says of downgrades is passed over, as by Kafka.
    let kind = update.upgrade_type;
    let refuse = |why: &str| Err(format!("Invalid update version {asked} for feature {name}. {why}"));
    if !(UPGRADE..=UNSAFE_DOWNGRADE).contains(&kind) {
        return refuse("The controller does not support the given upgrade type.");
    }
    if asked < 0 {
        return refuse("A feature version cannot be less than 0.");
    }
    match SUPPORTED_FEATURES.iter().find(|(supported, ..)| *supported == name) {
        None => return refuse(&format!("Local controller {} does not support this feature.", broker.node_id)),
        Some((_, lowest, highest)) if !(*lowest..=*highest).contains(&asked) => {
            let node = broker.node_id;
            return refuse(&format!("Local controller {node} only supports versions {lowest}-{highest}"));
        }
        Some(_) => {}
    }
    let image = broker.registry.image();
    let current = if name == METADATA_VERSION { image.metadata_version() } else { image.feature(name) };
    match asked.cmp(&current) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less if kind == UPGRADE => refuse(
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
             downgrade.",
        ),
        std::cmp::Ordering::Greater if kind != UPGRADE => refuse("Can't downgrade to a newer version."),
        std::cmp::Ordering::Less if name == METADATA_VERSION && kind == SAFE_DOWNGRADE => Err(format!(
            "Unsupported metadata.version downgrade from {current} to {asked}. Refusing to perform the requested \
             downgrade because it might delete metadata information."
        )),
        _ => refuse("Klamm works with the levels that are in force and changes none."),
    }
}
