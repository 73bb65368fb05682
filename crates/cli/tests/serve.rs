//! `fixname serve` as a script meets it: the ready line, the kubeconfig, what
//! is loaded, the ways it ends, and what is said when something is wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

fn fixname(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fixname"));
    command.arg("serve").args(flags);
    for name in [
        "LONGHORN",
        "PLAY",
        "CRDS",
        "LOAD",
        "PORT",
        "KUBECONFIG_OUT",
        "SEED",
    ] {
        command.env_remove(format!("FIXNAME_{name}"));
    }
    command
}

/// A server that runs until the test ends.
struct Server {
    child: Child,
    port: u16,
    token: String,
    kubeconfig: PathBuf,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        let mut child = fixname(flags)
            .arg("--kubeconfig-out")
            .arg(&kubeconfig)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.path().join("stderr")).expect("a file"))
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("stdout is a pipe"))
            .read_line(&mut line)
            .expect("stdout can be read");
        let talk = std::fs::read_to_string(folder.path().join("stderr")).unwrap_or_default();
        let url = line.strip_prefix("ready https://127.0.0.1:");
        let url = url.unwrap_or_else(|| panic!("{line:?}, and on stderr {talk}"));
        let port = url.trim_end().parse().expect("a port");
        let text = std::fs::read_to_string(&kubeconfig).expect("the kubeconfig is there");
        let token = text.lines().find_map(|l| l.trim().strip_prefix("token: "));
        let token = token.expect("a token").to_owned();
        Self {
            child,
            port,
            token,
            kubeconfig,
            folder,
        }
    }

    fn talk(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).expect("stderr was written")
    }

    /// GET over plain HTTP with the kubeconfig's token.
    fn get(&self, path: &str) -> serde_json::Value {
        self.ask("GET", path, "")
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the port is open");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.token,
            body.len()
        )
        .expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("head and body");
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"))
    }

    fn signal(&mut self, signal: &str) -> ExitStatus {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(sent.success());
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self
                .child
                .try_wait()
                .expect("the program can be waited for")
            {
                return status;
            }
            assert!(Instant::now() < deadline, "no end 20 s after {signal}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn refused(flags: &[&str]) -> (i32, String) {
    let Output {
        status,
        stderr,
        stdout,
    } = fixname(flags).output().expect("the program starts");
    assert!(stdout.is_empty(), "no ready line: {stdout:?}");
    let talk = String::from_utf8(stderr).expect("stderr is text");
    (status.code().expect("it ended by itself"), talk)
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the file is written");
    path.display().to_string()
}

const IMAGES: &str = "/apis/longhorn.io/v1beta2/namespaces/longhorn-system/backingimages";

#[test]
fn a_script_waits_for_the_ready_line_and_both_signals_end_it_cleanly() {
    for signal in ["-INT", "-TERM"] {
        let mut server = Server::start(&[]);
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &server.kubeconfig.metadata().unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(server.get(IMAGES)["kind"], "BackingImageList");
        let talk = server.talk();
        let export = format!("export KUBECONFIG={}", server.kubeconfig.display());
        assert!(talk.contains(&export), "{talk}");
        // A client that holds a watch open does not hold the program.
        let mut watch = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        write!(
            watch,
            "GET {IMAGES}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
            server.token
        )
        .unwrap();
        let mut head = [0; 12];
        watch.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        let status = server.signal(signal);
        assert_eq!(status.code(), Some(0), "{signal}: {}", server.talk());
        assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
    }
}

#[test]
fn objects_keep_their_status_and_owners_are_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let json = file(
        folder.path(),
        "a.json",
        r#"{"apiVersion": "longhorn.io/v1beta2", "kind": "BackingImageDataSourceList", "items": [
          {"metadata": {"name": "parrot", "namespace": "longhorn-system", "uid": "d-1", "finalizers": ["longhorn.io"],
             "resourceVersion": "77", "deletionTimestamp": "2025-01-01T00:00:00Z", "ownerReferences": [
               {"apiVersion": "longhorn.io/v1beta2", "kind": "BackingImage", "name": "parrot", "uid": "i-1"},
               {"apiVersion": "v1", "kind": "ConfigMap", "name": "elsewhere", "uid": "c-9"}]},
           "status": {"currentState": "ready"}}]}
        {"apiVersion": "longhorn.io/v1beta2", "kind": "BackingImage",
         "metadata": {"name": "parrot", "namespace": "longhorn-system", "uid": "i-1", "generation": 9},
         "spec": {"checksum": "123"}, "status": {"uuid": "4e07"}}"#,
    );
    let yaml = file(
        folder.path(),
        "b.yaml",
        "# a comment\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: there\n  namespace: other\ndata: {a: b}\n---\n",
    );
    let server = Server::start(&[
        "--play", "none", "--load", &json, "--load", &yaml, "--seed", "3",
    ]);
    let image = server.get(&format!("{IMAGES}/parrot"));
    assert_eq!(image["status"]["uuid"], "4e07");
    assert_eq!(image["metadata"]["generation"], 1);
    let path = IMAGES.replace("backingimages", "backingimagedatasources");
    let source = server.get(&format!("{path}/parrot"));
    assert_eq!(source["status"]["currentState"], "ready");
    let owners = source["metadata"]["ownerReferences"].as_array().unwrap();
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0]["uid"], image["metadata"]["uid"]);
    assert!(source["metadata"]["deletionTimestamp"].is_string());
    let there = server.get("/api/v1/namespaces/other/configmaps/there");
    assert_eq!(there["data"]["a"], "b");
    let talk = server.talk();
    for note in [
        "the owner of BackingImageDataSource \"parrot\", ConfigMap \"elsewhere\", is not among the objects",
        "made for the objects: namespace other",
        "3 objects loaded",
    ] {
        assert!(talk.contains(note), "{note:?} is not in {talk}");
    }
}

