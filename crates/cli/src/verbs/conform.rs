//! `fixname conform`: replays recordings of a real Longhorn against the model.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;

use fixname_replay::Backend;
use fixname_replay::backend::{ContextBackend, ContextOptions, ControlPlaneBackend};
use fixname_replay::conform::{
    ConformOptions, ConformResult, Difference, Line, On, Totals, conform_on, parse, text as text_of,
};
use fixname_report::text::clean;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::verbs::place::{Place, Where};
use crate::verbs::playing::{Format, Manifests, Playing, Printing, no_environment};

/// Replay recordings of a real Longhorn against the model.
///
/// A recording says what was done to a cluster, step by step, and what it looked
/// like after each. The model must give the same: every field recorded, the same
/// warnings and events, the same pattern of attempts. What is random in Longhorn
/// comes from a seed; a run is reproduced if one of the seeds tried gives it whole.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 the model agrees with every recording, 1 it differs from one,
2 a recording is not understood, 5 nothing was selected.

Examples:
  fixname conform longhorn-runs.jsonl
  fixname conform longhorn-runs.jsonl --select late-collision -o json
  fixname conform longhorn-runs.jsonl --select late-collision --backend control-plane")]
pub(crate) struct Args {
    /// Files with one recording on each line, plain or gzip; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    manifests: Manifests,
    /// Only the recordings of these scenarios.
    #[arg(
        long,
        value_name = "NAME",
        env = "FIXNAME_SELECT",
        value_delimiter = ','
    )]
    select: Vec<String>,
    /// The first seed.
    #[arg(long, value_name = "N", default_value_t = 0, env = "FIXNAME_SEED")]
    seed: u64,
    /// How many seeds are tried for each run before it counts as not reproduced;
    /// 500 if not given, 12 on a real API server.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), env = "FIXNAME_SEEDS")]
    seeds: Option<u64>,
    /// Where at least three repeats agree: how many seeds must all give their
    /// states; 8 if not given, none on a real API server.
    #[arg(long, value_name = "N", env = "FIXNAME_AGREEMENT")]
    agreement: Option<u64>,
    #[command(flatten)]
    playing: Playing,
    #[command(flatten)]
    printing: Printing,
}

/// The answer, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConformJson<'a> {
    format_version: u32,
    backend: &'static str,
    /// Model seconds in a real one; null in virtual time.
    time_scale: Option<f64>,
    seed: u64,
    seeds: u64,
    #[serde(flatten)]
    result: &'a ConformResult,
    by_version: Vec<ByVersion>,
    totals: Totals,
}

#[derive(Serialize)]
struct ByVersion {
    version: String,
    #[serde(flatten)]
    totals: Totals,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let recordings = read(args, output)?;
    let is_real = args.place.backend.is_real();
    let (seeds, agreement) = if is_real { (12, 0) } else { (500, 8) };
    let options = ConformOptions {
        seed: args.seed,
        seeds: args.seeds.unwrap_or(seeds),
        agreement: args.agreement.unwrap_or(agreement),
        parallel: args.playing.threads(!is_real),
        definitions: args.manifests.definitions(output)?,
        ..ConformOptions::default()
    };
    let result = play(args, &recordings, &options)?;
    match args.printing.output {
        Format::Json => {
            let by_version = result.by_version().into_iter();
            output.data(&fixname_report::data::json(&ConformJson {
                format_version: 1,
                backend: args.place.backend.name(),
                time_scale: is_real.then_some(args.place.time_scale),
                seed: args.seed,
                seeds: options.seeds,
                by_version: by_version
                    .map(|(version, totals)| ByVersion { version, totals })
                    .collect(),
                totals: result.totals(),
                result: &result,
            }))?;
        }
        Format::Text => output.text(&text(args, &options, &result, output.is_quiet()))?,
    }
    Ok(if result.agrees() {
        Exit::Ok
    } else {
        Exit::Finding
    })
}

/// Plays on the API server asked for.
fn play(
    args: &Args,
    recordings: &[Line],
    options: &ConformOptions,
) -> Result<ConformResult, Failure> {
    let played = |on: On<'_>| {
        if let Some(line) = recordings.iter().find(|line| !on.can_play(line)) {
            return Err(Failure::usage(
                format!(
                    "{} {} needs Longhorn's webhooks, which only the embedded server has",
                    line.scenario(),
                    line.version()
                ),
                "choose others with --select, or --backend embedded",
            ));
        }
        conform_on(recordings, options, on).map_err(no_environment)
    };
    match args.place.backend {
        Where::Embedded => played(On::Embedded),
        Where::ControlPlane => {
            let backend = ControlPlaneBackend::start(args.place.time_scale);
            played(On::ControlPlane(&backend.map_err(no_environment)?))
        }
        Where::Container | Where::Kind => {
            let made = match args.place.backend {
                Where::Kind => args.place.kind(options.definitions.clone()),
                _ => args.place.container(options.definitions.clone()),
            };
            let backend = made.map_err(no_environment)?;
            let result = played(On::Context(backend.context()));
            backend.finish().map_err(no_environment)?;
            result
        }
        Where::Context => {
            let backend = ContextBackend::connect(ContextOptions {
                definitions: options.definitions.clone(),
                ..args.place.cluster()
            })
            .map_err(no_environment)?;
            let result = played(On::Context(&backend));
            backend.finish().map_err(no_environment)?;
            result
        }
    }
}

