//! From bytes to text, and places in a text. What is no text at all (an
//! archive, UTF-16) is named here, since that is what people hand in by mistake.

use crate::error::{CaptureError, Position};

/// First bytes of files that are not text.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (
        b"\xff\xfe",
        "UTF-16 text, as > writes it in older PowerShell",
    ),
    (b"\xfe\xff", "UTF-16 text"),
];

/// First words of what kubectl prints in place of objects.
const TALK: &[(&str, &str)] = &[
    ("Error from server", "an error message of kubectl"),
    ("error: ", "an error message of kubectl"),
    ("Unable to connect", "an error message of kubectl"),
    (
        "The connection to the server",
        "an error message of kubectl",
    ),
    ("No resources found", "kubectl's note that it found nothing"),
    ("NAME ", "kubectl's table, made without -o json"),
];

/// The bytes as text, without a byte order mark.
pub(crate) fn decode<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, CaptureError> {
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(CaptureError::NotText {
            file: file.to_owned(),
            what,
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = std::str::from_utf8(&bytes[..error.valid_up_to()])
            .expect("the bytes before the first error are valid");
        CaptureError::NotUtf8 {
            file: file.to_owned(),
            at: position(valid, valid.len()),
        }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(CaptureError::Empty {
            file: file.to_owned(),
        });
    }
    match TALK.iter().find(|(words, _)| text.starts_with(words)) {
        Some((_, what)) => Err(CaptureError::NotText {
            file: file.to_owned(),
            what,
        }),
        None => Ok(text),
    }
}

/// YAML may begin like that too, but nobody's tool writes Kubernetes objects so,
/// and the message of a JSON parser helps more with a damaged JSON file.
pub(crate) fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// Line and column, in characters from 1, of a byte offset.
pub(crate) fn position(text: &str, offset: usize) -> Position {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: 1 + before.bytes().filter(|b| *b == b'\n').count(),
        column: 1 + before[line_start..].chars().count(),
    }
}

/// The byte offset of serde_json's line and column, which count bytes.
pub(crate) fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (start + column.saturating_sub(1)).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters_and_lines_from_one() {
        let text = "ab\ncé\nx";
        for (offset, line, column) in [(0, 1, 1), (3, 2, 1), (6, 2, 3), (7, 3, 1), (99, 3, 2)] {
            assert_eq!(position(text, offset), Position { line, column });
        }
        // Inside the two bytes of é.
        assert_eq!(position(text, 5), Position { line: 2, column: 2 });
        assert_eq!(offset(text, 2, 2), 4);
        assert_eq!(offset(text, 9, 9), text.len());
    }
}
