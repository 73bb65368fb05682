//! `fixname simulate`: draws clusters and counts collisions, beside the formula.
//!
//! Arguments and the run are here; `model` has what is simulated, `show` what is
//! printed, `plot` what is drawn, `paper` the plan of a long run, and
//! `kubernetes` the run on many machines.

mod kubernetes;
mod model;
mod paper;
mod plot;
mod show;

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use fixname_collision::simulate::{
    Engine, Options, Part, Plan, Progress, RunError, Shard, merge, run as simulate, run_until,
};

use super::Format;
use super::disks::{Names, Uneven};
use super::odds::{DiskNumber, grouped};
use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::output::Output;
use crate::whole_file::{WholeFile, cannot_write};

/// Larger files are no parts.
const MOST_BYTES: u64 = 1 << 28;
/// How often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// Draw clusters of disks, count those with a collision, and compare with the
/// exact odds.
///
/// The result is a function of the model, the number of clusters and the seed:
/// threads, shards and the processor change nothing, and the digest, which
/// covers every count, proves it. Without --scheme or --bits, names are the
/// truncated ones (16 bits); hashed ones are really hashed.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Exit codes: 0 done, 2 wrong usage or parts that do not fit, 3 the cluster cannot
be reached or refuses, or a shard was lost too often, 4 timeout, 130 interrupted.

Examples:
  fixname simulate --disks 302 --clusters 1e6
  fixname simulate --curve --clusters 1e7                 (every number of disks)
  fixname simulate --disks 302 --guard-from 0 --at-once 302 --clusters 1e5
  fixname simulate --disks 1e9 --bits 64 --clusters 1     (in a few MiB)
  fixname simulate --disks 1e7 --ladder --scheme sha224 --clusters 1
  fixname simulate --disks 302 --bits 122 --forced-pair --clusters 1e4
  fixname simulate --disks 302 --clusters 1e9 --shard 0/3 --out part-0.json
  fixname simulate merge part-0.json part-1.json part-2.json
  fixname simulate --disks 302 --clusters 1e10 --kubernetes --image IMAGE --yes
  fixname simulate --disks 1e10 --bits 64 --clusters 1e5 --plan --parallelism 100
  fixname simulate --curve --clusters 1e6 --plot curve.svg"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Clusters to draw, or the most with --margin; 1_000_000, 1e6 and 10^6
    /// are understood.
    #[arg(long, value_name = "N", required = true, env = "FIXNAME_CLUSTERS")]
    clusters: Option<DiskNumber>,
    /// Disks in each cluster.
    #[arg(
        long,
        value_name = "D",
        required_unless_present = "curve",
        env = "FIXNAME_DISKS"
    )]
    disks: Option<DiskNumber>,
    #[command(flatten)]
    names: Names,
    /// The manager image that is part of a hashed name.
    #[arg(
        long,
        value_name = "IMAGE",
        default_value = "longhornio/backing-image-manager:v1.10.2",
        env = "FIXNAME_MANAGER_IMAGE"
    )]
    manager_image: String,
    /// Longhorn's guard draws the prefix of every disk after the first K.
    #[arg(long, value_name = "K", env = "FIXNAME_GUARD_FROM")]
    guard_from: Option<DiskNumber>,
    /// So many guarded disks join at once: none sees the others' prefixes.
    #[arg(
        long,
        value_name = "B",
        requires = "guard_from",
        env = "FIXNAME_AT_ONCE"
    )]
    at_once: Option<DiskNumber>,
    /// The last so many disks are block disks, which no guard sees.
    #[arg(
        long,
        value_name = "U",
        requires = "guard_from",
        env = "FIXNAME_BLOCK_DISKS"
    )]
    block_disks: Option<DiskNumber>,
    #[command(flatten)]
    uneven: Uneven,
    /// Answer for every number of disks: draw until the first collision.
    #[arg(long, conflicts_with_all = ["guard_from", "spike", "cloned", "uuids"], env = "FIXNAME_CURVE")]
    curve: bool,
    /// Make one pair of disks equal and count it less: for rare collisions.
    #[arg(long, conflicts_with_all = ["curve", "guard_from", "spike", "cloned", "uuids"], env = "FIXNAME_FORCED_PAIR")]
    forced_pair: bool,
    /// Count real hashes that agree in their first 24, 28, ... 56 bits.
    #[arg(long, conflicts_with_all = ["forced_pair", "curve", "guard_from", "spike", "cloned", "uuids"], env = "FIXNAME_LADDER")]
    ladder: bool,
    /// Stop as soon as the probability is known to this much (95 %).
    #[arg(
        long,
        value_name = "M",
        conflicts_with = "shard",
        env = "FIXNAME_MARGIN"
    )]
    margin: Option<f64>,
    /// Where all random numbers come from.
    #[arg(long, value_name = "N", default_value_t = 1, env = "FIXNAME_SEED")]
    seed: u64,
    /// Threads; as many as processors if not given. The result is the same.
    #[arg(long, value_name = "N", env = "FIXNAME_THREADS")]
    threads: Option<NonZero<usize>>,
    /// Only part I of N, counted from 0 (as a Kubernetes Job does); see merge.
    #[arg(long, value_name = "I/N", env = "FIXNAME_SHARD")]
    shard: Option<Shard>,
    /// Write the counts, for merge, into this file.
    #[arg(long, value_name = "FILE", global = true, env = "FIXNAME_OUT")]
    out: Option<PathBuf>,
    /// Which code draws the numbers. The result is the same.
    #[arg(long, value_enum, default_value = "auto", env = "FIXNAME_ENGINE")]
    engine: Code,
    /// How to print.
    #[arg(
        short,
        long,
        value_enum,
        global = true,
        default_value = "table",
        env = "FIXNAME_OUTPUT"
    )]
    output: Format,
    #[command(flatten)]
    plot: plot::Args,
    /// Run nothing: measure a few units here, and say how long the whole would
    /// take, on how many machines, and what they would send.
    #[arg(long, conflicts_with_all = ["margin", "shard", "kubernetes", "plot", "out"], env = "FIXNAME_PLAN")]
    plan: bool,
    #[command(flatten, next_help_heading = "On many machines")]
    kubernetes: kubernetes::Args,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Add up the parts of a run that was divided with --shard.
    ///
    /// Parts that overlap, belong to different runs or were changed are
    /// refused; missing ones are named.
    Merge {
        /// Files written by --out.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Code {
    /// The quickest that the processor has.
    Auto,
    /// Safe Rust only.
    Portable,
    /// Vector instructions, or an error.
    Vector,
}

