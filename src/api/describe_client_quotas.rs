//! DescribeClientQuotas (key 48), versions 0-1.
//!
//! Behavior: the quotas that the metadata keeps, which only a directory of Kafka's brings: none can be set, none is enforced.
//!
//! Reference: Kafka `ClientQuotasImage.describe` (KIP-546).

use std::collections::{BTreeMap, BTreeSet};

use super::{Call, Outcome};
use crate::meta::record::{ClientQuotaRecord, Record};
use crate::wire::ErrorCode;
use crate::wire::messages::describe_client_quotas::{
    ComponentData, DescribeClientQuotasRequest, DescribeClientQuotasResponse, EntityData, EntryData, ValueData,
};

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

const IP: &str = "ip";
const TYPES: [&str; 3] = [IP, "user", "client-id"];

type Refusal = (ErrorCode, String);

/// Entity types and names; a name of `None` is the default of its type.
type Entity = Vec<(String, Option<String>)>;

pub fn handle(call: Call<'_>, request: DescribeClientQuotasRequest, (): ()) -> Outcome<DescribeClientQuotasResponse> {
    let filter = match Filter::of(request.components, request.strict) {
        Ok(filter) => filter,
        Err((error_code, message)) => {
            return Outcome::Now(DescribeClientQuotasResponse {
                error_code,
                error_message: Some(message),
                entries: None,
                ..Default::default()
            });
        }
    };
    let image = call.broker.registry.image();
    let mut entries: BTreeMap<Entity, Vec<ValueData>> = BTreeMap::new();
    for record in image.kept() {
        let Record::ClientQuota(quota) = record else { continue };
        let entity = entity(quota);
        if filter.matches(&entity) {
            let value = ValueData { key: quota.key.clone(), value: quota.value };
            entries.entry(entity).or_default().push(value);
        }
    }
    let entry = |(entity, values): (Entity, Vec<ValueData>)| EntryData {
        entity: entity.into_iter().map(|(entity_type, entity_name)| EntityData { entity_type, entity_name }).collect(),
        values,
    };
    Outcome::Now(DescribeClientQuotasResponse {
        entries: Some(entries.into_iter().map(entry).collect()),
        ..Default::default()
    })
}

fn entity(quota: &ClientQuotaRecord) -> Entity {
    quota.entity.iter().map(|part| (part.entity_type.clone(), part.entity_name.clone())).collect()
}

/// Which entities are meant.
struct Filter {
    exact: BTreeMap<String, Option<String>>,
    any: BTreeSet<String>,
    /// Entities with other parts besides are not meant.
    strict: bool,
}

impl Filter {
    fn of(components: Vec<ComponentData>, strict: bool) -> Result<Filter, Refusal> {
        let invalid = |message: String| Err((ErrorCode::INVALID_REQUEST, message));
        let mut filter = Filter { exact: BTreeMap::new(), any: BTreeSet::new(), strict };
        for ComponentData { entity_type, match_type, r#match } in components {
            if entity_type.is_empty() {
                return invalid("Invalid empty entity type.".to_owned());
            }
            if filter.names(&entity_type) {
                return invalid(format!("Entity type {entity_type} cannot appear more than once in the filter."));
            }
            if !TYPES.contains(&entity_type.as_str()) {
                return Err((ErrorCode::UNSUPPORTED_VERSION, format!("Unsupported entity type {entity_type}")));
            }
            match (match_type, r#match) {
                (EXACT, Some(name)) => drop(filter.exact.insert(entity_type, Some(name))),
                (EXACT, None) => {
                    return invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.".to_owned());
                }
                (DEFAULT, None) => drop(filter.exact.insert(entity_type, None)),
                (SPECIFIED, None) => drop(filter.any.insert(entity_type)),
                (DEFAULT | SPECIFIED, Some(_)) => {
                    let kind = if match_type == DEFAULT { "DEFAULT" } else { "SPECIFIED" };
                    let what = format!("Request specified MATCH_TYPE_{kind}, but also specified a match string.");
                    return invalid(what);
                }
                (other, _) => return invalid(format!("Unknown match type {other}")),
            }
        }
        if filter.names(IP) && filter.exact.len() + filter.any.len() > 1 {
            return invalid(
                "Invalid entity filter component combination. IP filter component should not be used with user or \
                 clientId filter component."
                    .to_owned(),
            );
        }
        Ok(filter)
    }

    fn names(&self, entity_type: &str) -> bool {
        self.exact.contains_key(entity_type) || self.any.contains(entity_type)
    }

    fn matches(&self, entity: &Entity) -> bool {
        let part = |wanted: &str| entity.iter().find(|(entity_type, _)| entity_type == wanted).map(|(_, name)| name);
        (!self.strict || entity.len() == self.exact.len() + self.any.len())
            && self.exact.iter().all(|(wanted, name)| part(wanted) == Some(name))
            && self.any.iter().all(|wanted| part(wanted).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(entity_type: &str, match_type: i8, name: Option<&str>) -> ComponentData {
        ComponentData { entity_type: entity_type.to_owned(), match_type, r#match: name.map(str::to_owned) }
    }

    fn matches(components: Vec<ComponentData>, strict: bool, parts: &[(&str, Option<&str>)]) -> bool {
        let parts = parts.iter().map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned))).collect();
        Filter::of(components, strict).expect("a filter").matches(&parts)
    }

    #[test]
    fn a_filter_finds_the_entities_it_means() {
        let both = [("user", Some("a")), ("client-id", None)];
        assert!(matches(vec![], false, &both));
        assert!(!matches(vec![], true, &both));
        assert!(matches(vec![component("user", EXACT, Some("a"))], false, &both));
        assert!(!matches(vec![component("user", EXACT, Some("a"))], true, &both));
        assert!(!matches(vec![component("user", EXACT, Some("b"))], false, &both));
        assert!(!matches(vec![component("user", DEFAULT, None)], false, &both));
        assert!(matches(vec![component("user", SPECIFIED, None), component("client-id", DEFAULT, None)], true, &both));
        assert!(!matches(vec![component(IP, SPECIFIED, None)], false, &both));
    }
}
