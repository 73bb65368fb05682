//! Whether an object can be read into Longhorn's types, and in which words Go says
//! that it cannot (`encoding/json`; `k8s/pkg/apis/longhorn/v1beta2`). The mutating
//! webhook is asked before the API server holds an object against its schema, so a
//! value of the wrong kind is refused by it, with code 500.

mod types;

use std::ops::RangeInclusive;

use fixname_naming::LonghornVersion;
use serde_json::Value;

use super::go;
use types::{Fields, QUOTED, TIME, fields_of, has};

/// Reads an object of a kind; what cannot be read first is named, in the order in
/// which the API server writes it, that of its keys.
pub(super) fn check(
    version: &LonghornVersion,
    kind: &'static str,
    object: &Value,
) -> Result<(), String> {
    let place = Place {
        version,
        of: kind,
        path: String::new(),
    };
    fields_of(kind).map_or(Ok(()), |fields| in_struct(&place, fields, object))
}

/// Where a value stands: the innermost type with a field for it, and the path there
/// without the keys of maps.
struct Place<'a> {
    version: &'a LonghornVersion,
    of: &'static str,
    path: String,
}

impl Place<'_> {
    fn error(&self, what: &str, go_type: &str) -> Result<(), String> {
        Err(format!(
            "json: cannot unmarshal {what} into Go struct field {}.{} of type {go_type}",
            self.of, self.path
        ))
    }
}

fn in_struct(place: &Place<'_>, fields: Fields, object: &Value) -> Result<(), String> {
    let key_of = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
    for (key, value) in super::entries(object) {
        let field = fields.iter().find(|(path, _)| key_of(path) == key);
        let Some((path, go_type)) = field else {
            continue;
        };
        if !has(place.version, place.of, key) {
            continue;
        }
        let inner = Place {
            version: place.version,
            of: place.of,
            path: match place.path.as_str() {
                "" => (*path).to_owned(),
                outer => format!("{outer}.{path}"),
            },
        };
        read(&inner, go_type, value)?;
    }
    Ok(())
}

/// What Go calls a value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A whole value that is neither null nor of a kind is not read into a type.
pub(super) fn cannot(go_type: &str, kind: &str, value: &Value) -> Result<(), String> {
    let found = kind_of(value);
    if found == kind || value.is_null() {
        return Ok(());
    }
    Err(format!(
        "json: cannot unmarshal {found} into Go value of type {go_type}"
    ))
}

fn read(place: &Place<'_>, go_type: &'static str, value: &Value) -> Result<(), String> {
    // Null leaves every field as it is.
    if value.is_null() {
        return Ok(());
    }
    let kind = kind_of(value);
    let wrong = |go_type| place.error(kind, go_type);
    if let Some(of) = go_type.strip_prefix("map[string]") {
        let Value::Object(map) = value else {
            return wrong(go_type);
        };
        let of = of.trim_start_matches('*');
        return map.values().try_for_each(|value| read(place, of, value));
    }
    if let Some(of) = go_type.strip_prefix("[]") {
        let Value::Array(list) = value else {
            return wrong(go_type);
        };
        let of = of.trim_start_matches('*');
        return list.iter().try_for_each(|value| read(place, of, value));
    }
    let named = go_type.strip_prefix("v1beta2.");
    if let Some((of, fields)) = named.and_then(|name| Some((name, fields_of(name)?))) {
        if !value.is_object() {
            return wrong(go_type);
        }
        let path = place.path.clone();
        let version = place.version;
        return in_struct(&Place { version, of, path }, fields, value);
    }
    match (go_type, value) {
        (QUOTED, _) => quoted(place, value),
        (TIME, Value::String(text)) => time(text),
        (TIME, _) => wrong("string"),
        ("bool", Value::Bool(_)) => Ok(()),
        ("bool", _) => wrong(go_type),
        _ => match (bounds(go_type), value) {
            (Some(bounds), Value::Number(number)) => {
                if whole(value).is_some_and(|number| bounds.contains(&number)) {
                    return Ok(());
                }
                let written = go::json_number(number.as_f64().unwrap_or_default());
                place.error(&format!("number {written}"), go_type)
            }
            (None, Value::String(_)) => Ok(()),
            _ => wrong(go_type),
        },
    }
}

