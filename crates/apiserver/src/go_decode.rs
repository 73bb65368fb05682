//! Reads JSON into the types of [`crate::core_types`] as Go's decoder does,
//! and gives back what Go would write again: unknown members left out and
//! named, empty ones omitted, zero values filled in where Go writes them.
//!
//! Errors carry the texts of `sigs.k8s.io/json`.

use base64::Engine;
use serde_json::{Map, Value};

use crate::core_types::{self, Field, GoType, StructId};
use crate::json_patch::Opened;
use crate::meta::go_kind;
use crate::quote::quote;

/// What decoding gave.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) object: Map<String, Value>,
    /// Paths of unknown members, in the order they were met.
    pub(crate) unknown: Vec<String>,
}

/// Decodes an object of one struct. `prefix` stands before unknown paths.
pub(crate) fn decode(id: StructId, value: Value, prefix: &str) -> Result<Decoded, String> {
    let mut walk = Walk {
        fields: Vec::new(),
        within: None,
        path: prefix.to_owned(),
        unknown: Vec::new(),
        saved: None,
    };
    let decoded = walk
        .value(&GoType::Struct(id), value)
        .map_err(|Fatal(why)| why)?;
    if let Some(why) = walk.saved {
        return Err(why);
    }
    Ok(Decoded {
        object: match decoded {
            Value::Object(map) => map,
            _ => Map::new(),
        },
        unknown: walk.unknown,
    })
}

/// An error of a type's own decoder ends the decoding; others are kept until
/// the end, and the first one counts.
struct Fatal(String);

struct Walk {
    /// Names of the fields around the value.
    fields: Vec<&'static str>,
    /// The innermost struct.
    within: Option<&'static str>,
    /// The place as strict errors show it.
    path: String,
    unknown: Vec<String>,
    saved: Option<String>,
}

impl Walk {
    fn wrong(&mut self, found: &str, wanted: &GoType) {
        if self.saved.is_some() {
            return;
        }
        let place = match self.within {
            Some(name) => format!("Go struct field {name}.{}", self.fields.join(".")),
            None => "Go value".to_owned(),
        };
        self.saved = Some(format!(
            "json: cannot unmarshal {found} into {place} of type {}",
            wanted.shown()
        ));
    }

    fn value(&mut self, go: &GoType, value: Value) -> Result<Value, Fatal> {
        if let GoType::Pointer(of) = go {
            return if value.is_null() {
                Ok(Value::Null)
            } else {
                self.value(of, value)
            };
        }
        match (go, value) {
            (GoType::Fields, value) => Ok(value),
            (GoType::Time, Value::Null) => Ok(Value::Null),
            (GoType::Time, value) => time(&value, false).map_err(Fatal),
            (GoType::MicroTime, Value::Null) => Ok(Value::Null),
            (GoType::MicroTime, value) => time(&value, true).map_err(Fatal),
            (GoType::Quantity, Value::Null) => Ok(zero(go)),
            (GoType::Quantity, value) => quantity(&value).map_err(Fatal),
            (GoType::IntOrString, value) => int_or_string(value).map_err(Fatal),
            (_, Value::Null) => Ok(zero(go)),
            (GoType::Text(_), text @ Value::String(_)) => Ok(text),
            (GoType::Bool, flag @ Value::Bool(_)) => Ok(flag),
            (GoType::Integer(bits), Value::Number(number)) => {
                let fits = number
                    .as_i64()
                    .is_some_and(|n| *bits == 64 || i32::try_from(n).is_ok());
                if fits {
                    Ok(Value::Number(number))
                } else {
                    self.wrong(&format!("number {number}"), go);
                    Ok(zero(go))
                }
            }
            (GoType::Bytes, Value::String(text)) => match bytes(&text) {
                Ok(text) => Ok(Value::String(text)),
                Err(why) => {
                    self.saved.get_or_insert(why);
                    Ok(Value::Null)
                }
            },
            (GoType::List(of), Value::Array(items)) => self.list(of, items),
            (GoType::Map(_, _, of), Value::Object(map)) => self.map(of, map),
            (GoType::Struct(id), Value::Object(map)) => self.object(*id, map),
            (go, other) => {
                self.wrong(go_kind(&other), go);
                Ok(zero(go))
            }
        }
    }

