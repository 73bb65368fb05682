//! Runs units on threads and adds up what they count.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fixname_planes::{Engine, NoVector, Planes};
use thiserror::Error;

use super::counts::Counts;
use super::forced;
use super::guarded::{Guarded, Joins};
use super::model::{Model, Plan};
use super::names::{Names, Which};
use super::part::Part;
use super::skewed::Skewed;
use super::tree::Tree;
use super::uniform::Uniform;
use crate::statistics;

/// Clusters between two looks at whether to stop, where a cluster is slow.
const PATIENCE: u64 = 64;

/// How to run; none of it changes the result.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// How many threads; at least one is used.
    pub threads: usize,
    /// Which code draws the numbers.
    pub engine: Engine,
    /// Told after each unit, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// Asked often, from any thread: stop, without a result?
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("threads", &self.threads)
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            threads: 1,
            engine: Engine::Auto,
            progress: &|_| (),
            stop: &|| false,
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units counted.
    pub done: u64,
    /// Units to count.
    pub all: u64,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RunError {
    /// It was asked to stop.
    #[error("the simulation was stopped")]
    Stopped,
    /// The vector path was asked for.
    #[error("{0}")]
    NoVector(NoVector),
    /// A range that the plan does not have.
    #[error("units {first} to {end} are not part of the plan, which has {all}")]
    NoSuchUnits {
        /// The first one asked for.
        first: u64,
        /// The one after the last.
        end: u64,
        /// How many there are.
        all: u64,
    },
    /// Stopping at a margin needs clusters that can be counted one by one.
    #[error("a margin can be asked for only where every cluster says yes or no")]
    NoMargin,
}

/// Counts some units of a plan.
///
/// # Errors
/// When it is stopped, or `units` is no range of the plan's.
pub fn run(plan: &Plan, units: Range<u64>, options: &Options<'_>) -> Result<Part, RunError> {
    let work = Work::new(plan, units, options)?;
    let total = Mutex::new(Counts::default());
    work.on_threads(&|kernels| {
        let mut counts = Counts::default();
        while let Some(unit) = work.next() {
            kernels.unit(plan, unit, options.stop, &mut counts)?;
            work.done();
        }
        let mut total = total.lock().expect("no thread panicked");
        total.add(&counts).expect("honest counts fit");
        Ok(())
    })?;
    let counts = total.into_inner().expect("no thread panicked");
    Ok(Part::new(plan.clone(), work.units, counts))
}

/// Counts units in their order until the probability of a collision is known
/// to `margin` with 95 %, or all are counted. The interval holds at every look
/// (Robbins' mixture), and where it stops depends on the plan alone. The part
/// is that of a plan with as many clusters as were counted.
///
/// # Errors
/// As [`run`]; and when the model has no such probability.
pub fn run_until(plan: &Plan, margin: f64, options: &Options<'_>) -> Result<Part, RunError> {
    let countable = !matches!(
        plan.model,
        Model::FirstCollision { .. } | Model::ForcedPair { .. } | Model::Ladder { .. }
    );
    if plan.model.subtree_bits().is_some() || !countable || margin.is_nan() || margin <= 0.0 {
        return Err(RunError::NoMargin);
    }
    let work = Work::new(plan, 0..plan.units(), options)?;
    let state = Mutex::new(InOrder::default());
    work.on_threads(&|kernels| {
        while let Some(unit) = work.next() {
            if state.lock().expect("no thread panicked").reached {
                break;
            }
            let mut counts = Counts::default();
            kernels.unit(plan, unit, options.stop, &mut counts)?;
            work.done();
            let mut state = state.lock().expect("no thread panicked");
            state.take(unit, counts, margin);
        }
        Ok(())
    })?;
    let state = state.into_inner().expect("no thread panicked");
    let stopped = Plan {
        clusters: state.counts.clusters,
        ..plan.clone()
    };
    Ok(Part::new(stopped.clone(), 0..stopped.units(), state.counts))
}

/// Units that came out of order wait until those before them are there.
#[derive(Default)]
struct InOrder {
    next: u64,
    waiting: BTreeMap<u64, Counts>,
    counts: Counts,
    reached: bool,
}

impl InOrder {
    fn take(&mut self, unit: u64, counts: Counts, margin: f64) {
        self.waiting.insert(unit, counts);
        while !self.reached {
            let Some(counts) = self.waiting.remove(&self.next) else {
                return;
            };
            self.next += 1;
            self.counts.add(&counts).expect("honest counts fit");
            let interval = statistics::time_uniform95(self.counts.collided, self.counts.clusters);
            self.reached = interval.high - interval.low <= 2.0 * margin;
        }
    }
}

/// What the threads share.
struct Work<'a> {
    units: Range<u64>,
    next: AtomicU64,
    done: AtomicU64,
    failed: AtomicBool,
    planes: Planes,
    options: &'a Options<'a>,
}

