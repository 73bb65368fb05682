//! Tables, as `kubectl get` asks for them, and objects reduced to metadata.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::request::Call;
use crate::resource::{Column, Resource, text};
use crate::server::ApiServer;
use crate::status::Failure;

/// What a table's rows carry besides the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    Nothing,
    Metadata,
    Object,
}

/// Refuses a request that says in an unknown way what rows should carry.
pub(crate) fn check_include(call: &Call) -> Result<(), Failure> {
    match call.query.get("includeObject") {
        None | Some("None" | "Metadata" | "Object") => Ok(()),
        Some(other) => Err(Failure::bad_request(format!(
            "Unable to convert to Table as requested: includeObject: Invalid value: {}: must be 'Metadata', 'Object', 'None', or empty",
            crate::quote::quote(other)
        ))),
    }
}

/// A table of `items`.
pub(crate) fn table(
    call: &Call,
    resource: &Resource,
    items: &[Value],
    meta: &Value,
    headers: bool,
) -> Value {
    let include = match call.query.get("includeObject") {
        Some("None") => Include::Nothing,
        Some("Object") => Include::Object,
        _ => Include::Metadata,
    };
    table_of(&call.server, resource, items, meta, headers, include)
}

pub(crate) fn table_of(
    server: &ApiServer,
    resource: &Resource,
    items: &[Value],
    meta: &Value,
    headers: bool,
    include: Include,
) -> Value {
    let columns = columns(resource);
    let now = server.now();
    let rows: Vec<Value> = items
        .iter()
        .map(|item| {
            let mut row = Map::new();
            let cells: Vec<Value> = columns
                .iter()
                .map(|column| crate::columns::cell(column, item, now))
                .collect();
            row.insert("cells".to_owned(), Value::from(cells));
            match include {
                Include::Nothing => {
                    row.insert("object".to_owned(), Value::Null);
                }
                Include::Metadata => {
                    row.insert("object".to_owned(), partial(item));
                }
                Include::Object => {
                    row.insert("object".to_owned(), item.clone());
                }
            }
            Value::Object(row)
        })
        .collect();
    let mut definitions = Vec::new();
    if headers {
        for column in &columns {
            definitions.push(json!({
                "name": column.name, "type": column.kind, "format": column.format,
                "description": column.description, "priority": column.priority,
            }));
        }
    }
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
        "columnDefinitions": definitions, "rows": rows,
    })
}

/// An object's metadata alone.
pub(crate) fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

/// All columns; only events do not begin with their name.
fn columns(resource: &Resource) -> Vec<Column> {
    use crate::builtin::Kind;
    let mut all = Vec::new();
    if !matches!(resource.behaviour, Kind::Event | Kind::EventV1) {
        all.push(crate::columns::name());
    }
    if !resource.columns.is_empty() {
        let mut columns = resource.columns.clone();
        for column in &mut columns {
            if column.description.is_empty() {
                column.description = format!(
                    "Custom resource definition column (in JSONPath format): {}",
                    column.path
                );
            }
        }
        all.extend(columns);
        return all;
    }
    all.extend(crate::columns::builtin(resource.behaviour));
    all
}

/// A duration as `kubectl` shows ages.
pub(crate) fn age(since: &str, now: Timestamp) -> Option<String> {
    let since: Timestamp = since.parse().ok()?;
    Some(human(now.duration_since(since).as_secs()))
}

/// `duration.HumanDuration` of apimachinery.
fn human(seconds: i64) -> String {
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let s = seconds.max(0);
    let (minutes, hours) = (s / 60, s / 3600);
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{small_unit}")
        }
    };
    if s < 60 * 2 {
        format!("{s}s")
    } else if minutes < 10 {
        two(minutes, "m", s % 60, "s")
    } else if minutes < 60 * 3 {
        format!("{minutes}m")
    } else if hours < 8 {
        two(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 24 * 8 {
        two(hours / 24, "d", hours % 24, "h")
    } else if hours < 24 * 365 * 2 {
        format!("{}d", hours / 24)
    } else if hours < 24 * 365 * 8 {
        two(hours / 24 / 365, "y", (hours / 24) % 365, "d")
    } else {
        format!("{}y", hours / 24 / 365)
    }
}

/// A cell with the age of a moment, or `<unknown>`.
pub(crate) fn age_cell(object: &Value, pointer: &str, now: Timestamp) -> Value {
    Value::String(age(text(object, pointer), now).unwrap_or_else(|| "<unknown>".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn ages_look_like_kubectls() {
        for (seconds, shown) in [
            (5, "5s"),
            (119, "119s"),
            (120, "2m"),
            (305, "5m5s"),
            (3600, "60m"),
            (4 * 3600 + 60, "4h1m"),
            (50 * 3600, "2d2h"),
            (10 * 86400, "10d"),
        ] {
            assert_eq!(human(seconds), shown);
        }
    }
}