    fn list(&mut self, of: &GoType, items: Vec<Value>) -> Result<Value, Fatal> {
        let length = self.path.len();
        let mut out = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            self.path.push_str(&format!("[{i}]"));
            out.push(self.value(of, item)?);
            self.path.truncate(length);
        }
        Ok(Value::Array(out))
    }

    fn map(&mut self, of: &GoType, map: Map<String, Value>) -> Result<Value, Fatal> {
        let mut out = Map::new();
        for (key, value) in map {
            let length = self.enter(&key);
            let value = self.value(of, value)?;
            self.path.truncate(length);
            // Stored bytes are never nil.
            let value = if matches!(of, GoType::Bytes) && value.is_null() {
                Value::String(String::new())
            } else {
                value
            };
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }

    fn enter(&mut self, key: &str) -> usize {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        length
    }

    fn object(&mut self, id: StructId, mut map: Map<String, Value>) -> Result<Value, Fatal> {
        let known = core_types::table().get(id);
        if map.keys().any(|key| known.field(key).is_none()) {
            map.retain(|key, _| {
                let fits = known.field(key).is_some();
                if !fits {
                    let length = self.enter(key);
                    self.unknown.push(self.path.clone());
                    self.path.truncate(length);
                }
                fits
            });
        }
        let around = self.within.replace(known.short_name());
        let mut out = Map::new();
        for (key, value) in map {
            let Some(field) = known.field(&key) else {
                continue;
            };
            let length = self.enter(&key);
            self.fields.push(field.name);
            let value = self.value(&field.go, value)?;
            self.fields.pop();
            self.path.truncate(length);
            self.within = Some(known.short_name());
            out.insert(key, value);
        }
        self.within = around;
        tidy(&known.fields, &mut out);
        Ok(Value::Object(out))
    }
}

/// Leaves out what Go omits, and fills in the zero values that it writes.
fn tidy(fields: &[Field], map: &mut Map<String, Value>) {
    for field in fields {
        let empty = map.get(field.name).is_none_or(|v| is_empty(&field.go, v));
        if empty && (field.omit_empty || field.omit_zero) && can_omit(field) {
            map.remove(field.name);
        } else if empty {
            map.insert(field.name.to_owned(), zero(&field.go));
        }
    }
}

/// `omitempty` never leaves a struct out, `omitzero` does.
fn can_omit(field: &Field) -> bool {
    field.omit_zero
        || !matches!(
            field.go,
            GoType::Struct(_)
                | GoType::Time
                | GoType::MicroTime
                | GoType::Quantity
                | GoType::IntOrString
        )
}

fn is_empty(go: &GoType, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag && matches!(go, GoType::Bool),
        Value::Number(n) => matches!(go, GoType::Integer(_)) && n.as_i64() == Some(0),
        Value::String(s) => s.is_empty() && matches!(go, GoType::Text(_) | GoType::Bytes),
        // A list or map that was stored empty reads back as none at all.
        Value::Array(items) => items.is_empty() && matches!(go.pointee(), GoType::List(_)),
        Value::Object(map) => map.is_empty() && matches!(go.pointee(), GoType::Map(..)),
    }
}

/// What Go writes for a value that was never set.
pub(crate) fn zero(go: &GoType) -> Value {
    match go {
        GoType::Text(_) => Value::String(String::new()),
        GoType::Bool => Value::Bool(false),
        GoType::Integer(_) | GoType::IntOrString => Value::from(0),
        GoType::Quantity => Value::from("0"),
        GoType::Struct(id) => {
            let mut map = Map::new();
            tidy(&core_types::table().get(*id).fields, &mut map);
            Value::Object(map)
        }
        GoType::Bytes
        | GoType::Time
        | GoType::MicroTime
        | GoType::Fields
        | GoType::List(_)
        | GoType::Map(..)
        | GoType::Pointer(_) => Value::Null,
    }
}

/// An object of a kind of which nothing was ever set.
pub(crate) fn nothing(kind: crate::builtin::Kind) -> Value {
    core_types::of_kind(kind).map_or_else(
        || serde_json::json!({"metadata": {}}),
        |id| zero(&GoType::Struct(id)),
    )
}