#[test]
fn definitions_of_a_manifest_take_the_place_of_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: volumes.longhorn.io}\nspec:\n  group: longhorn.io\n  names: {kind: Volume, plural: volumes}\n  scope: Namespaced\n  conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {service: {name: a, namespace: b}}}}\n  versions:\n  - name: v1beta2\n    served: true\n    storage: true\n    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}\n";
    let manifest =
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: x}}\n---\n{definition}");
    let crds = file(folder.path(), "longhorn.yaml", &manifest);
    let server = Server::start(&["--crds", &crds]);
    let volumes = server.get(&IMAGES.replace("backingimages", "volumes"));
    assert_eq!(volumes["kind"], "VolumeList");
    let found = server.get("/apis/longhorn.io/v1beta2");
    assert_eq!(found["resources"].as_array().unwrap().len(), 1, "{found}");
    let talk = server.talk();
    assert!(talk.contains("1 object of other kinds"), "{talk}");
    assert!(talk.contains("conversion webhook"), "{talk}");
    assert!(talk.contains("so nothing is played"), "{talk}");
    let (code, talk) = refused(&["--crds", &crds, "--play", "all"]);
    assert_eq!(code, 2, "{talk}");
    assert!(talk.contains("the definitions lack"), "{talk}");
}

#[test]
fn wrong_flags_and_files_are_exit_code_2_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let broken = file(
        folder.path(),
        "broken.json",
        "{\"apiVersion\": \"v1\",\n\"kind\": }",
    );
    let unserved = file(
        folder.path(),
        "unserved.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n---\napiVersion: longhorn.io/v1beta2\nkind: Engine\nmetadata: {name: e}\n",
    );
    let invalid = file(
        folder.path(),
        "invalid.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A_B}\n",
    );
    let own = file(
        folder.path(),
        "config",
        "apiVersion: v1\nkind: Config\ncontexts: []\n",
    );
    for (flags, wanted) in [
        (vec!["--load", &broken], "broken.json:2:9: "),
        (
            vec!["--load", &unserved],
            "unserved.yaml:5:1: Engine e: kind Engine of longhorn.io/v1beta2 is not served",
        ),
        (
            vec!["--load", &invalid],
            "invalid.yaml:1:1: ConfigMap A_B: ConfigMap \"A_B\" is invalid: metadata.name",
        ),
        (
            vec!["--load", "/nowhere/at/all"],
            "/nowhere/at/all: No such file",
        ),
        (
            vec!["--crds", &invalid],
            "there is no CustomResourceDefinition",
        ),
        (
            vec!["--play", "everything"],
            "there is no part \"everything\"",
        ),
        (vec!["--longhorn", "v0.0.1"], "v0.0.1"),
        (vec!["--longhorn", "newest"], "newest"),
        (vec!["--port", "70000"], "70000"),
        (
            vec!["--kubeconfig-out", &own],
            "was not written by fixname serve",
        ),
        (
            vec!["--kubeconfig-out", "/nowhere/at/all"],
            "cannot write the kubeconfig /nowhere/at/all",
        ),
    ] {
        let (code, talk) = refused(&flags);
        assert_eq!(code, 2, "{flags:?}: {talk}");
        assert!(talk.contains(wanted), "{wanted:?} is not in {talk}");
    }
    assert!(
        std::fs::read_to_string(own)
            .unwrap()
            .contains("contexts: []")
    );
}

#[test]
fn a_taken_port_is_exit_code_3() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, talk) = refused(&["--port", &port]);
    assert_eq!(code, 3, "{talk}");
    assert!(
        talk.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{talk}"
    );
    assert!(talk.contains("--port"), "{talk}");
}

#[test]
fn without_a_place_for_it_the_kubeconfig_is_gone_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = fixname(&[])
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files(), 1, "{line}");
    Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(files(), 0);
}

