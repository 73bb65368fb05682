//! Scales, and where their ticks are and what stands beside them.

/// How numbers are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm to base 10, which is what points and ends then hold.
    Log,
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it measures.
    pub label: String,
    /// How.
    pub scale: Scale,
    /// Its lower end.
    pub from: f64,
    /// Its upper end.
    pub to: f64,
}

/// A tick. A power of ten too long to be written out has its exponent apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) text: String,
    pub(super) exponent: Option<i64>,
}

impl Axis {
    /// An axis whose ends are not one place, whatever was asked for.
    #[must_use]
    pub fn new(label: &str, scale: Scale, from: f64, to: f64) -> Self {
        let (from, to) = if from.is_finite() && to.is_finite() && from < to {
            (from, to)
        } else {
            let from = if from.is_finite() { from } else { 0.0 };
            (from, from + 1.0)
        };
        Self {
            label: label.to_owned(),
            scale,
            from,
            to,
        }
    }

    /// How far along the axis a place is, from 0 to 1; beyond its ends, the end.
    pub(super) fn along(&self, at: f64) -> f64 {
        ((at - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    pub(super) fn holds(&self, at: f64) -> bool {
        // A little more than the ends: those are often rounded themselves.
        let slack = (self.to - self.from) * 1e-9;
        (self.from - slack..=self.to + slack).contains(&at)
    }

    pub(super) fn ticks(&self) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => self.linear(),
            Scale::Log => self.decades(),
        }
    }

    fn linear(&self) -> Vec<Tick> {
        let span = self.to - self.from;
        let power = 10f64.powf((span / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * power)
            .into_iter()
            .find(|step| span / step <= 6.0)
            .unwrap_or(span);
        let places = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let first = (self.from / step).ceil() as i64;
        (first..first + 12)
            .map(|at| at as f64 * step)
            .take_while(|&at| self.holds(at))
            .map(|at| Tick {
                at,
                text: grouped(&format!("{at:.places$}")),
                exponent: None,
            })
            .collect()
    }

    /// Powers of ten, as many as can be read; within a few of them, their
    /// doubles and halves too.
    fn decades(&self) -> Vec<Tick> {
        let (first, last) = (self.from.ceil() as i64, self.to.floor() as i64);
        let span = self.to - self.from;
        let step = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000]
            .into_iter()
            .find(|&step| span / step as f64 <= 9.0)
            .unwrap_or(10_000);
        let mut ticks = Vec::new();
        for power in first - 1..=last {
            let factors: &[u8] = if span < 2.5 { &[1, 2, 5] } else { &[1] };
            for &factor in factors {
                let at = power as f64 + f64::from(factor).log10();
                if power.rem_euclid(step) == 0 && self.holds(at) {
                    ticks.push(power_of_ten(at, factor, power));
                }
            }
        }
        ticks
    }
}

fn power_of_ten(at: f64, factor: u8, power: i64) -> Tick {
    let (text, exponent) = match power {
        0..=5 => {
            let zeros = "0".repeat(power.unsigned_abs() as usize);
            (grouped(&format!("{factor}{zeros}")), None)
        }
        -3..0 => {
            let zeros = "0".repeat(power.unsigned_abs() as usize - 1);
            (format!("0.{zeros}{factor}"), None)
        }
        _ if factor == 1 => ("10".to_owned(), Some(power)),
        _ => (format!("{factor}·10"), Some(power)),
    };
    Tick { at, text, exponent }
}

/// `1234567.5` as `1,234,567.5`.
pub(super) fn grouped(number: &str) -> String {
    let (sign, rest) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (whole, fraction) = match rest.find('.') {
        Some(point) => rest.split_at(point),
        None => (rest, ""),
    };
    let mut text = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: Scale, from: f64, to: f64) -> Vec<String> {
        let ticks = Axis::new("", scale, from, to).ticks().into_iter();
        let shown = ticks.map(|tick| match tick.exponent {
            Some(exponent) => format!("{}^{exponent}", tick.text),
            None => tick.text,
        });
        shown.collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        let linear = |from, to| texts(Scale::Linear, from, to);
        assert_eq!(linear(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(linear(0.0, 1500.0), ["0", "500", "1,000", "1,500"]);
        let log = |from, to| texts(Scale::Log, from, to);
        assert_eq!(log(0.3, 4.0), ["10", "100", "1,000", "10,000"]);
        assert_eq!(
            log(-2.0, 0.0),
            ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]
        );
        assert_eq!(
            log(-38.0, 0.0),
            [
                "10^-35", "10^-30", "10^-25", "10^-20", "10^-15", "10^-10", "10^-5", "1"
            ]
        );
        assert_eq!(log(5.69, 6.1), ["500,000", "10^6"]);
        for (from, to) in [
            (0.0, 0.0),
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
            (3.0, 2.0),
        ] {
            for scale in [Scale::Linear, Scale::Log] {
                assert!(
                    (1..=14).contains(&texts(scale, from, to).len()),
                    "{from} {to}"
                );
            }
        }
        for decades in 1..400 {
            let ticks = log(-f64::from(decades), 0.0).len();
            assert!((3..=11).contains(&ticks), "{decades}: {ticks}");
        }
    }
}