/// Whether `FromUnstructured` of the real server takes a value, else why not.
/// Strategic patches go that way instead of through JSON.
pub(crate) fn convertible(go: &GoType, value: &Value) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    let kind = match value {
        Value::Null | Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    };
    match (go, value) {
        (GoType::Pointer(of), value) => convertible(of, value),
        (GoType::Text(_), Value::String(_))
        | (GoType::Bool, Value::Bool(_))
        | (GoType::IntOrString | GoType::Fields, _) => Ok(()),
        // These convert through their own JSON.
        (GoType::Time, value) => time(value, false).map(drop),
        (GoType::MicroTime, value) => time(value, true).map(drop),
        (GoType::Quantity, value) => quantity(value).map(drop),
        (GoType::Bytes, Value::String(text)) => bytes(text)
            .map(drop)
            .map_err(|why| format!("error decoding from json: {why}")),
        (GoType::Integer(_), Value::Number(n))
            if n.is_i64() || n.as_f64().is_some_and(|f| f.fract() == 0.0) =>
        {
            Ok(())
        }
        // Go's reflection can turn an integer into a text, which is refused here.
        (GoType::Text(_), Value::Number(n)) if !n.is_f64() => {
            Err(format!("cannot convert int64 to {}", go.shown()))
        }
        (GoType::Integer(_), Value::Number(_)) => {
            Err(format!("cannot convert float64 to {}", go.shown()))
        }
        (GoType::Text(_), _) => Err("unrecognized type: string".to_owned()),
        (GoType::Bool, _) => Err("unrecognized type: bool".to_owned()),
        (GoType::Integer(bits), _) => Err(format!("unrecognized type: int{bits}")),
        (GoType::List(of), Value::Array(items)) => {
            items.iter().try_for_each(|item| convertible(of, item))
        }
        (GoType::List(_) | GoType::Bytes, _) => Err(format!("cannot restore slice from {kind}")),
        (GoType::Map(_, _, of), Value::Object(map)) => {
            map.values().try_for_each(|value| convertible(of, value))
        }
        (GoType::Map(..), _) => Err(format!("cannot restore map from {kind}")),
        (GoType::Struct(id), Value::Object(map)) => core_types::table()
            .get(*id)
            .fields
            .iter()
            .filter_map(|field| Some((field, map.get(field.name)?)))
            .try_for_each(|(field, value)| convertible(&field.go, value)),
        (GoType::Struct(_), _) => Err(format!("cannot restore struct from: {kind}")),
    }
}

/// An object that a patch has made, as the real server's JSON has it: members
/// of a struct in their order, but sorted where the patch has looked in.
pub(crate) fn text(go: Option<&GoType>, value: &Value, opened: &Opened) -> String {
    let mut out = String::new();
    write(go, value, &mut Vec::new(), opened, &mut out);
    out
}

fn write(
    go: Option<&GoType>,
    value: &Value,
    place: &mut Vec<String>,
    opened: &Opened,
    out: &mut String,
) {
    let go = go.map(GoType::pointee);
    match value {
        Value::Object(map) => {
            let known = match go {
                Some(GoType::Struct(id)) => Some(core_types::table().get(*id)),
                _ => None,
            };
            let mut keys: Vec<&String> = map.keys().collect();
            if let Some(known) = known.filter(|_| !opened.contains(place)) {
                let order = |key: &str| known.fields.iter().position(|f| f.name == key);
                keys.sort_by_key(|key| (order(key).unwrap_or(usize::MAX), *key));
            }
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&html_escaped(&Value::from(key.as_str()).to_string()));
                out.push(':');
                let below = match go {
                    Some(GoType::Map(_, _, of)) => Some(&**of),
                    _ => known.and_then(|k| k.field(key)).map(|field| &field.go),
                };
                place.push(key.clone());
                write(below, &map[key], place, opened, out);
                place.pop();
            }
            out.push('}');
        }
        Value::Array(items) => {
            let below = match go {
                Some(GoType::List(of)) => Some(&**of),
                _ => None,
            };
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                place.push(i.to_string());
                write(below, item, place, opened, out);
                place.pop();
            }
            out.push(']');
        }
        other => out.push_str(&html_escaped(&other.to_string())),
    }
}

