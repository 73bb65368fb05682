//! `fixname population --apply`: a population as objects of a cluster.

use fixname_population::apply::{ApplyError, Options, Target, apply, inspect};
use fixname_population::{Population, Summary};

use super::{Answer, number, print, progress};
use crate::cluster::{self, Cluster};
use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::output::Output;

/// Where to, and how.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Create the nodes in the cluster of a kubeconfig's context instead of
    /// writing a file. Without --yes it is only looked at.
    #[arg(long, env = "FIXNAME_APPLY", help_heading = "Into a cluster")]
    apply: bool,
    /// Write.
    #[arg(short, long, requires = "apply", help_heading = "Into a cluster")]
    yes: bool,
    #[command(flatten, next_help_heading = "Into a cluster")]
    cluster: cluster::Flags,
    /// The namespace; made if it is not there.
    #[arg(
        short,
        long,
        value_name = "NAME",
        default_value = fixname_longhorn::NAMESPACE,
        env = "FIXNAME_NAMESPACE",
        help_heading = "Into a cluster"
    )]
    namespace: String,
    /// Requests at a time.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=256),
        env = "FIXNAME_PARALLEL",
        help_heading = "Into a cluster"
    )]
    parallel: u16,
    /// Write even where a Longhorn runs. Its managers will meet nodes that do
    /// not exist.
    #[arg(long, requires = "apply", help_heading = "Into a cluster")]
    beside_longhorn: bool,
}

impl Args {
    pub(super) fn is_asked_for(&self) -> bool {
        self.apply
    }
}

pub(super) fn run(
    args: &super::Args,
    population: &Population,
    output: &Output,
) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| cluster::unreachable(format!("cannot start: {e}"), None))?;
    runtime.block_on(put(args, population, output))
}

async fn put(
    args: &super::Args,
    population: &Population,
    output: &Output,
) -> Result<Exit, Failure> {
    let to = &args.apply;
    let Cluster { client, url, .. } = to.cluster.cluster().await?;
    let refused = |error: &ApplyError| {
        let message = format!("{url}: {}", cluster::whole_message(error));
        cluster::unreachable(message, Some(next(error)))
    };
    let target = inspect(&client, &to.namespace)
        .await
        .map_err(|e| refused(&e))?;
    let summary = population.summary();
    if !to.yes {
        output.text(&plan(&url, to, &target, &summary))?;
        output.note("nothing was written; add --yes to do it");
        return Ok(Exit::Ok);
    }
    let options = Options {
        namespace: to.namespace.clone(),
        parallel: to.parallel.into(),
        beside_longhorn: to.beside_longhorn,
    };
    interrupt::watch();
    let mut done = |nodes: u64| {
        if nodes.is_multiple_of(50) || nodes == summary.nodes {
            progress(output, &format!("{nodes} of {} nodes", summary.nodes));
        }
    };
    let applied = apply(
        &client,
        population,
        &options,
        &interrupt::interrupted,
        &mut done,
    )
    .await;
    progress(output, "");
    let applied = applied.map_err(|e| refused(&e))?;
    if applied.stopped {
        output.note(&format!(
            "interrupted after {} of {} nodes; the same command goes on from here",
            applied.created + applied.updated,
            summary.nodes
        ));
        return Ok(Exit::Interrupted);
    }
    let answer = Answer {
        nodes_created: Some(applied.created),
        nodes_updated: Some(applied.updated),
        ..Answer::new(args.seed, &summary)
    };
    print(args, &answer, &summary, output)?;
    let (label, value) = fixname_population::apply::LABEL;
    output.note(&format!(
        "{} created, {} updated; kubectl -n {} delete nodes.longhorn.io -l {label}={value} removes them",
        number(applied.created, "node was", "nodes were"),
        applied.updated,
        to.namespace
    ));
    Ok(Exit::Ok)
}

/// What would be done, in lines.
fn plan(url: &str, to: &Args, target: &Target, summary: &Summary) -> String {
    let mut lines = vec![format!("On {url}:")];
    if let Some(namespace) = &target.longhorn {
        lines.push(format!(
            "  a Longhorn runs there, in namespace {namespace}: {}",
            if to.beside_longhorn {
                "to be ignored"
            } else {
                "this will be refused"
            }
        ));
    }
    if !target.has_definition {
        lines.push("  create CRD nodes.longhorn.io".to_owned());
    }
    if !target.has_namespace {
        lines.push(format!("  create namespace {}", to.namespace));
    }
    lines.push(format!(
        "  write {} into {}, which has {} now",
        number(summary.nodes, "node", "nodes"),
        to.namespace,
        target.nodes
    ));
    lines.push(format!("  {}", super::sentences(summary)));
    lines.join("\n") + "\n"
}

fn next(error: &ApplyError) -> &'static str {
    match error {
        ApplyError::Longhorn(_) => {
            "give another --context, or --beside-longhorn if this is what you want"
        }
        ApplyError::Foreign(_) => "give another --namespace, or remove that node first",
        _ => {
            "kubectl get nodes.longhorn.io -A shows whether the cluster answers; the same \
              command goes on where it ended"
        }
    }
}
