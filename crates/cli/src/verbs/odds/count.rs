//! Numbers of disks, and ranges of them, as people write them.

use std::str::FromStr;

/// The most disks that can be asked about.
pub(super) const MOST_DISKS: u128 = 1_000_000_000_000_000_000;
/// The most numbers of a range: a table that somebody may still read.
const MOST_ROWS: usize = 10_000;

/// A number of disks as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DiskNumber(pub(crate) u128);

impl FromStr for DiskNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed =
            || format!("{text:?} is not a whole number; expected one like 302, 1_000_000 or 1e6");
        let plain = text.replace(['_', ','], "");
        let digits = |part: &str| -> Option<u128> {
            (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse().ok())
                .flatten()
        };
        let power = |ten: u128, exponent: &str| -> Option<u128> {
            ten.checked_pow(u32::try_from(digits(exponent)?).ok()?)
        };
        let number = if let Some((base, exponent)) = plain.split_once('^') {
            power(digits(base).ok_or_else(malformed)?, exponent)
        } else if let Some((mantissa, exponent)) = plain.split_once(['e', 'E']) {
            let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let all = digits(&format!("{whole}{fraction}")).ok_or_else(malformed)?;
            let places = fraction.len() as u128;
            let exponent = digits(exponent).ok_or_else(malformed)?;
            let shift = exponent.checked_sub(places).ok_or_else(malformed)?;
            power(10, &shift.to_string()).and_then(|p| p.checked_mul(all))
        } else if plain.bytes().all(|b| b.is_ascii_digit()) && !plain.is_empty() {
            digits(&plain)
        } else {
            return Err(malformed());
        };
        match number {
            Some(number) if number <= MOST_DISKS => Ok(Self(number)),
            _ => Err(format!(
                "{text} is more than 10^18, the most that can be asked about"
            )),
        }
    }
}

/// Several numbers of disks, `A..B`, `A..B:STEP` or `A..B:xFACTOR`; the last
/// one is B itself if a step ends there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range(Vec<u128>);

impl Range {
    pub(super) fn numbers(&self) -> &[u128] {
        &self.0
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || {
            format!(
                "{text:?} is not a range; expected one like 100..1000, 100..1000:50 or 10..1e6:x10"
            )
        };
        let (ends, step) = match text.split_once(':') {
            Some((ends, step)) => (ends, Some(step)),
            None => (text, None),
        };
        let (from, to) = ends.split_once("..").ok_or_else(malformed)?;
        let DiskNumber(from) = from.parse()?;
        let DiskNumber(to) = to.parse()?;
        if from > to {
            return Err(format!(
                "the range {text} is empty: it ends before it begins"
            ));
        }
        let factor = step.and_then(|step| step.strip_prefix('x'));
        let DiskNumber(by) = factor.or(step).unwrap_or("1").parse()?;
        let grows = match factor {
            Some(_) => by > 1 && from > 0,
            None => by > 0,
        };
        if !grows {
            return Err(format!("the range {text} never gets to its end"));
        }
        let next = |at: &u128| match factor {
            Some(_) => at.checked_mul(by),
            None => at.checked_add(by),
        };
        let numbers: Vec<u128> = std::iter::successors(Some(from), next)
            .take_while(|at| *at <= to)
            .take(MOST_ROWS + 1)
            .collect();
        if numbers.len() > MOST_ROWS {
            return Err(format!(
                "the range {text} has more than {MOST_ROWS} numbers; give a larger step, as in {ends}:x2"
            ));
        }
        Ok(Self(numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_disks_are_read_as_people_write_them() {
        for (text, number) in [
            ("0", 0),
            ("302", 302),
            ("1_000_000", 1_000_000),
            ("1,000", 1000),
            ("1e6", 1_000_000),
            ("1.5e3", 1500),
            ("10^18", 1_000_000_000_000_000_000),
            ("1E18", 1_000_000_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(DiskNumber(number)), "{text}");
        }
        for text in [
            "",
            "_",
            "-1",
            "1.5",
            "1.55e1",
            "e6",
            "1e",
            "ten",
            "1e19",
            "10^99999999999",
            "0x10",
            "1000000000000000001",
            "99999999999999999999999999999999999999999999",
        ] {
            assert!(text.parse::<DiskNumber>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_have_their_ends_and_their_steps() {
        let numbers = |text: &str| text.parse::<Range>().map(|range| range.0);
        assert_eq!(numbers("3..5"), Ok(vec![3, 4, 5]));
        assert_eq!(numbers("0..0"), Ok(vec![0]));
        assert_eq!(numbers("100..1_000:400"), Ok(vec![100, 500, 900]));
        assert_eq!(numbers("10..1e4:x10"), Ok(vec![10, 100, 1000, 10_000]));
        assert_eq!(
            numbers("1e18..1e18:1e18"),
            Ok(vec![1_000_000_000_000_000_000])
        );
        for text in [
            "", "5", "..", "5..", "..5", "5..3", "1..5:0", "1..5:x1", "0..5:x2", "1..5:", "1..5:x",
            "1..2..3", "NaN..5", "-1..5", "1..1e19", "0..10000", "1..1e18",
        ] {
            assert!(numbers(text).is_err(), "{text}");
        }
        assert_eq!(numbers("1..10000").map(|all| all.len()), Ok(10_000));
    }
}