/// Go's encoder escapes these, so that JSON can stand in HTML.
fn html_escaped(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

fn not_into(value: &Value, wanted: &str) -> String {
    let found = match value {
        Value::Number(n) if wanted != "string" => format!("number {n}"),
        other => go_kind(other).to_owned(),
    };
    format!("json: cannot unmarshal {found} into Go value of type {wanted}")
}

/// `IntOrString.UnmarshalJSON`.
fn int_or_string(value: Value) -> Result<Value, String> {
    match value {
        text @ Value::String(_) => Ok(text),
        Value::Null => Ok(Value::from(0)),
        Value::Number(n) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {
            Ok(Value::Number(n))
        }
        other => Err(not_into(&other, "int32")),
    }
}

/// `Quantity.UnmarshalJSON` takes a text or a bare number.
fn quantity(value: &Value) -> Result<Value, String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    crate::quantity::canonical(&text).map(Value::String)
}

/// Base64 as Go reads it: line breaks do not count.
fn bytes(text: &str) -> Result<String, String> {
    let coder = base64::engine::general_purpose::STANDARD;
    let bare: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    match coder.decode(&bare) {
        Ok(bytes) => Ok(coder.encode(bytes)),
        Err(error) => {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _)
                | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                // Too short: Go names the beginning of the last four, or the
                // end when padding has begun.
                _ if bare.contains('=') => text.len(),
                _ => text.len() - bare.len() % 4,
            };
            Err(format!("illegal base64 data at input byte {at}"))
        }
    }
}

/// `Time.UnmarshalJSON` and `MicroTime.UnmarshalJSON`.
fn time(value: &Value, micro: bool) -> Result<Value, String> {
    let Value::String(text) = value else {
        return Err(not_into(value, "string"));
    };
    parse_time(text, micro).map(Value::String)
}

