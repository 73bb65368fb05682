//! `fixname simulate --kubernetes`: an Indexed Job whose pods run the shards,
//! and the whole from their parts. What the cluster is asked is in the crate
//! `shards`; here are flags, words and the reading of parts.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::num::NonZero;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use fixname_collision::simulate::{Part, Plan, Shard, merge};
use fixname_report::data;
use fixname_shards::{Event, JobSpec, LOG_BYTES, Options, Progress, ShardError, check};
use sha2::{Digest as _, Sha256};

use super::{Outcome, model};
use crate::cluster::{self, Cluster};
use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::output::Output;
use crate::verbs::Format;
use crate::verbs::disks::Span;

/// Pods at a time, if not given.
const PARALLEL: u32 = 4;
/// Shards for each of them, if not given: what is lost with a pod is then small.
const SHARDS_EACH: u32 = 4;
/// The most indices of an Indexed Job that may fail one by one.
const MOST_SHARDS: u32 = 100_000;

/// What the pods are, and where.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Run it in a Kubernetes cluster: one Indexed Job, whose pods count a shard
    /// each and print their parts. Without --yes the Job is only shown.
    #[arg(long, requires = "image", conflicts_with_all = ["shard", "margin"], env = "FIXNAME_KUBERNETES")]
    kubernetes: bool,
    /// The pods' container image; its entry point is this program.
    #[arg(long, value_name = "IMAGE", env = "FIXNAME_IMAGE")]
    image: Option<String>,
    /// When the image is pulled.
    #[arg(
        long,
        value_enum,
        default_value = "if-not-present",
        ignore_case = true,
        env = "FIXNAME_IMAGE_PULL_POLICY"
    )]
    image_pull_policy: PullPolicy,
    /// Make the Job.
    #[arg(short, long, requires = "kubernetes", conflicts_with = "dry_run")]
    yes: bool,
    /// Print the Job and make nothing; `server` asks the cluster whether it
    /// would take it.
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true,
        default_missing_value = "client", requires = "kubernetes")]
    dry_run: Option<DryRun>,
    #[command(flatten)]
    cluster: cluster::Flags,
    /// The namespace, which must be there; the context's if not given.
    #[arg(short, long, value_name = "NAME", env = "FIXNAME_NAMESPACE")]
    namespace: Option<String>,
    /// The Job's name; follows from what is simulated if not given.
    #[arg(long, value_name = "NAME", env = "FIXNAME_JOB_NAME")]
    job_name: Option<String>,
    /// Pods at a time [default: 4].
    #[arg(long, value_name = "N", env = "FIXNAME_PARALLELISM")]
    parallelism: Option<NonZero<u32>>,
    /// Shards, and so pods in all; four times --parallelism if not given.
    #[arg(long, value_name = "N", env = "FIXNAME_SHARDS")]
    shards: Option<NonZero<u32>>,
    /// What each pod asks for. Give --threads with more than one CPU.
    #[arg(
        long,
        value_name = "LIST",
        default_value = "cpu=1,memory=64Mi",
        env = "FIXNAME_REQUESTS"
    )]
    requests: Resources,
    /// What each pod gets at most, such as cpu=2,memory=1Gi.
    #[arg(
        long,
        value_name = "LIST",
        default_value = "",
        hide_default_value = true,
        env = "FIXNAME_LIMITS"
    )]
    limits: Resources,
    /// How often a lost or failed shard is run again.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(..=100), env = "FIXNAME_RETRIES")]
    retries: u32,
    /// How long all of it may take: 10s, 5m, 3h or 30d.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1d",
        env = "FIXNAME_TIMEOUT"
    )]
    timeout: Span,
    /// After a failure, leave the Job and its pods.
    #[arg(long, requires = "kubernetes", env = "FIXNAME_KEEP_ON_FAILURE")]
    keep_on_failure: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PullPolicy {
    #[value(name = "if-not-present", alias = "IfNotPresent")]
    IfNotPresent,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DryRun {
    None,
    Client,
    Server,
}

/// `cpu=1,memory=64Mi`, as `kubectl set resources` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Resources(BTreeMap<String, String>);

impl FromStr for Resources {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').filter(|part| !part.is_empty());
        let pairs = parts.map(|part| match part.split_once('=') {
            Some((name, amount)) if !name.is_empty() && !amount.is_empty() => {
                Ok((name.to_owned(), amount.to_owned()))
            }
            _ => Err(format!("{part:?} is not like cpu=1 or memory=64Mi")),
        });
        pairs.collect::<Result<_, String>>().map(Self)
    }
}

