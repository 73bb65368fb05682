//! Paths such as `.spec.list['a.b']` that definitions use to point into their
//! own schema (`ValidFieldPath` of apiextensions-apiserver's `schema/cel`).

use serde_json::Value;

/// The path in the form of an error's field, and the schema found there.
pub(crate) fn resolve<'a>(
    path: &str,
    schema: &'a Value,
    brackets: bool,
) -> Result<(String, &'a Value), String> {
    let end = || "unexpected end of JSON path".to_owned();
    let mut normal = String::new();
    let mut found = schema;
    let mut tokens = tokens(path).into_iter();
    while let Some(token) = tokens.next() {
        match token {
            "." => {
                let name = tokens.next().ok_or_else(end)?;
                found = step(found, name, &mut normal)?;
            }
            "[" if !brackets => return Err("array notation is not allowed".to_owned()),
            "[" => {
                let quoted = tokens.next().ok_or_else(end)?;
                let inner = quoted
                    .strip_prefix('\'')
                    .and_then(|rest| rest.strip_suffix('\''))
                    .ok_or_else(|| format!("expected single quoted string but got {quoted}"))?;
                found = step(found, &unescape(inner)?, &mut normal)?;
                match tokens.next() {
                    Some("]") => {}
                    Some(other) => return Err(format!("expected ] but got {other}")),
                    None => return Err(end()),
                }
            }
            other => return Err(format!("expected [ or . but got: {other}")),
        }
    }
    Ok((normal, found))
}

/// One step down, into a property or a value of a map.
fn step<'a>(schema: &'a Value, name: &str, normal: &mut String) -> Result<&'a Value, String> {
    let unknown = || "does not refer to a valid field".to_owned();
    if let Some(Value::Object(properties)) = schema.get("properties") {
        if !normal.is_empty() {
            normal.push('.');
        }
        normal.push_str(name);
        return properties.get(name).ok_or_else(unknown);
    }
    match schema.get("additionalProperties") {
        Some(rest @ Value::Object(_)) => {
            normal.push_str(&format!("[{name}]"));
            Ok(rest)
        }
        _ => Err(unknown()),
    }
}

/// Delimiters, quoted strings, and what stands between them.
fn tokens(path: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '.' | '[' | ']' => 1,
            '\'' => {
                let mut escaped = false;
                rest.char_indices()
                    .skip(1)
                    .find(|(_, c)| {
                        let ends = *c == '\'' && !escaped;
                        escaped = *c == '\\' && !escaped;
                        ends
                    })
                    .map_or(rest.len(), |(i, _)| i + 1)
            }
            _ => rest.find(['.', '[', ']']).unwrap_or(rest.len()),
        };
        let (token, tail) = rest.split_at(length);
        tokens.push(token);
        rest = tail;
    }
    tokens
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next() {
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{b}',
            Some(c @ ('\'' | '\\')) => c,
            other => {
                let shown: String = other.into_iter().collect();
                return Err(format!(
                    "invalid string literal: invalid escape char \\{shown}"
                ));
            }
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::resolve;

    #[test]
    fn a_path_names_properties_and_keys_of_maps() {
        let schema = json!({"properties": {"spec": {"properties": {
            "map": {"additionalProperties": {"type": "string"}}}}}});
        let (normal, found) = resolve(".spec.map['a.b']", &schema, true).expect("a path");
        assert_eq!(
            (normal.as_str(), &found["type"]),
            ("spec.map[a.b]", &json!("string"))
        );
        for (path, why) in [
            (".spec.none", "does not refer to a valid field"),
            ("spec", "expected [ or . but got: spec"),
            (".spec.map[x]", "expected single quoted string but got x"),
            (".spec.map['x'", "unexpected end of JSON path"),
        ] {
            assert_eq!(resolve(path, &schema, true).expect_err(path), why);
        }
        assert!(resolve(".spec.map['x']", &schema, false).is_err());
    }
}
