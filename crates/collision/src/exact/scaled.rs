//! A positive number with an exponent of its own, for products that a double
//! cannot hold.

use std::f64::consts::LN_2;

/// `mantissa * 2^exponent`, with the mantissa 0 or in [1, 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scaled {
    mantissa: f64,
    exponent: i64,
}

impl Scaled {
    pub(super) fn new(value: f64) -> Self {
        Self {
            mantissa: value,
            exponent: 0,
        }
        .normalized()
    }

    /// `e^x`, for any finite `x`.
    pub(super) fn exp(x: f64) -> Self {
        let exponent = (x / LN_2).round();
        // The two-part constant keeps the remainder's digits (fdlibm's split).
        const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
        const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
        // Beyond this, the remainder is lost in x itself.
        let remainder = if exponent.abs() < 2_f64.powi(50) {
            (x - exponent * LN_2_HIGH) - exponent * LN_2_LOW
        } else {
            0.0
        };
        Self::new(remainder.exp()).times_power_of_two(exponent as i64)
    }

    pub(super) fn times(self, factor: f64) -> Self {
        Self {
            mantissa: self.mantissa * factor,
            ..self
        }
        .normalized()
    }

    pub(super) fn times_power_of_two(self, exponent: i64) -> Self {
        Self {
            exponent: self.exponent.saturating_add(exponent),
            ..self
        }
    }

    /// As a double: 0 or infinity where it does not fit.
    pub(super) fn value(self) -> f64 {
        if self.mantissa == 0.0 {
            return 0.0;
        }
        // Two steps, because 2^exponent alone may not fit where the product does.
        let half = (self.exponent / 2).clamp(-2_000, 2_000) as i32;
        let rest = (self.exponent - i64::from(half)).clamp(-2_000, 2_000) as i32;
        self.mantissa * f64::from(half).exp2() * f64::from(rest).exp2()
    }

    pub(super) fn ln(self) -> f64 {
        self.mantissa.ln() + self.exponent as f64 * LN_2
    }

    fn normalized(self) -> Self {
        if self.mantissa == 0.0 || !self.mantissa.is_finite() {
            return self;
        }
        // A subnormal has no exponent bits to read; lift it first.
        let (mantissa, lifted) = if self.mantissa < f64::MIN_POSITIVE {
            (self.mantissa * 2_f64.powi(64), 64)
        } else {
            (self.mantissa, 0)
        };
        const EXPONENT: u64 = 0x7ff << 52;
        let bits = mantissa.to_bits();
        let exponent = ((bits & EXPONENT) >> 52) as i64 - 1023;
        Self {
            mantissa: f64::from_bits(bits & !EXPONENT | 1023 << 52),
            exponent: self.exponent.saturating_add(exponent - lifted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_number_is_the_double_where_one_fits() {
        for value in [0.0, 1.0, 0.1, 3e300, 5e-324, 2.5e-310, f64::MAX] {
            assert_eq!(Scaled::new(value).value(), value);
        }
        for x in [0.0, 1.0, -1.0, 700.0, -700.0, -745.0, 0.3] {
            let (got, want) = (Scaled::exp(x).value(), x.exp());
            assert!((got - want).abs() <= 4e-16 * want, "e^{x}: {got} {want}");
        }
    }

    #[test]
    fn a_product_keeps_its_logarithm_below_the_smallest_double() {
        let tiny = (0..100).fold(Scaled::new(1.0), |p, _| p.times(1e-30));
        assert_eq!(tiny.value(), 0.0);
        assert!((tiny.ln() - 100.0 * 1e-30_f64.ln()).abs() < 1e-9);
        assert!((Scaled::exp(-1e6).ln() + 1e6).abs() < 1e-9);
        assert_eq!(Scaled::exp(-1e38).times(1e300).value(), 0.0);
        assert_eq!(Scaled::new(0.0).times_power_of_two(5_000).value(), 0.0);
    }
}
