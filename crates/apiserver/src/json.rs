//! Reading JSON as the server does: like `serde_json`, but remembering keys
//! that occur twice, for strict field validation.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use bytes::BytesMut;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// Reads one JSON value; also returns the paths of keys that came twice.
pub(crate) fn parse(bytes: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let duplicates = RefCell::new(Vec::new());
    // Go reads bytes that are no UTF-8 as the replacement character.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    };
    let mut reader = serde_json::Deserializer::from_str(&text);
    let value = Seed {
        path: None,
        duplicates: &duplicates,
    }
    .deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, duplicates.into_inner()))
}

/// Brings paths of unknown and of doubled keys into the order in which a reader
/// of the document meets them; the flag says that a path is of a doubled key.
pub(crate) fn in_order(bytes: &[u8], paths: Vec<(bool, String)>) -> Vec<(bool, String)> {
    let text = String::from_utf8_lossy(bytes);
    let mut keys = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(&text);
    let walked = Keys {
        at: String::new(),
        keys: &mut keys,
    }
    .deserialize(&mut reader);
    if walked.is_err() {
        return paths;
    }
    let mut placed: Vec<(usize, (bool, String))> = paths
        .into_iter()
        .map(|(doubled, path)| {
            let mut met = keys.iter().enumerate().filter(|(_, key)| **key == path);
            let first = met.next();
            let place = if doubled { met.next() } else { first };
            (place.map_or(usize::MAX, |(i, _)| i), (doubled, path))
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, path)| path).collect()
}

/// Notes the path of every key.
struct Keys<'k> {
    at: String,
    keys: &'k mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut i = 0;
        loop {
            let item = Keys {
                at: format!("{}[{i}]", self.at),
                keys: &mut *self.keys,
            };
            if seq.next_element_seed(item)?.is_none() {
                return Ok(());
            }
            i += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let at = if self.at.is_empty() {
                key
            } else {
                format!("{}.{key}", self.at)
            };
            self.keys.push(at.clone());
            map.next_value_seed(Keys {
                at,
                keys: &mut *self.keys,
            })?;
        }
        Ok(())
    }
}

/// A path to the value being read, as a list from the inside out: building
/// texts for every key would cost more than the parsing.
#[derive(Clone, Copy)]
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Key(key) if self.parent.is_some() => write!(f, ".{key}"),
            Step::Key(key) => f.write_str(key),
            Step::Index(i) => write!(f, "[{i}]"),
        }
    }
}

struct Seed<'a> {
    path: Option<&'a Path<'a>>,
    duplicates: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        // Go reads what does not fit an int64 as a float64.
        Ok(match i64::try_from(v) {
            Ok(v) => v.into(),
            Err(_) => (v as f64).into(),
        })
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        // Go writes a whole float without a fraction, so it reads back as an integer.
        if v.fract() == 0.0 && v.abs() < 1e15 {
            return Ok((v as i64).into());
        }
        Ok(Number::from_f64(v).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let path = Path {
                parent: self.path,
                step: Step::Index(items.len()),
            };
            match seq.next_element_seed(Seed {
                path: Some(&path),
                duplicates: self.duplicates,
            })? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = Path {
                parent: self.path,
                step: Step::Key(&key),
            };
            let value = map.next_value_seed(Seed {
                path: Some(&path),
                duplicates: self.duplicates,
            })?;
            match members.entry(key) {
                Entry::Vacant(vacant) => {
                    vacant.insert(value);
                }
                Entry::Occupied(mut there) => {
                    let path = Path {
                        parent: self.path,
                        step: Step::Key(there.key()),
                    };
                    self.duplicates.borrow_mut().push(path.to_string());
                    there.insert(value);
                }
            }
        }
        Ok(Value::Object(members))
    }
}

/// Copies an object without its `kind` and `apiVersion`. The JSON must be
/// valid and without spaces, as the store holds it.
pub(crate) fn without_type(json: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(b"{");
    let first = out.len();
    let mut at = 1;
    while at < json.len() && json[at] != b'}' {
        let end = member_end(json, at);
        let member = &json[at..end];
        if !member.starts_with(b"\"kind\":") && !member.starts_with(b"\"apiVersion\":") {
            if out.len() > first {
                out.extend_from_slice(b",");
            }
            out.extend_from_slice(member);
        }
        at = end + usize::from(json.get(end) == Some(&b','));
    }
    out.extend_from_slice(b"}");
}

/// Where a member of the outermost object ends.
fn member_end(json: &[u8], start: usize) -> usize {
    let mut depth = 0usize;
    let mut at = start;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(byte) = json.get(at) {
                    match byte {
                        b'"' => break,
                        b'\\' => at += 2,
                        _ => at += 1,
                    }
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_left_out_wherever_it_stands() {
        for (json, wanted) in [
            (
                r#"{"apiVersion":"v1","data":{"kind":"}\","},"kind":"K","z":[1,{"kind":2}]}"#,
                r#"{"data":{"kind":"}\","},"z":[1,{"kind":2}]}"#,
            ),
            (r#"{"kind":"K"}"#, "{}"),
            ("{}", "{}"),
            (r#"{"a":1}"#, r#"{"a":1}"#),
        ] {
            let mut out = BytesMut::new();
            without_type(json.as_bytes(), &mut out);
            assert_eq!(out, wanted.as_bytes(), "{json}");
        }
    }

    #[test]
    fn keys_that_come_twice_are_named_with_their_path() {
        let (value, twice) =
            parse(br#"{"spec":{"l":[{"a":1,"a":2}],"b":1,"b":3}}"#).expect("valid");
        assert_eq!(value["spec"]["b"], 3);
        assert_eq!(twice, ["spec.l[0].a", "spec.b"]);
    }

    #[test]
    fn complaints_come_in_the_order_of_the_document() {
        let body = br#"{"z":1,"a":{"k":1,"k":2,"o":[{"x":1}]},"b":1}"#;
        let given = [
            (true, "a.k"),
            (false, "a.o[0].x"),
            (false, "b"),
            (false, "z"),
        ];
        let given = given.map(|(doubled, path)| (doubled, path.to_owned()));
        let sorted: Vec<String> = in_order(body, given.to_vec())
            .into_iter()
            .map(|(_, path)| path)
            .collect();
        assert_eq!(sorted, ["z", "a.k", "a.o[0].x", "b"]);
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_crash() {
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }
}