impl Code {
    fn engine(self) -> Engine {
        match self {
            Self::Auto => Engine::Auto,
            Self::Portable => Engine::Portable,
            Self::Vector => Engine::Vector,
        }
    }
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let part = match &args.verb {
        Some(Verb::Merge { files }) => merged(files)?,
        None => {
            let plan = model::plan(args)?;
            if args.plan {
                return paper::run(args, &plan, output);
            }
            let drawn = if args.kubernetes.is_asked_for() {
                kubernetes::run(args, &plan, output)?
            } else {
                interrupt::watch();
                drawn(args, &plan, output)?
            };
            match drawn {
                Outcome::Part(part) => *part,
                Outcome::Nothing(exit) => return Ok(exit),
            }
        }
    };
    plot::draw(&args.plot, &part, output)?;
    if let Some(path) = &args.out {
        let mut file = WholeFile::create(path)?;
        file.write_all(part.to_json().as_bytes())
            .map_err(|error| cannot_write(path, &error))?;
        file.finish()?;
    } else if args.shard.is_some() {
        output.data(&part.to_json())?;
        return Ok(Exit::Ok);
    }
    show::print(args, &part, output)?;
    Ok(Exit::Ok)
}

/// How a run ended.
enum Outcome {
    /// With counts.
    Part(Box<Part>),
    /// Without, and not by a failure.
    Nothing(Exit),
}

fn drawn(args: &Args, plan: &Plan, output: &Output) -> Result<Outcome, Failure> {
    let threads = args
        .threads
        .or_else(|| std::thread::available_parallelism().ok());
    let shown = !output.is_quiet() && std::io::stderr().is_terminal();
    let meter = Meter::new();
    let options = Options {
        threads: threads.map_or(1, NonZero::get),
        engine: args.engine.engine(),
        progress: &|progress| {
            if shown {
                meter.show(progress);
            }
        },
        stop: &interrupt::interrupted,
    };
    let result = match args.margin {
        Some(margin) => run_until(plan, margin, &options),
        None => simulate(
            plan,
            plan.shard_units(args.shard.unwrap_or(Shard::WHOLE)),
            &options,
        ),
    };
    if shown {
        eprint!("\r\x1b[K");
    }
    match result {
        Ok(part) => Ok(Outcome::Part(Box::new(part))),
        Err(RunError::Stopped) => Ok(Outcome::Nothing(Exit::Interrupted)),
        Err(error) => Err(Failure::usage(error.to_string(), "fixname simulate --help")),
    }
}

/// Progress on a terminal.
struct Meter {
    began: Instant,
    shown: Mutex<Instant>,
}

impl Meter {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            shown: Mutex::new(now),
        }
    }

    fn show(&self, progress: Progress) {
        let Ok(mut shown) = self.shown.try_lock() else {
            return;
        };
        if shown.elapsed() < SHOWN_EVERY {
            return;
        }
        *shown = Instant::now();
        let Progress { done, all } = progress;
        let left = self.began.elapsed().as_secs_f64() * (all - done) as f64 / done as f64;
        let (done, all) = (grouped(&done.to_string()), grouped(&all.to_string()));
        eprint!("\r\x1b[K{done} of {all} units, about {left:.0} s left");
        let _ = std::io::stderr().flush();
    }
}

fn merged(files: &[PathBuf]) -> Result<Part, Failure> {
    let next = "fixname simulate … --shard I/N --out FILE writes a part";
    let parts = files.iter().map(|path| {
        let wrong = |what: String| Failure::usage(format!("{}: {what}", path.display()), next);
        let text = read(path).map_err(wrong)?;
        let part = Part::from_json(&text).map_err(|error| wrong(error.to_string()))?;
        Ok((path.display().to_string(), part))
    });
    let parts = parts.collect::<Result<Vec<_>, Failure>>()?;
    merge(&parts).map_err(|error| {
        Failure::usage(
            format!("the parts make no whole: {error}"),
            "run the shards that are missing, and merge each part once",
        )
    })
}

fn read(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > MOST_BYTES {
        return Err("it is too large to be a part of a simulation".to_owned());
    }
    Ok(text)
}
