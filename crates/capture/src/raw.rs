//! Reads whole objects of any kind, with the place where each stands, for who
//! wants to put them into an API server. Judges and drops nothing.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use serde_saphyr::{Spanned, budget, options};

use crate::error::{CaptureError, Position};
use crate::object::{is_list, item_kind};
use crate::source::Source;
use crate::{helm, json, text, yaml};

/// One object as it was written, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct RawObject {
    /// The object; it has an `apiVersion` and a `kind`.
    pub object: Map<String, Value>,
    /// The file, or `stdin`.
    pub file: String,
    /// Where the object begins; in YAML, where its document does.
    pub at: Position,
}

impl RawObject {
    /// A string member, or the empty string.
    fn text(&self, key: &str) -> &str {
        self.object
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// `apiVersion`
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("apiVersion")
    }

    /// `kind`
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("kind")
    }
}

/// Reads every object of a file: one object, lists, several JSON values one
/// after another, or several YAML documents. Items of a list inherit what they
/// do not say themselves.
///
/// # Errors
/// At the first thing that cannot be read, or is no Kubernetes object.
pub fn read_objects(source: &Source) -> Result<Vec<RawObject>, CaptureError> {
    let file = source.to_string();
    let bytes = source.read()?;
    read_objects_text(&file, &bytes)
}

/// What is in a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Its objects.
    pub objects: Vec<RawObject>,
    /// How many placeholders of Helm's (`{{ … }}`) were made into something harmless.
    pub placeholders: usize,
}

/// Reads every object of a manifest, as [`read_objects`] does, but takes one with
/// Helm's placeholders for YAML: such a placeholder becomes nothing where it is alone in
/// its line or heads lines below it, else the word `placeholder`; lines stay where
/// they are, and both sides of a condition are read.
///
/// # Errors
/// As [`read_objects`].
pub fn read_manifest(source: &Source) -> Result<Manifest, CaptureError> {
    let file = source.to_string();
    let bytes = source.read()?;
    let whole = text::decode(&file, &bytes)?;
    // A chart may begin with a placeholder, which is no JSON object.
    let is_json = text::looks_like_json(whole) && !whole.trim_start().starts_with("{{");
    let (text, placeholders) = match is_json {
        true => (whole.to_owned(), 0),
        false => helm::neutralised(whole),
    };
    let objects = read_objects_text(&file, text.as_bytes())?;
    Ok(Manifest {
        objects,
        placeholders,
    })
}

/// Reads a text that is already in memory; `file` stands in for a file's name.
///
/// # Errors
/// As [`read_objects`].
pub fn read_objects_text(file: &str, bytes: &[u8]) -> Result<Vec<RawObject>, CaptureError> {
    let whole = text::decode(file, bytes)?;
    let mut reader = Reader {
        file,
        objects: Vec::new(),
    };
    if text::looks_like_json(whole) {
        reader.json(whole)?;
    } else {
        reader.yaml(whole)?;
    }
    Ok(reader.objects)
}

struct Reader<'a> {
    file: &'a str,
    objects: Vec<RawObject>,
}

#[derive(Deserialize)]
struct Items<'a> {
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