fn read(args: &Args, output: &Output) -> Result<Vec<Line>, Failure> {
    let mut recordings = Vec::new();
    let mut problems = Vec::new();
    for file in &args.files {
        let name = file.display().to_string();
        let bytes = if name == "-" {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            std::fs::read(file)
        };
        let text = bytes.and_then(|bytes| text_of(&bytes));
        match text.map(|text| parse(&name, &text)) {
            Ok(Ok(found)) => recordings.extend(found),
            Ok(Err(errors)) => problems.extend(errors.iter().map(ToString::to_string)),
            Err(error) => problems.push(format!("{name}: {error}")),
        }
    }
    if !problems.is_empty() {
        output.problems(&problems);
        return Err(Failure::usage(
            match problems.len() {
                1 => "the recordings have a problem".to_owned(),
                n => format!("the recordings have {n} problems"),
            },
            "mend the lines named above; nothing was played",
        ));
    }
    recordings.retain(|r| args.select.is_empty() || args.select.iter().any(|s| s == r.scenario()));
    if recordings.is_empty() {
        return Err(Failure::Told {
            exit: Exit::NothingRan,
            message: "there is no recording to play".to_owned(),
            next: Some("fixname conform FILE without --select plays all of them".to_owned()),
        });
    }
    Ok(recordings)
}

fn text(args: &Args, options: &ConformOptions, result: &ConformResult, quiet: bool) -> String {
    let mut text = String::new();
    let mut line = |lines: String| {
        for line in lines.lines() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", clean(line));
        }
    };
    for r in &result.recordings {
        let name = format!("{} {} run {}", r.scenario, r.version, r.run);
        if !r.matches {
            line(format!("differs     {name}"));
            r.differences.iter().for_each(|d| line(difference(d)));
        } else if args.playing.verbose {
            let seed = r.seed.unwrap_or_default();
            let how = if r.whole { "whole" } else { "states" };
            line(format!("reproduced  {name} ({how}, seed {seed})"));
        }
    }
    for r in &result.recordings {
        if let Some(astray) = r.astray.as_ref().filter(|_| args.playing.verbose) {
            let (name, seeds) = (
                format!("{} {} run {}", r.scenario, r.version, r.run),
                astray.seeds,
            );
            line(format!(
                "astray      {name}: {seeds} of {} seeds, the first {}",
                r.tried, astray.first
            ));
            astray.differences.iter().for_each(|d| line(difference(d)));
        }
    }
    for a in &result.agreements {
        let name = format!("{} {}: {} runs agree", a.scenario, a.version, a.runs);
        if !a.holds {
            let seed = a.seed.unwrap_or_default();
            line(format!(
                "differs     {name}, but seed {seed} gives another state"
            ));
            a.differences.iter().for_each(|d| line(difference(d)));
        } else if args.playing.verbose {
            let seeds = options.agreement;
            line(format!("reproduced  {name}, and so do {seeds} seeds"));
        }
    }
    if !quiet {
        for (version, totals) in result.by_version() {
            line(format!(
                "{version:<8} {:>4} of {:>4} reproduced, {} whole",
                totals.reproduced, totals.recordings, totals.whole
            ));
        }
    }
    let totals = result.totals();
    line(format!(
        "all      {:>4} of {:>4} reproduced, {} whole, with {} seeds from {}",
        totals.reproduced, totals.recordings, totals.whole, options.seeds, options.seed
    ));
    if totals.astray > 0 {
        line(format!(
            "{} seeds were played for them; {} came to a state that differs from every recorded one by more than which disk won.",
            totals.tried, totals.astray
        ));
    }
    let held = result.agreements.iter().filter(|a| a.holds).count();
    if options.agreement > 0 && !result.agreements.is_empty() {
        line(format!(
            "Where repeats agree, {} seeds must all give their states: {held} of {} groups do.",
            options.agreement,
            result.agreements.len()
        ));
    }
    text
}

fn difference(d: &Difference) -> String {
    let side = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "nothing".to_owned(),
        value => value.to_string(),
    };
    format!(
        "  step {}, {}\n    recorded: {}\n    model:    {}",
        d.step,
        d.field,
        side(&d.recorded),
        side(&d.model)
    )
}
