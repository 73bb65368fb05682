//! Whether a value has in it what is asked for, and if not, where it differs.

use serde_json::Value;

/// Every place where `actual` lacks what `wanted` asks for, as
/// `path: expected X, found Y`. Members that are not named may be anything, lists
/// must fit as a whole, and `null` asks for a member that is not there.
pub(crate) fn differences(wanted: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(wanted, Some(actual), "", &mut found);
    found
}

fn compare(wanted: &Value, actual: Option<&Value>, path: &str, found: &mut Vec<String>) {
    match (wanted, actual) {
        (Value::Null, None | Some(Value::Null)) => {}
        (Value::Object(wanted), Some(Value::Object(actual))) => {
            for (key, wanted) in wanted {
                compare(wanted, actual.get(key), &member(path, key), found);
            }
        }
        (Value::Array(wanted), Some(Value::Array(actual))) if wanted.len() == actual.len() => {
            for (index, (wanted, actual)) in wanted.iter().zip(actual).enumerate() {
                compare(wanted, Some(actual), &format!("{path}[{index}]"), found);
            }
        }
        (Value::Number(wanted), Some(Value::Number(actual)))
            if wanted.as_f64() == actual.as_f64() => {}
        (wanted, Some(actual)) if wanted == actual => {}
        (wanted, actual) => found.push(difference(wanted, actual, path)),
    }
}

fn difference(wanted: &Value, actual: Option<&Value>, path: &str) -> String {
    let place = if path.is_empty() { "it" } else { path };
    let shown = |value: &Value| {
        let text = value.to_string();
        match text.char_indices().nth(200) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    let wanted_text = match wanted {
        Value::Null => "nothing there".to_owned(),
        other => shown(other),
    };
    let mut text = format!(
        "{place}: expected {wanted_text}, found {}",
        actual.map_or_else(|| "nothing there".to_owned(), shown)
    );
    // YAML reads 0123 and 1e10 as numbers; a prefix of four hex digits can be one.
    if wanted.is_number() && actual.is_some_and(Value::is_string) {
        text.push_str(" (YAML read a number: quote it to mean text)");
    }
    text
}

fn member(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match (plain, path.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{key:?}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_are_not_named_may_be_anything() {
        let actual = json!({"a": {"b": 1, "c": [1, {"d": 2, "e": 3}]}, "x": null});
        for wanted in [
            json!({}),
            json!({"a": {"b": 1}}),
            json!({"a": {"b": 1.0}}),
            json!({"a": {"c": [1, {"d": 2}]}}),
            json!({"x": null, "y": null}),
        ] {
            assert_eq!(differences(&wanted, &actual), [""; 0], "{wanted}");
        }
    }

    #[test]
    fn every_difference_has_its_path() {
        let actual = json!({"a": {"b": 1, "c": [1, 2]}, "d.e": "0123"});
        let wanted = json!({"a": {"b": 2, "c": [1], "f": true}, "d.e": 123, "a.x": 1});
        assert_eq!(
            differences(&wanted, &actual),
            [
                "a.b: expected 2, found 1",
                "a.c: expected [1], found [1,2]",
                "a.f: expected true, found nothing there",
                "[\"a.x\"]: expected 1, found nothing there",
                "[\"d.e\"]: expected 123, found \"0123\" (YAML read a number: quote it to mean text)",
            ]
        );
        assert_eq!(
            differences(&json!({"a": null}), &actual),
            ["a: expected nothing there, found {\"b\":1,\"c\":[1,2]}"]
        );
        assert_eq!(differences(&json!(1), &json!("x")).len(), 1);
    }
}
