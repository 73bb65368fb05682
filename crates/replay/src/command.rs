//! A program of the scenario's own that is run against the cluster: kubectl, a script
//! of the user's, the tool that a team wants to try out.
//!
//! It gets a kubeconfig in `KUBECONFIG` and the namespace in `FIXNAME_NAMESPACE`. The
//! embedded server listens on loopback for as long as the program runs, and model
//! time stands still meanwhile, so that what follows is the same each time.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fixname_apiserver::ServeOptions;
use kube::config::Kubeconfig;
use schemars::JsonSchema;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::backend::Session;

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How much of what it prints is read.
const MOST_OUTPUT: u64 = 1 << 20;

/// How many of its last lines a failure shows.
const LAST_LINES: usize = 10;

/// A program to run, and how it is expected to end.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Command {
    /// The program and its arguments, as they are: no shell reads them.
    pub command: Vec<String>,
    /// The exit code.
    #[serde(default)]
    pub exit: i32,
    /// Something that its standard output has to contain.
    pub contains: Option<String>,
    /// Real seconds after which it is ended, and has failed.
    #[serde(default = "minute")]
    pub within: u32,
}

fn minute() -> u32 {
    60
}

impl Command {
    /// What is wrong with it as it is written.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self.command.first() {
            None => Some("a command without a program"),
            Some(program) if program.is_empty() => Some("a command whose program has no name"),
            _ if self.within == 0 => Some("a command that may take 0 seconds"),
            _ if self.contains.as_deref() == Some("") => {
                Some("every output contains the empty text")
            }
            _ => None,
        }
    }

    /// Runs it, in the folder of the scenario's file.
    ///
    /// # Errors
    ///
    /// That it could not be started, took too long, or ended otherwise than expected,
    /// with its last lines.
    pub(crate) async fn run(
        &self,
        session: &Session,
        scenario: Option<&str>,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), String> {
        let shown = self.command.join(" ");
        let folder = tempfile::Builder::new()
            .prefix("fixname-command-")
            .tempdir()
            .map_err(|e| format!("make a folder for {shown:?}: {e}"))?;
        let config = folder.path().join("kubeconfig");
        let serving = match (&session.server, &session.kubeconfig) {
            (Some(server), _) => {
                let serving = server.serve(ServeOptions::default()).await;
                Some(serving.map_err(|e| format!("serve the API on loopback: {e}"))?)
            }
            (None, Some(_)) => None,
            (None, None) => return Err("this backend has no kubeconfig for a command".to_owned()),
        };
        let kubeconfig = match (&serving, &session.kubeconfig) {
            (Some(serving), _) => {
                Kubeconfig::from_yaml(&serving.kubeconfig()).map_err(|e| e.to_string())?
            }
            (None, Some(kubeconfig)) => kubeconfig.clone(),
            (None, None) => Kubeconfig::default(),
        };
        write_private(&config, kubeconfig, &session.namespace)
            .map_err(|e| format!("write a kubeconfig: {e}"))?;
        let ended = self.ended(&folder, &config, session, scenario, cancelled);
        let ended = ended.await;
        if let Some(serving) = serving {
            serving.shutdown().await;
        }
        let Ended { status, output } = ended.map_err(|e| format!("run {shown:?}: {e}"))?;
        let told = |what: String| {
            let mut text = format!("{shown:?} {what}");
            for line in output.last() {
                text.push_str("\n  ");
                text.push_str(&line);
            }
            text
        };
        match status.code() {
            Some(code) if code == self.exit => {}
            Some(code) => return Err(told(format!("ended with {code}, not with {}", self.exit))),
            None => return Err(told("was ended by a signal".to_owned())),
        }
        match &self.contains {
            Some(text) if !output.stdout.contains(text.as_str()) => {
                Err(told(format!("did not print {text:?}")))
            }
            _ => Ok(()),
        }
    }

    async fn ended(
        &self,
        folder: &TempDir,
        kubeconfig: &Path,
        session: &Session,
        scenario: Option<&str>,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Ended, String> {
        let printed = [folder.path().join("stdout"), folder.path().join("stderr")];
        let [stdout, stderr] = printed.each_ref().map(File::create);
        let text = |e: std::io::Error| e.to_string();
        let (program, arguments) = self.command.split_first().ok_or("no program")?;
        let mut command = std::process::Command::new(program);
        command
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .env("FIXNAME_NAMESPACE", &session.namespace)
            .stdin(Stdio::null())
            .stdout(stdout.map_err(text)?)
            .stderr(stderr.map_err(text)?);
        let beside = scenario.and_then(|file| Path::new(file).parent());
        if let Some(beside) = beside.filter(|folder| folder.is_dir()) {
            command.current_dir(beside);
        }
        // With what it starts itself, so that all of it can be ended.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = Group(command.spawn().map_err(text)?);
        let limit = Duration::from_secs(self.within.into());
        let stop = Arc::new(AtomicBool::new(false));
        let (tick, mut ticks) = mpsc::channel(1);
        // Virtual time would run on while somebody waits for a child; it stands still
        // while a thread is at work. So the thread waits, and its ticks are the clock.
        let told = stop.clone();
        let waiting = tokio::task::spawn_blocking(move || wait(child, limit, &told, &tick));
        while ticks.recv().await.is_some() {
            if cancelled() {
                stop.store(true, Ordering::Relaxed);
            }
        }
        let status = waiting.await.map_err(|e| e.to_string())??;
        let [stdout, stderr] = printed.each_ref().map(read);
        Ok(Ended {
            status,
            output: Output { stdout, stderr },
        })
    }
}

