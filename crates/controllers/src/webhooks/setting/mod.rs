//! Settings: what the mutator fills in, and what the validator refuses
//! (`webhook/resources/setting`, `ValidateSetting` in `datastore` and in `types`).
//! `definitions` is the table of all settings of all releases, `value` checks one
//! value, `form` the texts that have a form, `special` what else single settings need.

mod cpu;
mod cron;
mod definitions;
mod engine;
mod form;
mod special;
mod value;

use std::collections::BTreeMap;

use rand::Rng;
use serde_json::{Value, json};

use super::cluster::{Cluster, Source};
use super::rules::{Rules, SettingCheck};
use super::{Patch, Patches, Refusal, Verdict, name, text};

pub(super) use cpu::reservation as cpu_reservation;
pub(super) use definitions::Definition;
pub use definitions::setting_default;
pub(super) use value::check as value;

/// What says that Longhorn itself changes a read-only setting.
const FROM_LONGHORN: &str = "longhorn.io/update-setting-from-longhorn";
/// What marks the restore of the whole system that is under way.
const RESTORING: (&str, &str) = ("longhorn.io/system-restore", "InProgress");

/// The mutator: a value for all engines becomes one for each.
pub(super) fn fill_in(rules: &Rules, setting: &Value, rng: &mut impl Rng) -> Patches {
    let setting_name = name(setting);
    let Some(definition) = Definition::of(&rules.version, setting_name) else {
        return Err(unknown(setting_name));
    };
    let value = text(&setting["value"]);
    let valid = value::by_engine(definition, value, rng).map_err(|why| {
        let message = format!("failed to get valid value for setting {setting_name}: {why}");
        Refusal::invalid_field(message, "value")
    })?;
    let normal = normalize(rules, setting_name, valid).map_err(|why| {
        let message = format!("failed to normalize value for setting {setting_name}: {why}");
        Refusal::invalid_field(message, "value")
    })?;
    Ok(vec![Patch::replace("/value", normal)])
}

/// `NormalizeSettingValue`: a list of CPUs becomes a mask.
fn normalize(rules: &Rules, name: &str, value: String) -> Result<String, String> {
    if !rules.normalizes_cpu_masks || name != cpu::MASK {
        return Ok(value);
    }
    let masks: BTreeMap<String, String> = serde_json::from_str(&value).unwrap_or_default();
    let mut normal = BTreeMap::new();
    for (engine, mask) in masks {
        let mask = cpu::normal_mask(&mask).map_err(|why| {
            format!("failed to normalize CPU mask for data engine {engine}: {why}")
        })?;
        normal.insert(engine, mask);
    }
    Ok(json!(normal).to_string())
}

fn unknown(name: &str) -> Refusal {
    Refusal::invalid_field(format!("setting {name} does not exist"), "metadata.name")
}

/// The validator, of a change.
pub(super) fn update(
    rules: &Rules,
    old: &Value,
    setting: &Value,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Verdict {
    let setting_name = name(setting);
    let Some(definition) = Definition::of(&rules.version, setting_name) else {
        return Err(unknown(setting_name));
    };
    let is_own = |object: &Value| !object["metadata"]["annotations"][FROM_LONGHORN].is_null();
    if definition.is_read_only && !is_own(old) && !is_own(setting) {
        let message = format!("setting {setting_name} is read-only");
        return Err(Refusal::invalid_field(message, "metadata.name"));
    }
    validate(rules, setting, cluster, rng)
}

/// The validator, of a new setting or a new value.
pub(super) fn validate(
    rules: &Rules,
    setting: &Value,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Verdict {
    let (name, value) = (name(setting), text(&setting["value"]));
    let checked = value::check(rules, name, value, rng)
        .and_then(|()| special::check(rules, name, value, cluster, rng));
    let Err(why) = checked else {
        return Ok(());
    };
    let message = match rules.setting_check {
        SettingCheck::Single => {
            format!("failed to set the setting {name} with invalid value {value}: {why}")
        }
        SettingCheck::ByEngine => {
            format!("failed to validate setting {name} with invalid value {value}: {why}")
        }
    };
    // A setting of another release does not stop the restore of a system.
    if message.contains("not support") {
        let (key, state) = RESTORING;
        return match cluster
            .with_label(Source::SystemRestores, key, state)
            .count()
        {
            1 => Ok(()),
            _ => Err(Refusal::invalid(message)),
        };
    }
    Err(Refusal::invalid_field(message, "value"))
}

/// The validator, of a deletion: only what is no setting of this release.
pub(super) fn delete(rules: &Rules, setting: &Value) -> Verdict {
    let name = name(setting);
    if Definition::of(&rules.version, name).is_some() {
        let message = format!("setting {name} can be modified but not deleted");
        return Err(Refusal::invalid_field(message, "metadata.name"));
    }
    Ok(())
}
