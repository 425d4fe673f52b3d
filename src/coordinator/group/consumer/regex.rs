//! Regular expressions of subscriptions: linear time, bounded size, and the whole name must match.
//!
//! References: KIP-848 (RE2 syntax); Kafka `Utils`/`GroupMetadataManager.throwIfRegularExpressionIsInvalid`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::base::ids::TopicName;

/// What a compiled expression may take: a bomb is refused, no honest one comes near.
const COMPILED_BYTES_MAX: usize = 64 << 10;

/// The same of one that names classes of all of Unicode's letters.
const COMPILED_UNICODE_BYTES_MAX: usize = 256 << 10;

/// A longer expression is not read at all.
const EXPRESSION_BYTES_MAX: usize = 8 << 10;

/// An expression that was read.
pub enum Expression {
    /// Names of topics are ASCII, and so are `\w` and the like in RE2.
    Ascii(::regex::bytes::Regex),
    /// It needs more: `\pL`, `[é]`.
    Unicode(::regex::Regex),
}

impl Expression {
    fn matching(&self, names: &[TopicName]) -> BTreeSet<String> {
        let matching = names.iter().filter(|name| self.is_match(name.as_str()));
        matching.map(|name| name.as_str().to_owned()).collect()
    }

    /// Whether all of a name matches.
    fn is_match(&self, name: &str) -> bool {
        match self {
            Expression::Ascii(regex) => regex.is_match(name.as_bytes()),
            Expression::Unicode(regex) => regex.is_match(name),
        }
    }
}

/// An expression that was read, or why it cannot be. As long as milliseconds: not to be done under the lock of all groups of a
/// partition.
#[derive(Clone)]
pub struct Compiled(Arc<Result<Expression, String>>);

impl Compiled {
    /// Reads an expression.
    pub fn of(expression: &str) -> Compiled {
        Compiled(Arc::new(compile(expression)))
    }

    /// What is wrong with it.
    pub fn fault(&self) -> Option<&str> {
        self.0.as_ref().as_ref().err().map(String::as_str)
    }

    /// The names that it matches.
    pub fn matching(&self, names: &[TopicName]) -> BTreeSet<String> {
        let Ok(expression) = self.0.as_ref() else { return BTreeSet::new() };
        expression.matching(names)
    }
}

impl PartialEq for Compiled {
    fn eq(&self, other: &Compiled) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compiled").field(&self.fault()).finish()
    }
}

/// The names that an expression matches.
///
/// # Errors
/// What is wrong with it.
pub fn matching(expression: &str, names: &[TopicName]) -> Result<BTreeSet<String>, String> {
    Ok(whole(expression)?.matching(names))
}

/// Reads an expression.
///
/// # Errors
/// What is wrong with it.
pub fn compile(expression: &str) -> Result<Expression, String> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Err(format!("it is longer than {EXPRESSION_BYTES_MAX} bytes"));
    }
    // By itself first: `a)(b` must not become whole by being put in brackets.
    limited(expression)?;
    whole(expression)
}

/// An expression that was read before, for whole names.
fn whole(expression: &str) -> Result<Expression, String> {
    limited(&format!("^(?:{expression})$"))
}

fn limited(text: &str) -> Result<Expression, String> {
    let ascii = ::regex::bytes::RegexBuilder::new(text).unicode(false).size_limit(COMPILED_BYTES_MAX).build();
    match ascii {
        Ok(regex) => Ok(Expression::Ascii(regex)),
        Err(::regex::Error::Syntax(_)) => {
            let unicode = ::regex::RegexBuilder::new(text).size_limit(COMPILED_UNICODE_BYTES_MAX).build();
            unicode.map(Expression::Unicode).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    }
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
    fn classes_of_letters_are_those_of_names() {
        let all = names(&["orders-1", "Kunden_2", "x"]);
        for (expression, count) in
            [(r"\w+-\d", 1), (r"\pL+_\d", 1), (r"(?i)ORDERS.+", 1), ("[a-zé]", 1), (".*", 3), ("é|x", 1)]
        {
            assert_eq!(matching(expression, &all).expect("an expression").len(), count, "{expression}");
        }
        let long = (0..30).map(|_| r"\w+").collect::<Vec<_>>().join("-");
        assert!(compile(&long).is_ok(), "no bomb");
    }

    #[test]
    fn an_expression_that_backtracks_elsewhere_is_quick() {
        let name = format!("{}b", "a".repeat(200));
        assert!(matching("(a*)*c", &names(&[&name])).expect("an expression").is_empty());
    }
}
