//! Label and field selectors: parsing (`apimachinery/pkg/labels`, `…/fields`)
//! and matching against stored objects.

use serde_json::Value;

use crate::names;
use crate::quote::quote;
use crate::store::Stored;

/// One condition of a label selector.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    Missing(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Greater(String, i64),
    Less(String, i64),
}

/// A parsed `labelSelector`; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lexer = Lexer { rest: text };
        let mut requirements = Vec::new();
        match lexer.peek() {
            Token::End => return Ok(Self::default()),
            Token::Word(_) | Token::Not => {}
            other => {
                return Err(format!(
                    "found '{}', expected: !, identifier, or 'end of string'",
                    other.text()
                ));
            }
        }
        loop {
            let found = requirement(&mut lexer)
                .map_err(|why| format!("unable to parse requirement: {why}"))?;
            requirements.push(found);
            match lexer.next() {
                Token::End => return Ok(Self(requirements)),
                Token::Comma => {
                    if !matches!(lexer.peek(), Token::Word(_) | Token::Not) {
                        return Err(format!(
                            "found '{}', expected: identifier after ','",
                            lexer.peek().text()
                        ));
                    }
                }
                other => {
                    return Err(format!(
                        "found '{}', expected: ',' or 'end of string'",
                        other.text()
                    ));
                }
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, stored: &Stored) -> bool {
        self.0.iter().all(|r| match r {
            Requirement::Exists(key) => stored.label(key).is_some(),
            Requirement::Missing(key) => stored.label(key).is_none(),
            Requirement::In(key, values) => stored
                .label(key)
                .is_some_and(|v| values.iter().any(|w| w == v)),
            Requirement::NotIn(key, values) => stored
                .label(key)
                .is_none_or(|v| values.iter().all(|w| w != v)),
            Requirement::Greater(key, limit) => stored
                .label(key)
                .and_then(|v| v.parse::<i64>().ok())
                .is_some_and(|v| v > *limit),
            Requirement::Less(key, limit) => stored
                .label(key)
                .and_then(|v| v.parse::<i64>().ok())
                .is_some_and(|v| v < *limit),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    End,
    Comma,
    Open,
    Close,
    Equals,
    DoubleEquals,
    NotEquals,
    Not,
    Greater,
    Less,
    Word(String),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::End => "",
            Self::Comma => ",",
            Self::Open => "(",
            Self::Close => ")",
            Self::Equals => "=",
            Self::DoubleEquals => "==",
            Self::NotEquals => "!=",
            Self::Not => "!",
            Self::Greater => ">",
            Self::Less => "<",
            Self::Word(word) => word,
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
}

impl Lexer<'_> {
    fn next(&mut self) -> Token {
        self.rest = self.rest.trim_start();
        for (text, token) in [
            ("==", Token::DoubleEquals),
            ("!=", Token::NotEquals),
            ("=", Token::Equals),
            ("!", Token::Not),
            (",", Token::Comma),
            ("(", Token::Open),
            (")", Token::Close),
            (">", Token::Greater),
            ("<", Token::Less),
        ] {
            if let Some(rest) = self.rest.strip_prefix(text) {
                self.rest = rest;
                return token;
            }
        }
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || "=!,()<>".contains(c))
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Token::End;
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Token::Word(word.to_owned())
    }

    fn peek(&self) -> Token {
        Lexer { rest: self.rest }.next()
    }
}

fn checked_key(key: String) -> Result<String, String> {
    match names::qualified_errors(&key).first() {
        None => Ok(key),
        Some(why) => Err(format!("<nil>: Invalid value: {}: {why}", quote(&key))),
    }
}

fn checked_value(key: &str, value: String) -> Result<String, String> {
    match names::label_value_errors(&value).first() {
        None => Ok(value),
        Some(why) => Err(format!(
            "values[0][{key}]: Invalid value: {}: {why}",
            quote(&value)
        )),
    }
}

fn requirement(lexer: &mut Lexer<'_>) -> Result<Requirement, String> {
    let negated = lexer.peek() == Token::Not;
    if negated {
        lexer.next();
    }
    let key = match lexer.next() {
        Token::Word(key) => checked_key(key)?,
        other => {
            return Err(format!("found '{}', expected: identifier", other.text()));
        }
    };
    if negated {
        return Ok(Requirement::Missing(key));
    }
    match lexer.peek() {
        Token::End | Token::Comma => Ok(Requirement::Exists(key)),
        Token::Equals | Token::DoubleEquals => {
            lexer.next();
            let value = checked_value(&key, exact_value(lexer)?)?;
            Ok(Requirement::In(key, vec![value]))
        }
        Token::NotEquals => {
            lexer.next();
            let value = checked_value(&key, exact_value(lexer)?)?;
            Ok(Requirement::NotIn(key, vec![value]))
        }
        token @ (Token::Greater | Token::Less) => {
            lexer.next();
            let value = exact_value(lexer)?;
            let limit: i64 = value.parse().map_err(|_| {
                format!(
                    "values[0]: Invalid value: {}: for 'Gt', 'Lt' operators, the value must be an integer",
                    quote(&value)
                )
            })?;
            Ok(if token == Token::Greater {
                Requirement::Greater(key, limit)
            } else {
                Requirement::Less(key, limit)
            })
        }
        Token::Word(word) if word == "in" || word == "notin" => {
            lexer.next();
            let values = values(lexer)?
                .into_iter()
                .map(|v| checked_value(&key, v))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(if word == "in" {
                Requirement::In(key, values)
            } else {
                Requirement::NotIn(key, values)
            })
        }
        other => Err(format!(
            "found '{}', expected: in, notin, =, ==, !=, gt, lt",
            other.text()
        )),
    }
}

fn exact_value(lexer: &mut Lexer<'_>) -> Result<String, String> {
    match lexer.peek() {
        Token::End | Token::Comma => Ok(String::new()),
        Token::Word(word) => {
            lexer.next();
            Ok(word)
        }
        other => Err(format!("found '{}', expected: identifier", other.text())),
    }
}

fn values(lexer: &mut Lexer<'_>) -> Result<Vec<String>, String> {
    let open = lexer.next();
    if open != Token::Open {
        return Err(format!("found '{}' expected: '('", open.text()));
    }
    let mut values = Vec::new();
    loop {
        match lexer.next() {
            Token::Word(word) => {
                values.push(word);
                match lexer.next() {
                    Token::Comma => {}
                    Token::Close => break,
                    other => {
                        return Err(format!("found '{}', expected: ',' or ')'", other.text()));
                    }
                }
            }
            Token::Comma => values.push(String::new()),
            Token::Close => {
                values.push(String::new());
                break;
            }
            other => {
                return Err(format!(
                    "found '{}', expected: ',', ')' or identifier",
                    other.text()
                ));
            }
        }
    }
    values.sort();
    values.dedup();
    Ok(values)
}

/// A value of a field selector: `\\`, `,` and `=` are written with a backslash.
fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                other => {
                    let shown: String = other.into_iter().collect();
                    return Err(format!(
                        "invalid field selector: invalid escape sequence: \\{shown}"
                    ));
                }
            },
            '=' => {
                return Err("invalid field selector: unescaped character in value: 61".to_owned());
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// The terms of a field selector; a comma behind a backslash does not end one.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// A parsed `fieldSelector`: path, wanted value, whether it must be equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldSelector {
    terms: Vec<(String, String, bool)>,
}

