//! Does one task at a time and tells how long it took: the side of
//! `compare.py` that is written in Rust, both ours and other people's.
//!
//! Each line read is `TASK NUMBER...`; the line written back has the CPU
//! seconds of the one thread, how many items were counted, a number that all
//! contenders should about agree on, and the most memory used so far (KiB).
//! `COMPARE_ENGINE` may be `portable`, `256` or `512`: which path draws.

mod others;

use std::hint::black_box;
use std::io::{BufRead as _, Write as _};

use fixname_collision::simulate::{Hash, Model, Options, Part, Plan, run};
use fixname_collision::{Birthday, Classes};
use fixname_planes::{Engine, Occupancy, Planes, Shared};
use rustix::time::{ClockId, clock_gettime};

type Failure = Box<dyn std::error::Error>;

/// 77 bytes with a UUID: two blocks of the hash, as for most images.
const IMAGE: &str = "longhornio/backing-image-manager:v1.10.2";
const SEED: u64 = 20_261_124;

fn main() -> Result<(), Failure> {
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_ascii_whitespace();
        let task = words.next().unwrap_or_default();
        let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>()?;
        let before = cpu_seconds();
        let (items, check) = perform(task, &numbers)?;
        let seconds = cpu_seconds() - before;
        let peak = peak_kib().unwrap_or(0);
        let mut out = std::io::stdout().lock();
        writeln!(out, "{seconds} {items} {check} {peak}")?;
        out.flush()?;
    }
    Ok(())
}

fn cpu_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Items and check number.
fn perform(task: &str, numbers: &[u64]) -> Result<(u64, f64), Failure> {
    match (task, numbers) {
        ("distinct", &[disks, clusters]) => distinct(disks, clusters),
        ("fixed", &[disks, clusters]) => {
            let part = simulated(Model::Uniform { bits: 16, disks }, clusters)?;
            let share = part.counts().collided as f64 / clusters as f64;
            Ok((disks * clusters, share))
        }
        ("curve", &[clusters]) => {
            let part = simulated(Model::FirstCollision { bits: 16 }, clusters)?;
            let by_302: u64 = part.counts().first.range(..=302).map(|(_, n)| n).sum();
            Ok((clusters, by_302 as f64 / clusters as f64))
        }
        ("groups", &[bits, disks]) => {
            let bits = bits.try_into()?;
            let part = simulated(Model::Uniform { bits, disks }, 1)?;
            Ok((disks, part.counts().pairs as f64))
        }
        ("names", &[disks]) => {
            let model = Model::Names {
                hash: Hash::Sha224,
                digits: 56,
                image: IMAGE.to_owned(),
                disks,
            };
            let part = simulated(model, 1)?;
            Ok((disks, part.counts().pairs as f64))
        }
        ("p-any", &[bits, disks, times]) => {
            let classes = Classes::new(bits.try_into()?)?;
            let mut sum = 0.0;
            for at in 0..times {
                // Never the same number twice in a row: nothing to remember.
                let disks = u128::from(disks + at % 64);
                sum += Birthday::new(black_box(classes), black_box(disks))
                    .p_any()
                    .value;
            }
            Ok((times, sum / times as f64))
        }
        _ => others::perform(task, numbers),
    }
}

fn simulated(model: Model, clusters: u64) -> Result<Part, Failure> {
    let plan = Plan::new(model, clusters, SEED)?;
    let options = Options {
        engine: engine(),
        ..Options::default()
    };
    Ok(run(&plan, 0..plan.units(), &options)?)
}

fn engine() -> Engine {
    match std::env::var("COMPARE_ENGINE").as_deref() {
        Ok("portable") => Engine::Portable,
        Ok("256") => Engine::Vector,
        Ok("512") => Engine::Wide,
        _ => Engine::Auto,
    }
}

/// The kernel alone, which answers what a sort answers: how many are different.
fn distinct(disks: u64, clusters: u64) -> Result<(u64, f64), Failure> {
    let planes = Planes::new(SEED, engine())?;
    let mut kernel = Occupancy::new(disks, 16).ok_or("no such number of disks")?;
    let mut collided = 0;
    let mut each = |_: u64, shared: Shared<'_>| collided += u64::from(shared.excess() > 0);
    kernel.count(&planes, 0..clusters, &mut each);
    Ok((disks * clusters, collided as f64 / clusters as f64))
}
