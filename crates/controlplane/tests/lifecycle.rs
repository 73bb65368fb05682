//! Programs are found or their absence is explained; nothing outlives its owner.

use std::path::PathBuf;

use fixname_controlplane::{ControlPlane, Error, Options, Programs};

#[test]
fn missing_programs_are_named_with_the_places_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let error = Programs::find_in(&[folder.path().to_owned()]).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::ProgramsNotFound { .. }));
    assert!(text.contains("etcd and kube-apiserver"), "{text}");
    assert!(
        text.contains(&folder.path().display().to_string()),
        "{text}"
    );
    assert!(text.contains("KUBEBUILDER_ASSETS"), "{text}");
}

#[test]
fn a_program_that_fails_is_named_with_its_last_lines() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("etcd");
    std::fs::write(&script, "#!/bin/sh\necho out of luck >&2\nexit 3\n").unwrap();
    let mut mode = std::fs::metadata(&script).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let programs = Programs {
        etcd: script,
        apiserver: PathBuf::from("/bin/sleep"),
        controller_manager: None,
    };
    let error = ControlPlane::start_blocking(Options::default().programs(programs)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("start etcd: it ended") || text.contains("start kube-apiserver: it ended"),
        "{text}"
    );
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver"]
async fn it_answers_and_leaves_nothing_behind() {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    let client = control_plane.client("default").await.unwrap();
    let version = client.apiserver_version().await.unwrap();
    assert_eq!(version.major, "1");
    let folder = control_plane.folder().to_owned();
    let marker = folder.display().to_string();
    assert!(processes_with(&marker) >= 2);
    drop(control_plane);
    assert!(!folder.exists());
    // The supervising shell is the last to go, a moment after the programs.
    for _ in 0..200 {
        if processes_with(&marker) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{} processes are left behind", processes_with(&marker));
}

/// How many processes have `marker` in their command line.
fn processes_with(marker: &str) -> usize {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(marker))
        .count()
}