impl FieldSelector {
    /// Parses; the paths are not checked yet.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        let mut parts = split_terms(text);
        parts.sort_unstable();
        for part in parts {
            if part.is_empty() {
                continue;
            }
            // The first operator counts; what stands behind it is the value.
            let Some(at) = part.find('=') else {
                return Err(format!(
                    "invalid selector: '{text}'; can't understand '{part}'"
                ));
            };
            let (key, value) = (&part[..at], &part[at + 1..]);
            let (key, value, equal) = match key.strip_suffix('!') {
                Some(key) => (key, value, false),
                None => (key, value.strip_prefix('=').unwrap_or(value), true),
            };
            terms.push((key.to_owned(), unescaped(value)?, equal));
        }
        Ok(Self { terms })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    pub(crate) fn add(&mut self, path: &str, value: &str) {
        self.terms.push((path.to_owned(), value.to_owned(), true));
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|(path, _, _)| path.as_str())
    }

    /// The value that `path` must be equal to.
    pub(crate) fn required(&self, path: &str) -> Option<&str> {
        self.terms
            .iter()
            .find(|(p, _, equal)| p == path && *equal)
            .map(|(_, value, _)| value.as_str())
    }

    pub(crate) fn matches(&self, stored: &Stored) -> bool {
        let mut parsed: Option<Value> = None;
        self.terms.iter().all(|(path, wanted, equal)| {
            let found = match path.as_str() {
                "metadata.name" => stored.name().to_owned(),
                "metadata.namespace" => stored.namespace().to_owned(),
                path => field(parsed.get_or_insert_with(|| stored.parse()), path),
            };
            (found == *wanted) == *equal
        })
    }
}

