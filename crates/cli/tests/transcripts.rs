//! What the program prints, verb by verb, on recorded input. Run with
//! `SNAPSHOTS=overwrite` to write the files in `transcripts/` anew.

use std::path::{Path, PathBuf};

use snapbox::Data;
use snapbox::cmd::Command;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../capture/tests/data")
}

fn fixname(args: &[&str]) -> Command {
    Command::new(snapbox::cmd::cargo_bin!("fixname"))
        .current_dir(data())
        .env_remove("NO_COLOR")
        .env_remove("FIXNAME_OUTPUT")
        .env_remove("FIXNAME_LONGHORN")
        .env_remove("FIXNAME_MANAGER_IMAGE")
        .env_remove("FIXNAME_QUIET")
        .env_remove("FIXNAME_COLOR")
        .args(args)
}

fn transcript(name: &str) -> Data {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    Data::read_from(&folder.join(name), None).raw()
}

/// Compares both streams and the code; an error leaves stdout empty.
fn shows(args: &[&str], code: i32, stdout: &str) {
    let assert = fixname(args).assert().code(code).stderr_eq("");
    assert.stdout_eq(transcript(stdout));
}

const CLUSTER: &[&str] = &[
    "detect",
    "recorded/nodes.json",
    "recorded/backingimages.json",
    "recorded/backingimagemanagers.json",
    "recorded/backingimagedatasources.json",
    "recorded/replicas.json",
    "recorded/settings.json",
];

#[test]
fn detect_explains_an_active_collision() {
    shows(CLUSTER, 1, "detect-active.txt");
    shows(
        &[CLUSTER, &["-o", "wide"]].concat(),
        1,
        "detect-active-wide.txt",
    );
    shows(
        &[CLUSTER, &["-o", "json"]].concat(),
        1,
        "detect-active.json.txt",
    );
    shows(
        &[CLUSTER, &["-o", "yaml"]].concat(),
        1,
        "detect-active.yaml.txt",
    );
    shows(&[CLUSTER, &["-o", "kb"]].concat(), 1, "detect-kb.txt");
}

#[test]
fn detect_on_nodes_alone_finds_what_is_latent() {
    shows(&["detect", "recorded/nodes.json"], 1, "detect-latent.txt");
    shows(&["detect", "recorded/nodes.yaml"], 1, "detect-latent.txt");
    shows(
        &["detect", "recorded/nodes.json", "--longhorn", "v1.9.2"],
        0,
        "detect-cleared.txt",
    );
}

#[test]
fn detect_says_when_nothing_was_found() {
    let clean = "captures/no-collision-v191/nodes.json";
    shows(&["detect", clean], 0, "detect-nothing.txt");
    shows(&["detect", clean, "-o", "kb"], 0, "detect-kb-nothing.txt");
    shows(
        &["detect", clean, "-o", "wide"],
        0,
        "detect-nothing-wide.txt",
    );
}

#[test]
fn detect_reads_stdin() {
    fixname(&["detect", "-"])
        .stdin(Data::read_from(&data().join("recorded/nodes.json"), None).raw())
        .assert()
        .code(1)
        .stderr_eq("")
        .stdout_eq(transcript("detect-latent.txt"));
}

#[test]
fn an_empty_list_is_no_error_but_is_told() {
    shows(&["detect", "recorded/empty.json"], 0, "detect-empty.txt");
    fixname(&["detect", "recorded/empty.json", "-o", "kb"])
        .assert()
        .code(0)
        .stdout_eq("Conflict disks:\n")
        .stderr_eq(
            "note: nodes: the list in recorded/empty.json is empty and does not say of what; it \
             is taken for the list of nodes. A wrong namespace gives an empty list too\n",
        );
}

#[test]
fn names_shows_who_collides_where() {
    const DISKS: &[&str] = &[
        "--disk",
        "c01200da-8a5c-4692-92e6-c4a983087951",
        "c012eb76-f8eb-4ea1-b81d-472eac9d98bf",
    ];
    let some = [
        &["names", "--longhorn", "v1.9.1", "v1.9.2", "v1.10.2"],
        DISKS,
    ]
    .concat();
    shows(&some, 0, "names.txt");
    shows(&[&some[..], &["-o", "json"]].concat(), 0, "names.json.txt");
    shows(&[&some[..], &["-o", "wide"]].concat(), 0, "names-wide.txt");
    shows(
        &[&["names", "--all-versions"], DISKS].concat(),
        0,
        "names-all-versions.txt",
    );
    // The image alone tells the version.
    let mirror = "registry.example.com:5000/mirror/backing-image-manager:v1.8.1";
    shows(
        &[&["names", "--manager-image", mirror], DISKS].concat(),
        0,
        "names-mirror.txt",
    );
}

