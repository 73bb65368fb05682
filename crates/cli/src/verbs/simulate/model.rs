//! What is simulated, from the command line, and back into flags for a pod.

use fixname_collision::simulate::{Hash, Model, Plan, PlanError, Skew};
use fixname_naming::{Scheme, WhatIf};

use super::Args;
use crate::exit::Failure;
use crate::verbs::odds::DiskNumber;

pub(super) fn plan(args: &Args) -> Result<Plan, Failure> {
    let wrong = |message: String| Failure::usage(message, "fixname simulate --help");
    let number = |number: Option<DiskNumber>| -> u64 {
        number.map_or(0, |n| u64::try_from(n.0).expect("10^18 fits in 64 bits"))
    };
    let disks = number(args.disks);
    let model = if args.ladder {
        let hash = match args.names.scheme {
            None | Some(Scheme::Sha224) => Hash::Sha224,
            Some(Scheme::Sha256) => Hash::Sha256,
            Some(other) => {
                return Err(wrong(format!(
                    "the scheme {other} is no hash that a ladder could count"
                )));
            }
        };
        Model::Ladder {
            hash,
            image: args.manager_image.clone(),
            disks,
        }
    } else {
        match hashed(args)? {
            Hashed::Names(hash, digits) => Model::Names {
                hash,
                digits,
                image: args.manager_image.clone(),
                disks,
            },
            Hashed::Bits(bits) => of_bits(args, bits, disks, number)?,
        }
    };
    if args
        .margin
        .is_some_and(|margin| !(margin > 0.0 && margin < 1.0))
    {
        return Err(wrong("the margin must be between 0 and 1".to_owned()));
    }
    Plan::new(model, number(args.clusters), args.seed)
        .map_err(|error: PlanError| wrong(error.to_string()))
}

enum Hashed {
    /// Names that must be hashed to be known.
    Names(Hash, u8),
    /// Names that are the first random bits.
    Bits(u16),
}

fn hashed(args: &Args) -> Result<Hashed, Failure> {
    let plain =
        args.curve || args.forced_pair || args.guard_from.is_some() || args.uneven.skew().is_some();
    let scheme = args.names.scheme.unwrap_or(Scheme::Truncated);
    Ok(match (args.names.bits, scheme) {
        (Some(bits), _) => Hashed::Bits(bits),
        (None, Scheme::Sha224) if !plain => Hashed::Names(Hash::Sha224, Hash::Sha224.digits()),
        (None, Scheme::Sha256) if !plain => Hashed::Names(Hash::Sha256, Hash::Sha256.digits()),
        (None, Scheme::WhatIf(WhatIf::HashHexDigits(width))) if !plain => {
            Hashed::Names(Hash::Sha256, width.get())
        }
        (None, scheme) => Hashed::Bits(scheme.random_bits().ok_or_else(|| {
            Failure::usage(
                format!("the scheme {scheme} has no names that could collide"),
                "fixname simulate --disks D --clusters N --scheme truncated",
            )
        })?),
    })
}

fn of_bits(
    args: &Args,
    bits: u16,
    disks: u64,
    number: impl Fn(Option<DiskNumber>) -> u64,
) -> Result<Model, Failure> {
    if let Some(skew) = args.uneven.skew() {
        return Ok(Model::Skewed { bits, disks, skew });
    }
    if args.curve {
        return Ok(Model::FirstCollision { bits });
    }
    if args.forced_pair {
        return Ok(Model::ForcedPair { bits, disks });
    }
    let Some(unguarded) = args.guard_from else {
        return Ok(Model::Uniform { bits, disks });
    };
    if bits != 16 {
        return Err(Failure::usage(
            format!("the guard looks at 16 bits, and these names have {bits}"),
            "fixname simulate --guard-from K --scheme truncated",
        ));
    }
    let (unguarded, block) = (number(Some(unguarded)), number(args.block_disks));
    let Some(guarded) = disks
        .checked_sub(unguarded)
        .and_then(|rest| rest.checked_sub(block))
    else {
        return Err(Failure::usage(
            format!(
                "{unguarded} unguarded and {block} block disks are more than all {disks} disks"
            ),
            "fixname simulate --help",
        ));
    };
    Ok(Model::Guarded {
        unguarded,
        guarded,
        at_once: args.at_once.map_or(1, |n| number(Some(n))),
        block,
    })
}