impl Args {
    pub(super) fn is_asked_for(&self) -> bool {
        self.kubernetes
    }

    pub(super) fn parallelism(&self) -> u32 {
        self.parallelism.map_or(PARALLEL, NonZero::get)
    }

    /// As many as asked for, but none without a unit.
    pub(super) fn shards(&self, plan: &Plan) -> u32 {
        let each = self.parallelism().saturating_mul(SHARDS_EACH);
        let shards = self.shards.map_or(each, NonZero::get).clamp(1, MOST_SHARDS);
        shards.min(u32::try_from(plan.units()).unwrap_or(u32::MAX))
    }
}

/// What the largest of so many shards prints, about.
pub(super) fn part_bytes(plan: &Plan, shards: u32) -> u64 {
    // They differ by one unit; the last is one of the largest.
    let last = Shard::new(u64::from(shards) - 1, shards.into()).unwrap_or(Shard::WHOLE);
    plan.part_bytes(&plan.shard_units(last))
}

pub(super) fn run(args: &super::Args, plan: &Plan, output: &Output) -> Result<Outcome, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| cluster::unreachable(format!("cannot start: {e}"), None))?;
    runtime.block_on(on_cluster(args, plan, output))
}

async fn on_cluster(args: &super::Args, plan: &Plan, output: &Output) -> Result<Outcome, Failure> {
    let how = &args.kubernetes;
    let shards = how.shards(plan);
    let bytes = part_bytes(plan, shards);
    if bytes > LOG_BYTES {
        return Err(Failure::usage(
            format!(
                "each part would have about {} MB, and a kubelet cuts a pod's log at 10 MiB",
                bytes.div_ceil(1_000_000)
            ),
            format!(
                "--shards={}",
                u64::from(shards) * bytes.div_ceil(LOG_BYTES) * 2
            ),
        ));
    }
    let wanted = spec(args, plan, shards)?;
    let dry = how.dry_run.filter(|dry| *dry != DryRun::None);
    if dry == Some(DryRun::Client) || (dry.is_none() && !how.yes) {
        // No cluster need be there, and none is asked.
        let namespace = how.namespace.clone();
        let spec = JobSpec {
            namespace: namespace.unwrap_or_else(|| "default".to_owned()),
            ..wanted
        };
        let job = spec.job().map_err(|e| told(&e.into(), "", output))?;
        print(args, &job, output)?;
        output.note("nothing was made; add --yes to do it");
        return Ok(Outcome::Nothing(Exit::Ok));
    }
    let Cluster {
        client,
        url,
        namespace,
    } = how.cluster.cluster().await?;
    let spec = JobSpec {
        namespace: how.namespace.clone().unwrap_or(namespace),
        ..wanted
    };
    if dry == Some(DryRun::Server) {
        let answer = check(&client, &spec).await;
        let job = answer.map_err(|e| told(&e, &url, output))?;
        print(args, &job, output)?;
        output.note(&format!("{url} would take it; nothing was made"));
        return Ok(Outcome::Nothing(Exit::Ok));
    }
    interrupt::watch();
    let mut talk = Talk::new(output, shards);
    output.note(&format!(
        "job {} in namespace {}: {shards} shards, {} at a time",
        spec.name,
        spec.namespace,
        how.parallelism().min(shards)
    ));
    let mut read = |shard: u32, log: &str| part(plan, shard, shards, log);
    let mut heard = |event: Event| talk.hear(&event);
    let options = Options {
        keep: how.keep_on_failure,
        stop: &interrupt::interrupted,
    };
    let parts = fixname_shards::run(&client, &spec, options, &mut read, &mut heard).await;
    talk.clear();
    let parts = match parts {
        Ok(parts) => parts,
        Err(error @ ShardError::Stopped { .. }) => {
            output.note(&error.to_string());
            return Ok(Outcome::Nothing(Exit::Interrupted));
        }
        Err(error) => return Err(told(&error, &url, output)),
    };
    let named = parts.into_iter().enumerate();
    let named: Vec<_> = named
        .map(|(shard, part)| (format!("shard {shard}/{shards}"), part))
        .collect();
    let whole = merge(&named).map_err(|error| {
        let message = format!("the parts make no whole: {error}");
        cluster::unreachable(message, Some("the same command runs it again"))
    })?;
    Ok(Outcome::Part(Box::new(whole)))
}

