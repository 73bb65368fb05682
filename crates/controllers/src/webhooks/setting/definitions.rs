//! The table of Longhorn's settings, release by release, as `types/setting.go` of
//! each has them. It is data: `definitions.tsv`.

use std::sync::LazyLock;

use fixname_naming::LonghornVersion;

/// Kind of a setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueType {
    Bool,
    Int,
    Float,
    Text,
    /// A value that is not checked.
    Any,
}

/// One setting of some releases.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    name: &'static str,
    first: (u64, u64, u64),
    last: Option<(u64, u64, u64)>,
    pub(crate) value_type: ValueType,
    pub(crate) is_required: bool,
    pub(crate) is_read_only: bool,
    /// There is a value for each data engine.
    pub(crate) is_by_engine: bool,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) choices: Vec<&'static str>,
    pub(crate) default: &'static str,
    pub(crate) display_name: &'static str,
}

static TABLE: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let lines = include_str!("definitions.tsv").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| row(line).expect("the table is checked by a test"))
        .collect()
});

fn row(line: &'static str) -> Option<Definition> {
    let fields: Vec<&'static str> = line.split('\t').collect();
    let [
        name,
        first,
        last,
        value_type,
        flags,
        minimum,
        maximum,
        choices,
        default,
        display_name,
    ] = fields[..]
    else {
        return None;
    };
    let number = |text: &str| match text {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    Some(Definition {
        name,
        first: version(first)?,
        last: match last {
            "" => None,
            last => Some(version(last)?),
        },
        value_type: match value_type {
            "bool" => ValueType::Bool,
            "int" => ValueType::Int,
            "float" => ValueType::Float,
            "string" => ValueType::Text,
            "" | "deprecated" => ValueType::Any,
            _ => return None,
        },
        is_required: flags.contains('r'),
        is_read_only: flags.contains('o'),
        is_by_engine: flags.contains('e'),
        minimum: number(minimum)?,
        maximum: number(maximum)?,
        choices: choices.split('|').filter(|c| !c.is_empty()).collect(),
        default,
        display_name,
    })
}

fn version(text: &str) -> Option<(u64, u64, u64)> {
    let version: LonghornVersion = text.parse().ok()?;
    Some(at(&version))
}

fn at(version: &LonghornVersion) -> (u64, u64, u64) {
    (version.major, version.minor, version.patch)
}

impl Definition {
    /// `GetSettingDefinition`.
    pub(crate) fn of(version: &LonghornVersion, name: &str) -> Option<&'static Self> {
        let at = at(version);
        TABLE.iter().find(|definition| {
            definition.name == name
                && definition.first <= at
                && definition.last.is_none_or(|last| at <= last)
        })
    }
}

/// What a setting is where nobody has changed it; `None` for one that the release does
/// not have, or that only Longhorn itself writes.
pub fn setting_default(version: &LonghornVersion, name: &str) -> Option<&'static str> {
    let definition = Definition::of(version, name)?;
    (!definition.is_read_only).then_some(definition.default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_understood_and_no_two_overlap() {
        let table: Vec<_> = TABLE.iter().collect();
        assert!(table.len() > 130, "{}", table.len());
        for (i, a) in table.iter().enumerate() {
            for b in &table[i + 1..] {
                let newest = (99, 0, 0);
                let apart =
                    a.last.unwrap_or(newest) < b.first || b.last.unwrap_or(newest) < a.first;
                assert!(a.name != b.name || apart, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_setting_by_engine_has_a_default_for_each() {
        for definition in TABLE.iter().filter(|definition| definition.is_by_engine) {
            let default: Result<std::collections::BTreeMap<String, String>, _> =
                serde_json::from_str(definition.default);
            assert!(default.is_ok_and(|by| !by.is_empty()), "{definition:?}");
        }
    }

    /// Counted in each release's `settingDefinitions`.
    #[test]
    fn each_release_has_as_many_settings_as_its_source() {
        for (version, count) in [
            ("v1.7.2", 88),
            ("v1.8.1", 89),
            ("v1.9.1", 93),
            ("v1.10.2", 97),
            ("v1.11.0", 104),
            ("v1.12.1", 116),
        ] {
            let at = super::version(version).unwrap();
            let of_version = TABLE
                .iter()
                .filter(|d| d.first <= at && d.last.is_none_or(|last| at <= last));
            assert_eq!(of_version.count(), count, "{version}");
        }
    }
}
