//! The exit codes of all verbs as one table: 0 nothing wrong, 1 a finding, 2 wrong usage
//! or input, 3 no environment, 5 nothing ran. (4, a run that took too long, and 130,
//! Ctrl-C, are in `replay.rs`.) Other programs rely on them; pluto#507 is what happens
//! when they are not all looked at.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

const UUID: &str = "c01200da-8a5c-4692-92e6-c4a983087951";
const SCENARIO: &str = "scenarios/01-two-disks-one-prefix.yaml";
const DUMP: &str = "crates/capture/tests/data/recorded/cluster.json";
const RUNS: &str = "crates/replay/tests/data/longhorn-runs.jsonl.gz";
const ROWS: &str = "crates/replay/tests/data/admission.jsonl.gz";

/// A kubeconfig whose server nobody is.
const NOBODY: &str = "\
apiVersion: v1
kind: Config
current-context: nobody
contexts: [{name: nobody, context: {cluster: nobody, user: nobody}}]
clusters: [{name: nobody, cluster: {server: 'http://127.0.0.1:9'}}]
users: [{name: nobody, user: {}}]
";

/// A recorded admission row, and the same with another answer.
fn rows() -> [String; 2] {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(ROWS);
    let packed = std::fs::read(file).expect("the rows are there");
    let text = fixname_replay::conform::text(&packed).expect("they are text");
    let row = text.lines().find(|row| row.contains("\"allowed\": true"));
    let row = row.expect("something was allowed");
    let other = row.replace("\"allowed\": true", "\"allowed\": false");
    [row.to_owned(), other]
}

#[test]
fn every_verb_ends_with_the_code_of_its_outcome() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path.to_str().expect("a plain name").to_owned()
    };
    let [agrees, differs] = rows();
    let (agrees, differs) = (
        file("agrees.jsonl", &agrees),
        file("differs.jsonl", &differs),
    );
    let nothing = file(
        "nothing.json",
        r#"{"apiVersion": "v1", "kind": "List", "items": []}"#,
    );
    let broken = file("broken.json", "{\"kind\": ");
    let mistaken = file("mistaken.yaml", "name: mistaken\nsteps: 7\n");
    let nobody = file("kubeconfig", NOBODY);
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = taken
        .local_addr()
        .expect("it has an address")
        .port()
        .to_string();

    let to_nobody = |verb: &[&str]| [verb, &["--kubeconfig", &nobody]].concat().join("\t");
    let played_by_nobody = |verb, file| to_nobody(&[verb, file, "--backend", "context"]);
    let one_disk = "population\t--nodes\t1\t--disks-per-node\t1";
    let ten_clusters = "simulate\t--disks\t10\t--bits\t16\t--clusters";

    let table = [
        (0, "--help".to_owned()),
        (0, "--version".to_owned()),
        (2, String::new()),
        (2, "nonsense".to_owned()),
        (0, format!("names\t--longhorn\tv1.9.1\t--disk\t{UUID}")),
        // Longhorn itself could not make a name of it.
        (1, "names\t--longhorn\tv1.9.1\t--disk\tc01".to_owned()),
        (2, format!("names\t--longhorn\tv0.0.1\t--disk\t{UUID}")),
        (0, "versions".to_owned()),
        (2, "versions\t-o\tnonsense".to_owned()),
        (0, "odds\t--disks\t302".to_owned()),
        (2, "odds".to_owned()),
        (0, format!("{ten_clusters}\t10")),
        (2, format!("{ten_clusters}\t0")),
        (2, "simulate\tmerge\t/nowhere".to_owned()),
        (0, one_disk.to_owned()),
        (2, format!("{one_disk}\t--collide\t9")),
        (3, format!("{one_disk}\t--apply\t--kubeconfig\t{nobody}")),
        (0, format!("detect\t{nothing}")),
        (1, format!("detect\t{DUMP}")),
        (2, format!("detect\t{broken}")),
        (2, "detect\t/nowhere".to_owned()),
        (0, format!("replay\t{SCENARIO}\t--longhorn\tv1.9.1")),
        (
            1,
            format!("replay\t{SCENARIO}\t--longhorn\tv1.9.1\t--name-scheme\tsha224"),
        ),
        (2, format!("replay\t{mistaken}")),
        (3, played_by_nobody("replay", SCENARIO)),
        (5, format!("replay\t{SCENARIO}\t--shard\t9/9")),
        (0, format!("conform\t{agrees}")),
        (1, format!("conform\t{differs}")),
        (2, format!("conform\t{broken}")),
        (3, played_by_nobody("conform", RUNS)),
        (5, format!("conform\t{agrees}\t--select\tnothing")),
        (0, format!("scenario\tlint\t{SCENARIO}")),
        (2, format!("scenario\tlint\t{mistaken}")),
        (0, format!("scenario\tlist\t{SCENARIO}")),
        (2, "scenario\tlist\t/nowhere".to_owned()),
        (0, "scenario\tschema".to_owned()),
        (0, format!("scenario\tdocs\t{SCENARIO}")),
        (0, format!("scenario\trecord\t{DUMP}\t--longhorn\tv1.9.1")),
        (2, format!("scenario\trecord\t{nothing}")),
        (3, to_nobody(&["scenario", "record"])),
        (0, "crds".to_owned()),
        (2, "crds\t--longhorn\tv0.0.1".to_owned()),
        (2, "serve\t--load\t/nowhere".to_owned()),
        (3, format!("serve\t--port\t{port}")),
    ];
    for (code, line) in table {
        let arguments = line.split('\t').filter(|word| !word.is_empty());
        let output = Command::new(env!("CARGO_BIN_EXE_fixname"))
            .args(arguments)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .env_remove("KUBECONFIG")
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "fixname {line}: {said}");
        // An answer is on stdout; why there is none is on stderr.
        match code {
            0 | 1 => assert!(!output.stdout.is_empty(), "fixname {line}"),
            5 => assert!(
                !output.stdout.is_empty() || !said.is_empty(),
                "fixname {line}"
            ),
            _ => assert!(
                output.stdout.is_empty() && !said.is_empty(),
                "fixname {line}"
            ),
        }
    }
}
