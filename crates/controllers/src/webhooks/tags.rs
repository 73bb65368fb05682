//! Tags of nodes and disks: they must be what Kubernetes takes for a qualified name
//! (`util.ValidateTags`, `apimachinery/pkg/util/validation`).

use super::rules::Rules;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// The first tag that is none, in Longhorn's words.
pub(super) fn validate<'a>(
    rules: &Rules,
    tags: impl IntoIterator<Item = &'a str>,
) -> Result<(), String> {
    for tag in tags {
        if let Some(why) = first_error(rules, tag) {
            return Err(format!(
                "at least one error encountered while validating tags: {why}"
            ));
        }
    }
    Ok(())
}

/// What Kubernetes counts the length of names in.
pub(super) fn unit(rules: &Rules) -> &'static str {
    if rules.names_label_keys {
        "bytes"
    } else {
        "characters"
    }
}

fn first_error(rules: &Rules, tag: &str) -> Option<String> {
    let unit = unit(rules);
    let what = if rules.names_label_keys {
        "a valid label key"
    } else {
        "a qualified name"
    };
    let parts: Vec<&str> = tag.split('/').collect();
    let (prefix, name) = match parts[..] {
        [name] => (None, name),
        [prefix, name] => (Some(prefix), name),
        _ => {
            return Some(format!(
                "{what} {NAME} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ));
        }
    };
    match prefix {
        Some("") => return Some("prefix part must be non-empty".to_owned()),
        Some(prefix) if prefix.len() > 253 => {
            return Some(format!("prefix part must be no more than 253 {unit}"));
        }
        Some(prefix) if !prefix.split('.').all(is_label) => {
            return Some(format!("prefix part {SUBDOMAIN}"));
        }
        _ => {}
    }
    if name.is_empty() {
        return Some("name part must be non-empty".to_owned());
    }
    if name.len() > 63 {
        return Some(format!("name part must be no more than 63 {unit}"));
    }
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_outer = |c: char| c.is_ascii_alphanumeric();
    let is_name =
        name.starts_with(is_outer) && name.ends_with(is_outer) && name.chars().all(is_inner);
    (!is_name).then(|| format!("name part {NAME}"))
}

fn is_label(text: &str) -> bool {
    let is_outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(is_outer)
        && text.ends_with(is_outer)
        && text.chars().all(|c| is_outer(c) || c == '-')
}