/// What a type of whole numbers can hold.
fn bounds(go_type: &str) -> Option<RangeInclusive<i128>> {
    Some(match go_type {
        "int" | "int64" => i64::MIN.into()..=i64::MAX.into(),
        "int32" => i32::MIN.into()..=i32::MAX.into(),
        "uint64" => 0..=u64::MAX.into(),
        "uint16" => 0..=u16::MAX.into(),
        "uint8" => 0..=u8::MAX.into(),
        _ => return None,
    })
}

/// A time must at least begin with a year; what follows is not looked at.
fn time(text: &str) -> Result<(), String> {
    const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
    let begins_with_a_year = text.len() >= 4 && text.bytes().take(4).all(|b| b.is_ascii_digit());
    if begins_with_a_year {
        return Ok(());
    }
    let text = go::quote(text);
    Err(format!(
        "parsing time {text} as \"{LAYOUT}\": cannot parse {text} as \"2006\""
    ))
}

/// A number without a fraction; the API server writes `1e2` as 100.
fn whole(value: &Value) -> Option<i128> {
    let from_float = || {
        let float = value.as_f64()?;
        let fits = float.fract() == 0.0 && float.abs() < 1e21;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it has no fraction and fits"
        )]
        fits.then_some(float as i128)
    };
    let signed = value.as_i64().map(i128::from);
    let unsigned = || value.as_u64().map(i128::from);
    signed.or_else(unsigned).or_else(from_float)
}

/// Such a number, if 64 bits hold it.
pub(super) fn number(value: &Value) -> Option<i64> {
    whole(value).and_then(|number| number.try_into().ok())
}

fn quoted(place: &Place<'_>, value: &Value) -> Result<(), String> {
    let Value::String(text) = value else {
        return Err(
            "json: invalid use of ,string struct tag, trying to unmarshal unquoted value into int64"
                .to_owned(),
        );
    };
    let starts_as_a_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if text.parse::<i64>().is_ok() || text == "null" {
        Ok(())
    } else if starts_as_a_number {
        place.error(&format!("number {text}"), "int64")
    } else {
        let text = go::quote(text);
        Err(format!(
            "json: invalid use of ,string struct tag, trying to unmarshal {text} into int64"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn newest() -> LonghornVersion {
        "v1.12.1".parse().unwrap()
    }

    /// Recorded of v1.12.1's mutating webhook.
    #[test]
    fn go_says_what_cannot_be_read() {
        for (kind, object, why) in [
            (
                "Node",
                json!({"spec": {"disks": {"d": {"diskDriver": 1, "diskType": 1}}}}),
                "number into Go struct field DiskSpec.spec.disks.diskDriver of type v1beta2.DiskDriver",
            ),
            (
                "Node",
                json!({"spec": {"tags": ["a", 1]}}),
                "number into Go struct field NodeSpec.spec.tags of type string",
            ),
            (
                "Node",
                json!({"spec": {"instanceManagerCPURequest": 1.5}}),
                "number 1.5 into Go struct field NodeSpec.spec.instanceManagerCPURequest of type int",
            ),
            (
                "BackingImage",
                json!({"spec": {"diskFileSpecMap": {"u": ""}}}),
                "string into Go struct field BackingImageSpec.spec.diskFileSpecMap of type v1beta2.BackingImageDiskFileSpec",
            ),
            (
                "BackingImage",
                json!({"spec": {"diskFileSpecMap": {"u": {"evictionRequested": "x"}}}}),
                "string into Go struct field BackingImageDiskFileSpec.spec.diskFileSpecMap.evictionRequested of type bool",
            ),
            (
                "Replica",
                json!({"spec": {"dataEngine": 1}}),
                "number into Go struct field ReplicaSpec.spec.InstanceSpec.dataEngine of type v1beta2.DataEngineType",
            ),
            (
                "Replica",
                json!({"spec": {"volumeSize": "5Gi"}}),
                "number 5Gi into Go struct field ReplicaSpec.spec.InstanceSpec.volumeSize of type int64",
            ),
            (
                "Setting",
                json!({"value": true}),
                "bool into Go struct field Setting.value of type string",
            ),
        ] {
            let why = format!("json: cannot unmarshal {why}");
            assert_eq!(check(&newest(), kind, &object), Err(why), "{object}");
        }
    }

    #[test]
    fn what_fits_is_read() {
        let node = json!({"spec": {"tags": null, "disks": {"d": {"storageReserved": 1e2}}}});
        assert_eq!(check(&newest(), "Node", &node), Ok(()));
        let replica = json!({"spec": {"volumeSize": "5", "unknown": [1]}});
        assert_eq!(check(&newest(), "Replica", &replica), Ok(()));
    }
}
