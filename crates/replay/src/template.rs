//! Variables and the matrix of a scenario file: one text becomes one scenario for
//! each combination of the axes' values, with `${name}` replaced in each.
//!
//! Replacing happens in the text, line by line, so that every later error has the
//! line it has in the file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// What a file says besides its scenario.
#[derive(Debug, Default, Deserialize)]
struct Head {
    #[serde(default)]
    variables: IndexMap<String, Plain>,
    #[serde(default)]
    matrix: Matrix,
}

/// Axes with their values, and combinations that are left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Matrix {
    /// Each axis with its values.
    axes: IndexMap<String, Vec<Plain>>,
    /// Combinations that are left out.
    #[serde(default)]
    exclude: Vec<IndexMap<String, Plain>>,
}

/// A value as it is written: `0123` stays `0123`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plain(String);

impl JsonSchema for Plain {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Plain".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A line break would move all lines after it.
        if text.contains(['\n', '\r']) {
            return Err(serde::de::Error::custom("a value stands on one line"));
        }
        Ok(Self(text))
    }
}

/// One scenario of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// The combination, as `copies=3,disk=node-1/disk-1`; empty without a matrix.
    pub(crate) variant: String,
    /// The text with everything replaced.
    pub(crate) text: String,
}

/// Every combination of a file.
///
/// # Errors
///
/// Every mistake: what is not YAML, a variable that is not there or never used, an
/// axis without values, an exclusion that excludes nothing.
pub(crate) fn instances(text: &str) -> Result<Vec<Instance>, Vec<String>> {
    let head: Head = serde_saphyr::from_str(text).map_err(|e| vec![e.to_string()])?;
    let mut problems = Vec::new();
    for (axis, values) in &head.matrix.axes {
        if values.is_empty() {
            problems.push(format!(
                "matrix.axes.{axis}: no value, so nothing would run"
            ));
        }
        if head.variables.contains_key(axis) {
            problems.push(format!("matrix.axes.{axis}: it is also a variable"));
        }
    }
    let mut used = BTreeSet::new();
    let mut excluded = vec![false; head.matrix.exclude.len()];
    let mut instances = Vec::new();
    for combination in combinations(&head.matrix.axes) {
        let left_out = head.matrix.exclude.iter().enumerate().filter(|(_, out)| {
            out.iter()
                .all(|(axis, value)| combination.get(axis.as_str()) == Some(&value))
        });
        let left_out: Vec<usize> = left_out.map(|(index, _)| index).collect();
        if !left_out.is_empty() {
            for index in left_out {
                excluded[index] = true;
            }
            continue;
        }
        let mut values: IndexMap<&str, &str> = IndexMap::new();
        values.extend(
            head.variables
                .iter()
                .map(|(k, v)| (k.as_str(), v.0.as_str())),
        );
        values.extend(combination.iter().map(|(k, v)| (*k, v.0.as_str())));
        let mut variant = String::new();
        for (axis, value) in &combination {
            let comma = if variant.is_empty() { "" } else { "," };
            let _ = write!(variant, "{comma}{axis}={}", value.0);
        }
        match replaced(text, &values, &mut used) {
            Ok(text) => instances.push(Instance { variant, text }),
            Err(found) => problems.extend(
                found
                    .into_iter()
                    .filter(|p| !problems.contains(p))
                    .collect::<Vec<_>>(),
            ),
        }
    }
    for (index, _) in excluded.iter().enumerate().filter(|(_, hit)| !**hit) {
        problems.push(format!("matrix.exclude[{index}]: it leaves out nothing"));
    }
    if problems.is_empty() && instances.is_empty() {
        problems.push("matrix: every combination is left out".to_owned());
    }
    let names = head.variables.keys().chain(head.matrix.axes.keys());
    if problems.is_empty() {
        problems.extend(
            names
                .filter(|name| !used.contains(name.as_str()))
                .map(|name| format!("the variable {name:?} is never used")),
        );
    }
    if problems.is_empty() {
        Ok(instances)
    } else {
        Err(problems)
    }
}

