//! Types of CEL expressions, and those of a schema's values
//! (`apiserver/pkg/cel/common/schemas.go`).

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::resource::text;

/// The type of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    /// Anything: what is known only at run time, or after an error.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Optional(Box<Type>),
    /// The type of types.
    OfTypes,
    /// An object with these fields and no others.
    Object(BTreeMap<String, Type>),
}

impl Type {
    pub(super) fn list(of: Type) -> Self {
        Self::List(Box::new(of))
    }

    /// The type of a schema's values.
    pub(super) fn of(schema: &Value, root: bool) -> Self {
        let flag = |key: &str| schema.get(key) == Some(&Value::Bool(true));
        if flag("x-kubernetes-int-or-string") {
            return Self::Dyn;
        }
        match text(schema, "/type") {
            "array" => Self::list(
                schema
                    .get("items")
                    .map_or(Self::Dyn, |i| Self::of(i, false)),
            ),
            "object" => Self::of_object(schema, root || flag("x-kubernetes-embedded-resource")),
            "boolean" => Self::Bool,
            "integer" => Self::Int,
            "number" => Self::Double,
            "string" => match text(schema, "/format") {
                "byte" => Self::Bytes,
                "date" | "date-time" => Self::Timestamp,
                "duration" => Self::Duration,
                _ => Self::String,
            },
            _ => Self::Dyn,
        }
    }

    fn of_object(schema: &Value, resource: bool) -> Self {
        if let Some(rest @ Value::Object(_)) = schema.get("additionalProperties") {
            return Self::Map(Box::new(Self::String), Box::new(Self::of(rest, false)));
        }
        let mut fields = BTreeMap::new();
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            // A schema without a type has no values that a rule could see.
            let typed = Self::of(property, false);
            let known = typed != Self::Dyn
                || property.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true));
            if let Some(name) = escape(name).filter(|_| known) {
                fields.insert(name, typed);
            }
        }
        if resource {
            for key in ["apiVersion", "kind"] {
                fields.insert(key.to_owned(), Self::String);
            }
            let metadata = ["name", "generateName"].map(|key| (key.to_owned(), Self::String));
            fields.insert("metadata".to_owned(), Self::Object(metadata.into()));
        }
        Self::Object(fields)
    }

    /// Whether a value of type `other` may stand where this type is asked for.
    pub(super) fn accepts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::List(a), Self::List(b)) | (Self::Optional(a), Self::Optional(b)) => a.accepts(b),
            (Self::Map(k, v), Self::Map(l, w)) => k.accepts(l) && v.accepts(w),
            (a, b) => a == b,
        }
    }

    /// The one of the two that says more.
    pub(super) fn join(self, other: Self) -> Self {
        if self == Self::Dyn { other } else { self }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("dyn"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::List(of) => write!(f, "list({of})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Optional(of) => write!(f, "optional_type({of})"),
            Self::OfTypes => f.write_str("type"),
            // The real server makes up a name with a random number in it.
            Self::Object(_) => f.write_str("selfType"),
        }
    }
}

const RESERVED: [&str; 18] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
];

/// The name under which a rule sees a property; some cannot be seen.
pub(super) fn escape(name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if let Some(tail) = rest.strip_prefix("__") {
            out.push_str("__underscores__");
            rest = tail;
            continue;
        }
        match c {
            '.' => out.push_str("__dot__"),
            '-' => out.push_str("__dash__"),
            '/' => out.push_str("__slash__"),
            c if c == '_' || c.is_ascii_alphanumeric() => out.push(c),
            _ => return None,
        }
        rest = &rest[c.len_utf8()..];
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn names_are_escaped_as_kubernetes_does() {
        for (name, seen) in [
            ("plain", Some("plain")),
            ("a-b", Some("a__dash__b")),
            ("a.b/c", Some("a__dot__b__slash__c")),
            ("__x", Some("__underscores__x")),
            ("namespace", Some("__namespace__")),
            ("1a", None),
            ("a$", None),
        ] {
            assert_eq!(escape(name).as_deref(), seen, "{name}");
        }
    }
}
