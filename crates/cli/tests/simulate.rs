//! `fixname simulate` as a user runs it.

use std::process::Command;

fn fixname(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_fixname"))
        .args(args)
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is text");
    (
        output.status.code().expect("it ends by itself"),
        text(output.stdout),
        text(output.stderr),
    )
}

fn json(args: &[&str]) -> serde_json::Value {
    let (code, out, err) = fixname(&[args, &["-o", "json"]].concat());
    assert_eq!(code, 0, "{args:?}: {err}");
    serde_json::from_str(&out).expect("it prints JSON")
}

const RUN: &[&str] = &["simulate", "--disks", "302", "--clusters", "1_200_000"];

#[test]
fn the_keys_of_the_contract_are_there_and_agree() {
    let run = json(RUN);
    assert_eq!(run["formatVersion"], 1);
    assert_eq!(
        (&run["clusters"], &run["disks"], &run["seed"]),
        (&1_200_000.into(), &302.into(), &1.into())
    );
    let p = run["probability"].as_f64().expect("a number");
    assert!((p - 0.500_722).abs() < 0.005);
    assert!((run["exactProbability"].as_f64().expect("a number") - 0.500_722_489).abs() < 1e-9);
    let (low, high) = (run["ci95"][0].as_f64(), run["ci95"][1].as_f64());
    assert!(low < Some(p) && high > Some(p));
    assert_eq!(
        run["collidedClusters"].as_f64().expect("a number") / 1_200_000.0,
        p
    );
    assert!(run["collidingPairs"].as_u64() > run["groupSizes"]["2"].as_u64());
    assert_eq!(run["digest"].as_str().map(str::len), Some(64));
}

#[test]
fn threads_shards_and_engines_give_one_digest() {
    let whole = json(RUN)["digest"].clone();
    for more in [
        ["--threads", "1"],
        ["--threads", "3"],
        ["--engine", "portable"],
    ] {
        assert_eq!(json(&[RUN, &more].concat())["digest"], whole, "{more:?}");
    }
    assert_ne!(json(&[RUN, &["--seed", "2"]].concat())["digest"], whole);
    let dir = tempfile::tempdir().expect("a folder can be made");
    for of in [3, 17] {
        let files: Vec<String> = (0..of)
            .rev()
            .map(|index| {
                let file = dir
                    .path()
                    .join(format!("{index}-of-{of}.json"))
                    .display()
                    .to_string();
                let shard = format!("{index}/{of}");
                json(&[RUN, &["--shard", &shard, "--out", &file]].concat());
                file
            })
            .collect();
        let merge: Vec<&str> = ["simulate", "merge"]
            .into_iter()
            .chain(files.iter().map(String::as_str))
            .collect();
        let merged = json(&merge);
        assert_eq!(merged["digest"], whole, "{of}");
        assert_eq!(merged["complete"], true);
        let (code, _, err) = fixname(&merge[..merge.len() - 1]);
        assert_eq!(code, 2);
        assert!(
            err.contains("missing") && err.contains("units 0 to"),
            "{err}"
        );
        let (code, _, err) = fixname(&[&merge[..], &[merge[2]]].concat());
        assert_eq!(code, 2);
        assert!(err.contains("overlap"), "{err}");
        // A changed count.
        let text = std::fs::read_to_string(merge[2]).expect("the part is there");
        std::fs::write(
            merge[2],
            text.replacen("\"redraws\": \"0\"", "\"redraws\": \"1\"", 1),
        )
        .expect("it can be written");
        let (code, _, err) = fixname(&merge);
        assert_eq!(code, 2);
        assert!(err.contains("changed"), "{err}");
    }
}

