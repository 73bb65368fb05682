//! Values read and written as Go does it: its parsers' errors, `%q`, and how it
//! prints a map. The texts are part of what Longhorn answers.

use std::collections::BTreeMap;

use sha2::{Digest, Sha512};

/// `%q`.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `%v` of a map of texts: by key.
pub(super) fn map(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{v}")).collect();
    format!("map[{}]", pairs.join(" "))
}

/// `%v` of a list.
pub(super) fn list<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(" "))
}

/// SHA-512 in hex.
pub(super) fn sha512(text: &str) -> String {
    hex::encode(Sha512::digest(text.as_bytes()))
}

/// `strconv.ParseBool`.
pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(number_error("ParseBool", text, "invalid syntax")),
    }
}

/// `strconv.ParseInt` of base 10 and 64 bits.
pub(super) fn parse_int(text: &str) -> Result<i64, String> {
    integer("ParseInt", text)
}

/// `strconv.Atoi`.
pub(super) fn atoi(text: &str) -> Result<i64, String> {
    integer("Atoi", text)
}

fn integer(function: &str, text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        return Err(number_error(function, text, "invalid syntax"));
    }
    text.parse()
        .map_err(|_| number_error(function, text, "value out of range"))
}

/// `strconv.ParseFloat` of 64 bits. Its hexadecimal form is not read.
pub(super) fn parse_float(text: &str) -> Result<f64, String> {
    let is_digit = |at: Option<&u8>| at.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    let separates =
        |at: usize| at > 0 && is_digit(bytes.get(at - 1)) && is_digit(bytes.get(at + 1));
    let mut underscores = text.match_indices('_').map(|(at, _)| at);
    let digits = if underscores.all(separates) {
        text.replace('_', "")
    } else {
        text.to_owned()
    };
    match digits.parse::<f64>() {
        Ok(value) if value.is_infinite() && text.bytes().any(|b| b.is_ascii_digit()) => {
            Err(number_error("ParseFloat", text, "value out of range"))
        }
        Ok(value) => Ok(value),
        Err(_) => Err(number_error("ParseFloat", text, "invalid syntax")),
    }
}

/// From this exponent on `%v` shows one.
const DIGITS: i32 = 6;

/// `%v` of a number with a fraction: its shortest form, with an exponent if it is
/// small or large.
pub(super) fn shortest(number: f64) -> String {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if number.is_finite() && !(-4..DIGITS).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => plain(number),
    }
}

/// As `encoding/json` writes a number: with an exponent from 21 digits on.
pub(super) fn json_number(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let written = format!("{number:e}");
        return match written.split_once('e') {
            Some((digits, exponent)) if size >= 1.0 => format!("{digits}e+{exponent}"),
            _ => written,
        };
    }
    number.to_string()
}

/// `strconv.FormatFloat` without an exponent.
pub(super) fn plain(number: f64) -> String {
    if number.is_infinite() {
        let sign = if number > 0.0 { '+' } else { '-' };
        return format!("{sign}Inf");
    }
    number.to_string()
}

fn number_error(function: &str, text: &str, why: &str) -> String {
    format!("strconv.{function}: parsing {}: {why}", quote(text))
}

/// `filepath.Clean`.
pub(super) fn clean_path(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (is_rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_refused_as_go_does() {
        assert_eq!(atoi("+7"), Ok(7));
        let many = atoi("many").unwrap_err();
        assert_eq!(many, r#"strconv.Atoi: parsing "many": invalid syntax"#);
        let large = parse_int("99999999999999999999").unwrap_err();
        assert!(large.ends_with("value out of range"), "{large}");
        assert!(parse_int("").is_err() && parse_int(" 1").is_err() && parse_int("-").is_err());
        assert_eq!(parse_float("12.5"), Ok(12.5));
        assert_eq!(parse_float("1_000"), Ok(1000.0));
        assert!(parse_float("_1").is_err() && parse_float("1__0").is_err());
        assert!(parse_float("1e999").unwrap_err().contains("out of range"));
        assert_eq!(parse_bool("T"), Ok(true));
        assert!(parse_bool("yes").is_err());
    }

    #[test]
    fn numbers_are_shown_as_go_does() {
        for (number, shown) in [
            (1000.0, "1000"),
            (40.5, "40.5"),
            (2_147_483_648.0, "2.147483648e+09"),
            (1e20, "1e+20"),
            (1e-7, "1e-07"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(shortest(number), shown);
        }
        assert_eq!(plain(1e20), "100000000000000000000");
        assert_eq!(json_number(1e20), "100000000000000000000");
        assert_eq!(json_number(1e30), "1e+30");
        assert_eq!(json_number(-2.5e-7), "-2.5e-7");
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, clean) in [
            ("/a//b/./c/", "/a/b/c"),
            ("/a/../../b", "/b"),
            ("", "."),
            ("../x/..", ".."),
            ("/", "/"),
            ("a/..", "."),
        ] {
            assert_eq!(clean_path(path), clean, "{path}");
        }
    }
}