/// A time in the form that Go writes, or the error of `time.Parse`.
pub(crate) fn parse_time(text: &str, micro: bool) -> Result<String, String> {
    let layout = if micro {
        "2006-01-02T15:04:05.000000Z07:00"
    } else {
        "2006-01-02T15:04:05Z07:00"
    };
    let fail = |rest: &str, element: &str| {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(text),
            quote(layout),
            quote(rest),
            quote(element)
        )
    };
    let range = |what: &str| format!("parsing time {}: {what} out of range", quote(text));
    let mut rest = text;
    let mut numbers = [0i64; 6];
    let parts = [
        ("2006", 4, "-"),
        ("01", 2, "-"),
        ("02", 2, "T"),
        ("15", 2, ":"),
        ("04", 2, ":"),
        ("05", 2, ""),
    ];
    for (n, (element, width, after)) in parts.into_iter().enumerate() {
        let digits = rest
            .get(..width)
            .filter(|d| d.bytes().all(|c| c.is_ascii_digit()));
        let Some(digits) = digits else {
            return Err(fail(rest, element));
        };
        numbers[n] = digits.parse().unwrap_or_default();
        rest = &rest[width..];
        let bad = match n {
            1 => !(1..=12).contains(&numbers[1]),
            3 => numbers[3] > 23,
            4 | 5 => numbers[n] > 59,
            _ => false,
        };
        if bad {
            return Err(range(
                ["year", "month", "day", "hour", "minute", "second"][n],
            ));
        }
        match rest.strip_prefix(after) {
            Some(next) => rest = next,
            None => return Err(fail(rest, after)),
        }
    }
    let mut fraction = 0i64;
    if micro {
        let digits = rest
            .strip_prefix('.')
            .and_then(|r| r.get(..6))
            .filter(|d| d.bytes().all(|c| c.is_ascii_digit()));
        let Some(digits) = digits else {
            return Err(fail(rest, ".000000"));
        };
        fraction = digits.parse().unwrap_or_default();
        rest = &rest[7..];
    } else if let Some(after) = rest.strip_prefix(['.', ',']) {
        // A fraction may follow the seconds although the layout has none.
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            rest = &after[digits..];
        }
    }
    let mut offset = 0i64;
    if let Some(next) = rest.strip_prefix('Z') {
        rest = next;
    } else {
        let bytes = rest.as_bytes();
        let shaped = bytes.len() >= 6
            && matches!(bytes[0], b'+' | b'-')
            && bytes[3] == b':'
            && [1, 2, 4, 5].iter().all(|i| bytes[*i].is_ascii_digit());
        if !shaped {
            return Err(fail(rest, "Z07:00"));
        }
        let hours: i64 = rest[1..3].parse().unwrap_or_default();
        let minutes: i64 = rest[4..6].parse().unwrap_or_default();
        offset = (hours * 60 + minutes) * 60;
        if bytes[0] == b'-' {
            offset = -offset;
        }
        rest = &rest[6..];
    }
    if !rest.is_empty() {
        return Err(format!(
            "parsing time {}: extra text: {}",
            quote(text),
            quote(rest)
        ));
    }
    let [year, month, day, hour, minute, second] = numbers;
    // Every part is in its range but the day, which depends on the month.
    let small = |n: i64| i8::try_from(n).unwrap_or_default();
    let at = jiff::civil::DateTime::new(
        i16::try_from(year).unwrap_or_default(),
        small(month),
        small(day),
        small(hour),
        small(minute),
        small(second),
        0,
    )
    .ok()
    .and_then(|local| local.to_zoned(jiff::tz::TimeZone::UTC).ok())
    .map(|zoned| zoned.timestamp())
    .and_then(|at| at.checked_sub(jiff::SignedDuration::from_secs(offset)).ok());
    let Some(at) = at else {
        return Err(range("day"));
    };
    let whole = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    Ok(if micro {
        format!("{whole}.{fraction:06}Z")
    } else {
        format!("{whole}Z")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(value: Value) -> Result<Decoded, String> {
        let id = core_types::of_kind(crate::builtin::Kind::Pod).expect("pods are in the table");
        decode(id, value, "")
    }

    #[test]
    fn what_go_omits_is_left_out_and_zero_values_are_filled_in() {
        let decoded = pod(json!({"metadata": {"name": "a", "labels": {}, "odd": 1}, "spec": {
            "nodeName": "", "hostNetwork": false, "containers": [{"name": "c", "image": null, "x": 1,
                "resources": {"limits": {"cpu": "1000m", "memory": "2048Ki"}}}]}}))
        .expect("decodes");
        assert_eq!(
            Value::from(decoded.object),
            json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c",
                "resources": {"limits": {"cpu": "1", "memory": "2Mi"}}}]}, "status": {}})
        );
        assert_eq!(decoded.unknown, ["metadata.odd", "spec.containers[0].x"]);
        let empty = pod(json!({})).expect("decodes");
        assert_eq!(empty.object["spec"], json!({"containers": null}));
    }

    #[test]
    fn wrong_types_are_named_as_go_names_them() {
        for (value, why) in [
            (
                json!({"spec": {"containers": [{"name": 1}]}}),
                "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string",
            ),
            (
                json!({"spec": {"restartPolicy": true}}),
                "json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
            ),
            (
                json!({"spec": {"activeDeadlineSeconds": 1.5}}),
                "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.activeDeadlineSeconds of type int64",
            ),
            (
                json!({"metadata": {"labels": {"a": 1}}}),
                "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
            ),
            (
                json!({"metadata": {"creationTimestamp": "soon"}}),
                "parsing time \"soon\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"soon\" as \"2006\"",
            ),
        ] {
            assert_eq!(pod(value).expect_err("wrong"), why);
        }
    }

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(
            parse_time("2026-03-01T01:00:00.5+02:00", false).as_deref(),
            Ok("2026-02-28T23:00:00Z")
        );
        assert_eq!(
            parse_time("2026-03-01T01:00:00.000005Z", true).as_deref(),
            Ok("2026-03-01T01:00:00.000005Z")
        );
        assert!(parse_time("2026-02-30T01:00:00Z", false).is_err());
        assert!(parse_time("2026-03-01T01:00:00Z", true).is_err());
        assert!(parse_time("2026-é3-01T01:00:00Z", false).is_err());
    }
}
