//! Settings about CPUs: shares, masks and numbers of cores.

use rand::Rng;
use serde_json::Value;

use super::super::cluster::{Cluster, Source};
use super::super::rules::Rules;
use super::super::{go, text};
use super::definitions::Definition;
use super::value::by_engine_value;
use crate::view::shuffled;

/// The mask of CPUs of a data engine.
pub(super) const MASK: &str = "data-engine-cpu-mask";
/// The same before v1.10.0.
pub(super) const V2_MASK: &str = "v2-data-engine-cpu-mask";
/// The share of CPU for the v2 engine, before v1.10.0.
pub(super) const V2_SHARE: &str = "v2-data-engine-guaranteed-instance-manager-cpu";

/// The highest number of a CPU (`types/setting.go` at v1.12.1).
const LAST_CPU: i64 = 1023;

/// `ValidateCPUReservationValues`, before v1.10.0.
pub(crate) fn reservation(rules: &Rules, name: &str, value: &str) -> Result<(), String> {
    let share = go::atoi(value).map_err(|why| {
        format!("invalid guaranteed/requested instance manager CPU value ({value}): {why}")
    })?;
    let bounds = Definition::of(&rules.version, name);
    let bound = |bound: Option<f64>| bound.unwrap_or_default();
    let (minimum, maximum) = bounds.map_or((0.0, 0.0), |d| (bound(d.minimum), bound(d.maximum)));
    #[expect(clippy::cast_precision_loss, reason = "shares are small numbers")]
    let share = share as f64;
    let refused = "invalid requested instance manager CPUs. Valid instance manager CPU range";
    if rules.bounds_cpu_reservation && !(minimum..=maximum).contains(&share) {
        return Err(format!("{refused} between {minimum} - {maximum} millicpu"));
    }
    if share < minimum {
        return Err(format!("{refused} is larger than {minimum} millicpu"));
    }
    Ok(())
}

pub(super) fn v2_mask(rules: &Rules, mask: &str, cluster: &Cluster) -> Result<(), String> {
    if mask.is_empty() {
        return Err(format!("cannot set {V2_MASK} setting to empty value"));
    }
    let digits = mask.strip_prefix("0x").unwrap_or_default();
    let is_mask = !digits.is_empty()
        && !digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_mask {
        return Err(format!("invalid CPU mask: {mask}"));
    }
    let bits =
        u64::from_str_radix(digits, 16).map_err(|_| format!("failed to parse CPU mask: {mask}"))?;
    let highest = cluster
        .machine_cpus
        .and_then(|cpus| 1_u64.checked_shl(cpus));
    if let Some(highest) = highest
        .map(|next| next - 1)
        .filter(|highest| bits > *highest)
    {
        return Err(format!(
            "CPU mask exceeds the maximum allowed value {highest} for the current system: {mask}"
        ));
    }
    let share = cluster.setting_number(rules, V2_SHARE).map_err(|why| {
        format!("failed to get {V2_SHARE} setting for CPU mask validation: {why}")
    })?;
    let wanted = i64::from(bits.count_ones()) * 1000;
    if wanted > share {
        return Err(format!(
            "number of CPUs ({wanted}) requested by CPU mask ({mask}) is larger than the {V2_SHARE} setting value ({share})"
        ));
    }
    Ok(())
}

pub(super) fn cores(
    rules: &Rules,
    value: &str,
    cluster: &Cluster,
    rng: &mut impl Rng,
) -> Result<(), String> {
    let trimmed = value.trim();
    let by_engine: Vec<(String, i64)> = match serde_json::from_str::<Value>(trimmed) {
        Ok(Value::Object(map)) => map
            .iter()
            .map(|(engine, cores)| {
                let cores = text(cores);
                let number = go::atoi(cores).map_err(|why| format!("failed to convert CPU core number {cores} for data engine {engine} to integer: {why}"))?;
                Ok((engine.clone(), number))
            })
            .collect::<Result<_, String>>()?,
        _ => {
            let number = go::atoi(trimmed).map_err(|why| {
                let value = go::quote(value);
                format!("failed to convert CPU core number setting value {value} to integer: {why}")
            })?;
            vec![("v2".to_owned(), number)]
        }
    };
    for (engine, cores) in shuffled(by_engine, rng) {
        let place = format!("CPU core number for data engine {engine} cannot be");
        if cores < 0 {
            return Err(format!("{place} negative"));
        }
        let is_static =
            |node: &Value| text(&node["status"]["cpuPolicy"]).eq_ignore_ascii_case("static");
        if cores > 0 && !cluster.list(Source::Nodes).all(is_static) {
            return Err(format!(
                "{place} set to {cores} when not all nodes have CPU manager policy configured"
            ));
        }
        if cores == 0 {
            let mask = by_engine_value(rules, MASK, &engine, cluster, rng).map_err(|why| {
                format!("failed to check if data engine CPU mask is set to 0: failed to get {MASK} setting for updating data engine CPU mask: {why}")
            })?;
            if matches!(mask.as_str(), "0" | "0x0") {
                return Err(format!(
                    "{place} set to 0 when data engine CPU mask is set to 0"
                ));
            }
        }
    }
    Ok(())
}

