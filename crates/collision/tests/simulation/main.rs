//! The two engines agree, and dividing the work changes nothing.
//!
//! All seeds are fixed, so a failure is a change and not bad luck. Each test
//! allows what chance does once in many thousand runs.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod agreement;
mod occupancy;
mod parts;
mod runs;

use fixname_collision::agreement::{Estimate, Report};
use fixname_collision::simulate::{Model, Options, Part, Plan, run};

const SEED: u64 = 20_261_124;
const IMAGE: &str = "longhornio/backing-image-manager:v1.10.2";

fn simulate(model: &Model, clusters: u64) -> Part {
    let options = Options {
        threads: 2,
        ..Options::default()
    };
    let plan = Plan::new(model.clone(), clusters, SEED).unwrap();
    run(&plan, 0..plan.units(), &options).unwrap()
}

fn estimate(model: &Model, clusters: u64) -> Estimate {
    Report::of(&simulate(model, clusters)).collision.unwrap()
}