#[test]
fn a_newer_version_is_treated_as_one_that_is_known() {
    let args = [
        "names",
        "--longhorn",
        "v1.99.0",
        "--disk",
        "c012eb76-f8eb-4ea1-b81d-472eac9d98bf",
        "-o",
        "json",
    ];
    fixname(&args)
        .assert()
        .code(0)
        .stderr_eq(
            "note: v1.99.0 is not known; it is treated as v1.12.1, the newest known version \
             before it\n",
        )
        .stdout_eq(transcript("names-newer.json.txt"));
    fixname(&[&["--quiet"], &args[..]].concat())
        .assert()
        .code(0)
        .stderr_eq("");
}

#[test]
fn a_disk_without_a_valid_name_is_a_finding() {
    let args = ["names", "--longhorn", "v1.9.1", "--disk", "C012EB76", "c01"];
    shows(&args, 1, "names-invalid.txt");
    // Hashed names take any UUID.
    let args = [
        "names",
        "--longhorn",
        "v1.9.2",
        "--disk",
        "C012EB76",
        "c01",
        "-o",
        "wide",
    ];
    fixname(&args).assert().code(0).stderr_eq("");
}

#[test]
fn versions_lists_all_releases() {
    shows(&["versions"], 0, "versions.txt");
    shows(&["versions", "-o", "wide"], 0, "versions-wide.txt");
    shows(&["versions", "-o", "json"], 0, "versions.json.txt");
}

#[test]
fn odds_speaks_to_people_and_programs() {
    shows(&["odds", "--disks", "302"], 0, "odds-302.txt");
    shows(
        &["odds", "--disks", "302", "-o", "json"],
        0,
        "odds-302.json.txt",
    );
    shows(
        &["odds", "--disks", "1e18", "--bits", "256", "-o", "json"],
        0,
        "odds-1e18.json.txt",
    );
    shows(
        &["odds", "--disks", "1_000", "--scheme", "truncated"],
        0,
        "odds-1000.txt",
    );
    shows(
        &["odds", "--disks", "1", "--bits", "16", "-o", "json"],
        0,
        "odds-1.json.txt",
    );
    shows(&["odds", "--probability", "0.5"], 0, "odds-inverse.txt");
}

#[test]
fn odds_know_fleets_groups_images_the_guard_and_ranges() {
    let more = ["--clusters", "50", "--at-least", "3"];
    let one = [&["odds", "--disks", "302"], &more[..]].concat();
    shows(&one, 0, "odds-fleet.txt");
    shows(
        &[&one[..], &["-o", "json"]].concat(),
        0,
        "odds-fleet.json.txt",
    );
    shows(
        &[&["odds", "--range", "100..1e3:300"], &more[..]].concat(),
        0,
        "odds-range.txt",
    );
    shows(
        &[
            "odds",
            "--range",
            "10..1e6:x10",
            "--bits",
            "128",
            "-o",
            "json",
        ],
        0,
        "odds-range.json.txt",
    );
    shows(
        &["odds", "--disks", "302", "--images", "3"],
        0,
        "odds-images.txt",
    );
    let guard = ["odds", "--disks", "400", "--guard-from", "302"];
    let block = ["--block-disks", "20"];
    shows(&[&guard[..], &block].concat(), 0, "odds-guard.txt");
    // More disks than names, and groups that only bounds are known of.
    shows(
        &[
            "odds",
            "--disks",
            "1e7",
            "--at-least",
            "200",
            "--bits",
            "16",
        ],
        0,
        "odds-bounds.txt",
    );
}

#[test]
fn odds_know_uuids_that_are_not_random() {
    let odds = ["odds", "--disks", "302"];
    let cloned = ["--cloned", "0.0007"];
    shows(&[&odds[..], &cloned].concat(), 0, "odds-cloned.txt");
    let spike = ["--spike", "0.01", "-o", "json"];
    shows(&[&odds[..], &spike].concat(), 0, "odds-spike.json.txt");
    let clock = [
        "odds", "--disks", "20", "--uuids", "v7", "--within", "3000d",
    ];
    shows(&clock, 0, "odds-clock.txt");
    shows(
        &[
            "odds", "--range", "2..12:5", "--uuids", "v1", "--within", "5s",
        ],
        0,
        "odds-clock-range.txt",
    );
}