/// Flags that make this plan, for a program that is told nothing else; none if
/// no flags do.
pub(super) fn flags(plan: &Plan) -> Option<Vec<String>> {
    let number = |flag: &str, value: u64| format!("--{flag}={value}");
    let mut flags = vec![
        number("seed", plan.seed),
        number("clusters", plan.clusters),
        number("disks", plan.model.disks()),
    ];
    let hashed = |hash: Hash, digits: u8| match (hash, digits) {
        (Hash::Sha224, 56) => Some("sha224".to_owned()),
        (Hash::Sha224, _) => None,
        (Hash::Sha256, 64) => Some("sha256".to_owned()),
        (Hash::Sha256, digits) => Some(format!("hash-{digits}")),
    };
    match &plan.model {
        Model::Uniform { bits, .. } => flags.push(number("bits", (*bits).into())),
        Model::FirstCollision { bits } => {
            flags.extend(["--curve".to_owned(), number("bits", (*bits).into())]);
        }
        Model::ForcedPair { bits, .. } => {
            flags.extend(["--forced-pair".to_owned(), number("bits", (*bits).into())]);
        }
        Model::Guarded {
            unguarded,
            at_once,
            block,
            ..
        } => flags.extend([
            number("guard-from", *unguarded),
            number("at-once", *at_once),
            number("block-disks", *block),
        ]),
        Model::Skewed { bits, skew, .. } => {
            flags.push(number("bits", (*bits).into()));
            match skew {
                Skew::Spike { share } => flags.push(format!("--spike={share}")),
                Skew::Cloned { share } => flags.push(format!("--cloned={share}")),
                Skew::V7 { within_ms } => {
                    flags.extend(["--uuids=v7".to_owned(), format!("--within={within_ms}ms")]);
                }
                Skew::V1 { within_ms } => {
                    flags.extend(["--uuids=v1".to_owned(), format!("--within={within_ms}ms")]);
                }
                _ => return None,
            }
        }
        Model::Names {
            hash,
            digits,
            image,
            ..
        } => flags.extend([
            format!("--scheme={}", hashed(*hash, *digits)?),
            format!("--manager-image={image}"),
        ]),
        Model::Ladder { hash, image, .. } => flags.extend([
            "--ladder".to_owned(),
            format!("--scheme={}", hashed(*hash, hash.digits())?),
            format!("--manager-image={image}"),
        ]),
        _ => return None,
    }
    Some(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, Command, FromArgMatches as _};

    fn planned<'a>(flags: impl IntoIterator<Item = &'a str>) -> Plan {
        let command = Args::augment_args(Command::new("simulate").no_binary_name(true));
        let matches = command.try_get_matches_from(flags).unwrap();
        let args = Args::from_arg_matches(&matches).unwrap();
        plan(&args).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    #[test]
    fn flags_make_the_plan_that_they_were_made_of() {
        for typed in [
            "--disks 302",
            "--disks 302 --scheme uuid-6 --seed 18446744073709551615",
            "--disks 1e12 --bits 64",
            "--curve",
            "--curve --disks 302 --bits 12",
            "--disks 302 --guard-from 100 --at-once 7 --block-disks 3",
            "--disks 302 --guard-from 0",
            "--disks 20 --spike 0.1",
            "--disks 20 --spike 1e-7 --bits 40",
            "--disks 20 --cloned 0.333333333333333314829616256247",
            "--disks 3 --uuids v7 --within 400d",
            "--disks 3 --uuids v1 --within 3s",
            "--disks 302 --bits 122 --forced-pair",
            "--disks 1000 --scheme hash-4",
            "--disks 100 --scheme sha224 --manager-image $(X)/y",
            "--disks 100 --scheme sha256",
            "--disks 1000 --ladder",
            "--disks 1000 --ladder --scheme sha256 --manager-image a:b",
        ] {
            let wanted = planned(format!("--clusters 1000 {typed}").split(' '));
            let flags = flags(&wanted).unwrap();
            let found = planned(flags.iter().map(String::as_str));
            assert_eq!(found, wanted, "{typed}");
        }
    }
}
