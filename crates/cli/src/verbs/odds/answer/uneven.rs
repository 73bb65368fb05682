//! The odds of disks whose UUIDs are not random: one prefix set by hand, copies,
//! or a clock at the beginning.

use fixname_collision::exact::clock::{self, Clock};
use fixname_collision::exact::{p_any_with_clones, skew::p_any_with_spike};
use fixname_collision::simulate::Skew;
use fixname_collision::{Classes, ExactError};
use serde::Serialize;

use super::super::show::percent;
use super::Chance;

/// Disks times prefixes that a clock shows, over all rows: some seconds.
const MOST_CLOCK_WORK: u128 = 1 << 27;

/// In which way, and what that makes of the odds.
#[derive(Clone, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(in super::super) enum Uneven {
    /// A share of the disks has one prefix.
    Spike {
        share: f64,
        #[serde(flatten)]
        chance: Chance,
    },
    /// Each disk after the first is a copy of an earlier one with this chance.
    Cloned {
        share: f64,
        #[serde(flatten)]
        chance: Chance,
    },
    /// UUIDs of this version, made at any moment of so long a time.
    Clock {
        version: u8,
        within_ms: u64,
        #[serde(flatten)]
        chance: Chance,
    },
}

fn clock_of(skew: Skew) -> Option<(Clock, u64)> {
    match skew {
        Skew::V7 { within_ms } => Some((Clock::V7, within_ms)),
        Skew::V1 { within_ms } => Some((Clock::V1, within_ms)),
        _ => None,
    }
}

/// Whether so many rows can be computed in some seconds.
pub(in super::super) fn affordable(skew: Skew, numbers: &[u128]) -> Result<(), String> {
    let Some((clock, within_ms)) = clock_of(skew) else {
        return Ok(());
    };
    let prefixes = (within_ms as f64 / clock.tick_ms() + 2.0).min(65_536.0) as u128;
    // More disks than prefixes need no computing.
    let counted = numbers.iter().filter(|disks| **disks <= prefixes);
    let work = counted.map(|disks| disks * prefixes).sum::<u128>();
    if numbers.len() > 1 && work > MOST_CLOCK_WORK {
        return Err(format!(
            "a clock and {} numbers of disks would take too long; give a larger step",
            numbers.len()
        ));
    }
    Ok(())
}

pub(super) fn answer(classes: Classes, disks: u64, skew: Skew) -> Result<Uneven, ExactError> {
    let disks = disks.into();
    if let Some((clock, within_ms)) = clock_of(skew) {
        return Ok(Uneven::Clock {
            version: match clock {
                Clock::V7 => 7,
                Clock::V1 => 1,
            },
            within_ms,
            chance: clock::p_any(clock, within_ms, disks)?.into(),
        });
    }
    match skew {
        Skew::Cloned { share } => Ok(Uneven::Cloned {
            share,
            chance: p_any_with_clones(classes, disks, share)?.into(),
        }),
        Skew::Spike { share } => Ok(Uneven::Spike {
            share,
            chance: p_any_with_spike(classes, disks, share)?.into(),
        }),
        other => unreachable!("no flag makes {other:?}"),
    }
}

impl Uneven {
    pub(in super::super) fn chance(&self) -> &Chance {
        match self {
            Self::Spike { chance, .. }
            | Self::Cloned { chance, .. }
            | Self::Clock { chance, .. } => chance,
        }
    }

    /// For people: a column's name, and a row's.
    pub(in super::super) fn names(&self) -> (&'static str, String) {
        match self {
            Self::Spike { .. } => ("hand-set", "chance with hand-set prefixes".to_owned()),
            Self::Cloned { .. } => ("cloned", "chance with cloned disks".to_owned()),
            Self::Clock { version, .. } => {
                ("clock", format!("chance with UUIDs of version {version}"))
            }
        }
    }

    /// For people: the number that was given, and what it is.
    pub(in super::super) fn given(&self) -> (&'static str, String) {
        let percent = |share: &f64| percent(*share, share.log10());
        match self {
            Self::Spike { share, .. } => ("disks with the same prefix", percent(share)),
            Self::Cloned { share, .. } => ("copies of earlier disks", percent(share)),
            Self::Clock { within_ms, .. } => ("all made within", time(*within_ms)),
        }
    }
}

/// In the largest unit that leaves a whole number.
fn time(ms: u64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1000, "s"),
    ];
    let fitting = units
        .into_iter()
        .find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit));
    match fitting {
        Some((unit, name)) => format!("{} {name}", ms / unit),
        None => format!("{ms} ms"),
    }
}
