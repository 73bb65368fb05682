//! A shipped scenario on etcd and kube-apiserver as programs: the same file, the
//! same model, a real server. All of them: `fixname replay --backend control-plane`.

use std::path::PathBuf;

use fixname_replay::backend::{Backend, ControlPlaneBackend};
use fixname_replay::{Suite, SuiteOptions, load};

#[test]
#[ignore = "needs etcd and kube-apiserver: cargo test -- --ignored control_plane"]
fn control_plane_shows_the_collision_and_the_fix() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../scenarios/01-two-disks-one-prefix.yaml");
    let mut scenarios = load(&[file]).unwrap();
    scenarios[0]
        .longhorn
        .retain(|v| ["v1.9.1", "v1.12.1"].contains(&v.0.to_string().as_str()));
    let backend = ControlPlaneBackend::start(10.0).unwrap();
    let options = SuiteOptions {
        parallel: 2,
        ..SuiteOptions::default()
    };
    let result = Suite::new(&scenarios, options).run(&backend, &|| false, &mut |_| {});
    assert_eq!(result.troubles, []);
    assert_eq!(result.runs.len(), 2);
    assert_eq!(backend.time_scale(), Some(10.0));
    for run in &result.runs {
        assert!(run.failures.is_empty(), "{run:#?}");
    }
}
