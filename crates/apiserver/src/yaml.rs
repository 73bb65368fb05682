//! YAML in, for apply and for bodies sent as YAML.

use bytes::Bytes;
use serde_json::Value;
use serde_saphyr::DuplicateKeyPolicy;

use crate::status::Failure;

/// Reads one YAML document as JSON. A key that comes twice has its last value.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    read(text, DuplicateKeyPolicy::LastWins).map_err(|e| e.to_string())
}

fn read(text: &str, doubled: DuplicateKeyPolicy) -> Result<Value, serde_saphyr::Error> {
    let options = serde_saphyr::options! { duplicate_keys: doubled };
    serde_saphyr::from_str_with_options(text, options)
}

/// Whether a `Content-Type` means YAML.
pub(crate) fn is(content_type: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim() == "application/yaml"
}

/// A body as the JSON that it stands for. `expected` is the kind that the
/// request is about, for the error's text.
pub(crate) fn to_json(body: &[u8], expected: &str) -> Result<Bytes, Failure> {
    parse(body)
        .map(|value| Bytes::from(value.to_string()))
        .map_err(|why| {
            Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type {expected}): error converting YAML to JSON: {why}"
            ))
        })
}

/// What strict validation says of the first key that comes twice, in the words
/// of Go's converter.
pub(crate) fn doubled(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let place = read(text, DuplicateKeyPolicy::Error).err()?.location()?;
    let line = usize::try_from(place.line()).ok()?;
    let found = text.lines().nth(line.checked_sub(1)?)?.trim_start();
    let key = found.trim_start_matches("- ").split(':').next()?.trim();
    Some(format!(
        "error converting YAML to JSON: yaml: unmarshal errors:\n  line {line}: key {} already set in map",
        crate::quote::quote(key.trim_matches(['"', '\'']))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_key_is_named_with_its_line() {
        let text = b"data:\n  k: \"1\"\n  k: \"2\"\n";
        assert_eq!(parse(text).expect("reads")["data"]["k"], "2");
        assert_eq!(
            doubled(text).expect("doubled"),
            "error converting YAML to JSON: yaml: unmarshal errors:\n  line 3: key \"k\" already set in map"
        );
        assert_eq!(doubled(b"data:\n  k: 1\n"), None);
    }
}
