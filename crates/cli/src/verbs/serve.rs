//! `fixname serve`: the embedded API server on loopback and the model of Longhorn
//! on it, for kubectl and for controllers, until it is told to stop.

use std::path::{Path, PathBuf};

use fixname_apiserver::{ApiServer, LoadError, ServeError, ServeOptions, Serving, SystemClock};
use fixname_capture::{CaptureError, RawObject, Source, read_objects};
use fixname_controllers::{Level, Parts, Trace, TraceItem};
use fixname_longhorn::NAMESPACE;
use fixname_naming::{LonghornVersion, releases};
use fixname_replay::live::{Live, LiveOptions};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::resolved;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Serve a Kubernetes API on loopback, with a Longhorn that acts on it.
///
/// The embedded API server with Longhorn's definitions and the namespace
/// longhorn-system, and the model of one Longhorn version: its webhooks judge
/// requests, its controllers act in real time, and what they log is on stderr.
/// kubectl and controllers in any language work against it as against
/// kube-apiserver, with TLS on 127.0.0.1 and a token. Everything is in memory,
/// and gone when it ends.
///
/// --play none leaves the server alone; with some parts only, your own
/// controller can take the place of the others.
///
/// When it is ready it prints one line on stdout, `ready https://127.0.0.1:PORT`.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 stopped by Ctrl-C or SIGTERM, 2 a flag or a file is wrong,
3 the port is taken.

Examples:
  fixname serve --kubeconfig-out serve.kubeconfig
  kubectl --kubeconfig serve.kubeconfig -n longhorn-system get backingimages

  fixname serve --longhorn v1.9.1 --load nodes.json  (see two disks collide)
  fixname serve --load cluster.json --play none      (a dump, as it is)
  fixname serve --crds longhorn.yaml                 (Longhorn's own definitions)")]
pub(crate) struct Args {
    /// The version that is played; if not given, the one in the setting
    /// current-longhorn-version among the loaded objects, else the newest one.
    #[arg(long, value_name = "VERSION", env = "FIXNAME_LONGHORN")]
    longhorn: Option<LonghornVersion>,
    /// What of the model is played: all (if not given), none, or some of
    /// backing-image, backing-image-manager, data-source, manager-pods, node,
    /// replica, volume, scheduler, webhooks.
    #[arg(long, value_name = "PART,…", env = "FIXNAME_PLAY")]
    play: Option<Parts>,
    /// Load the definitions in this manifest instead; - is stdin. What else is in
    /// it and conversion webhooks are left out, and Helm's placeholders are made
    /// harmless.
    #[arg(long, value_name = "FILE", env = "FIXNAME_CRDS")]
    crds: Vec<PathBuf>,
    /// Create the objects in this file, with their status; - is stdin. A List,
    /// several YAML documents or several JSON values, as kubectl prints them.
    #[arg(long, value_name = "FILE", env = "FIXNAME_LOAD")]
    load: Vec<PathBuf>,
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0, env = "FIXNAME_PORT")]
    port: u16,
    /// Where to write the kubeconfig, for its owner's eyes only. Without it, a
    /// file in the folder for temporary files, which is removed at the end.
    #[arg(long, value_name = "FILE", env = "FIXNAME_KUBECONFIG_OUT")]
    kubeconfig_out: Option<PathBuf>,
    /// Where uids and generated names come from.
    #[arg(long, value_name = "N", default_value_t = 1, env = "FIXNAME_SEED")]
    seed: u64,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let objects = read(&args.load)?;
    let longhorn = version(args, output, &objects)?;
    let definitions = definitions(args, &longhorn, output)?;
    let live = LiveOptions {
        longhorn,
        parts: parts(args, output, &definitions)?,
        seed: args.seed,
    };
    if let Some(path) = &args.kubeconfig_out {
        check_not_foreign(path)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| environment(format!("cannot start: {e}"), None))?;
    runtime.block_on(serve(args, output, &definitions, &objects, live))
}

