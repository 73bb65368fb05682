//! What `odds` and `simulate` ask alike: how disks are named, and in which way
//! their UUIDs are not random.

use std::str::FromStr;

use clap::ValueEnum;
use fixname_collision::simulate::Skew;
use fixname_naming::Scheme;

/// How many bits tell disks apart.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Names {
    /// A naming scheme: truncated, sha256, sha224, uuid-K (K characters of the
    /// UUID), uuid-full or hash-K (K hexadecimal digits).
    #[arg(
        long,
        value_name = "SCHEME",
        conflicts_with = "bits",
        env = "FIXNAME_SCHEME"
    )]
    pub(super) scheme: Option<Scheme>,
    /// Random bits in a name, 1 to 256.
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u16).range(1..=256), env = "FIXNAME_BITS")]
    pub(super) bits: Option<u16>,
}

/// UUIDs that are not random.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Uneven {
    /// This share of the disks has one hand-set prefix.
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["guard_from", "cloned", "uuids"], env = "FIXNAME_SPIKE")]
    spike: Option<f64>,
    /// Each disk is with this chance a clone of an earlier one.
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["guard_from", "uuids"], env = "FIXNAME_CLONED")]
    cloned: Option<f64>,
    /// UUIDs that begin with a clock.
    #[arg(
        long,
        value_enum,
        requires = "within",
        conflicts_with = "guard_from",
        env = "FIXNAME_UUIDS"
    )]
    uuids: Option<Clock>,
    /// The disks were all made within this time: 500ms, 10s, 5m, 3h or 30d.
    #[arg(long, value_name = "TIME", requires = "uuids", env = "FIXNAME_WITHIN")]
    within: Option<Span>,
}

impl Uneven {
    pub(super) fn skew(&self) -> Option<Skew> {
        match (self.spike, self.cloned, self.uuids, self.within) {
            (Some(share), ..) => Some(Skew::Spike { share }),
            (_, Some(share), ..) => Some(Skew::Cloned { share }),
            (.., Some(Clock::V7), Some(Span(within_ms))) => Some(Skew::V7 { within_ms }),
            (.., Some(Clock::V1), Some(Span(within_ms))) => Some(Skew::V1 { within_ms }),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// Version 7: the prefix steps every 49.7 days.
    V7,
    /// Version 1: the prefix steps every 6.55 ms.
    V1,
}

/// A time in milliseconds, as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) u64);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let cut = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(cut);
        let factor = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => 0,
        };
        let ms = number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(factor));
        ms.filter(|_| factor > 0).map(Self).ok_or_else(|| {
            format!("{text:?} is not a time; expected one like 500ms, 10s, 5m, 3h or 30d")
        })
    }
}