/// How a program ended.
struct Ended {
    status: ExitStatus,
    output: Output,
}

struct Output {
    stdout: String,
    stderr: String,
}

impl Output {
    /// The last lines of both, without control characters.
    fn last(&self) -> Vec<String> {
        let lines = |text: &str| -> Vec<String> {
            let all: Vec<&str> = text.lines().collect();
            let from = all.len().saturating_sub(LAST_LINES);
            all[from..].iter().map(|line| clean(line)).collect()
        };
        [lines(&self.stdout), lines(&self.stderr)].concat()
    }
}

fn clean(line: &str) -> String {
    let plain = |c: char| {
        if c.is_control() && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    line.chars().map(plain).collect()
}

fn read(file: &PathBuf) -> String {
    let mut bytes = Vec::new();
    match File::open(file).and_then(|f| f.take(MOST_OUTPUT).read_to_end(&mut bytes)) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(what it printed cannot be read: {error})"),
    }
}

/// A child and its descendants. Dropping it ends them.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = i32::try_from(self.0.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            // Gone already, in most cases.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait(
    mut child: Group,
    limit: Duration,
    stop: &AtomicBool,
    tick: &mpsc::Sender<()>,
) -> Result<ExitStatus, String> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.0.try_wait().map_err(|e| e.to_string())? {
            return Ok(status);
        }
        if stop.load(Ordering::Relaxed) {
            return Err("interrupted".to_owned());
        }
        if began.elapsed() >= limit {
            return Err(format!("it was ended after {} s", limit.as_secs()));
        }
        // A full channel means that nobody has looked since the last tick.
        let _ = tick.try_send(());
        std::thread::sleep(LOOK);
    }
}

/// Writes a kubeconfig that leads to the namespace, for its owner's eyes only.
fn write_private(path: &Path, mut config: Kubeconfig, namespace: &str) -> std::io::Result<()> {
    let current = config.current_context.clone();
    for named in &mut config.contexts {
        if let (true, Some(context)) = (current.as_ref() == Some(&named.name), &mut named.context) {
            context.namespace = Some(namespace.to_owned());
        }
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // JSON is YAML.
    serde_json::to_writer(options.open(path)?, &config)?;
    Ok(())
}
