//! `fixname replay`: plays scenarios and says whether Longhorn behaved as expected.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use fixname_controllers::Parts;
use fixname_naming::{LonghornVersion, Scheme};
use fixname_replay::backend::{
    ContextBackend, ContextOptions, ControlPlaneBackend, Definitions, EmbeddedBackend,
};
use fixname_replay::scenario::Action;
use fixname_replay::{
    Backend, BackendError, LoadError, Phase, Progress, Scenario, Shard, Suite, SuiteOptions,
    SuiteResult, load,
};
use fixname_report::suite::{Detail, Document, SuiteHead, SuiteText};

use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::meter::Meter;
use crate::output::{Output, finish};
use crate::reports::{Kind, Reports, Wanted};
use crate::verbs::place::{Place, Where};
use crate::verbs::playing::{Manifests, Playing};

/// Play scenarios of Longhorn clusters on a Kubernetes API server.
///
/// Each scenario describes a cluster, what happens to it, and what is expected
/// under which Longhorn versions. A model of Longhorn's controllers plays
/// against a real API; the default one is embedded, in this process, in virtual
/// time. Stuck and settled are each proved over at least two resyncs.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 all as expected, 1 a scenario failed or something was left behind,
2 a scenario file is wrong, 3 the API server could not be made or reached,
4 --timeout, 5 nothing ran, 130 interrupted. Every report says so too.

Examples:
  fixname replay scenarios
  fixname replay scenarios --select two-disks-one-prefix --longhorn v1.9.1 -v
  fixname replay scenarios --report junit=junit.xml --report html=report.html
  fixname replay scenarios --backend control-plane      (etcd and kube-apiserver)
  fixname replay scenarios --backend context --context kind-test
  fixname replay scenarios --backend context -n longhorn-system --play none
                                     (judge the Longhorn that runs there)")]
pub(crate) struct Args {
    /// Scenario files, or folders with *.yaml files.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// What of the model is played: all, none, or some of backing-image,
    /// backing-image-manager, data-source, manager-pods, node, replica, volume,
    /// scheduler, webhooks. The rest is left to what runs in the namespace.
    #[arg(
        long,
        value_name = "PART,…",
        default_value = "all",
        env = "FIXNAME_PLAY"
    )]
    play: Parts,
    /// With `--backend context`: play in this namespace, one run at a time. It is
    /// made if it is not there. Nodes that are there are taken as they are.
    #[arg(short, long, value_name = "NAME", env = "FIXNAME_NAMESPACE")]
    namespace: Option<String>,
    #[command(flatten)]
    manifests: Manifests,
    /// Only the scenarios of these names; * stands for any letters.
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
    /// Seeds for each scenario and version, instead of the number in its file.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000), env = "FIXNAME_REPEAT")]
    repeat: Option<u64>,
    /// Only a part of the suite, such as 2/5; all parts together are the whole.
    #[arg(long, value_name = "I/N", default_value_t, env = "FIXNAME_SHARD")]
    shard: Shard,
    #[command(flatten)]
    playing: Playing,
    /// Seconds after which nothing new is started, and what is under way is given up.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..), env = "FIXNAME_TIMEOUT")]
    timeout: Option<u64>,
    /// Start nothing new after the first failure.
    #[arg(long, env = "FIXNAME_FAIL_FAST")]
    fail_fast: bool,
    /// Let scenarios run programs on this machine (their `run` steps), with a
    /// kubeconfig of the cluster that they play on.
    #[arg(long, env = "FIXNAME_ALLOW_COMMANDS")]
    allow_commands: bool,
    /// Do not remove what failed runs made. Where the server ends with this program
    /// (embedded, control-plane), their objects are written to files in FOLDER.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true, default_missing_value = "fixname-kept", env = "FIXNAME_KEEP_ON_FAILURE")]
    keep_on_failure: Option<PathBuf>,
    /// What if? Give every version's model this name function instead of its
    /// own (truncated, sha256, sha224, uuid-8, …); expectations stay.
    #[arg(long, value_name = "SCHEME", env = "FIXNAME_NAME_SCHEME")]
    name_scheme: Option<Scheme>,
    /// What to print: text for people, or a document for programs.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "text",
        env = "FIXNAME_OUTPUT"
    )]
    output: Format,
    /// Also write a document to a file; may be given several times.
    /// Kinds: json, jsonl, junit, html, sarif, github.
    #[arg(long, value_name = "KIND=FILE")]
    report: Vec<Wanted>,
}

/// What standard output gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, while it runs.
    Text,
    /// One JSON object.
    Json,
    /// The events of the suite, one JSON object a line.
    Jsonl,
    /// JUnit's XML.
    Junit,
    /// A page.
    Html,
    /// SARIF 2.1.0.
    Sarif,
    /// Workflow commands of GitHub Actions.
    Github,
}