impl Reader<'_> {
    fn json(&mut self, whole: &str) -> Result<(), CaptureError> {
        let text = json::Text {
            file: self.file,
            whole,
        };
        let mut at = 0;
        while let Some(start) = json::next_value(whole, at) {
            let rest = &whole[start..];
            text.must_be_an_object(rest)?;
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
            let value = match values.next() {
                Some(Ok(value)) => value.get(),
                Some(Err(error)) => return Err(text.error(rest, &error)),
                None => break,
            };
            at = start + values.byte_offset();
            let place = |part: &str| text::position(whole, text.start_of(part));
            let mut object: Map<String, Value> = text.parse(value)?;
            if !is_list(kind_of(&object)) {
                self.add(object, place(value), None)?;
                continue;
            }
            object.remove("items");
            let list: Items<'_> = text.parse(value)?;
            for item in list.items.unwrap_or_default() {
                let item = item.get();
                text.must_be_an_object(item)?;
                self.add(text.parse(item)?, place(item), Some(&object))?;
            }
        }
        Ok(())
    }

    fn yaml(&mut self, whole: &str) -> Result<(), CaptureError> {
        let most = whole.len() + 1024;
        let options = options! {
            budget: budget! {
                max_events: most, max_nodes: most, max_total_scalar_bytes: most, max_documents: most,
            },
            // As Kubernetes' own reader: `n` and `off` are names, not booleans.
            strict_booleans: true,
            with_snippet: false,
        };
        let documents: Vec<Spanned<Option<Map<String, Value>>>> =
            serde_saphyr::from_multiple_with_options(whole, options)
                .map_err(|error| yaml::malformed(self.file, whole, &error))?;
        for document in documents {
            let at = Position {
                line: usize::try_from(document.referenced.line()).unwrap_or(usize::MAX),
                column: usize::try_from(document.referenced.column()).unwrap_or(usize::MAX),
            };
            // A document of comments alone is none.
            let Some(mut object) = document.value else {
                continue;
            };
            if !is_list(kind_of(&object)) {
                self.add(object, at, None)?;
                continue;
            }
            let items = match object.remove("items") {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Array(items)) => items,
                Some(_) => return Err(self.malformed(at, "items of a list must be an array")),
            };
            for item in items {
                let Value::Object(item) = item else {
                    return Err(self.malformed(at, "an item of the list is no Kubernetes object"));
                };
                self.add(item, at, Some(&object))?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        mut object: Map<String, Value>,
        at: Position,
        list: Option<&Map<String, Value>>,
    ) -> Result<(), CaptureError> {
        if let Some(list) = list
            && let Some(kind) = item_kind(kind_of(list))
        {
            if let Some(version) = list.get("apiVersion") {
                object
                    .entry("apiVersion")
                    .or_insert_with(|| version.clone());
            }
            object.entry("kind").or_insert_with(|| Value::from(kind));
        }
        for key in ["apiVersion", "kind"] {
            if object
                .get(key)
                .and_then(Value::as_str)
                .is_none_or(str::is_empty)
            {
                let message = format!("this object has no {key}");
                return Err(self.malformed(at, &message));
            }
        }
        if !object.get("metadata").is_none_or(Value::is_object) {
            return Err(self.malformed(at, "metadata of this object is no mapping"));
        }
        self.objects.push(RawObject {
            object,
            file: self.file.to_owned(),
            at,
        });
        Ok(())
    }

    fn malformed(&self, at: Position, message: &str) -> CaptureError {
        CaptureError::Malformed {
            file: self.file.to_owned(),
            at,
            message: message.to_owned(),
        }
    }
}

fn kind_of(object: &Map<String, Value>) -> &str {
    object
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, usize)>, String> {
        read_objects_text("f", text.as_bytes())
            .map(|objects| {
                objects
                    .iter()
                    .map(|o| {
                        let name = o.object["metadata"]["name"].as_str().unwrap_or_default();
                        (
                            format!("{} {} {name}", o.api_version(), o.kind()),
                            o.at.line,
                        )
                    })
                    .collect()
            })
            .map_err(|e| e.to_string())
    }

    #[test]
    fn lists_documents_and_values_in_a_row_are_cut_into_objects() {
        let one = |kind: &str, name: &str, line| (format!("v1 {kind} {name}"), line);
        let json = r#"{"apiVersion":"v1","kind":"ConfigMapList","items":[
            {"metadata":{"name":"a"}},
            {"apiVersion":"v1","kind":"Secret","metadata":{"name":"b"}}]}
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"}}"#;
        assert_eq!(
            read(json).unwrap(),
            [
                one("ConfigMap", "a", 2),
                one("Secret", "b", 3),
                one("Pod", "c", 4)
            ]
        );
        let yaml = "# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: b\n";
        assert_eq!(
            read(yaml).unwrap(),
            [one("Pod", "a", 3), one("Pod", "b", 10)]
        );
    }

    #[test]
    fn what_is_no_object_is_named_with_its_place() {
        for (text, why) in [
            (
                "{\"kind\": \"Pod\"}",
                "f:1:1: this object has no apiVersion",
            ),
            (
                "apiVersion: v1\n---\napiVersion: v1\nkind: 7\n",
                "f:1:1: this object has no kind",
            ),
            (
                "[1]",
                "f:1:1: an array is no Kubernetes object; expected { here",
            ),
            (
                "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n3]}",
                "f:2:1: expected a Kubernetes object, which begins with {",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), why, "{text}");
        }
        assert!(read("a: [").unwrap_err().starts_with("f:"));
    }
}
