//! A session at a shell: kubectl runs against one server, and what it prints is
//! written down with everything taken out that may differ between two servers
//! (uids, versions, times, ports). Finds the programs; judges nothing else.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fixname_apiserver::{ApiServer, ServeOptions, SystemClock};
use fixname_controlplane::{ControlPlane, Options};
use regex::Regex;

/// A kubectl, and the minor version it says it has.
#[derive(Debug, Clone)]
struct Kubectl {
    path: PathBuf,
    minor: String,
}

/// The kubectls to test with: `FIXNAME_KUBECTL` names them, with colons between,
/// or one of each minor version is taken from the usual places.
fn kubectls() -> &'static [Kubectl] {
    static FOUND: OnceLock<Vec<Kubectl>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut places: Vec<PathBuf> = Vec::new();
        if let Some(named) = std::env::var_os("FIXNAME_KUBECTL") {
            places.extend(std::env::split_paths(&named));
        } else {
            let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
            let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
            let cache = std::env::var_os("XDG_CACHE_HOME")
                .map_or_else(|| home.join(".cache"), PathBuf::from);
            let folders = assets.into_iter().chain([
                cache.join("fixname/bin"),
                cache.join("kind-offline/bin"),
            ]);
            places.extend(folders.map(|folder| folder.join("kubectl")));
            let versions = std::fs::read_dir(cache.join("fixname")).into_iter().flatten();
            places.extend(versions.flatten().map(|entry| entry.path().join("kubectl")));
        }
        let mut found: BTreeMap<String, Kubectl> = BTreeMap::new();
        for path in places.into_iter().filter(|p| p.is_file()) {
            let out = Command::new(&path)
                .args(["version", "--client", "-o", "json"])
                .output()
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let version: serde_json::Value = serde_json::from_slice(&out.stdout)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let minor = version["clientVersion"]["minor"].as_str().unwrap_or_default();
            found.entry(minor.to_owned()).or_insert(Kubectl {
                path,
                minor: minor.to_owned(),
            });
        }
        assert!(
            found.len() >= 2,
            "kubectl of two minor versions is needed, found {:?}: run ci/test clients, or name them in FIXNAME_KUBECTL",
            found.values().collect::<Vec<_>>()
        );
        found.into_values().collect()
    })
}

fn real() -> &'static ControlPlane {
    static REAL: OnceLock<ControlPlane> = OnceLock::new();
    REAL.get_or_init(|| {
        ControlPlane::start_blocking(Options::default().controllers(true))
            .unwrap_or_else(|e| panic!("{e}"))
    })
}

/// Runs a body with every kubectl on both servers, and compares what was seen.
#[track_caller]
pub(crate) fn compare(name: &str, body: fn(&mut Session)) {
    for kubectl in kubectls() {
        let embedded = on_embedded(name, kubectl, body);
        let folder = tempfile::tempdir().expect("a folder for the session");
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, real().kubeconfig()).expect("the kubeconfig is written");
        let mut session = Session::new(name, kubectl, folder);
        body(&mut session);
        session.end();
        let real = session.transcript;
        assert!(
            embedded == real,
            "kubectl 1.{} tells the servers apart (< here, > kube-apiserver):\n{}",
            kubectl.minor,
            differences(&embedded, &real)
        );
    }
}

/// The steps that differ, with the lines that one of the two does not have.
fn differences(here: &[String], there: &[String]) -> String {
    let none = "(nothing more)".to_owned();
    let mut text = String::new();
    for i in 0..here.len().max(there.len()) {
        let (here, there) = (here.get(i).unwrap_or(&none), there.get(i).unwrap_or(&none));
        if here == there {
            continue;
        }
        text += here.lines().next().unwrap_or_default();
        text += "\n";
        let only = |a: &str, b: &str, sign: &str| -> String {
            a.lines()
                .filter(|line| !b.lines().any(|other| other == *line))
                .map(|line| format!("{sign} {line}\n"))
                .collect()
        };
        let (less, more) = (only(here, there, "<"), only(there, here, ">"));
        if less.is_empty() && more.is_empty() {
            text += &format!("in another order:\n{here}\n>\n{there}\n");
        }
        text += &less;
        text += &more;
    }
    text
}