impl Format {
    /// The document to print at the end, if it is not text.
    fn document(self) -> Option<Document> {
        let kind = match self {
            Self::Text => return None,
            Self::Json => Kind::Json,
            Self::Jsonl => Kind::Jsonl,
            Self::Junit => Kind::Junit,
            Self::Html => Kind::Html,
            Self::Sarif => Kind::Sarif,
            Self::Github => Kind::Github,
        };
        Some(kind.into())
    }
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    if args.namespace.is_some() && args.place.backend != Where::Context {
        return Err(Failure::usage(
            "--namespace is for --backend context; other servers are made for this run alone",
            "leave --namespace out",
        ));
    }
    let reports = Reports::open(&args.report)?;
    let mut head = SuiteHead {
        backend: args.place.backend.name(),
        time_scale: args
            .place
            .backend
            .is_real()
            .then_some(args.place.time_scale),
        seed: args.seed,
        scenarios: 0,
        name_scheme: args.name_scheme.as_ref().map(|s| s.id().into_owned()),
        play: args.play.to_string(),
    };
    // Whatever keeps the suite from being played is in the reports as well.
    let refuse = |mut result: SuiteResult, head: &SuiteHead, reports: Reports, failure| {
        reports.write(head, &mut result);
        if let Some(document) = args.output.document() {
            output.data(&document.render(head, &result))?;
        }
        Err(failure)
    };
    let asked = selected(args).and_then(|s| Ok((s, args.manifests.definitions(output)?)));
    let (scenarios, definitions) = match asked {
        Ok(asked) => asked,
        Err(Refused { problems, failure }) => {
            output.problems(&problems);
            let mut result = SuiteResult::default();
            for problem in &problems {
                result.add_trouble(Phase::Input, problem);
            }
            if let (true, Failure::Told { message, .. }) = (problems.is_empty(), &failure) {
                result.add_trouble(Phase::Input, message);
            }
            return refuse(result, &head, reports, failure);
        }
    };
    head.scenarios = scenarios.len();
    // Making a cluster takes a while, and one that is half made must not stay.
    interrupt::watch();
    let backend = match backend(args, definitions.clone()) {
        Ok(backend) => backend,
        Err(error) => {
            let result = SuiteResult::of_trouble(Phase::Environment, &error.message);
            let failure = Failure::Told {
                exit: Exit::Environment,
                message: error.message,
                next: Some("--backend embedded needs nothing else".to_owned()),
            };
            return refuse(result, &head, reports, failure);
        }
    };
    let suite = Suite::new(
        &scenarios,
        SuiteOptions {
            seed: args.seed,
            repeat: args.repeat,
            shard: args.shard,
            parallel: match args.namespace {
                Some(_) => 1,
                None => args.playing.threads(!args.place.backend.is_real()),
            },
            name_scheme: args.name_scheme,
            parts: args.play,
            fail_fast: args.fail_fast,
            definitions,
            commands: args.allow_commands,
            keep_on_failure: args.keep_on_failure.clone(),
        },
    );
    let began = Instant::now();
    let limit = args.timeout.map(Duration::from_secs);
    let overdue = || limit.is_some_and(|limit| began.elapsed() >= limit);
    let stop = || interrupt::interrupted() || overdue();

    let detail = match (output.is_quiet(), args.playing.verbose) {
        (true, _) => Detail::Quiet,
        (false, true) => Detail::Verbose,
        (false, false) => Detail::Normal,
    };
    let document = args.output.document();
    let mut text = match document {
        None => Some(SuiteText::begin(output.stream(), detail, &head)),
        Some(_) => None,
    };
    // A reader that has seen enough ends the output, not the runs or the verdict.
    let mut written = Ok(());
    let meter = Meter::new(output);
    let mut result = suite.run(&*backend, &stop, &mut |progress| match progress {
        Progress::Ended {
            done,
            planned,
            name,
        } => meter.show(done, planned, name),
        Progress::Run(run) => {
            if let (Ok(()), Some(Ok(text))) = (&written, &mut text) {
                meter.aside(|| written = text.run(run));
            }
        }
    });
    drop(meter);
    drop(backend);
    if interrupt::interrupted() {
        result.add_trouble(Phase::Interrupted, "somebody pressed Ctrl-C");
    } else if result.not_run() > 0 && overdue() {
        let seconds = args.timeout.unwrap_or_default();
        result.add_trouble(Phase::Timeout, format!("not done after {seconds} s"));
    }
    reports.write(&head, &mut result);
    let printed = match (document, text) {
        (Some(document), _) => output.data(&document.render(&head, &result)),
        (None, Some(text)) => finish(
            text.and_then(|text| written.and_then(|()| text.finish(&result, began.elapsed()))),
        ),
        (None, None) => Ok(()),
    };
    match printed {
        Ok(()) | Err(Failure::PipeClosed) => Ok(verdict(&result)),
        Err(failure) => Err(failure),
    }
}

