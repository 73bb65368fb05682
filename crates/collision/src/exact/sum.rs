//! Compensated summation.

/// Adds doubles without losing the small ones (Neumaier's variant of Kahan's
/// method).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    pub(super) fn add(&mut self, term: f64) {
        let total = self.total + term;
        self.lost += if self.total.abs() >= term.abs() {
            (self.total - total) + term
        } else {
            (term - total) + self.total
        };
        self.total = total;
    }

    pub(super) fn value(self) -> f64 {
        // An infinite total has lost NaN, which says nothing.
        if self.total.is_finite() {
            self.total + self.lost
        } else {
            self.total
        }
    }
}

/// The compensated sum of all terms.
pub(super) fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = Sum::default();
    terms.into_iter().for_each(|term| sum.add(term));
    sum.value()
}
