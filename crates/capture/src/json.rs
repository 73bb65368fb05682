//! Cuts JSON text into objects: one value, several one after another, and
//! lists. An object's place in the text is known throughout, so that a field of
//! a wrong type is reported where it stands.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use crate::collect::Collector;
use crate::error::CaptureError;
use crate::object::{How, Object, is_list, item_kind};
use crate::text;

/// What tells kinds apart; everything else is skipped without being kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    api_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    items: Option<&'a RawValue>,
}

pub(crate) fn read(file: &str, whole: &str, collector: &mut Collector) -> Result<(), CaptureError> {
    let text = Text { file, whole };
    let mut at = 0;
    while let Some(start) = next_value(whole, at) {
        let rest = &whole[start..];
        text.must_be_an_object(rest)?;
        let mut values = Deserializer::from_str(rest).into_iter::<Envelope<'_>>();
        let envelope = match values.next() {
            Some(Ok(envelope)) => envelope,
            Some(Err(error)) => return Err(text.error(rest, &error)),
            None => break,
        };
        at = start + values.byte_offset();
        collector.next_document();
        text.value(&whole[start..at], &envelope, collector)?;
    }
    Ok(())
}

/// Where the next value begins: after white space, and after the `---` that
/// some tools write between values.
pub(crate) fn next_value(text: &str, mut at: usize) -> Option<usize> {
    loop {
        let rest = text[at..].trim_start();
        at = text.len() - rest.len();
        match rest.strip_prefix("---") {
            Some(after) if after.is_empty() || after.starts_with(char::is_whitespace) => at += 3,
            _ => return (!rest.is_empty()).then_some(at),
        }
    }
}

/// A text and its name.
pub(crate) struct Text<'a> {
    pub(crate) file: &'a str,
    pub(crate) whole: &'a str,
}

impl<'a> Text<'a> {
    fn value(
        &self,
        value: &'a str,
        envelope: &Envelope<'a>,
        collector: &mut Collector,
    ) -> Result<(), CaptureError> {
        let api_version = envelope.api_version.as_deref().unwrap_or_default();
        let kind = envelope.kind.as_deref().unwrap_or_default();
        if !is_list(kind) {
            return self.object(value, api_version, kind, collector);
        }
        let items: Vec<&RawValue> = match envelope.items {
            None => Vec::new(),
            Some(items) => self.parse(items.get())?,
        };
        if items.is_empty() {
            collector.empty_list(api_version, item_kind(kind));
        }
        for item in items {
            let item = item.get();
            self.must_be_an_object(item)?;
            let own: Envelope<'_> = self.parse(item)?;
            self.object(
                item,
                own.api_version.as_deref().unwrap_or(api_version),
                own.kind.as_deref().or(item_kind(kind)).unwrap_or_default(),
                collector,
            )?;
        }
        Ok(())
    }

    fn object(
        &self,
        value: &str,
        api_version: &str,
        kind: &str,
        collector: &mut Collector,
    ) -> Result<(), CaptureError> {
        let object = match How::of(api_version, kind) {
            How::Ignore => {
                collector.ignore(api_version, kind);
                return Ok(());
            }
            How::Typed(kind) => {
                let mut deserializer = Deserializer::from_str(value);
                Object::read(kind, &mut deserializer).map_err(|e| self.error(value, &e))?
            }
            How::OldNode => {
                let parsed: Value = self.parse(value)?;
                // The tree has lost the places, so the object's own is the best there is.
                Object::read_old_node(parsed).map_err(|e| self.malformed(value, 0, &e))?
            }
        };
        collector.add(object.with_type(api_version, kind))
    }

    pub(crate) fn parse<T: Deserialize<'a>>(&self, part: &'a str) -> Result<T, CaptureError> {
        serde_json::from_str(part).map_err(|e| self.error(part, &e))
    }

    pub(crate) fn must_be_an_object(&self, part: &str) -> Result<(), CaptureError> {
        if part.starts_with('{') {
            return Ok(());
        }
        let what = if part.starts_with('[') {
            "an array is no Kubernetes object; expected { here"
        } else {
            "expected a Kubernetes object, which begins with {"
        };
        Err(CaptureError::Malformed {
            file: self.file.to_owned(),
            at: text::position(self.whole, self.start_of(part)),
            message: what.to_owned(),
        })
    }

    pub(crate) fn error(&self, part: &str, error: &serde_json::Error) -> CaptureError {
        let mut within = text::offset(part, error.line(), error.column());
        // Where serde_json has only looked at the next value, it names the place before it.
        within += part
            .get(within..)
            .map_or(0, |rest| rest.len() - rest.trim_start().len());
        if error.is_eof() {
            return CaptureError::Truncated {
                file: self.file.to_owned(),
                at: text::position(self.whole, self.whole.len()),
            };
        }
        self.malformed(part, within, error)
    }

    fn malformed(&self, part: &str, within: usize, error: &serde_json::Error) -> CaptureError {
        let message = error.to_string();
        let end = message.rfind(" at line ").unwrap_or(message.len());
        CaptureError::Malformed {
            file: self.file.to_owned(),
            at: text::position(self.whole, self.start_of(part) + within),
            message: message[..end].to_owned(),
        }
    }

    /// Where a part that was cut out of the whole begins.
    pub(crate) fn start_of(&self, part: &str) -> usize {
        part.as_ptr().addr() - self.whole.as_ptr().addr()
    }
}