#[test]
fn every_model_can_be_asked_for() {
    for args in [
        &["--curve", "--disks", "302"][..],
        &["--disks", "302", "--guard-from", "0", "--at-once", "302"],
        &[
            "--disks",
            "302",
            "--guard-from",
            "100",
            "--block-disks",
            "5",
        ],
        &["--disks", "20", "--spike", "0.1"],
        &["--disks", "20", "--cloned", "0.01"],
        &["--disks", "3", "--uuids", "v7", "--within", "400d"],
        &["--disks", "302", "--bits", "122", "--forced-pair"],
        &["--disks", "1000", "--scheme", "hash-4"],
        &["--disks", "100", "--scheme", "sha224"],
        &["--disks", "50", "--scheme", "uuid-6"],
        &["--disks", "1000", "--ladder"],
        &["--disks", "302", "--margin", "0.05"],
        &["--disks", "0"],
        &["--disks", "1"],
    ] {
        let run = json(&[&["simulate", "--clusters", "2000"], args].concat());
        if let (Some(p), Some(exact)) = (
            run["probability"].as_f64(),
            run["exactProbability"].as_f64(),
        ) {
            assert!((p - exact).abs() <= 0.06, "{args:?}: {p} {exact}");
        } else {
            assert_eq!(run["rungs"].as_array().map(Vec::len), Some(9), "{args:?}");
        }
        let (code, text, err) = fixname(&[&["simulate", "--clusters", "2000"], args].concat());
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
}

#[test]
fn wrong_numbers_are_named() {
    for (args, said) in [
        (&["--disks", "302"][..], "--clusters"),
        (&["--clusters", "10"], "--disks"),
        (&["--clusters", "0", "--disks", "2"], "at least 1"),
        (&["--clusters", "1", "--disks", "1e18"], "number of disks"),
        (&["--clusters", "1", "--disks", "NaN"], "not a whole number"),
        (
            &["--clusters", "1", "--disks", "2", "--spike", "NaN"],
            "share",
        ),
        (
            &["--clusters", "1", "--disks", "2", "--cloned", "1.5"],
            "share",
        ),
        (
            &["--clusters", "1", "--disks", "2", "--margin", "NaN"],
            "margin",
        ),
        (
            &["--clusters", "1", "--disks", "2", "--shard", "3/3"],
            "0/3",
        ),
        (
            &["--clusters", "1", "--disks", "2", "--guard-from", "3"],
            "more than all",
        ),
        (
            &[
                "--clusters",
                "1",
                "--disks",
                "2",
                "--guard-from",
                "0",
                "--bits",
                "20",
            ],
            "16 bits",
        ),
        (
            &["--clusters", "1", "--disks", "2", "--scheme", "none"],
            "no names",
        ),
        (&["--clusters", "1", "--curve", "--bits", "20"], "1 to 16"),
        (&["merge", "/does/not/exist"], "/does/not/exist"),
        (&["merge"], "FILE"),
    ] {
        let (code, out, err) = fixname(&[&["simulate"], args].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.contains(said), "{args:?}: {err}");
    }
}

const JOB: &[&str] = &["--kubernetes", "--image", "registry.example/fixname:1"];

#[test]
fn the_job_is_shown_and_nothing_is_made_without_a_yes() {
    for more in [&[][..], &["--dry-run"], &["--dry-run=client"]] {
        let parallel = ["--parallelism", "2", "--namespace", "work"];
        let job = json(&[RUN, JOB, &parallel, more].concat());
        assert_eq!(
            (&job["kind"], &job["spec"]["completions"]),
            (&"Job".into(), &8.into())
        );
        assert_eq!(job["metadata"]["namespace"], "work");
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["containers"][0]["image"], "registry.example/fixname:1");
        let args = pod["containers"][0]["args"].as_array().expect("a list");
        let args: Vec<&str> = args.iter().filter_map(|arg| arg.as_str()).collect();
        assert_eq!(args.last(), Some(&"$(JOB_COMPLETION_INDEX)/8"));
        // What a pod runs is a part of this very run.
        let first: Vec<&str> = args[..args.len() - 1]
            .iter()
            .copied()
            .chain(["0/8"])
            .collect();
        let (code, part, _) = fixname(&first);
        assert_eq!(code, 0);
        let part: serde_json::Value = serde_json::from_str(&part).expect("a part");
        assert_eq!(part["plan"]["clusters"], 1_200_000);
        assert_eq!(part["units"]["of"], 19);
    }
    let (code, _, err) = fixname(&[RUN, JOB].concat());
    assert_eq!(code, 0);
    assert!(err.contains("nothing was made; add --yes"), "{err}");
    // No cluster is asked, and none can be: a kubeconfig that is not there.
    let nowhere = ["--kubeconfig", "/does/not/exist"];
    assert_eq!(fixname(&[RUN, JOB, &nowhere].concat()).0, 0);
    let (code, out, err) = fixname(&[RUN, JOB, &nowhere, &["--yes"]].concat());
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("/does/not/exist"), "{err}");
}