async fn serve(
    args: &Args,
    output: &Output,
    definitions: &[Value],
    objects: &[RawObject],
    live: LiveOptions,
) -> Result<Exit, Failure> {
    // Before anything else, so that no signal finds the program unprepared.
    let stop =
        stop_signal().map_err(|e| environment(format!("cannot wait for signals: {e}"), None))?;
    let server = ApiServer::builder()
        .seed(args.seed)
        .clock(SystemClock)
        .build();
    let notes = fill(&server, output, definitions, objects).await?;
    let played = match live.parts.is_empty() {
        true => "nothing of Longhorn is played".to_owned(),
        false => format!("Longhorn {} is played: {}", live.longhorn, live.parts),
    };
    let live = Live::start(&server, live, longhorn_log(*output))
        .map_err(|e| Failure::usage(e.to_string(), "fixname versions lists them"))?;
    let options = ServeOptions::default().port(args.port);
    let serving = server.serve(options).await.map_err(port_taken)?;
    let kubeconfig = Kubeconfig::write(args.kubeconfig_out.as_deref(), &serving)?;
    for note in notes {
        output.note(&note);
    }
    output.note(&played);
    if !output.is_quiet() {
        output.next(&format!(
            "export KUBECONFIG={}",
            shell_word(&kubeconfig.path.display().to_string())
        ));
        output.next("Ctrl-C stops the server");
    }
    output.data(&format!("ready {}\n", serving.https_url()))?;
    stop.await;
    drop(live);
    serving.shutdown().await;
    drop(kubeconfig);
    Ok(Exit::Ok)
}

/// The version that is played.
fn version(
    args: &Args,
    output: &Output,
    objects: &[RawObject],
) -> Result<LonghornVersion, Failure> {
    let loaded = objects.iter().find(|object| {
        let name = object.object.get("metadata").map(|m| &m["name"]);
        object.kind() == "Setting" && name == Some(&json!("current-longhorn-version"))
    });
    let loaded = loaded
        .and_then(|setting| setting.object.get("value")?.as_str())
        .filter(|value| !value.is_empty());
    let asked = match (&args.longhorn, loaded) {
        (Some(version), _) => version.clone(),
        (None, Some(text)) => text.parse().map_err(|error| {
            let problem = format!("the setting current-longhorn-version is {text:?}: {error}");
            Failure::usage(problem, "say which version to play with --longhorn")
        })?,
        (None, None) => match releases().last() {
            Some(release) => release.version.clone(),
            None => return Err(Failure::usage("no version is known", "give --longhorn")),
        },
    };
    resolved(&asked, output)?;
    Ok(asked)
}

/// What is played. The model needs the definitions of its kinds.
fn parts(args: &Args, output: &Output, definitions: &[Value]) -> Result<Parts, Failure> {
    let missing = super::crds::missing(definitions);
    let parts = args.play.unwrap_or_default();
    if missing.is_empty() || parts.is_empty() {
        return Ok(parts);
    }
    let problem = format!("the definitions lack {}", missing.join(", "));
    match args.play {
        Some(_) => Err(Failure::usage(
            format!("{problem}, so --play {parts} cannot be played"),
            "give the whole manifest, or --play none",
        )),
        None => {
            output.note(&format!("{problem}, so nothing is played"));
            Ok(Parts::NONE)
        }
    }
}

/// What the model's manager logs, in the form of Longhorn's own log.
fn longhorn_log(output: Output) -> Trace {
    let began = Timestamp::now();
    Trace::told_to(move |entry| {
        let at = began + SignedDuration::try_from(entry.at).unwrap_or_default();
        let line = match entry.item {
            TraceItem::Log(line) => {
                let level = match line.level {
                    Level::Info => "info",
                    Level::Warning => "warning",
                    Level::Error => "error",
                };
                let error = line.error.map(|error| format!(" error={error:?}"));
                let (message, image) = (line.message, line.image);
                format!(
                    "level={level} msg={message:?} backingImage={image}{}",
                    error.unwrap_or_default()
                )
            }
            TraceItem::Event(event) => format!("level=info msg={:?}", event.text()),
            TraceItem::Panic(text) => format!("level=fatal msg={:?}", format!("panic: {text}")),
            TraceItem::Trouble(text) => format!("level=error msg={text:?}"),
        };
        output.log(&format!("time=\"{at:.0}\" {line}"));
    })
}

/// The definitions asked for.
fn definitions(
    args: &Args,
    longhorn: &LonghornVersion,
    output: &Output,
) -> Result<Vec<Value>, Failure> {
    if args.crds.is_empty() {
        return super::crds::definitions(Some(longhorn), output);
    }
    super::crds::given(&args.crds, output)
}

fn read(files: &[PathBuf]) -> Result<Vec<RawObject>, Failure> {
    let sources: Vec<Source> = files.iter().cloned().map(Source::from).collect();
    if sources.iter().filter(|s| **s == Source::Stdin).count() > 1 {
        let error = CaptureError::StdinTwice;
        return Err(Failure::usage(error.to_string(), error.advice()));
    }
    let mut objects = Vec::new();
    for source in &sources {
        let read = read_objects(source)
            .map_err(|error| Failure::usage(error.to_string(), error.advice()))?;
        objects.extend(read);
    }
    Ok(objects)
}

