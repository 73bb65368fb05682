//! `fixname scenario`: looks at scenario files without playing them, and makes some.

use std::path::PathBuf;

use clap::Subcommand;
use fixname_replay::explain::explain;
use fixname_replay::{LoadError, Scenario, Template, load};
use fixname_report::{catalogue, data};

use super::playing::{Format, Printing};
use super::replay::matches;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Look at scenario files without playing them.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 all is well, 2 a scenario file is wrong.

Examples:
  fixname scenario lint scenarios
  fixname scenario explain scenarios same-node
  fixname scenario docs scenarios > docs/scenario-catalogue.md
  fixname scenario schema > docs/scenario.schema.json
  fixname scenario schema --template > docs/scenario-template.schema.json")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Find every mistake that can be found without playing.
    Lint(Files),
    /// A line for each scenario.
    List(Files),
    /// A page about them in Markdown.
    Docs(Files),
    Record(super::record::Args),
    /// What a scenario means: what is set up, what each step does and expects, how
    /// that is proved, and which runs it makes.
    Explain {
        /// A scenario file, or a folder with *.yaml files.
        #[arg(value_name = "FILE")]
        path: PathBuf,
        /// Only the scenarios of this name; * stands for any letters.
        #[arg(value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        printing: Printing,
    },
    /// The JSON Schema of scenario files, for editors.
    Schema {
        /// That of templates instead.
        #[arg(long, env = "FIXNAME_TEMPLATE")]
        template: bool,
    },
}

#[derive(clap::Args)]
struct Files {
    /// Scenario files, or folders with *.yaml files.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

impl Files {
    fn load(&self, output: &Output) -> Result<Vec<Scenario>, Failure> {
        load::load(&self.paths).map_err(|error| refused(&error, output))
    }

    fn templates(&self, output: &Output) -> Result<Vec<Template>, Failure> {
        load::templates(&self.paths).map_err(|error| refused(&error, output))
    }
}

fn refused(LoadError(problems): &LoadError, output: &Output) -> Failure {
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    output.problems(&problems);
    let message = match problems.len() {
        1 => "the scenarios have a problem".to_owned(),
        n => format!("the scenarios have {n} problems"),
    };
    Failure::usage(message, "mend the files named above")
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    match &args.what {
        What::Lint(files) => {
            let scenarios = files.load(output)?;
            let count = fixname_report::text::count(scenarios.len(), "scenario");
            output.text(&format!("{count}, no problem\n"))?;
        }
        What::List(files) => {
            let scenarios = files.load(output)?;
            output.text(&catalogue::list(&scenarios, &files.templates(output)?))?;
        }
        What::Docs(files) => {
            let scenarios = files.load(output)?;
            output.data(&catalogue::markdown(&scenarios, &files.templates(output)?))?;
        }
        What::Explain {
            path,
            name,
            printing,
        } => {
            let files = Files {
                paths: vec![path.clone()],
            };
            let mut scenarios = files.load(output)?;
            if let Some(pattern) = name {
                let names: Vec<String> = scenarios.iter().map(|s| s.name.clone()).collect();
                scenarios.retain(|s| matches(pattern, &s.name));
                if scenarios.is_empty() {
                    let message = format!("there is no scenario {pattern:?}");
                    let next = format!("choose from {}", names.join(", "));
                    return Err(Failure::usage(message, next));
                }
            }
            let explained: Vec<_> = scenarios.iter().map(explain).collect();
            match printing.output {
                Format::Text => output.text(&fixname_report::explain::text(&explained))?,
                Format::Json => output.data(&fixname_report::explain::json(&explained))?,
            }
        }
        What::Record(args) => return super::record::run(args, output),
        What::Schema { template } => {
            let schema = if *template {
                load::template_schema()
            } else {
                load::schema()
            };
            output.data(&data::json(&schema))?;
        }
    }
    Ok(Exit::Ok)
}