/// How to end. A failed run counts before what kept others from running: who
/// tries again after an environment failed must not lose a regression.
fn verdict(result: &SuiteResult) -> Exit {
    let has = |phase| result.troubles.iter().any(|t| t.phase == phase);
    if has(Phase::Interrupted) {
        Exit::Interrupted
    } else if result.totals().failed > 0 {
        Exit::Finding
    } else if has(Phase::Environment) {
        Exit::Environment
    } else if has(Phase::Timeout) {
        Exit::Timeout
    } else if result.planned == 0 {
        Exit::NothingRan
    } else if result.passed() {
        Exit::Ok
    } else {
        // Something is left behind, or a report is not written.
        Exit::Finding
    }
}

fn backend(
    args: &Args,
    definitions: Option<Definitions>,
) -> Result<Box<dyn Backend>, BackendError> {
    Ok(match args.place.backend {
        Where::Embedded => Box::new(EmbeddedBackend),
        Where::ControlPlane => Box::new(ControlPlaneBackend::start(args.place.time_scale)?),
        Where::Container => Box::new(args.place.container(definitions)?),
        Where::Kind => Box::new(args.place.kind(definitions)?),
        Where::Context => Box::new(ContextBackend::connect(ContextOptions {
            namespace: args.namespace.clone(),
            // A Longhorn that runs there and the model would be in each other's way.
            beside_longhorn: args.play.is_empty(),
            definitions,
            ..args.place.cluster()
        })?),
    })
}

/// Why nothing is played: problems of files, each with its place, and the failure.
struct Refused {
    problems: Vec<String>,
    failure: Failure,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self {
            problems: Vec::new(),
            failure,
        }
    }
}

/// The scenarios asked for, under the versions asked for.
fn selected(args: &Args) -> Result<Vec<Scenario>, Refused> {
    let mut scenarios = load(&args.paths).map_err(|LoadError(problems)| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let failure = Failure::usage(
            match problems.len() {
                1 => "the scenarios have a problem".to_owned(),
                n => format!("the scenarios have {n} problems"),
            },
            "mend the files named above; nothing was played",
        );
        Refused { problems, failure }
    })?;
    for pattern in &args.select {
        if !scenarios.iter().any(|s| matches(pattern, &s.name)) {
            let names: BTreeSet<_> = scenarios.iter().map(|s| s.name.as_str()).collect();
            let names: Vec<_> = names.into_iter().collect();
            return Err(Failure::usage(
                format!("there is no scenario {pattern:?}"),
                format!("choose from {}", names.join(", ")),
            )
            .into());
        }
    }
    scenarios.retain(|s| args.select.is_empty() || args.select.iter().any(|p| matches(p, &s.name)));
    if !args.longhorn.is_empty() {
        for scenario in &mut scenarios {
            scenario.longhorn.retain(|v| args.longhorn.contains(&v.0));
        }
        scenarios.retain(|s| !s.longhorn.is_empty());
    }
    if let (false, Some((name, command))) = (args.allow_commands, first_command(&scenarios)) {
        return Err(Failure::usage(
            format!("scenario {name} runs a program on this machine: {command:?}"),
            "look at it, and give --allow-commands if you trust it; nothing was played",
        )
        .into());
    }
    if scenarios.is_empty() {
        return Err(Failure::Told {
            exit: Exit::NothingRan,
            message: "no scenario is played under these versions".to_owned(),
            next: Some("fixname replay PATH without --longhorn plays all of them".to_owned()),
        }
        .into());
    }
    Ok(scenarios)
}

/// The first program that these scenarios run.
fn first_command(scenarios: &[Scenario]) -> Option<(&str, String)> {
    scenarios.iter().find_map(|scenario| {
        let mut actions = scenario.steps.iter().flat_map(|step| &step.actions);
        actions.find_map(|action| match action {
            Action::Run(command) => Some((scenario.name.as_str(), command.command.join(" "))),
            _ => None,
        })
    })
}

/// Whether a name fits a pattern, in which `*` stands for any letters.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|&i| rest.is_char_boundary(i))
                .any(|i| matches(after, &rest[i..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, fits) in [
            ("same-node", "same-node", true),
            ("same", "same-node", false),
            ("upgrade-*", "upgrade-to-v1.9.2", true),
            ("*-v1.*", "upgrade-to-v1.9.2", true),
            ("*", "", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
