//! A probability to aim at, kept as the decimal fraction that was asked for.
//!
//! At 256 bits the answer has 39 digits, and the double nearest to 0.000001 is
//! another number than 0.000001 long before that.

use std::fmt;
use std::str::FromStr;

use num_bigint::BigUint;
use thiserror::Error;

/// More decimals than this are refused, lest a short text ask for a long
/// computation.
const MAX_DECIMALS: u32 = 400;

/// A probability from 0 to 1, exact as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The probability times `10^decimals`.
    pub(super) numerator: BigUint,
    pub(super) decimals: u32,
}

/// A text or a number that is no probability.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Not a decimal number.
    #[error("{0:?} is not a decimal number; expected one like 0.5 or 1e-6")]
    Malformed(String),
    /// A number, but below 0 or above 1.
    #[error("{0} is not a probability; expected a number from 0 to 1")]
    OutOfRange(String),
    /// Too many places after the point.
    #[error("{0:?} has too many decimals; expected at most 400")]
    TooManyDecimals(String),
}

impl Target {
    /// The logarithm to base 10, as near as a double is; negative infinity for 0.
    #[must_use]
    pub fn log10(&self) -> f64 {
        let digits = self.numerator.to_string();
        // A double holds 17 digits; the rest only counts by its length.
        let (head, rest) = digits.split_at(digits.len().min(17));
        let head: f64 = head.parse().expect("digits are a number");
        head.log10() + rest.len() as f64 - f64::from(self.decimals)
    }

    pub(super) fn denominator(&self) -> BigUint {
        BigUint::from(10_u32).pow(self.decimals)
    }

    pub(super) fn is_zero(&self) -> bool {
        self.numerator == BigUint::ZERO
    }

    pub(super) fn is_one(&self) -> bool {
        self.numerator == self.denominator()
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let malformed = || TargetError::Malformed(text.to_owned());
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().map_err(|_| malformed())?),
            None => (text, 0_i32),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(malformed());
        }
        // Zeros at either end are no digits: 0.5, 0.50 and 50e-2 are equal.
        let kept = digits.trim_end_matches('0');
        let dropped = digits.len() - kept.len();
        let significant = kept.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(Self {
                numerator: BigUint::ZERO,
                decimals: 0,
            });
        }
        let decimals = fraction.len() as i64 - dropped as i64 - i64::from(exponent);
        // A number below 1 has at least as many decimals as digits.
        let one = significant == "1" && decimals == 0;
        if negative || (decimals < significant.len() as i64 && !one) {
            return Err(TargetError::OutOfRange(text.to_owned()));
        }
        let decimals = u32::try_from(decimals)
            .ok()
            .filter(|&decimals| decimals <= MAX_DECIMALS)
            .ok_or_else(|| TargetError::TooManyDecimals(text.to_owned()))?;
        Ok(Self {
            numerator: significant.parse().map_err(|_| malformed())?,
            decimals,
        })
    }
}

impl TryFrom<f64> for Target {
    type Error = TargetError;

    /// The shortest decimal fraction that reads back as this double: what a
    /// person who wrote the number meant.
    fn try_from(value: f64) -> Result<Self, TargetError> {
        if (0.0..=1.0).contains(&value) {
            format!("{value:e}").parse()
        } else {
            Err(TargetError::OutOfRange(value.to_string()))
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decimals {
            0 => write!(f, "{}", self.numerator),
            decimals => write!(
                f,
                "0.{:0>1$}",
                self.numerator.to_string(),
                decimals as usize
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_a_logarithm_however_small_it_is() {
        for (text, log10) in [("1", 0.0), ("0.5", 0.5_f64.log10()), ("1e-400", -400.0)] {
            let target: Target = text.parse().unwrap();
            assert!((target.log10() - log10).abs() < 1e-12, "{text}");
        }
        assert_eq!("0".parse::<Target>().unwrap().log10(), f64::NEG_INFINITY);
        let long: Target = format!("0.{}", "3".repeat(100)).parse().unwrap();
        assert!((long.log10() - (1.0_f64 / 3.0).log10()).abs() < 1e-15);
    }

    #[test]
    fn a_target_is_the_fraction_as_written() {
        for (text, shown) in [
            ("0.5", "0.5"),
            (".5", "0.5"),
            ("0.500", "0.5"),
            ("50e-2", "0.5"),
            ("5E-1", "0.5"),
            ("1e-6", "0.000001"),
            ("1", "1"),
            ("1.000", "1"),
            ("0.1e1", "1"),
            ("0", "0"),
            ("0e99", "0"),
            ("-0.0", "0"),
            ("0.999999999999999999999999", "0.999999999999999999999999"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(target), "{text}");
        }
        assert_eq!(Target::try_from(0.1).unwrap().to_string(), "0.1");
        assert_eq!(Target::try_from(1e-12), "0.000000000001".parse());
        assert!(Target::try_from(5e-324).is_ok());
    }

    #[test]
    fn what_is_no_probability_is_an_error() {
        use TargetError::{Malformed, OutOfRange, TooManyDecimals};
        for text in [
            "",
            ".",
            "e",
            "NaN",
            "inf",
            "0,5",
            "0.5%",
            " 0.5",
            "+0.5",
            "0x1",
            "1e",
            "1e1.5",
            "٠.٥",
            "1e99999999999",
        ] {
            assert_eq!(text.parse::<Target>(), Err(Malformed(text.to_owned())));
        }
        for text in [
            "1.1",
            "2",
            "-0.1",
            "10e-1e",
            "1e1",
            "1.0000000000000000000001",
        ] {
            assert!(
                matches!(text.parse::<Target>(), Err(OutOfRange(_) | Malformed(_))),
                "{text}"
            );
        }
        for text in ["1e-401", "1e-2147483648"] {
            assert_eq!(
                text.parse::<Target>(),
                Err(TooManyDecimals(text.to_owned()))
            );
        }
        for value in [f64::NAN, -0.1, 1.5, f64::INFINITY] {
            assert!(matches!(Target::try_from(value), Err(OutOfRange(_))));
        }
    }
}
