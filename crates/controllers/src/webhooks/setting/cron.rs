//! Whether a text is a schedule, in the words of the library that Longhorn asks
//! (`ParseStandard` of robfig/cron, v1).

use super::super::go;

/// The fields: lowest and highest number, and the names of numbers.
const FIELDS: [(i64, i64, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (
        1,
        12,
        &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    ),
    (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

const DESCRIPTORS: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

pub(super) fn check(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("Empty spec string".to_owned());
    }
    if text.starts_with('@') {
        return descriptor(text);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "Expected exactly {} fields, found {}: {text}",
            FIELDS.len(),
            fields.len()
        ));
    }
    for (field, bounds) in fields.iter().zip(FIELDS) {
        for range in field.split(',').filter(|range| !range.is_empty()) {
            check_range(range, bounds)?;
        }
    }
    Ok(())
}

fn descriptor(text: &str) -> Result<(), String> {
    if DESCRIPTORS.contains(&text) {
        return Ok(());
    }
    let Some(span) = text.strip_prefix("@every ") else {
        return Err(format!("Unrecognized descriptor: {text}"));
    };
    duration(span).map_err(|why| {
        let span = go::quote(span);
        format!("Failed to parse duration {text}: time: {why} duration {span}")
    })
}

/// `1h30m` and the like, as Go's `time.ParseDuration` takes it; or what is wrong with
/// it. How long the longest may be is not looked at.
fn duration(text: &str) -> Result<(), String> {
    let invalid = || Err("invalid".to_owned());
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Ok(());
    }
    if rest.is_empty() {
        return invalid();
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (digits, unit) = rest.split_at(end.unwrap_or(rest.len()));
        let units = ["ns", "us", "µs", "ms", "s", "m", "h"];
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, after) = unit.split_at(end.unwrap_or(unit.len()));
        if digits.parse::<f64>().is_err() {
            return invalid();
        }
        if unit.is_empty() {
            return Err("missing unit in".to_owned());
        }
        if !units.contains(&unit) {
            return Err(format!("unknown unit {} in", go::quote(unit)));
        }
        rest = after;
    }
    Ok(())
}

fn check_range(text: &str, (lowest, highest, names): (i64, i64, &[&str])) -> Result<(), String> {
    let parts: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let number = |text: &str| {
        let named = names
            .iter()
            .zip(lowest..)
            .find(|(name, _)| text.eq_ignore_ascii_case(name));
        named.map_or_else(|| positive(text), |(_, number)| Ok(number))
    };
    let (start, mut end) = match ends[..] {
        ["*" | "?", ..] => (lowest, highest),
        [only] => {
            let only = number(only)?;
            (only, only)
        }
        [start, end] => (number(start)?, number(end)?),
        _ => return Err(format!("Too many hyphens: {text}")),
    };
    let step = match parts[..] {
        [_] => 1,
        [_, step] => {
            let step = positive(step)?;
            if ends.len() == 1 {
                end = highest;
            }
            step
        }
        _ => return Err(format!("Too many slashes: {text}")),
    };
    if start < lowest {
        return Err(format!(
            "Beginning of range ({start}) below minimum ({lowest}): {text}"
        ));
    }
    if end > highest {
        return Err(format!(
            "End of range ({end}) above maximum ({highest}): {text}"
        ));
    }
    if start > end {
        return Err(format!(
            "Beginning of range ({start}) beyond end of range ({end}): {text}"
        ));
    }
    if step == 0 {
        return Err(format!("Step of range should be a positive number: {text}"));
    }
    Ok(())
}

fn positive(text: &str) -> Result<i64, String> {
    let number = go::atoi(text).map_err(|why| format!("Failed to parse int from {text}: {why}"))?;
    if number < 0 {
        return Err(format!("Negative number ({number}) not allowed: {text}"));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_taken_and_refused() {
        for text in [
            "0 0 */7 * *",
            "@daily",
            "@every 1h30m",
            "*/5 1-3,7 ? jan-mar MON",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, why) in [
            ("", "Empty spec string"),
            ("* * * *", "Expected exactly 5 fields, found 4: * * * *"),
            ("60 * * * *", "End of range (60) above maximum (59): 60"),
            (
                "x * * * *",
                r#"Failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax"#,
            ),
            ("@never", "Unrecognized descriptor: @never"),
            (
                "@every 1h30",
                r#"Failed to parse duration @every 1h30: time: missing unit in duration "1h30""#,
            ),
            (
                "@every 1x",
                r#"Failed to parse duration @every 1x: time: unknown unit "x" in duration "1x""#,
            ),
            (
                "*/0 * * * *",
                "Step of range should be a positive number: */0",
            ),
        ] {
            assert_eq!(check(text).unwrap_err(), why);
        }
    }
}
