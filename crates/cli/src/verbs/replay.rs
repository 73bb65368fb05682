//! `fixname replay`: plays scenarios and says whether Longhorn behaved as expected.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use fixname_naming::{LonghornVersion, Scheme};
use fixname_replay::backend::{ContextBackend, ControlPlaneBackend, EmbeddedBackend};
use fixname_replay::{Backend, LoadError, Scenario, Suite, SuiteOptions, load};
use fixname_report::data;
use fixname_report::replay::{Detail, ReplayHead, ReplayJson, ReplayText};

use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::output::{Output, finish};
use crate::verbs::playing::{Format, Playing, no_environment};

/// Play scenarios of Longhorn clusters on a Kubernetes API server.
///
/// Each scenario describes a cluster, what happens to it, and what is expected
/// under which Longhorn versions. A model of Longhorn's controllers plays
/// against a real API; the default one is embedded, in this process, in virtual
/// time. Stuck and settled are each proved over at least two resyncs.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 all as expected, 1 a scenario failed, 2 a scenario file is wrong,
3 the API server could not be made or reached, 5 nothing ran, 130 interrupted.

Examples:
  fixname replay scenarios
  fixname replay scenarios --select two-disks-one-prefix --longhorn v1.9.1 -v
  fixname replay scenarios --backend control-plane      (etcd and kube-apiserver)
  fixname replay scenarios --backend context --context kind-test")]
pub(crate) struct Args {
    /// Scenario files, or folders with *.yaml files.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Where to play.
    #[arg(long, value_enum, default_value = "embedded", env = "FIXNAME_BACKEND")]
    backend: Where,
    /// The kubeconfig of `--backend context`; kubectl's default if not given.
    #[arg(long, value_name = "FILE", env = "FIXNAME_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// The context of `--backend context`; the current one if not given.
    #[arg(long, value_name = "NAME", env = "FIXNAME_CONTEXT")]
    context: Option<String>,
    /// On a real API server, model seconds that pass in one second.
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = scale, env = "FIXNAME_TIME_SCALE")]
    time_scale: f64,
    /// Only the scenarios of these names.
    #[arg(
        long,
        value_name = "NAME",
        env = "FIXNAME_SELECT",
        value_delimiter = ','
    )]
    select: Vec<String>,
    /// Only under these versions.
    #[arg(
        long,
        value_name = "VERSION",
        env = "FIXNAME_LONGHORN",
        value_delimiter = ','
    )]
    longhorn: Vec<LonghornVersion>,
    /// Where all random choices come from; the same seed gives the same run.
    #[arg(long, value_name = "N", default_value_t = 1, env = "FIXNAME_SEED")]
    seed: u64,
    /// Start nothing new after the first failure.
    #[arg(long, env = "FIXNAME_FAIL_FAST")]
    fail_fast: bool,
    /// What if? Give every version's model this name function instead of its
    /// own (truncated, sha256, sha224, uuid-8, …); expectations stay.
    #[arg(long, value_name = "SCHEME", env = "FIXNAME_NAME_SCHEME")]
    name_scheme: Option<Scheme>,
    #[command(flatten)]
    playing: Playing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Where {
    /// In this process, in virtual time.
    Embedded,
    /// etcd and kube-apiserver, started and stopped on loopback.
    ControlPlane,
    /// A cluster that is there, by kubeconfig and context.
    Context,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.1..=100.0).contains(&scale) => Ok(scale),
        _ => Err("a number from 0.1 to 100".to_owned()),
    }
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let scenarios = selected(args, output)?;
    let backend: Box<dyn Backend> = match args.backend {
        Where::Embedded => Box::new(EmbeddedBackend),
        Where::ControlPlane => {
            Box::new(ControlPlaneBackend::start(args.time_scale).map_err(no_environment)?)
        }
        Where::Context => {
            let (file, context) = (args.kubeconfig.clone(), args.context.clone());
            let connected = ContextBackend::connect(file, context, args.time_scale);
            Box::new(connected.map_err(no_environment)?)
        }
    };
    let head = ReplayHead {
        backend: backend.name(),
        time_scale: backend.time_scale(),
        seed: args.seed,
        scenarios: scenarios.len(),
        name_scheme: args.name_scheme.as_ref().map(|s| s.id().into_owned()),
    };
    let suite = Suite::new(
        &scenarios,
        SuiteOptions {
            seed: args.seed,
            parallel: args.playing.threads(backend.time_scale().is_none()),
            name_scheme: args.name_scheme,
            fail_fast: args.fail_fast,
        },
    );
    interrupt::watch();
    let interrupted = interrupt::interrupted;
    let began = Instant::now();

    let result = if args.playing.output == Format::Json {
        let result = suite
            .run(&*backend, &interrupted, &mut |_| {})
            .map_err(no_environment)?;
        output.data(&data::json(&ReplayJson::new(&head, &result)))?;
        result
    } else {
        let detail = match (output.is_quiet(), args.playing.verbose) {
            (true, _) => Detail::Quiet,
            (false, true) => Detail::Verbose,
            (false, false) => Detail::Normal,
        };
        let mut text = finish(ReplayText::begin(output.stream(), detail, &head))?;
        // A reader that has seen enough ends the output, not the runs' clean-up.
        let mut written = Ok(());
        let mut report = |run: &_| {
            if written.is_ok() {
                written = text.run(run);
            }
        };
        let result = suite
            .run(&*backend, &interrupted, &mut report)
            .map_err(no_environment)?;
        finish(written)?;
        finish(text.finish(&result, began.elapsed()))?;
        result
    };
    drop(backend);
    Ok(if interrupted() {
        Exit::Interrupted
    } else if result.runs.is_empty() {
        Exit::NothingRan
    } else if result.totals().failed > 0 {
        Exit::Finding
    } else {
        Exit::Ok
    })
}

/// The scenarios asked for, under the versions asked for.
fn selected(args: &Args, output: &Output) -> Result<Vec<Scenario>, Failure> {
    let mut scenarios = load(&args.paths).map_err(|LoadError(problems)| {
        output.problems(&problems);
        Failure::usage(
            match problems.len() {
                1 => "the scenarios have a problem".to_owned(),
                n => format!("the scenarios have {n} problems"),
            },
            "mend the files named above; nothing was played",
        )
    })?;
    let known: BTreeSet<String> = scenarios.iter().map(|s| s.name.clone()).collect();
    if let Some(name) = args.select.iter().find(|name| !known.contains(*name)) {
        let names: Vec<_> = known.into_iter().collect();
        return Err(Failure::usage(
            format!("there is no scenario {name:?}"),
            format!("choose from {}", names.join(", ")),
        ));
    }
    scenarios.retain(|s| args.select.is_empty() || args.select.contains(&s.name));
    if !args.longhorn.is_empty() {
        for scenario in &mut scenarios {
            scenario.longhorn.retain(|v| args.longhorn.contains(&v.0));
        }
        scenarios.retain(|s| !s.longhorn.is_empty());
    }
    if scenarios.is_empty() {
        return Err(Failure::Told {
            exit: Exit::NothingRan,
            message: "no scenario is played under these versions".to_owned(),
            next: Some("fixname replay PATH without --longhorn plays all of them".to_owned()),
        });
    }
    Ok(scenarios)
}