/// All combinations, the last axis fastest; one empty combination without an axis.
fn combinations(axes: &IndexMap<String, Vec<Plain>>) -> Vec<IndexMap<&str, &Plain>> {
    let mut all = vec![IndexMap::new()];
    for (axis, values) in axes {
        all = all
            .iter()
            .flat_map(|before| {
                values.iter().map(|value| {
                    let mut with = before.clone();
                    with.insert(axis.as_str(), value);
                    with
                })
            })
            .collect();
    }
    all
}

/// The text with each `${name}` replaced; `$${` stands for `${`.
fn replaced(
    text: &str,
    values: &IndexMap<&str, &str>,
    used: &mut BTreeSet<String>,
) -> Result<String, Vec<String>> {
    let mut out = String::with_capacity(text.len());
    let mut problems = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let mut rest = line;
        while let Some(at) = rest.find("${") {
            let (before, found) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = &found[2..];
                continue;
            }
            out.push_str(before);
            let column = line.len() - rest.len() + at + 1;
            let place = format!("line {}, column {column}", number + 1);
            let Some(end) = found.find('}') else {
                problems.push(format!("{place}: \"${{\" without \"}}\""));
                rest = "";
                break;
            };
            let name = &found[2..end];
            match values.get(name) {
                Some(value) => {
                    used.insert(name.to_owned());
                    out.push_str(value);
                }
                None => {
                    let names: Vec<_> = values.keys().copied().collect();
                    let known = match names[..] {
                        [] => "there are none".to_owned(),
                        _ => format!("there are {}", names.join(", ")),
                    };
                    problems.push(format!("{place}: there is no variable {name:?}; {known}"));
                }
            }
            rest = &found[end + 1..];
        }
        out.push_str(rest);
    }
    if problems.is_empty() {
        Ok(out)
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_variables_is_one_scenario_as_it_is() {
        let text = "name: a\nprice: $5 and $${x}\n";
        let found = instances(text).unwrap();
        assert_eq!(found[0].text, "name: a\nprice: $5 and ${x}\n");
        assert_eq!((found.len(), found[0].variant.as_str()), (1, ""));
    }

    #[test]
    fn values_stay_as_they_are_written() {
        let text = "variables: {prefix: 0123, other: 1e10}\nname: a-${prefix}-${other}\n";
        let found = instances(text).unwrap();
        assert!(found[0].text.ends_with("name: a-0123-1e10\n"), "{found:?}");
    }

    #[test]
    fn a_matrix_has_every_combination_but_those_left_out() {
        let text = "matrix:\n  axes: {copies: [1, 2], where: [a, b]}\n  exclude: [{copies: 2, where: b}]\nname: x ${copies} ${where}\n";
        let variants: Vec<_> = instances(text)
            .unwrap()
            .into_iter()
            .map(|i| i.variant)
            .collect();
        assert_eq!(
            variants,
            ["copies=1,where=a", "copies=1,where=b", "copies=2,where=a"]
        );
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, problem) in [
            (
                "name: ${a}\n",
                "line 1, column 7: there is no variable \"a\"; there are none",
            ),
            (
                "variables: {ab: 1}\nname: ${ab} ${ac}\n",
                "line 2, column 13: there is no variable \"ac\"; there are ab",
            ),
            (
                "variables: {a: 1}\nname: x\n",
                "the variable \"a\" is never used",
            ),
            (
                "variables: {a: 1}\nname: ${a\n",
                "line 2, column 7: \"${\" without \"}\"",
            ),
            (
                "matrix: {axes: {a: []}}\nname: x\n",
                "matrix.axes.a: no value, so nothing would run",
            ),
            (
                "matrix: {axes: {a: [1]}, exclude: [{a: 2}]}\nname: ${a}\n",
                "matrix.exclude[0]: it leaves out nothing",
            ),
            (
                "matrix: {axes: {a: [1]}, exclude: [{a: 1}]}\nname: ${a}\n",
                "matrix: every combination is left out",
            ),
            (
                "variables: {a: 1}\nmatrix: {axes: {a: [1]}}\nname: ${a}\n",
                "matrix.axes.a: it is also a variable",
            ),
        ] {
            assert_eq!(instances(text).unwrap_err(), [problem], "{text}");
        }
        let error = &instances("variables: {a: \"x\\ny\"}\nname: ${a}\n").unwrap_err()[0];
        assert!(error.contains("stands on one line"), "{error}");
        assert!(instances("a: [\n").is_err());
    }
}