/// A field as a selector sees it: a scalar as text, otherwise empty.
fn field(object: &Value, path: &str) -> String {
    if path == "source" && object.get("involvedObject").is_some() {
        let component = object
            .pointer("/source/component")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if component.is_empty() {
            return field(object, "reportingComponent");
        }
        return component.to_owned();
    }
    // A stored event is a core one, also when it is asked for as the new kind.
    let path = match path.strip_prefix("regarding.") {
        Some(rest) => format!("involvedObject.{rest}"),
        None if path == "reportingController" => "reportingComponent".to_owned(),
        None => path.to_owned(),
    };
    if path == "status.successful" {
        let done = object.pointer("/status/succeeded").and_then(Value::as_i64);
        return done.unwrap_or_default().to_string();
    }
    let mut at = object;
    for key in path.split('.') {
        match at.get(key) {
            Some(next) => at = next,
            None => {
                return match path.as_str() {
                    "spec.unschedulable" | "spec.hostNetwork" => "false".to_owned(),
                    _ => String::new(),
                };
            }
        }
    }
    match at {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(labels: &[(&str, &str)]) -> Stored {
        Stored {
            key: "ns/a".to_owned(),
            version: 1,
            json: "{}".into(),
            api_version: "v1".into(),
            epoch: 0,
            uid: String::new(),
            labels: Some(
                labels
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            ),
            owners: Vec::new(),
            terminating: false,
        }
    }

    #[test]
    fn values_of_fields_are_unescaped() {
        let terms = |text| FieldSelector::parse(text).map(|s| s.terms);
        let own = |k: &str, v: &str, e| (k.to_owned(), v.to_owned(), e);
        assert_eq!(
            terms("b!=x\\,y,a==\\=\\\\"),
            Ok(vec![own("a", "=\\", true), own("b", "x,y", false)])
        );
        for bad in ["a", "a=\\x", "a=b=c", "a=\\"] {
            assert!(terms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_operator() {
        let object = stored(&[("a", "1"), ("b", "x")]);
        for (selector, wanted) in [
            ("a=1", true),
            ("a==1,b=x", true),
            ("a!=1", false),
            ("c!=1", true),
            ("a in (1, 2)", true),
            ("a notin (1,2)", false),
            ("c notin (1)", true),
            ("a", true),
            ("!a", false),
            ("!c", true),
            ("a>0", true),
            ("a<1", false),
            ("", true),
        ] {
            let parsed = LabelSelector::parse(selector).expect(selector);
            assert_eq!(parsed.matches(&object), wanted, "{selector}");
        }
        for bad in ["=1", "a in 1", "a in (1", "a,,b", "a=b=c", "A/B/C=1", "a>x"] {
            assert!(LabelSelector::parse(bad).is_err(), "{bad}");
        }
    }
}