#[test]
fn wrong_ways_to_ask_for_a_job_are_named() {
    for (args, said) in [
        (&["--kubernetes"][..], "--image"),
        (
            &["--kubernetes", "--image", "x", "--shard", "0/3"],
            "--shard",
        ),
        (&["--yes"], "--kubernetes"),
        (
            &["--kubernetes", "--image", "x", "--yes", "--dry-run"],
            "--dry-run",
        ),
        (
            &["--kubernetes", "--image", "x", "--requests", "cpu"],
            "memory=64Mi",
        ),
        (
            &["--kubernetes", "--image", "x", "--job-name", "A.b"],
            "A.b",
        ),
        (&["--kubernetes", "--image", "x", "--parallelism", "0"], "0"),
    ] {
        let (code, out, err) = fixname(&[RUN, args].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.contains(said), "{args:?}: {err}");
    }
    // Ten million populations would be a line each in one part.
    let long = [
        "simulate",
        "--disks",
        "1e7",
        "--bits",
        "64",
        "--clusters",
        "1e7",
    ];
    let (code, _, err) = fixname(&[&long, JOB, &["--shards", "2"]].concat());
    assert_eq!(code, 2);
    assert!(err.contains("10 MiB") && err.contains("--shards="), "{err}");
}

#[test]
fn a_long_run_is_put_on_paper() {
    let long = [
        "simulate",
        "--disks",
        "1e7",
        "--bits",
        "64",
        "--clusters",
        "1e8",
        "--plan",
    ];
    let paper = json(&[&long[..], &["--parallelism", "50", "--shards", "1000"]].concat());
    assert_eq!(paper["disks"], "1000000000000000");
    assert_eq!(
        (&paper["pods"], &paper["shards"]),
        (&50.into(), &1000.into())
    );
    let number = |key: &str| paper[key].as_f64().expect("a number");
    let hours = number("secondsPerUnit") * number("units") / 3600.0;
    assert!((number("cpuHours") / hours - 1.0).abs() < 1e-9);
    assert!((number("hours") / (hours / 50.0) - 1.0).abs() < 0.01);
    assert!(number("measuredUnits") >= 1.0 && number("partBytes") > 1e6);
}

#[test]
fn what_was_counted_is_drawn_over_the_exact_curve() {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let file = dir.path().join("plot.svg").display().to_string();
    for (args, dots) in [
        (&["--disks", "302"][..], 1),
        (&["--curve"], 15),
        (
            &[
                "--disks",
                "302",
                "--guard-from",
                "100",
                "--block-disks",
                "9",
            ],
            1,
        ),
        (&["--disks", "302", "--spike", "0.01"], 1),
        (&["--disks", "302", "--bits", "122", "--forced-pair"], 1),
        (&["--disks", "2"], 1),
        (&["--disks", "302", "--chart", "groups"], 1),
    ] {
        let run = ["simulate", "--clusters", "2000", "--plot", &file];
        let (code, _, err) = fixname(&[&run, args].concat());
        assert_eq!(code, 0, "{args:?}: {err}");
        let svg = std::fs::read_to_string(&file).expect("a picture");
        assert!(
            svg.starts_with("<svg") && svg.ends_with("</svg>\n"),
            "{args:?}"
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{args:?}");
        // One stands in the legend.
        let drawn = svg.matches("<circle").count();
        assert!(drawn > dots, "{args:?}: {drawn} dots");
        assert!(svg.contains("simulated, with 95 % intervals"), "{args:?}");
    }
    let ladder = [
        "simulate",
        "--clusters",
        "1",
        "--disks",
        "100",
        "--ladder",
        "--plot",
        &file,
    ];
    let (code, _, err) = fixname(&ladder);
    assert_eq!(code, 2);
    assert!(err.contains("cannot be drawn"), "{err}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let file = dir.path().join("part.json");
    let child = Command::new(env!("CARGO_BIN_EXE_fixname"))
        .args(["simulate", "--disks", "302", "--clusters", "1e12", "--out"])
        .arg(&file)
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.expect("kill is there").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert!(output.stdout.is_empty());
    assert_eq!(
        std::fs::read_dir(dir.path())
            .expect("the folder is there")
            .count(),
        0
    );
}