/// Two nodes, each with one disk; the UUIDs begin with the same four digits.
fn colliding_nodes() -> String {
    let node = |name: &str, uuid: &str| {
        let conditions = serde_json::json!([
            {"type": "Ready", "status": "True"}, {"type": "Schedulable", "status": "True"}]);
        serde_json::json!({
            "apiVersion": "longhorn.io/v1beta2", "kind": "Node",
            "metadata": {"name": name, "namespace": "longhorn-system", "finalizers": ["longhorn.io"]},
            "spec": {"name": name, "allowScheduling": true, "disks": {"disk": {
                "diskType": "filesystem", "path": "/var/lib/disk", "allowScheduling": true}}},
            "status": {"conditions": conditions, "diskStatus": {"disk": {"diskUUID": uuid,
                "diskPath": "/var/lib/disk", "diskType": "filesystem", "conditions": conditions}}}})
    };
    let first = node("node-1", "c01200da-8a5c-4692-92e6-c4a983087951");
    let second = node("node-2", "c012eb76-f8eb-4ea1-b81d-472eac9d98bf");
    format!("{first}\n{second}\n")
}

const PARROT: &str = r#"{"apiVersion": "longhorn.io/v1beta2", "kind": "BackingImage",
  "metadata": {"name": "parrot", "namespace": "longhorn-system"},
  "spec": {"sourceType": "download", "sourceParameters": {"url": "http://images.example.com/a"},
    "minNumberOfCopies": 1, "diskFileSpecMap": {
      "c01200da-8a5c-4692-92e6-c4a983087951": {}, "c012eb76-f8eb-4ea1-b81d-472eac9d98bf": {}}}}"#;

/// A server with the two nodes, to which somebody applies the image.
fn with_parrot(flags: &[&str]) -> Server {
    let folder = tempfile::tempdir().expect("a folder");
    let nodes = file(folder.path(), "nodes.json", &colliding_nodes());
    let mut flags = flags.to_vec();
    flags.extend(["--load", nodes.as_str()]);
    let server = Server::start(&flags);
    let made = server.ask("POST", IMAGES, PARROT);
    assert_eq!(made["kind"], "BackingImage", "{made}");
    server
}

/// Looks until `check` holds, for at most 30 s.
fn eventually(server: &Server, what: &str, check: impl Fn(&Server) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !check(server) {
        assert!(Instant::now() < deadline, "{what}: {}", server.talk());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn managers(server: &Server) -> Vec<String> {
    let list = server.get(&IMAGES.replace("backingimages", "backingimagemanagers"));
    let items = list["items"].as_array().expect("a list");
    let names = items.iter().map(|m| m["metadata"]["name"].as_str());
    names.map(|name| name.expect("a name").to_owned()).collect()
}

#[test]
fn the_model_acts_on_an_image_as_its_version_does() {
    let affected = with_parrot(&["--longhorn", "v1.9.1"]);
    let fixed = with_parrot(&["--longhorn", "v1.12.1"]);
    eventually(&affected, "no collision", |server| {
        let talk = server.talk();
        talk.contains("level=error msg=\"Dropping Longhorn backing image out of the queue\"")
            && talk.contains(r#"\"backing-image-manager-4407-c012\" already exists"#)
    });
    assert_eq!(managers(&affected), ["backing-image-manager-4407-c012"]);
    eventually(&fixed, "too few managers", |server| {
        managers(server).len() == 2
    });
    assert!(!fixed.talk().contains("already exists"), "{}", fixed.talk());
    // The webhooks are in force.
    let image = fixed.get(&format!("{IMAGES}/parrot"));
    assert_eq!(image["metadata"]["finalizers"][0], "longhorn.io");
    let refused = fixed.ask("POST", IMAGES, &PARROT.replace("http://", "ftp://"));
    let message = refused["message"].as_str().unwrap_or_default();
    assert!(message.contains("validator.longhorn.io"), "{refused}");
}

#[test]
fn what_is_not_played_is_left_to_others() {
    let nothing = with_parrot(&["--play", "none"]);
    let pods_only = with_parrot(&["--play", "manager-pods,backing-image-manager"]);
    let all = with_parrot(&[]);
    // By the time that one of them has acted, so would the others have.
    eventually(&all, "no managers", |server| !managers(server).is_empty());
    for server in [&nothing, &pods_only] {
        assert_eq!(managers(server), [""; 0]);
        let image = server.get(&format!("{IMAGES}/parrot"));
        assert_eq!(image["status"]["uuid"], serde_json::Value::Null, "{image}");
        assert_eq!(image["metadata"]["finalizers"], serde_json::Value::Null);
    }
    assert!(nothing.talk().contains("nothing of Longhorn is played"));
}

#[test]
fn the_version_of_a_dump_is_played_unless_another_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let setting = r#"{"apiVersion": "longhorn.io/v1beta2", "kind": "Setting", "value": "v1.9.1",
      "metadata": {"name": "current-longhorn-version", "namespace": "longhorn-system"}}"#;
    let dump = file(folder.path(), "dump.json", setting);
    for (flags, version) in [
        (vec!["--load", dump.as_str()], "v1.9.1"),
        (vec!["--load", &dump, "--longhorn", "v1.10.2"], "v1.10.2"),
    ] {
        let server = Server::start(&flags);
        let note = format!("Longhorn {version} is played: all");
        assert!(server.talk().contains(&note), "{}", server.talk());
    }
}
