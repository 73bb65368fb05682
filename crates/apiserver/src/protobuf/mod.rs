//! Request bodies in Kubernetes' protobuf form, as JSON: what typed
//! `kubectl create` commands and Go clients of the core kinds send.
//!
//! The envelope is `runtime.Unknown` behind four magic bytes
//! (`apimachinery/pkg/runtime/serializer/protobuf/protobuf.go`, v1.34); which
//! fields there are says the table ([`table`]). Answers are never protobuf:
//! every such client takes JSON too.

mod table;
mod wire;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::status::Failure;
use table::{Field, Message, Shape, Type};
use wire::{Reader, Sent};

/// The media type.
pub(crate) const MEDIA: &str = "application/vnd.kubernetes.protobuf";

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Messages inside messages; the deepest of the table needs 20.
const DEPTH: usize = 64;

/// Why a body cannot be read.
#[derive(Debug, PartialEq, Eq)]
enum Bad {
    NoMagic(Vec<u8>),
    Broken(&'static str),
    /// A kind that the table does not have.
    Unknown,
}

/// Whether a `Content-Type` means protobuf.
pub(crate) fn is(content_type: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim() == MEDIA
}

/// A body as the JSON that the same client would have sent.
///
/// `expected` is the kind that the request is about, for the error's text.
pub(crate) fn to_json(body: &[u8], expected: &str) -> Result<Bytes, Failure> {
    match decode(body) {
        Ok(value) => Ok(Bytes::from(value.to_string())),
        Err(Bad::Unknown) => Err(Failure::unsupported_media_type(&[
            "application/json",
            "application/yaml",
            MEDIA,
        ])),
        Err(bad) => {
            let why = match bad {
                Bad::NoMagic(found) => format!(
                    "provided data does not appear to be a protobuf message, expected prefix {MAGIC:?}, got {found:?}"
                )
                .replace(", ", " ")
                .replace(" got", ", got"),
                Bad::Broken(why) => why.to_owned(),
                Bad::Unknown => String::new(),
            };
            Err(Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type {expected}): {why} ({})",
                shown(body)
            )))
        }
    }
}

/// The start of a body in hex digits, as the real server quotes it.
fn shown(body: &[u8]) -> String {
    if body.is_empty() {
        return "<empty>".to_owned();
    }
    let head = body.get(..30).unwrap_or(body);
    let mut text: String = head.iter().map(|b| format!("{b:02x}")).collect();
    if body.len() > 30 {
        text.push_str(" ...");
    }
    text
}

fn decode(body: &[u8]) -> Result<Value, Bad> {
    let Some(envelope) = body.strip_prefix(MAGIC) else {
        return Err(Bad::NoMagic(body.get(..4).unwrap_or(body).to_vec()));
    };
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    let mut reader = Reader::new(envelope);
    while let Some((number, sent)) = reader.next()? {
        match (number, sent) {
            (1, Sent::Bytes(type_meta)) => {
                let mut fields = Reader::new(type_meta);
                while let Some((number, sent)) = fields.next()? {
                    match (number, sent) {
                        (1, Sent::Bytes(text)) => api_version = string(text)?,
                        (2, Sent::Bytes(text)) => kind = string(text)?,
                        _ => {}
                    }
                }
            }
            (2, Sent::Bytes(bytes)) => raw = bytes,
            (4, Sent::Bytes(media)) if media == b"application/json" => {
                // The envelope may hold JSON as well.
                return serde_json::from_slice(raw).map_err(|_| Bad::Broken("invalid JSON"));
            }
            _ => {}
        }
    }
    let name = match (api_version.as_str(), kind.as_str()) {
        (version, "Event") if version.starts_with("events.k8s.io/") => "events.Event",
        (_, kind) => kind,
    };
    let message = table::message(name).ok_or(Bad::Unknown)?;
    let mut object = object(message, raw, DEPTH)?;
    object.insert("apiVersion".to_owned(), Value::from(api_version));
    object.insert("kind".to_owned(), Value::from(kind));
    Ok(Value::Object(object))
}

fn string(bytes: &[u8]) -> Result<String, Bad> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| Bad::Broken("proto: invalid UTF-8"))
}