/// Puts definitions, namespace and objects into the server; answers with what
/// is good to know about them.
async fn fill(
    server: &ApiServer,
    output: &Output,
    definitions: &[Value],
    objects: &[RawObject],
) -> Result<Vec<String>, Failure> {
    let mut first: Vec<Value> = definitions.to_vec();
    first.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}));
    let mut notes = match server.load(&first).await {
        Ok(loaded) => loaded.notes,
        Err(LoadError { refused, .. }) => {
            let lines = refused
                .iter()
                .map(|(i, why)| format!("definition {}: {why}", name(&first[*i])));
            output.problems(&lines.collect::<Vec<_>>());
            return Err(Failure::usage(
                format!("{} cannot be loaded", counted(refused.len(), "definition")),
                "give definitions that a Kubernetes API server accepts",
            ));
        }
    };
    let values: Vec<Value> = objects
        .iter()
        .map(|o| Value::Object(o.object.clone()))
        .collect();
    let loaded = match server.load(&values).await {
        Ok(loaded) => loaded,
        Err(LoadError { refused, .. }) => {
            let lines = refused.iter().map(|(i, why)| {
                let RawObject { file, at, .. } = &objects[*i];
                let kind = objects[*i].kind();
                format!("{file}:{at}: {kind} {}: {why}", name(&values[*i]))
            });
            output.problems(&lines.collect::<Vec<_>>());
            let next = if refused
                .iter()
                .any(|(_, why)| why.ends_with("is not served"))
            {
                "give the definitions of these kinds with --crds, or leave the objects out"
            } else {
                "mend the objects named above; nothing is served"
            };
            let message = format!("{} cannot be loaded", counted(refused.len(), "object"));
            return Err(Failure::usage(message, next));
        }
    };
    notes.extend(loaded.notes);
    if !loaded.namespaces.is_empty() {
        notes.push(format!(
            "made for the objects: namespace {}",
            loaded.namespaces.join(", ")
        ));
    }
    if loaded.objects > 0 {
        notes.push(format!("{} loaded", counted(loaded.objects, "object")));
    }
    Ok(notes)
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or("(no name)")
}

pub(super) fn counted(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

fn environment(message: String, next: Option<&str>) -> Failure {
    Failure::Told {
        exit: Exit::Environment,
        message,
        next: next.map(str::to_owned),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "what map_err wants: the error is used up"
)]
fn port_taken(error: ServeError) -> Failure {
    environment(
        format!("cannot {error}: {}", error.source),
        Some("choose another --port, or none for a free one"),
    )
}

/// The kubeconfig's file; removed at the end unless its place was asked for.
struct Kubeconfig {
    path: PathBuf,
    keep: bool,
}

impl Kubeconfig {
    fn write(asked: Option<&Path>, serving: &Serving) -> Result<Self, Failure> {
        let path = match asked {
            Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            None => std::env::temp_dir().join(format!(
                "fixname-serve-{}-{}.kubeconfig",
                std::process::id(),
                serving.port()
            )),
        };
        let this = Self {
            path,
            keep: asked.is_some(),
        };
        serving.write_kubeconfig(&this.path).map_err(|error| {
            Failure::usage(
                format!(
                    "cannot write the kubeconfig {}: {error}",
                    this.path.display()
                ),
                "give a file in a folder that you may write with --kubeconfig-out",
            )
        })?;
        Ok(this)
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        if !self.keep {
            // Nothing more can be done about a file that does not go.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Refuses to write over a kubeconfig of somebody else's.
fn check_not_foreign(path: &Path) -> Result<(), Failure> {
    let foreign = match std::fs::read_to_string(path) {
        Ok(text) => !text.trim().is_empty() && !text.contains("\ncurrent-context: fixname\n"),
        Err(error) => error.kind() == std::io::ErrorKind::InvalidData,
    };
    if foreign {
        return Err(Failure::usage(
            format!(
                "--kubeconfig-out {}: the file is there, and was not written by fixname serve",
                path.display()
            ),
            "name a file that is not there yet; it is never added to an existing kubeconfig",
        ));
    }
    Ok(())
}

/// A word that a shell takes as it is.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Resolves at the first Ctrl-C or SIGTERM.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        Ok(async {
            let _ = tokio::signal::ctrl_c().await;
        })
    }
}