fn on_embedded(name: &str, kubectl: &Kubectl, body: fn(&mut Session)) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let serving = runtime.block_on(async {
        ApiServer::builder()
            .clock(SystemClock)
            .build()
            .serve(ServeOptions::default())
            .await
            .expect("a free port")
    });
    let folder = tempfile::tempdir().expect("a folder for the session");
    serving
        .write_kubeconfig(&folder.path().join("kubeconfig"))
        .expect("the kubeconfig is written");
    let mut session = Session::new(name, kubectl, folder);
    body(&mut session);
    session.end();
    runtime.block_on(serving.shutdown());
    session.transcript
}

/// A kubectl that runs on.
pub(crate) struct Running {
    args: String,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

/// One session on one server.
pub(crate) struct Session {
    kubectl: Kubectl,
    folder: tempfile::TempDir,
    namespace: String,
    group: String,
    /// Stands in every name of the definition, so that sessions do not mix.
    id: String,
    transcript: Vec<String>,
}

impl Session {
    fn new(name: &str, kubectl: &Kubectl, folder: tempfile::TempDir) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let word = name.replace('_', "-");
        let mut session = Self {
            kubectl: kubectl.clone(),
            folder,
            namespace: format!("{word}-{}", kubectl.minor),
            group: format!("{word}-{}.example.io", kubectl.minor),
            id: format!("x{}", NEXT.fetch_add(1, Ordering::Relaxed)),
            transcript: Vec::new(),
        };
        session.ok("create namespace NAMESPACE");
        session.quiet("config set-context --current --namespace=NAMESPACE");
        session
    }

    /// Definitions outlive a session on the real server, and its categories with them.
    fn end(&self) {
        let _ = self.run(
            "delete crd --ignore-not-found --wait=false widgets.GROUP",
            "",
        );
    }

    fn real_names(&self, text: &str) -> String {
        text.replace("NAMESPACE", &self.namespace)
            .replace("GROUP", &self.group)
            .replace("widget", &format!("widget{}", self.id))
            .replace("Widget", &format!("Widget{}", self.id))
            .replace("SHORT", &format!("wd{}", self.id))
            .replace("things", &format!("things{}", self.id))
    }

    /// The opposite of [`Session::real_names`].
    fn given_names(&self, text: &str) -> String {
        text.replace(&self.group, "GROUP")
            .replace(&self.namespace, "NAMESPACE")
            .replace(&format!("wd{}", self.id), "SHORT")
            .replace(&self.id, "")
    }

    fn command(&self, args: &str) -> Command {
        let mut command = Command::new(&self.kubectl.path);
        command
            .args(args.split(' ').map(|word| self.real_names(word)))
            .env_clear()
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &str, input: &str) -> (i32, String) {
        self.finish(self.command(args), args, input)
    }