impl<'a> Work<'a> {
    fn new(plan: &Plan, units: Range<u64>, options: &'a Options<'a>) -> Result<Self, RunError> {
        if units.start > units.end || units.end > plan.units() {
            return Err(RunError::NoSuchUnits {
                first: units.start,
                end: units.end,
                all: plan.units(),
            });
        }
        Ok(Self {
            next: AtomicU64::new(units.start),
            done: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            planes: Planes::new(plan.seed, options.engine).map_err(RunError::NoVector)?,
            units,
            options,
        })
    }

    fn next(&self) -> Option<u64> {
        if self.failed.load(Ordering::Relaxed) {
            return None;
        }
        let unit = self.next.fetch_add(1, Ordering::Relaxed);
        (unit < self.units.end).then_some(unit)
    }

    fn done(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let all = self.units.end - self.units.start;
        (self.options.progress)(Progress { done, all });
    }

    fn on_threads(
        &self,
        body: &(dyn Fn(&mut Kernels<'_>) -> Result<(), RunError> + Sync),
    ) -> Result<(), RunError> {
        let units = self.units.end - self.units.start;
        let threads = self
            .options
            .threads
            .clamp(1, 1024)
            .min(units.max(1) as usize);
        let one = || {
            let result = body(&mut Kernels::new(&self.planes));
            if result.is_err() {
                self.failed.store(true, Ordering::Relaxed);
            }
            result
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
            let mut result = one();
            for other in others {
                let other = other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                result = result.and(other);
            }
            result
        })
    }
}

/// One thread's buffers.
struct Kernels<'a> {
    planes: &'a Planes,
    uniform: Uniform,
    tree: Tree,
    names: Names,
    guarded: Guarded,
    skewed: Skewed,
}

impl<'a> Kernels<'a> {
    fn new(planes: &'a Planes) -> Self {
        Self {
            planes,
            uniform: Uniform::default(),
            tree: Tree::default(),
            names: Names::default(),
            guarded: Guarded::default(),
            skewed: Skewed::default(),
        }
    }

    fn unit(
        &mut self,
        plan: &Plan,
        unit: u64,
        stop: &(dyn Fn() -> bool + Sync),
        counts: &mut Counts,
    ) -> Result<(), RunError> {
        let model = &plan.model;
        if let (Model::Uniform { bits, disks }, Some(cut)) = (model, model.subtree_bits()) {
            if stop() {
                return Err(RunError::Stopped);
            }
            let (cluster, subtree) = (unit >> cut, unit & ((1 << cut) - 1));
            let population = (*bits, *disks);
            self.tree
                .count(self.planes, population, cluster, subtree, counts);
            return Ok(());
        }
        let mut clusters = plan.clusters_of(&(unit..unit + 1));
        while !clusters.is_empty() {
            if stop() {
                return Err(RunError::Stopped);
            }
            let at_once = match model {
                // A histogram of every number of disks for each time; and a
                // unit of these takes hundredths of a second.
                Model::FirstCollision { .. } => u64::MAX,
                _ => 16 * PATIENCE,
            };
            let end = clusters.start.saturating_add(at_once);
            let some = clusters.start..clusters.end.min(end);
            clusters.start = some.end;
            self.clusters(model, some, counts);
        }
        Ok(())
    }

    fn clusters(&mut self, model: &Model, clusters: Range<u64>, counts: &mut Counts) {
        let planes = self.planes;
        match model {
            Model::Uniform { bits, disks } => {
                self.uniform.count(planes, clusters, *bits, *disks, counts);
            }
            Model::FirstCollision { bits } => {
                self.uniform
                    .first_collisions(planes, clusters, *bits, counts);
            }
            Model::Guarded {
                unguarded,
                guarded,
                at_once,
                block,
            } => {
                let joins = Joins {
                    unguarded: *unguarded,
                    guarded: *guarded,
                    at_once: *at_once,
                    block: *block,
                };
                for cluster in clusters {
                    self.guarded.count(planes, cluster, joins, counts);
                }
            }
            Model::Skewed { bits, disks, skew } => {
                for cluster in clusters {
                    self.skewed
                        .count(planes, cluster, (*bits, *disks, *skew), counts);
                }
            }
            Model::Names {
                hash,
                digits,
                image,
                disks,
            } => {
                for cluster in clusters {
                    let which = Which {
                        hash: *hash,
                        image,
                        cluster,
                        disks: *disks,
                    };
                    self.names.count(planes, which, *digits, counts);
                }
            }
            Model::ForcedPair { bits, disks } => {
                for cluster in clusters {
                    forced::count(&mut self.uniform, planes, cluster, *bits, *disks, counts);
                }
            }
            Model::Ladder { hash, image, disks } => {
                for cluster in clusters {
                    let which = Which {
                        hash: *hash,
                        image,
                        cluster,
                        disks: *disks,
                    };
                    self.names.ladder(planes, which, counts);
                }
            }
        }
    }
}
