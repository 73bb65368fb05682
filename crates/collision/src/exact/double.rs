//! Double-double arithmetic: about 32 digits out of two doubles, for the
//! recurrences whose rounding errors would add up over a million steps.

/// The unevaluated sum `high + low`, with `low` at most half a unit in the
/// last place of `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Double {
    high: f64,
    low: f64,
}

impl Double {
    pub(super) const ZERO: Self = Self {
        high: 0.0,
        low: 0.0,
    };
    pub(super) const ONE: Self = Self {
        high: 1.0,
        low: 0.0,
    };

    pub(super) fn new(value: f64) -> Self {
        Self {
            high: value,
            low: 0.0,
        }
    }

    /// `a + b` without error (Knuth).
    pub(super) fn exact_sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let b_part = high - a;
        let low = (a - (high - b_part)) + (b - b_part);
        Self { high, low }
    }

    /// `a * b` without error, as long as nothing underflows.
    pub(super) fn exact_product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self {
            high,
            low: a.mul_add(b, -high),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let high = Self::exact_sum(self.high, other.high);
        let low = Self::exact_sum(self.low, other.low);
        let sum = Self::fast(high.high, high.low + low.high);
        Self::fast(sum.high, sum.low + low.low)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(Self {
            high: -other.high,
            low: -other.low,
        })
    }

    pub(super) fn times(self, other: Self) -> Self {
        let product = Self::exact_product(self.high, other.high);
        let cross = self.high.mul_add(other.low, self.low * other.high);
        Self::fast(product.high, product.low + cross)
    }

    pub(super) fn times_f64(self, factor: f64) -> Self {
        let product = Self::exact_product(self.high, factor);
        Self::fast(product.high, self.low.mul_add(factor, product.low))
    }

    pub(super) fn over_f64(self, divisor: f64) -> Self {
        let first = self.high / divisor;
        let rest = self.minus(Self::exact_product(first, divisor));
        Self::fast(first, rest.high / divisor)
    }

    pub(super) fn value(self) -> f64 {
        self.high + self.low
    }

    /// `high + low` where `|high| >= |low|`.
    fn fast(high: f64, low: f64) -> Self {
        let sum = high + low;
        Self {
            high: sum,
            low: low - (sum - high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_keeps_what_a_double_loses() {
        let third = Double::ONE.over_f64(3.0);
        let back = third.times_f64(3.0).minus(Double::ONE);
        assert!(back.value().abs() < 1e-31, "{back:?}");

        // (1 + e)(1 - e) = 1 - e^2, far below a double's last place.
        let e = 2_f64.powi(-40);
        let product = Double::exact_sum(1.0, e).times(Double::exact_sum(1.0, -e));
        assert_eq!(product.minus(Double::ONE).value(), -e * e);

        let mut sum = Double::ZERO;
        for _ in 0..1_000_000 {
            sum = sum.plus(Double::new(0.1));
        }
        let exact = Double::exact_product(0.1, 1_000_000.0);
        assert!(sum.minus(exact).value().abs() < 1e-20);
    }
}