/// `NormalizeCPUMask`: a hex mask as it is, a list of CPUs as a mask.
pub(super) fn normal_mask(value: &str) -> Result<String, String> {
    let value = value.trim();
    if value.is_empty() {
        return Err("CPU mask value is empty".to_owned());
    }
    let digits = value
        .strip_prefix("0x")
        .or_else(|| value.strip_prefix("0X"));
    let Some(digits) = digits else {
        return mask_of_list(value);
    };
    let quoted = go::quote(value);
    if digits.is_empty() {
        return Err(format!(
            "invalid hex CPU mask {quoted}: missing hex digits after prefix"
        ));
    }
    if digits.len() > 256 {
        return Err(format!(
            "CPU mask {quoted} exceeds maximum supported CPU {LAST_CPU}"
        ));
    }
    if let Some(bad) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        let bad = go::quote(&bad.to_string());
        return Err(format!(
            "invalid hex CPU mask {quoted}: contains non-hex character {bad}"
        ));
    }
    if digits.bytes().all(|b| b == b'0') {
        return Err(format!(
            "CPU mask {quoted} is zero, at least one CPU must be selected"
        ));
    }
    Ok(value.to_owned())
}

fn mask_of_list(list: &str) -> Result<String, String> {
    let list = list.replace(['(', ')'], "");
    let list = list.trim();
    if list.is_empty() {
        return Err("CPU list is empty".to_owned());
    }
    let in_range = |cpu: i64| match cpu {
        0..=LAST_CPU => usize::try_from(cpu).map_err(|_| String::new()),
        _ => Err(format!(
            "CPU number {cpu} is out of valid range (0-{LAST_CPU})"
        )),
    };
    // The digits of the mask, the lowest first.
    let mut digits = vec![0_u8; 256];
    for part in list.split(',') {
        let part = part.trim();
        if part.is_empty() {
            let list = go::quote(list);
            return Err(format!("invalid CPU list {list}: empty CPU entry"));
        }
        let (start, end) = match part.split_once('-') {
            Some((start, end)) => {
                let number = |text: &str| {
                    go::atoi(text.trim()).map_err(|_| {
                        let (text, part) = (go::quote(text), go::quote(part));
                        format!("invalid CPU number {text} in range {part}")
                    })
                };
                let (start, end) = (number(start)?, number(end)?);
                in_range(start)?;
                in_range(end)?;
                if start > end {
                    let part = go::quote(part);
                    return Err(format!(
                        "invalid CPU range {part}: start ({start}) > end ({end})"
                    ));
                }
                (start, end)
            }
            None => {
                let cpu = go::atoi(part)
                    .map_err(|_| format!("invalid CPU number {}", go::quote(part)))?;
                (cpu, cpu)
            }
        };
        for cpu in in_range(start)?..=in_range(end)? {
            digits[cpu / 4] |= 1 << (cpu % 4);
        }
    }
    let hex = digits.iter().rev().skip_while(|digit| **digit == 0);
    let hex: String = hex.map(|digit| format!("{digit:x}")).collect();
    Ok(format!("0x{hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_cpus_becomes_a_mask() {
        assert_eq!(normal_mask("1-3,5,7").unwrap(), "0xae");
        assert_eq!(normal_mask("(1-3),(5)").unwrap(), "0x2e");
        assert_eq!(normal_mask("0xFF").unwrap(), "0xFF");
        for (mask, why) in [
            ("0x0", "is zero"),
            ("0xg", "non-hex"),
            ("1,,2", "empty CPU entry"),
            ("3-1", "start (3) > end (1)"),
            ("2000", "out of valid range"),
        ] {
            let error = normal_mask(mask).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