fn spec(args: &super::Args, plan: &Plan, shards: u32) -> Result<JobSpec, Failure> {
    let how = &args.kubernetes;
    let flags = model::flags(plan).ok_or_else(|| {
        Failure::usage(
            "this model cannot be given to a pod",
            "fixname simulate --help",
        )
    })?;
    let name = match &how.job_name {
        Some(name) if is_label(name) => name.clone(),
        Some(name) => {
            return Err(Failure::usage(
                format!("{name:?} cannot be the name of a run"),
                "use a to z, 0 to 9 and - in between, 40 characters at most",
            ));
        }
        None => {
            let digest = Sha256::digest(format!("{flags:?} {shards}"));
            let hex: String = digest.iter().take(5).map(|b| format!("{b:02x}")).collect();
            format!("fixname-simulate-{hex}")
        }
    };
    let threads = args.threads.map_or(1, NonZero::get);
    let code = args.engine.to_possible_value();
    let mut all = vec!["simulate".to_owned()];
    all.extend(flags);
    all.push(format!("--threads={threads}"));
    all.extend(code.map(|code| format!("--engine={}", code.get_name())));
    all.push("--shard".to_owned());
    Ok(JobSpec {
        name,
        namespace: String::new(),
        image: how.image.clone().unwrap_or_default(),
        pull_policy: match how.image_pull_policy {
            PullPolicy::IfNotPresent => "IfNotPresent",
            PullPolicy::Always => "Always",
            PullPolicy::Never => "Never",
        }
        .to_owned(),
        args: all,
        shards,
        parallelism: how.parallelism(),
        requests: how.requests.0.clone(),
        limits: how.limits.0.clone(),
        retries: how.retries,
        within: Duration::from_millis(how.timeout.0),
    })
}

/// 40: a shard that is run again and a pod's suffix must fit into a label's 63.
fn is_label(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=40).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// What a pod printed, if it is the part that was asked for.
fn part(plan: &Plan, shard: u32, shards: u32, log: &str) -> Result<Part, String> {
    let part = Part::from_json(log).map_err(|error| error.to_string())?;
    if part.plan() != plan {
        return Err("it is the part of another run".to_owned());
    }
    let wanted = Shard::new(shard.into(), shards.into()).map(|shard| plan.shard_units(shard));
    if Some(part.units()) != wanted {
        return Err("it is another shard's part".to_owned());
    }
    Ok(part)
}

fn print<T: serde::Serialize>(args: &super::Args, job: &T, output: &Output) -> Result<(), Failure> {
    // Serialized by k8s-openapi with its apiVersion and kind.
    match args.output {
        Format::Json => output.data(&data::json(job)),
        _ => output.data(&data::yaml(job)),
    }
}

fn told(error: &ShardError, url: &str, output: &Output) -> Failure {
    let (exit, next) = match error {
        ShardError::Timeout { .. } => (
            Exit::Timeout,
            "give a longer --timeout, or more --parallelism",
        ),
        ShardError::Exists(name) => {
            output.note(&format!(
                "kubectl delete job {name} removes it, if nobody waits for it"
            ));
            (Exit::Environment, "give another --job-name")
        }
        ShardError::Lost { .. } | ShardError::NoStart { .. } => (
            Exit::Environment,
            "with --keep-on-failure the pods stay, for kubectl describe and kubectl logs",
        ),
        _ => (
            Exit::Environment,
            "docs/collision.md lists the rights that are needed; --dry-run=server asks the cluster",
        ),
    };
    let message = cluster::whole_message(error);
    Failure::Told {
        exit,
        message: if url.is_empty() {
            message
        } else {
            format!("{url}: {message}")
        },
        next: Some(next.to_owned()),
    }
}

