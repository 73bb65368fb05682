//! UUIDs whose first 16 bits are a clock: versions 7 and 1 (RFC 9562).
//!
//! Disks that are made within one tick share their prefix, so such UUIDs are
//! not random where Longhorn's truncated names look. Version 7 begins with
//! 48 bits of milliseconds: its prefix steps every 2^32 ms, 49.7 days. Version
//! 1 begins with the low 32 of 60 bits of 100 ns: its prefix steps every
//! 6.5536 ms and comes again after 429.5 s.

use super::error::{ExactError, limit};
use super::probability::Probability;
use super::skew::p_any_weighted;

/// A clock shows one of so many prefixes.
const PREFIXES: usize = 1 << 16;
/// Beyond so many turns of the clock every prefix is as likely as another, to
/// ten digits.
const MANY_TURNS: f64 = 1e6;

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// UUIDs of version 7.
    V7,
    /// UUIDs of version 1.
    V1,
}

impl Clock {
    /// How long the prefix stays the same, in milliseconds.
    #[must_use]
    pub const fn tick_ms(self) -> f64 {
        match self {
            Self::V7 => 4_294_967_296.0,
            Self::V1 => 6.5536,
        }
    }
}

/// Probability that two disks made so many milliseconds apart share their
/// prefix, if nothing is known about when.
#[must_use]
pub fn p_shared(clock: Clock, apart_ms: f64) -> Probability {
    let ticks = apart_ms.abs() / clock.tick_ms();
    // The clock's turns come again; a tick on either side of each.
    let turns = PREFIXES as f64;
    let off = (ticks - turns * (ticks / turns).round()).abs();
    Probability::from_value((1.0 - off).max(0.0))
}

/// Probability that two of `disks` share a prefix, if each was made at any
/// moment of a span of `within_ms`, independently, and nothing is known about
/// when the span began.
///
/// # Errors
/// When disks times prefixes in the span is beyond 2^26.
pub fn p_any(clock: Clock, within_ms: u64, disks: u128) -> Result<Probability, ExactError> {
    if disks < 2 {
        return Ok(Probability::NEVER);
    }
    if within_ms == 0 {
        return Ok(Probability::ALWAYS);
    }
    let ticks = within_ms as f64 / clock.tick_ms();
    limit("number of disks", disks, 1 << 26)?;
    // When the first tick of the span ends, seen from its begin, is uniform.
    // As long as the last tick stays the same one, only the first and the last
    // weights depend on it, both linearly: P0 is a polynomial of degree 2, and
    // Simpson's rule is exact on either piece.
    let cut = ticks.ceil() - ticks;
    let mut total = 0.0;
    for (from, to) in [(0.0, cut), (cut, 1.0)] {
        if to - from <= 0.0 {
            continue;
        }
        // The ends themselves belong to both pieces; weights are continuous.
        let at = |phase: f64| p_any_weighted(&weights(ticks, phase), disks);
        let (a, b, c) = (at(from)?, at(0.5 * (from + to))?, at(to)?);
        total += (to - from) / 6.0 * (a.value + 4.0 * b.value + c.value);
    }
    Ok(Probability::from_value(total))
}

/// How long each prefix is shown in a span of so many ticks that begins so
/// much after a tick.
fn weights(ticks: f64, phase: f64) -> Vec<f64> {
    let turns = (ticks / PREFIXES as f64).floor();
    // Whole turns show every prefix alike; a share of them is enough.
    let scale = turns.max(1.0);
    let mut weights = vec![0.0; PREFIXES];
    if turns > 0.0 {
        weights.fill(turns / scale);
    }
    if turns >= MANY_TURNS {
        return weights;
    }
    let mut left = ticks - turns * PREFIXES as f64;
    let mut now = (1.0 - phase).min(left);
    let mut prefix = 0;
    while left > 0.0 {
        weights[prefix % PREFIXES] += now / scale;
        left -= now;
        now = left.min(1.0);
        prefix += 1;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_disks_share_as_their_distance_says() {
        // Averaged over two uniform moments: 1 - W/3 for W <= 1 tick.
        for (within, ticks) in [(429_496_730, 0.1), (4_294_967_296, 1.0)] {
            let p = p_any(Clock::V7, within, 2).unwrap().value;
            assert!((p - (1.0 - ticks / 3.0)).abs() < 1e-9, "{p}");
        }
        // Four ticks: E[max(0, 1 - D)] = 1/4 - 1/48 with D triangular on 0..4.
        let p = p_any(Clock::V7, 4 * 4_294_967_296, 2).unwrap().value;
        assert!((p - (1.0 / 4.0 - 1.0 / 48.0)).abs() < 1e-12, "{p}");
        let days = 86_400_000.0;
        assert_eq!(p_shared(Clock::V7, 0.0), Probability::ALWAYS);
        assert!(
            (p_shared(Clock::V7, 10.0 * days).value - (1.0 - 10.0 / 49.710_269_6)).abs() < 1e-8
        );
        assert_eq!(p_shared(Clock::V7, 50.0 * days), Probability::NEVER);
        assert_eq!(p_shared(Clock::V1, 429_496.729_6), Probability::ALWAYS);
    }

    #[test]
    fn three_disks_within_one_tick_always_collide_and_a_long_time_is_uniform() {
        assert_eq!(p_any(Clock::V7, 1000, 3).unwrap().value, 1.0);
        let long = p_any(Clock::V1, 7 * 86_400_000, 50).unwrap().value;
        let uniform = super::super::Birthday::new(super::super::Classes::PREFIX, 50);
        assert!((long - uniform.p_any().value).abs() < 1e-4, "{long}");
        assert_eq!(p_any(Clock::V7, 1000, 1), Ok(Probability::NEVER));
        assert_eq!(p_any(Clock::V1, 0, 2), Ok(Probability::ALWAYS));
        assert!(p_any(Clock::V1, 1_000_000, 60_000).is_err());
    }
}
