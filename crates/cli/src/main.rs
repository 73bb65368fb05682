//! The `fixname` program: parses the command line, calls the crates that do the
//! work, and turns what they say into text and an exit code. No work of its own.
//!
//! One file in `verbs` for each verb; `output` writes, `exit` has the codes,
//! `cluster` finds the cluster that is meant, `interrupt` hears Ctrl-C, `whole_file` writes files that are never half there.

mod cluster;
mod exit;
mod interrupt;
mod meter;
mod output;
mod reports;
mod verbs;
mod whole_file;

use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

use exit::{Exit, Failure};
use output::Output;

/// Finds, explains and reproduces the naming collision of Longhorn's backing
/// image managers (longhorn#11455).
///
/// Up to v1.9.1, a manager's name holds only the first four characters of its
/// disk's UUID. Two disks with the same four fight over one name, and backing
/// images that want both get stuck.
#[derive(Parser)]
#[command(name = "fixname", version, after_help = EXIT_CODES)]
struct Cli {
    /// Colours: auto (on a terminal, unless `NO_COLOR` is set), always or never.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "FIXNAME_COLOR"
    )]
    color: ColorChoice,
    /// No notes on stderr; errors are still printed.
    #[arg(short, long, global = true, env = "FIXNAME_QUIET")]
    quiet: bool,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  asked and answered, nothing wrong
  1  a finding, a failed scenario
  2  wrong usage, unreadable or invalid input
  3  the environment could not be made or reached
  4  timeout
  5  nothing ran
  130  interrupted";

#[derive(Subcommand)]
enum Verb {
    Replay(verbs::replay::Args),
    Scenario(verbs::scenario::Args),
    Serve(verbs::serve::Args),
    Conform(verbs::conform::Args),
    Detect(verbs::detect::Args),
    Names(verbs::names::Args),
    Versions(verbs::versions::Args),
    Odds(verbs::odds::Args),
    Simulate(Box<verbs::simulate::Args>),
    Population(verbs::population::Args),
    Crds(verbs::crds::Args),
}

/// A replayed scenario is a hundred thousand small objects of JSON; the system's
/// allocator takes a quarter longer for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut command = Cli::command();
    // kubectl runs its plugins as `kubectl-NAME`; usage texts then say what was typed.
    let called = std::env::args_os().next().unwrap_or_default();
    let stem = std::path::Path::new(&called).file_stem();
    if stem.is_some_and(|stem| stem.to_string_lossy().starts_with("kubectl-")) {
        command = command.bin_name("kubectl fixname");
    }
    let matches = command.get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let output = Output::new(cli.color, cli.quiet);
    let result = match cli.verb {
        Verb::Replay(args) => verbs::replay::run(&args, &output),
        Verb::Scenario(args) => verbs::scenario::run(&args, &output),
        Verb::Serve(args) => verbs::serve::run(&args, &output),
        Verb::Conform(args) => verbs::conform::run(&args, &output),
        Verb::Detect(args) => verbs::detect::run(&args, &output),
        Verb::Names(args) => verbs::names::run(&args, &output),
        Verb::Versions(args) => verbs::versions::run(&args, &output),
        Verb::Odds(args) => verbs::odds::run(&args, &output),
        Verb::Simulate(args) => verbs::simulate::run(&args, &output),
        Verb::Population(args) => verbs::population::run(&args, &output),
        Verb::Crds(args) => verbs::crds::run(&args, &output),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(Failure::PipeClosed) => Exit::Ok.into(),
        Err(Failure::Told {
            exit,
            message,
            next,
        }) => {
            output.error(&message, next.as_deref());
            exit.into()
        }
    }
}
