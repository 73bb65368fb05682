//! `fixname simulate --plan`: a long run on paper. A few units are counted here
//! and their time taken; all else follows from the plan.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fixname_collision::simulate::{Options, Plan, RunError, run as count};
use fixname_report::data;
use fixname_report::text::{BOLD, styled};
use serde::Serialize;

use super::kubernetes::part_bytes;
use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::output::Output;
use crate::verbs::Format;
use crate::verbs::odds::grouped;

/// How long units are tried.
const TRIED: Duration = Duration::from_secs(3);

/// A run on paper.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Paper {
    format_version: u32,
    clusters: u64,
    disks_per_cluster: u64,
    /// As text: it may have more digits than programs read exactly.
    disks: String,
    units: u64,
    measured_units: u64,
    seconds_per_unit: f64,
    cpu_hours: f64,
    pods: u32,
    hours: f64,
    shards: u32,
    minutes_per_shard: f64,
    part_bytes: u64,
    bytes_collected: u64,
}

pub(super) fn run(args: &super::Args, plan: &Plan, output: &Output) -> Result<Exit, Failure> {
    interrupt::watch();
    let Some((measured, spent)) = measured(args, plan)? else {
        return Ok(Exit::Interrupted);
    };
    let (pods, shards) = (args.kubernetes.parallelism(), args.kubernetes.shards(plan));
    let pods = pods.min(shards);
    let each = spent.as_secs_f64() / measured as f64;
    // The shards run in rounds of as many as there are pods.
    let rounds = shards.div_ceil(pods);
    let shard_seconds = each * plan.units().div_ceil(shards.into()) as f64;
    let bytes = part_bytes(plan, shards);
    let disks = u128::from(plan.model.disks()) * u128::from(plan.clusters);
    let paper = Paper {
        format_version: 1,
        clusters: plan.clusters,
        disks_per_cluster: plan.model.disks(),
        disks: disks.to_string(),
        units: plan.units(),
        measured_units: measured,
        seconds_per_unit: each,
        cpu_hours: each * plan.units() as f64 / 3600.0,
        pods,
        hours: f64::from(rounds) * shard_seconds / 3600.0,
        shards,
        minutes_per_shard: shard_seconds / 60.0,
        part_bytes: bytes,
        bytes_collected: bytes * u64::from(shards),
    };
    match args.output {
        Format::Table | Format::Wide => output.text(&text(&paper))?,
        Format::Json => output.data(&data::json(&paper))?,
        Format::Yaml => output.data(&data::yaml(&paper))?,
    }
    Ok(Exit::Ok)
}

/// Counts units from the first one on, on one thread, for some seconds: how
/// many, and their time. `None` if it was stopped. Units that follow each other,
/// as in a shard, share what has to be drawn for all of them.
fn measured(args: &super::Args, plan: &Plan) -> Result<Option<(u64, Duration)>, Failure> {
    let (wall, cpu) = (Instant::now(), cpu_time());
    let enough = AtomicBool::new(false);
    let done = AtomicU64::new(0);
    let spent = Mutex::new(Duration::ZERO);
    let options = Options {
        threads: 1,
        engine: args.engine.engine(),
        progress: &|progress| {
            let now = match (cpu, cpu_time()) {
                (Some(began), Some(now)) => now.saturating_sub(began),
                _ => wall.elapsed(),
            };
            done.store(progress.done, Ordering::Relaxed);
            *spent.lock().expect("there is one thread") = now;
            enough.store(now >= TRIED, Ordering::Relaxed);
        },
        stop: &|| enough.load(Ordering::Relaxed) || interrupt::interrupted(),
    };
    match count(plan, 0..plan.units(), &options) {
        Ok(_) => {}
        Err(RunError::Stopped) if !interrupt::interrupted() => {}
        Err(RunError::Stopped) => return Ok(None),
        Err(error) => return Err(Failure::usage(error.to_string(), "fixname simulate --help")),
    }
    let spent = spent.into_inner().expect("there was one thread");
    Ok(Some((done.into_inner().max(1), spent)))
}

/// What this thread has had of a processor, where the system tells.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn text(paper: &Paper) -> String {
    let whole = |n: u64| grouped(&n.to_string());
    let mut out = format!("{}\n", styled(BOLD, "On paper; nothing was run"));
    let mut line = |what: &str, value: String| {
        writeln!(out, "  {what:<28}  {value}").expect("a String takes everything");
    };
    line("clusters", whole(paper.clusters));
    if paper.disks_per_cluster > 0 {
        line("disks in each", whole(paper.disks_per_cluster));
        line("disks in all", grouped(&paper.disks));
    }
    line("units", whole(paper.units));
    line(
        "time of a unit, this machine",
        format!(
            "{:.4} s (mean of {})",
            paper.seconds_per_unit,
            whole(paper.measured_units)
        ),
    );
    line("CPU time", format!("{:.1} h", paper.cpu_hours));
    line("pods of one CPU", whole(paper.pods.into()));
    line("time with them", format!("{:.1} h", paper.hours));
    line(
        "shards",
        format!(
            "{}, {:.1} minutes each",
            whole(paper.shards.into()),
            paper.minutes_per_shard
        ),
    );
    line("bytes of a part, at most", whole(paper.part_bytes));
    line("bytes of all parts, at most", whole(paper.bytes_collected));
    out
}