/// What is heard of the run, on stderr.
struct Talk<'a> {
    output: &'a Output,
    shards: u32,
    began: Instant,
    terminal: bool,
}

impl<'a> Talk<'a> {
    fn new(output: &'a Output, shards: u32) -> Self {
        Self {
            output,
            shards,
            began: Instant::now(),
            terminal: !output.is_quiet() && std::io::stderr().is_terminal(),
        }
    }

    fn hear(&mut self, event: &Event) {
        if let Event::Progress(progress) = event {
            self.show(*progress);
            return;
        }
        self.clear();
        let Some(text) = words(event) else { return };
        self.output.note(&text);
    }

    fn show(&self, progress: Progress) {
        if !self.terminal {
            return;
        }
        let Progress {
            collected, running, ..
        } = progress;
        let left = match collected {
            0 => String::new(),
            some => {
                let each = self.began.elapsed().as_secs_f64() / f64::from(some);
                format!(", about {:.0} s left", each * f64::from(self.shards - some))
            }
        };
        eprint!(
            "\r\x1b[K{collected} of {} shards, {running} running{left}",
            self.shards
        );
        let _ = std::io::stderr().flush();
    }

    fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

fn words(event: &Event) -> Option<String> {
    Some(match event {
        Event::Failed { shard, reason } => format!("a pod of shard {shard} failed: {reason}"),
        Event::NoPart { shard, reason } => {
            format!("what shard {shard} printed is not its part: {reason}")
        }
        Event::Again { shard } => format!("shard {shard} is run again"),
        Event::Waiting { shard, reason } => {
            format!("the pod of shard {shard} does not start: {reason}")
        }
        Event::Left(pods) => format!("the jobs are deleted; {pods} of their pods are still there"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fixname_collision::simulate::{self, Model};

    fn counted(plan: &Plan, index: u64, of: u64) -> String {
        let units = plan.shard_units(Shard::new(index, of).unwrap());
        let part = simulate::run(plan, units, &simulate::Options::default());
        part.unwrap().to_json()
    }

    #[test]
    fn only_the_part_that_was_asked_for_is_one() {
        let model = Model::Uniform {
            bits: 16,
            disks: 302,
        };
        let plan = |seed| Plan::new(model.clone(), 200_000, seed).unwrap();
        let text = counted(&plan(1), 1, 3);
        assert!(part(&plan(1), 1, 3, &text).is_ok());
        assert!(
            part(&plan(2), 1, 3, &text)
                .unwrap_err()
                .contains("another run")
        );
        assert!(
            part(&plan(1), 2, 3, &text)
                .unwrap_err()
                .contains("another shard")
        );
        let changed = text.replacen("\"collided\": \"", "\"collided\": \"1", 1);
        assert_ne!(changed, text);
        assert!(
            part(&plan(1), 1, 3, &changed)
                .unwrap_err()
                .contains("changed")
        );
        for cut in [0, 1, text.len() / 2, text.len() - 3] {
            assert!(part(&plan(1), 1, 3, &text[..cut]).is_err(), "{cut}");
        }
        assert!(part(&plan(1), 1, 3, &format!("a warning\n{text}")).is_err());
    }

    #[test]
    fn resources_and_names_are_checked() {
        let some: Resources = "cpu=500m,memory=1Gi".parse().unwrap();
        assert_eq!(some.0["memory"], "1Gi");
        assert_eq!("".parse(), Ok(Resources(BTreeMap::new())));
        for text in ["cpu", "cpu=", "=1", "cpu=1,x"] {
            assert!(text.parse::<Resources>().is_err(), "{text}");
        }
        for name in ["a", "a-1", &"x".repeat(40)] {
            assert!(is_label(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a.b", &"x".repeat(41)] {
            assert!(!is_label(name), "{name}");
        }
    }
}