    fn finish(&self, mut command: Command, args: &str, input: &str) -> (i32, String) {
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("kubectl {args}: {e}"));
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        // kubectl may end without having read it.
        let _ = stdin.write_all(self.real_names(input).as_bytes());
        drop(stdin);
        let out = child
            .wait_with_output()
            .unwrap_or_else(|e| panic!("kubectl {args}: {e}"));
        let mut text = String::from_utf8_lossy(&out.stdout).into_owned();
        if !out.stderr.is_empty() {
            text += "[stderr] ";
            text += &String::from_utf8_lossy(&out.stderr);
        }
        (out.status.code().unwrap_or(-1), text)
    }

    #[track_caller]
    fn step(&mut self, wanted: Option<i32>, args: &str, input: &str) -> String {
        let (code, raw) = self.run(args, input);
        self.written(wanted, args, input, code, &raw)
    }

    #[track_caller]
    fn written(
        &mut self,
        wanted: Option<i32>,
        args: &str,
        input: &str,
        code: i32,
        raw: &str,
    ) -> String {
        let text = self.plain(raw);
        let mut step = format!("$ kubectl {args}");
        if !input.is_empty() && input.len() < 400 {
            step += &format!(" <<'E'\n{}E", self.plain(input));
        }
        let entry = format!("{step}\n[{code}] {text}");
        if let Some(wanted) = wanted {
            let so_far = self.transcript.join("\n");
            let right = if wanted < 0 {
                code != 0
            } else {
                code == wanted
            };
            assert!(right, "code {code}, wanted {wanted}:\n{so_far}\n{entry}");
        }
        self.transcript.push(entry);
        text
    }

    /// kubectl succeeds; answers with what it printed.
    #[track_caller]
    pub(crate) fn ok(&mut self, args: &str) -> String {
        self.step(Some(0), args, "")
    }

    /// The same with something on its standard input.
    #[track_caller]
    pub(crate) fn ok_with(&mut self, args: &str, input: &str) -> String {
        self.step(Some(0), args, input)
    }

    /// kubectl fails.
    #[track_caller]
    pub(crate) fn fails(&mut self, args: &str) -> String {
        self.step(Some(-1), args, "")
    }

    /// The same with something on its standard input.
    #[track_caller]
    pub(crate) fn fails_with(&mut self, args: &str, input: &str) -> String {
        self.step(Some(-1), args, input)
    }

    /// kubectl ends with this code.
    #[track_caller]
    pub(crate) fn code_with(&mut self, code: i32, args: &str, input: &str) -> String {
        self.step(Some(code), args, input)
    }

    /// kubectl succeeds; what it prints is kept out of the transcript, and
    /// returned as it is but for the names.
    #[track_caller]
    pub(crate) fn quiet(&mut self, args: &str) -> String {
        self.quiet_with(args, "")
    }

    /// The same with something on its standard input.
    #[track_caller]
    pub(crate) fn quiet_with(&mut self, args: &str, input: &str) -> String {
        let (code, raw) = self.run(args, input);
        assert_eq!(code, 0, "kubectl {args}: {raw}");
        self.given_names(&raw)
    }

    /// Something else that both servers must agree on.
    pub(crate) fn note(&mut self, text: &str) {
        let text = self.plain(text);
        self.transcript.push(text);
    }

    /// kubectl with an editor that replaces one text by another.
    #[track_caller]
    pub(crate) fn edit(&mut self, args: &str, from: &str, to: &str) {
        let editor = self.folder.path().join("editor");
        let script = format!("#!/bin/sh\nsed -i 's/{from}/{to}/' \"$1\"\n");
        std::fs::write(&editor, script).expect("the editor is written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&editor, mode).expect("the editor can be run");
        let mut command = self.command(args);
        command.env("KUBE_EDITOR", &editor);
        let (code, raw) = self.finish(command, args, "");
        self.written(Some(0), args, "", code, &raw);
    }

    /// Defines widgets, and waits until they are served.
    #[track_caller]
    pub(crate) fn define(&mut self) {
        self.ok_with("create -f -", DEFINITION);
        self.ok("wait --for=condition=Established crd/widgets.GROUP --timeout=30s");
        // Discovery and the documents for explain come a little later than that.
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let path = "get --raw /openapi/v3/apis/GROUP/v1";
            let (found, _) = self.run("get widgets", "");
            let (described, text) = self.run(path, "");
            let is_there = found == 0 && described == 0 && text.contains("a thing with a size");
            // The index of the documents comes last.
            if is_there && self.run("explain widget", "").0 == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "widgets are not served: {text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Starts kubectl and lets it run.
    pub(crate) fn spawn(&mut self, args: &str) -> Running {
        let mut child = self
            .command(args)
            .spawn()
            .unwrap_or_else(|e| panic!("kubectl {args}: {e}"));
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Running {
            args: args.to_owned(),
            child,
            stdout,
        }
    }

    /// Waits for a kubectl that was started, and for this code.
    #[track_caller]
    pub(crate) fn join(&mut self, mut running: Running, code: i32) {
        let mut text = String::new();
        let _ = running.stdout.read_to_string(&mut text);
        let mut errors = String::new();
        if let Some(mut stderr) = running.child.stderr.take() {
            let _ = stderr.read_to_string(&mut errors);
        }
        let status = running.child.wait().expect("kubectl can be waited for");
        let raw = format!("{text}{errors}");
        let args = running.args;
        self.written(Some(code), &args, "", status.code().unwrap_or(-1), &raw);
    }

    /// The next line of a running kubectl; it must have `word` in it.
    #[track_caller]
    pub(crate) fn line_of(&mut self, running: &mut Running, word: &str) {
        // A kubectl that says nothing more is ended from aside, so that reading ends.
        let pid = running.child.id().to_string();
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let guard = std::thread::spawn(move || {
            if told.recv_timeout(Duration::from_secs(30)).is_err() {
                let _ = Command::new("kill").arg(&pid).status();
            }
        });
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            let read = running.stdout.read_line(&mut line).unwrap_or_default();
            assert!(read > 0, "no {word} from kubectl {}", running.args);
            let step = format!("{}: {}", running.args, self.plain(&line));
            self.transcript.push(step);
        }
        let _ = tell.send(());
        let _ = guard.join();
    }

    /// Time for a watch that says nothing yet to be opened. There is no sign of
    /// it outside the server.
    pub(crate) fn until_watched(&self) {
        std::thread::sleep(Duration::from_millis(1500));
    }

    pub(crate) fn stop(&mut self, mut running: Running) {
        let _ = running.child.kill();
        let _ = running.child.wait();
    }

    /// A text without what may differ from server to server.
    fn plain(&self, raw: &str) -> String {
        static RULES: OnceLock<Vec<(Regex, &'static str)>> = OnceLock::new();
        let rules = RULES.get_or_init(|| {
            [
                (
                    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
                    "UID",
                ),
                (r"https?://127\.0\.0\.1:\d+", "SERVER"),
                (r"(?i)(resource ?version)([:=\\ \x22]+)\d+", "${1}${2}RV"),
                (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
                (
                    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4}( UTC)?",
                    "TIME",
                ),
                (
                    r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
                    "TIME",
                ),
                (r"(LIVE|MERGED)-\d+", "$1"),
                (r"/tmp/[^ /]+/", "/tmp/"),
                (r"\b(\d+d)?(\d+h)?(\d+m)?\d+s\b", "AGE"),
                (r"\b\d+d(\d+h)?\b", "AGE"),
                (r"(remainingItemCount[^\d]+)\d+", "${1}N"),
                (r"[ \t]+", " "),
                (r" +\n", "\n"),
                // What client-go logs about its own doings is no answer.
                (r"[IWE]\d{4} [^\n]*\n", ""),
            ]
            .into_iter()
            .map(|(rule, word)| (Regex::new(rule).expect("the rule is well formed"), word))
            .collect()
        });
        let mut text = self.given_names(raw);
        // The order of members is each server's own.
        if let Ok(json @ serde_json::Value::Object(_)) = serde_json::from_str(&text) {
            text = json.to_string();
        }
        for (rule, word) in rules {
            text = rule.replace_all(&text, *word).into_owned();
        }
        text
    }
}

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.GROUP
spec:
  group: GROUP
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [SHORT], categories: [things]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    - {name: Phase, type: string, jsonPath: .status.phase, description: where it is in its life}
    - {name: Colour, type: string, jsonPath: .spec.colour, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema: &schema
      openAPIV3Schema:
        description: a thing with a size
        type: object
        required: [spec]
        properties:
          spec:
            description: what it shall be
            type: object
            properties:
              size: {type: integer, minimum: 0, maximum: 100, description: how large it is}
              colour: {type: string, enum: [red, green], description: what it looks like}
              mode: {type: string, default: fast}
              parts:
                description: what it is made of
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [id]
                items:
                  type: object
                  required: [id]
                  properties: {id: {type: string}, n: {type: integer, format: int64}}
              names: {type: object, additionalProperties: {type: string}}
          status:
            type: object
            properties:
              phase: {type: string}
              conditions:
                type: array
                items: {type: object, properties: {type: {type: string}, status: {type: string}}}
  - name: v1beta1
    served: true
    storage: false
    subresources: {status: {}}
    schema: *schema
"#;