/// A message as the JSON object that Go would write for it.
fn object(message: &Message, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, Bad> {
    let depth = depth.checked_sub(1).ok_or(Bad::Broken("nested too deep"))?;
    let mut map = Map::new();
    let mut reader = Reader::new(bytes);
    while let Some((number, sent)) = reader.next()? {
        let Some(field) = message.field(number) else {
            continue;
        };
        if field.is_inline() {
            let inner = field.message().ok_or(Bad::Unknown)?;
            map.extend(object(inner, sent.bytes()?, depth)?);
            continue;
        }
        match field.shape {
            Shape::Single => {
                let value = single(field, &sent, depth)?;
                map.insert(field.name.to_owned(), value);
            }
            Shape::List => {
                let list = map.entry(field.name).or_insert_with(|| json!([]));
                let Value::Array(list) = list else { continue };
                match (&sent, field.of) {
                    // Numbers may be packed into one field.
                    (Sent::Bytes(packed), Type::Int) => {
                        let mut packed = Reader::new(packed);
                        while let Some(number) = packed.number()? {
                            list.push(Value::from(number.cast_signed()));
                        }
                    }
                    _ => list.push(single(field, &sent, depth)?),
                }
            }
            Shape::Map => {
                let (mut key, mut value) = (String::new(), None);
                let mut entry = Reader::new(sent.bytes()?);
                while let Some((number, sent)) = entry.next()? {
                    match number {
                        1 => key = string(sent.bytes()?)?,
                        2 => value = Some(single(field, &sent, depth)?),
                        _ => {}
                    }
                }
                let value = match value {
                    Some(value) => value,
                    None => zero(field, depth)?,
                };
                let all = map.entry(field.name).or_insert_with(|| json!({}));
                all[key] = value;
            }
        }
    }
    tidy(message, &mut map, depth)?;
    Ok(map)
}

/// Leaves out what Go leaves out, and adds what it always writes.
fn tidy(message: &Message, map: &mut Map<String, Value>, depth: usize) -> Result<(), Bad> {
    for field in message.fields() {
        if field.is_inline() {
            // What always stands in it stands here, also when nothing was sent.
            if let Some(inner) = field.message() {
                tidy(inner, map, depth)?;
            }
            continue;
        }
        match map.get(field.name) {
            None if field.always => {
                let value = match field.shape {
                    Shape::Single if !field.pointer => zero(field, depth)?,
                    _ => Value::Null,
                };
                map.insert(field.name.to_owned(), value);
            }
            Some(value) if !field.always && !field.pointer && is_empty(value) => {
                map.remove(field.name);
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

/// A field's value when nothing was sent.
fn zero(field: &Field, depth: usize) -> Result<Value, Bad> {
    Ok(match field.of {
        Type::Int | Type::Double => json!(0),
        Type::Bool => json!(false),
        Type::String | Type::Bytes => json!(""),
        Type::Quantity => json!("0"),
        Type::Time | Type::MicroTime | Type::Raw | Type::FieldsV1 | Type::StringList => Value::Null,
        Type::IntOrString => json!(0),
        Type::Duration => json!("0s"),
        Type::Message(_) => {
            let inner = field.message().ok_or(Bad::Unknown)?;
            Value::Object(object(inner, &[], depth)?)
        }
    })
}

fn single(field: &Field, sent: &Sent<'_>, depth: usize) -> Result<Value, Bad> {
    Ok(match field.of {
        Type::Int => Value::from(sent.number()?.cast_signed()),
        Type::Bool => Value::from(sent.number()? != 0),
        Type::Double => Value::from(f64::from_bits(sent.number()?)),
        Type::String => Value::from(string(sent.bytes()?)?),
        Type::Bytes => Value::from(base64(sent.bytes()?)),
        Type::Message(_) => {
            let inner = field.message().ok_or(Bad::Unknown)?;
            Value::Object(object(inner, sent.bytes()?, depth)?)
        }
        Type::Time => time(sent.bytes()?, false)?,
        Type::MicroTime => time(sent.bytes()?, true)?,
        // A message around one string, or around JSON.
        Type::Quantity => Value::from(match inner(sent, 1)? {
            Some(Sent::Bytes(text)) => string(text)?,
            _ => "0".to_owned(),
        }),
        Type::FieldsV1 | Type::Raw => match inner(sent, 1)? {
            Some(Sent::Bytes(text)) if !text.is_empty() => {
                serde_json::from_slice(text).map_err(|_| Bad::Broken("invalid JSON"))?
            }
            _ => Value::Null,
        },
        Type::IntOrString => match inner(sent, 1)? {
            Some(Sent::Number(1)) => match inner(sent, 3)? {
                Some(Sent::Bytes(text)) => Value::from(string(text)?),
                _ => json!(""),
            },
            _ => match inner(sent, 2)? {
                Some(number) => Value::from(number.number()?.cast_signed()),
                None => json!(0),
            },
        },
        Type::StringList => {
            let mut list = Vec::new();
            let mut reader = Reader::new(sent.bytes()?);
            while let Some((number, sent)) = reader.next()? {
                if number == 1 {
                    list.push(Value::from(string(sent.bytes()?)?));
                }
            }
            Value::from(list)
        }
        Type::Duration => match inner(sent, 1)? {
            Some(nanos) => Value::from(duration(nanos.number()?.cast_signed())),
            None => json!("0s"),
        },
    })
}

/// The last field of this number inside a message.
fn inner<'a>(sent: &Sent<'a>, wanted: u64) -> Result<Option<Sent<'a>>, Bad> {
    let mut found = None;
    let mut reader = Reader::new(sent.bytes()?);
    while let Some((number, sent)) = reader.next()? {
        if number == wanted {
            found = Some(sent);
        }
    }
    Ok(found)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Seconds and nanoseconds; nothing at all is Go's zero time.
fn time(bytes: &[u8], micro: bool) -> Result<Value, Bad> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut reader = Reader::new(bytes);
    while let Some((number, sent)) = reader.next()? {
        match number {
            1 => seconds = sent.number()?.cast_signed(),
            2 => nanos = sent.number()?.cast_signed(),
            _ => {}
        }
    }
    let nanos = i32::try_from(nanos).map_err(|_| Bad::Broken("time out of range"))?;
    let at = jiff::Timestamp::new(seconds, nanos).map_err(|_| Bad::Broken("time out of range"))?;
    Ok(Value::from(if micro {
        at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
    } else {
        crate::clock::rfc3339(at)
    }))
}

/// Go's form of a duration, for whole seconds and below.
fn duration(nanos: i64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a duration of a request is far below 2^53 nanoseconds"
    )]
    let seconds = nanos as f64 / 1e9;
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    }

    fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC, &field(1, &meta), &field(2, raw)].concat()
    }

    #[test]
    fn a_config_map_becomes_what_its_json_would_be() {
        let meta = [
            field(1, b"a"),
            field(8, b""),
            field(11, &[field(1, b"k"), field(2, b"v")].concat()),
        ]
        .concat();
        let raw = [
            field(1, &meta),
            field(2, &[field(1, b"x"), field(2, b"y")].concat()),
            field(3, &[field(1, b"b"), field(2, &[0, 255])].concat()),
        ]
        .concat();
        assert_eq!(
            decode(&envelope("v1", "ConfigMap", &raw)).unwrap(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "y"}, "binaryData": {"b": "AP8="},
                "metadata": {"name": "a", "labels": {"k": "v"}}})
        );
    }

    #[test]
    fn empty_members_stand_where_go_writes_them() {
        let event = decode(&envelope("v1", "Event", &[])).unwrap();
        assert_eq!(
            event,
            json!({"apiVersion": "v1", "kind": "Event", "metadata": {}, "involvedObject": {}, "source": {},
                "firstTimestamp": null, "lastTimestamp": null, "eventTime": null,
                "reportingComponent": "", "reportingInstance": ""})
        );
        let event = decode(&envelope("events.k8s.io/v1", "Event", &[])).unwrap();
        assert_eq!(event["regarding"], json!({}));
    }

    #[test]
    fn every_type_of_the_table_is_known() {
        let mut seen = 0;
        for (name, message) in table::all() {
            for field in message.fields() {
                seen += 1;
                assert!(
                    !matches!(field.of, Type::Message(_)) || field.message().is_some(),
                    "{} has a field of an unknown type: {}",
                    name,
                    field.name
                );
            }
        }
        assert!(seen > 850, "{seen}");
    }

    #[test]
    fn whatever_comes_is_an_answer_and_no_panic() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for kind in ["Pod", "Job", "ConfigMap", "Lease", "Event", "DeleteOptions"] {
            for length in 0..400 {
                let mut raw = vec![0; length];
                rng.fill_bytes(&mut raw);
                // Small bytes make fields that exist.
                raw.iter_mut().step_by(2).for_each(|b| *b &= 0x1f);
                let _ = decode(&envelope_long(kind, &raw));
                let _ = decode(&raw);
            }
        }
        // Lists that nest themselves for ever.
        let mut raw = Vec::new();
        for _ in 0..60 {
            raw = field(2, &raw[..raw.len().min(120)]);
        }
        let _ = decode(&envelope("v1", "Pod", &raw));
    }

    fn envelope_long(kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        let mut out = [MAGIC, &field(1, &meta), &[0x12]].concat();
        let mut length = raw.len();
        while length > 127 {
            out.push((length & 127) as u8 | 128);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(raw);
        out
    }

    #[test]
    fn what_is_no_protobuf_is_refused() {
        assert_eq!(decode(b"{}"), Err(Bad::NoMagic(b"{}".to_vec())));
        assert_eq!(decode(&envelope("v1", "Nothing", &[])), Err(Bad::Unknown));
        assert!(matches!(
            decode(&envelope("v1", "Pod", &[0x0a, 0x50])),
            Err(Bad::Broken(_))
        ));
    }
}
