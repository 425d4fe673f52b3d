//! Regular expressions of subscriptions: linear time, bounded size, and the whole name must match.
//!
//! References: KIP-848 (RE2 syntax); Kafka `Utils`/`GroupMetadataManager.throwIfRegularExpressionIsInvalid`.

use std::collections::BTreeSet;

use crate::base::ids::TopicName;

/// What a compiled expression may take: a bomb is refused, no honest one comes near.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// A longer expression is not read at all.
const EXPRESSION_BYTES_MAX: usize = 8 << 10;

/// The names that an expression matches.
///
/// # Errors
/// What is wrong with it.
pub fn matching(expression: &str, names: &[TopicName]) -> Result<BTreeSet<String>, String> {
    let compiled = compile(expression)?;
    let matching = names.iter().filter(|name| compiled.is_match(name.as_str()));
    Ok(matching.map(|name| name.as_str().to_owned()).collect())
}

/// Reads an expression.
///
/// # Errors
/// What is wrong with it.
pub fn compile(expression: &str) -> Result<::regex::Regex, String> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Err(format!("it is longer than {EXPRESSION_BYTES_MAX} bytes"));
    }
    // By itself first: `a)(b` must not become whole by being put in brackets.
    let limited = |text: &str| ::regex::RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build();
    limited(expression).map_err(|error| error.to_string())?;
    limited(&format!("^(?:{expression})$")).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<TopicName> {
        names.iter().map(|name| TopicName::parse(name).expect("a legal name")).collect()
    }

    #[test]
    fn the_whole_name_must_match() {
        let found = matching("a|b.", &names(&["a", "ab", "bc", "bcd"])).expect("an expression");
        assert_eq!(found, ["a".to_owned(), "bc".to_owned()].into());
    }

    #[test]
    fn what_is_no_expression_or_a_bomb_is_refused() {
        for bad in ["[", "a)(b", "(?=a)", "a{1000}{1000}{1000}", &"a".repeat(10_000)] {
            assert!(compile(bad).is_err(), "{}", &bad[..bad.len().min(20)]);
        }
    }

    #[test]
    fn an_expression_that_backtracks_elsewhere_is_quick() {
        let name = format!("{}b", "a".repeat(200));
        assert!(matching("(a*)*c", &names(&[&name])).expect("an expression").is_empty());
    }
}