/// What the design measured, and what `simulate` counts.
#[test]
fn odds_of_a_first_boot_are_those_without_a_guard() {
    let json = |args: &[&str]| -> serde_json::Value {
        let output = fixname(args).output().expect("the program starts");
        serde_json::from_slice(&output.stdout).expect("it is JSON")
    };
    let odds = ["odds", "--disks", "302", "-o", "json", "--guard-from", "0"];
    let stale = json(&[&odds[..], &["--at-once", "302"]].concat());
    let chance = stale["guard"]["probability"].as_f64();
    assert_eq!(chance, stale["probability"].as_f64());
    assert!((chance.expect("a number") - 0.500_722).abs() < 1e-6);
    assert_eq!(json(&odds)["guard"]["probability"], 0.0);
    // Ten clusters of one risk: 1 - (1 - p)^10.
    let fleet = json(&["odds", "--disks", "30", "--clusters", "10", "-o", "json"]);
    let p = fleet["probability"].as_f64().expect("a number");
    let any = fleet["fleet"]["probability"].as_f64().expect("a number");
    assert!((any - (1.0 - (1.0 - p).powi(10))).abs() < 1e-14);
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    let coloured = fixname(&[CLUSTER, &["--color", "always"]].concat());
    let coloured = coloured.output().expect("the program starts").stdout;
    let plain = fixname(CLUSTER)
        .output()
        .expect("the program starts")
        .stdout;
    assert!(coloured.contains(&0x1b));
    assert!(!plain.contains(&0x1b));
}

#[test]
fn text_for_people_fits_in_80_columns() {
    for name in [
        "detect-active.txt",
        "detect-latent.txt",
        "detect-cleared.txt",
        "detect-empty.txt",
        "names.txt",
        "names-all-versions.txt",
        "names-invalid.txt",
        "versions.txt",
        "odds-302.txt",
        "odds-inverse.txt",
        "odds-fleet.txt",
        "odds-range.txt",
        "odds-images.txt",
        "odds-guard.txt",
        "odds-bounds.txt",
        "odds-cloned.txt",
        "odds-clock.txt",
        "odds-clock-range.txt",
    ] {
        let text = transcript(name).to_string();
        let too_long: Vec<&str> = text.lines().filter(|l| l.chars().count() > 80).collect();
        assert!(too_long.is_empty(), "{name}: {too_long:?}");
    }
}

#[test]
fn charts_are_the_same_bytes_every_time_and_say_what_they_show() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (chart, args) in [
        ("probability", &["odds", "--disks", "302"][..]),
        (
            "probability",
            &["odds", "--probability", "1e-9", "--bits", "32"],
        ),
        ("probability", &["odds", "--disks", "1e18"]),
        ("probability", &["odds", "--disks", "0"]),
        ("groups", &["odds", "--disks", "3000"]),
        ("groups", &["odds", "--disks", "1"]),
        (
            "timeline",
            &["odds", "--disks", "600", "--guard-from", "300"],
        ),
        ("timeline", &["odds", "--disks", "0"]),
        ("timeline", &["odds", "--disks", "70000", "--batch", "1"]),
    ] {
        let draw = |name: &str| {
            let file = folder.path().join(name);
            let path = file.to_str().expect("temporary folders have plain names");
            let plot = ["--plot", path, "--chart", chart, "--quiet"];
            fixname(&[args, &plot].concat())
                .assert()
                .code(0)
                .stderr_eq("");
            std::fs::read_to_string(file).expect("it was written")
        };
        let svg = draw("one.svg");
        assert_eq!(svg, draw("two.svg"), "{args:?}");
        for part in [
            "<svg ",
            "role=\"img\"",
            "<title id=",
            "<desc id=",
            "</svg>\n",
        ] {
            assert_eq!(svg.matches(part).count(), 1, "{args:?}: {part}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{args:?}");
        if args[2] == "3000" {
            snapbox::assert_data_eq!(&svg, transcript("odds-groups.svg"));
        }
    }
    for args in [
        &["odds", "--probability", "0.5", "--chart", "timeline"][..],
        &["odds", "--disks", "1e7", "--chart", "timeline"],
    ] {
        let plot = folder.path().join("none.svg");
        let path = plot.to_str().expect("temporary folders have plain names");
        fixname(&[args, &["--plot", path]].concat())
            .assert()
            .code(2);
        assert!(!plot.exists());
    }
}
