//! Cuts YAML text into objects. Each object is read straight into its type as
//! soon as `apiVersion` and `kind` are known; they come first in what kubectl
//! writes. In any other order the object is kept as a tree until they come.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Value};
use serde_saphyr::{budget, options};

use crate::collect::Collector;
use crate::error::{CaptureError, Position};
use crate::object::{How, Object, is_list, item_kind};
use crate::text;

pub(crate) fn read(file: &str, whole: &str, collector: &mut Collector) -> Result<(), CaptureError> {
    // The parser's bounds are for configuration files; no text has more events
    // than bytes. The bounds on depth and aliases stay.
    let most = whole.len() + 1024;
    let options = options! {
        budget: budget! {
            max_events: most, max_nodes: most, max_total_scalar_bytes: most, max_documents: most,
        },
        // As Kubernetes' own reader: `n` and `off` are names, not booleans.
        strict_booleans: true,
        with_snippet: false,
    };
    let documents: Vec<Entry> = serde_saphyr::from_multiple_with_options(whole, options)
        .map_err(|error| malformed(file, whole, &error))?;
    if documents.is_empty() {
        return Err(CaptureError::Empty {
            file: file.to_owned(),
        });
    }
    for document in documents {
        collector.next_document();
        match document {
            Entry::List {
                api_version,
                kind,
                items,
            } => {
                if items.is_empty() {
                    collector.empty_list(&api_version, item_kind(&kind));
                }
                for item in items {
                    add(file, item, &api_version, item_kind(&kind), collector)?;
                }
            }
            other => add(file, other, "", None, collector)?,
        }
    }
    Ok(())
}

fn add(
    file: &str,
    entry: Entry,
    list_version: &str,
    item_kind: Option<&str>,
    collector: &mut Collector,
) -> Result<(), CaptureError> {
    let object = match entry {
        Entry::Object(object) => object,
        Entry::Ignored { api_version, kind } => {
            collector.ignore(&api_version, &kind);
            return Ok(());
        }
        // A list inside a list is nothing that kubectl writes.
        Entry::List {
            api_version, kind, ..
        } => {
            collector.ignore(&api_version, &kind);
            return Ok(());
        }
        Entry::Untyped {
            api_version,
            kind,
            fields,
        } => {
            let api_version = api_version.unwrap_or_else(|| list_version.to_owned());
            let kind = kind.unwrap_or_else(|| item_kind.unwrap_or_default().to_owned());
            match from_fields(&api_version, &kind, fields) {
                Ok(Entry::Object(object)) => object,
                Ok(_) => {
                    collector.ignore(&api_version, &kind);
                    return Ok(());
                }
                Err(error) => {
                    return Err(CaptureError::Malformed {
                        file: file.to_owned(),
                        at: Position { line: 1, column: 1 },
                        message: format!("in an object of kind {kind}: {error}"),
                    });
                }
            }
        }
    };
    collector.add(*object)
}

pub(crate) fn malformed(file: &str, whole: &str, error: &serde_saphyr::Error) -> CaptureError {
    let message = error.without_snippet().to_string();
    let at = match error.location() {
        Some(location) if location.line() > 0 => Position {
            line: usize::try_from(location.line()).unwrap_or(usize::MAX),
            column: usize::try_from(location.column()).unwrap_or(usize::MAX),
        },
        // No place: the whole file.
        _ => text::position(whole, 0),
    };
    let end = message.rfind(" at line ").unwrap_or(message.len());
    CaptureError::Malformed {
        file: file.to_owned(),
        at,
        message: message[..end].to_owned(),
    }
}

/// One YAML document, or one item of a list.
enum Entry {
    Object(Box<Object>),
    Ignored {
        api_version: String,
        kind: String,
    },
    List {
        api_version: String,
        kind: String,
        items: Vec<Entry>,
    },
    /// It does not say what it is; the list around it may.
    Untyped {
        api_version: Option<String>,
        kind: Option<String>,
        fields: Map<String, Value>,
    },
}

fn from_fields(
    api_version: &str,
    kind: &str,
    fields: Map<String, Value>,
) -> Result<Entry, serde_json::Error> {
    let object = match How::of(api_version, kind) {
        How::Typed(kind) => Object::read(kind, Value::Object(fields))?,
        How::OldNode => Object::read_old_node(Value::Object(fields))?,
        How::Ignore => {
            return Ok(Entry::Ignored {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
            });
        }
    };
    Ok(Entry::Object(Box::new(object.with_type(api_version, kind))))
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `deserialize_map`: the message for anything else comes from the visitor then.
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object with apiVersion and kind")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut api_version: Option<String> = None;
        let mut kind: Option<String> = None;
        let mut items: Option<Vec<Entry>> = None;
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" => api_version = map.next_value()?,
                "kind" => kind = map.next_value()?,
                "items" if kind.as_deref().is_none_or(is_list) => {
                    items = Some(map.next_value::<Option<_>>()?.unwrap_or_default());
                }
                _ => match (&api_version, &kind) {
                    (Some(version), Some(word)) if fields.is_empty() && items.is_none() => {
                        match How::of(version, word) {
                            How::Typed(typed) => {
                                let rest = MapAccessDeserializer::new(Rest {
                                    first: Some(key),
                                    map,
                                });
                                let object = Object::read(typed, rest)?.with_type(version, word);
                                return Ok(Entry::Object(Box::new(object)));
                            }
                            How::Ignore => {
                                map.next_value::<IgnoredAny>()?;
                            }
                            How::OldNode => {
                                fields.insert(key, map.next_value()?);
                            }
                        }
                    }
                    _ => {
                        fields.insert(key, map.next_value()?);
                    }
                },
            }
        }
        match (api_version, kind) {
            (api_version, Some(kind)) if is_list(&kind) => Ok(Entry::List {
                api_version: api_version.unwrap_or_default(),
                kind,
                items: items.unwrap_or_default(),
            }),
            (Some(api_version), Some(kind)) => {
                from_fields(&api_version, &kind, fields).map_err(de::Error::custom)
            }
            (api_version, kind) => Ok(Entry::Untyped {
                api_version,
                kind,
                fields,
            }),
        }
    }
}

/// The rest of a map whose first key has been looked at already.
struct Rest<A> {
    first: Option<String>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}
