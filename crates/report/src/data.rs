//! JSON and YAML, the same fields in both.

use serde::Serialize;

/// Indented JSON with a newline at the end.
///
/// # Panics
/// Never for types of this project: none has a map with keys that are no text.
pub fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value)
        .expect("only a map whose keys are no text cannot be written as JSON");
    text.push('\n');
    text
}

/// One YAML document. Text that YAML would read as a number, such as the
/// prefix `1e10`, is quoted.
///
/// # Panics
/// As [`json`].
pub fn yaml(value: &impl Serialize) -> String {
    serde_saphyr::to_string(value)
        .expect("only a map whose keys are no text cannot be written as YAML")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_quotes_what_would_be_read_as_a_number() {
        let value: Vec<String> = ["1e10", "0123", "c012"].map(str::to_owned).to_vec();
        let text = yaml(&value);
        assert_eq!(serde_saphyr::from_str::<Vec<String>>(&text).unwrap(), value);
        let untyped: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(untyped, serde_json::json!(value), "{text}");
    }
}
