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

use crate::place::{Path, Position};
use crate::problem::{Move, Problem, Text};
use crate::suggest::instead;

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
pub(crate) struct Plain(pub(crate) String);

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
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// The combination, as `copies=3,disk=node-1/disk-1`; empty without a matrix.
    pub(crate) variant: String,
    /// The text with everything replaced.
    pub(crate) text: Text,
}

/// Every combination of a file.
///
/// # Errors
///
/// Every mistake: what is not YAML, a variable that is not there or never used, an
/// axis without values, an exclusion that excludes nothing.
pub(crate) fn instances(file: &str, text: &str) -> Result<Vec<Instance>, Vec<Problem>> {
    let plain = Text::plain(file, text);
    let head: Head = serde_saphyr::from_str(text).map_err(|e| vec![plain.unreadable(&e)])?;
    let (axes, matrix) = (&head.matrix.axes, Path::of("matrix"));
    let mut mistakes: Vec<(Path, String)> = Vec::new();
    for (axis, values) in axes {
        let at = matrix.member("axes").member(axis);
        if values.is_empty() {
            mistakes.push((at.clone(), "no value, so nothing would run".to_owned()));
        }
        if head.variables.contains_key(axis) {
            mistakes.push((at.key(), format!("{axis:?} is also a variable")));
        }
    }
    for (index, out) in head.matrix.exclude.iter().enumerate() {
        for axis in out.keys().filter(|axis| !axes.contains_key(*axis)) {
            let at = matrix.member("exclude").item(index).member(axis).key();
            let instead = instead(axis, axes.keys().map(String::as_str));
            mistakes.push((at, format!("there is no axis {axis:?}{instead}")));
        }
    }
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    let mut excluded = vec![false; head.matrix.exclude.len()];
    let mut instances = Vec::new();
    for combination in combinations(axes) {
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
        let variables = head.variables.iter();
        values.extend(variables.map(|(k, v)| (k.as_str(), v.0.as_str())));
        values.extend(combination.iter().map(|(k, v)| (*k, v.0.as_str())));
        let mut variant = String::new();
        for (axis, value) in &combination {
            let comma = if variant.is_empty() { "" } else { "," };
            let _ = write!(variant, "{comma}{axis}={}", value.0);
        }
        match replaced(&plain, &values, "variable", &mut used) {
            Ok(text) => instances.push(Instance { variant, text }),
            // All variants have the same ones.
            Err(found) => problems = found,
        }
    }
    for (index, _) in excluded.iter().enumerate().filter(|(_, hit)| !**hit) {
        if mistakes.is_empty() {
            let at = matrix.member("exclude").item(index);
            mistakes.push((at, "it leaves out nothing".to_owned()));
        }
    }
    if mistakes.is_empty() && problems.is_empty() && instances.is_empty() {
        mistakes.push((matrix.clone(), "every combination is left out".to_owned()));
    }
    if mistakes.is_empty() && problems.is_empty() {
        let variables = head.variables.keys().map(|n| (Path::of("variables"), n));
        let axes = axes.keys().map(|n| (matrix.member("axes"), n));
        for (at, name) in variables.chain(axes) {
            if !used.contains(name) {
                let text = format!("the variable {name:?} is never used");
                mistakes.push((at.member(name).key(), text));
            }
        }
    }
    problems.extend(mistakes.iter().map(|(at, m)| plain.problem_of(at, m)));
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

/// The text with each `${name}` replaced; `$${` stands for `${`. `what` the names are
/// is for messages.
///
/// # Errors
///
/// Every name that has no value.
pub(crate) fn replaced(
    text: &Text,
    values: &IndexMap<&str, &str>,
    what: &str,
    used: &mut BTreeSet<String>,
) -> Result<Text, Vec<Problem>> {
    let mut out = String::with_capacity(text.original.len());
    let (mut problems, mut moves) = (Vec::new(), Vec::new());
    for (number, line) in text.original.split_inclusive('\n').enumerate() {
        let (number, line_out) = (number + 1, out.len());
        let mut rest = line;
        while let Some(at) = rest.find("${") {
            let (before, found) = rest.split_at(at);
            let from = characters(&line[..line.len() - found.len()]) + 1;
            let escaped = before.strip_suffix('$');
            out.push_str(escaped.unwrap_or(before));
            let to = characters(&out[line_out..]) + 1;
            let mut moved = |to_length, from, from_length| {
                moves.push(Move {
                    line: number,
                    to: (to, to_length),
                    from: (from, from_length),
                });
            };
            if escaped.is_some() {
                out.push_str("${");
                moved(2, from - 1, 3);
                rest = &found[2..];
                continue;
            }
            let at = Position {
                line: number,
                column: from,
            };
            let Some(end) = found.find('}') else {
                problems.push(text.problem(at, "\"${\" without \"}\""));
                rest = "";
                break;
            };
            let name = &found[2..end];
            match values.get(name) {
                Some(value) => {
                    used.insert(name.to_owned());
                    out.push_str(value);
                    moved(characters(value), from, characters(name) + 3);
                }
                None => {
                    let instead = instead(name, values.keys().copied());
                    let message = format!("there is no {what} {name:?}{instead}");
                    problems.push(text.problem(at, message));
                }
            }
            rest = &found[end + 1..];
        }
        out.push_str(rest);
    }
    if problems.is_empty() {
        Ok(Text {
            replaced: out,
            moves,
            ..text.clone()
        })
    } else {
        Err(problems)
    }
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_variables_is_one_scenario_as_it_is() {
        let text = "name: a\nprice: $5 and $${x}\n";
        let found = instances("", text).unwrap();
        assert_eq!(found[0].text.replaced, "name: a\nprice: $5 and ${x}\n");
        assert_eq!((found.len(), found[0].variant.as_str()), (1, ""));
    }

    #[test]
    fn values_stay_as_they_are_written() {
        let text = "variables: {prefix: 0123, other: 1e10}\nname: a-${prefix}-${other}\n";
        let found = instances("", text).unwrap();
        let replaced = &found[0].text.replaced;
        assert!(replaced.ends_with("name: a-0123-1e10\n"), "{replaced}");
    }

    #[test]
    fn a_matrix_has_every_combination_but_those_left_out() {
        let text = "matrix:\n  axes: {copies: [1, 2], where: [a, b]}\n  exclude: [{copies: 2, where: b}]\nname: x ${copies} ${where}\n";
        let variants: Vec<_> = instances("", text)
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
                "1:7: there is no variable \"a\"; there are none",
            ),
            (
                "variables: {image: 1}\nname: ${image} ${imgae}\n",
                "2:16: there is no variable \"imgae\"; did you mean image?",
            ),
            (
                "variables: {a: 1}\nname: x\n",
                "1:13: the variable \"a\" is never used",
            ),
            (
                "variables: {a: 1}\nname: ${a\n",
                "2:7: \"${\" without \"}\"",
            ),
            (
                "matrix: {axes: {a: []}}\nname: x\n",
                "1:20: no value, so nothing would run",
            ),
            (
                "matrix: {axes: {a: [1]}, exclude: [{a: 2}]}\nname: ${a}\n",
                "1:36: it leaves out nothing",
            ),
            (
                "matrix: {axes: {a: [1]}, exclude: [{a: 1}]}\nname: ${a}\n",
                "1:9: every combination is left out",
            ),
            (
                "matrix: {axes: {size: [1]}, exclude: [{sise: 1}]}\nname: ${size}\n",
                "1:40: there is no axis \"sise\"; did you mean size?",
            ),
            (
                "variables: {a: 1}\nmatrix: {axes: {a: [1]}}\nname: ${a}\n",
                "2:17: \"a\" is also a variable",
            ),
        ] {
            let found = instances("", text).unwrap_err();
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            let first = found[0].lines().next().unwrap();
            assert_eq!((first, found.len()), (problem, 1), "{text}");
        }
        let error = &instances("", "variables: {a: \"x\\ny\"}\nname: ${a}\n").unwrap_err()[0];
        assert!(error.message.contains("stands on one line"), "{error}");
        assert!(instances("", "a: [\n").is_err());
    }

    #[test]
    fn what_stands_behind_a_variable_keeps_its_column() {
        let text = "variables: {a: longer than it was, b: s}\nx: [\"${a}\", \"$${c}\", \"${b}\", é, end]\n";
        let found = &instances("", text).unwrap()[0].text;
        let list = Path::of("x");
        let columns: Vec<_> = (0..5)
            .map(|i| found.problem_of(&list.item(i), "").place.unwrap())
            .collect();
        assert_eq!(columns, [(2, 5), (2, 13), (2, 22), (2, 30), (2, 33)]);
    }
}
