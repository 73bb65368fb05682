//! `fixname crds` as a user runs it.

use std::process::Command;

fn fixname(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_fixname"))
        .arg("crds")
        .args(args)
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn definitions_are_those_of_the_version_asked_for() {
    let versions = |longhorn: &str| {
        let (code, out, err) = fixname(&["--longhorn", longhorn, "-o", "json"]);
        assert_eq!(code, Some(0), "{err}");
        let list: serde_json::Value = serde_json::from_str(&out).expect("it prints JSON");
        let items = list["items"].as_array().expect("a list").clone();
        let node = items
            .iter()
            .find(|crd| crd["metadata"]["name"] == "nodes.longhorn.io");
        let node = node.expect("nodes are among them");
        assert_eq!(node["apiVersion"], "apiextensions.k8s.io/v1");
        let names = node["spec"]["versions"].as_array().expect("a list").iter();
        names.map(|v| v["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(versions("v1.8.1"), ["v1beta1", "v1beta2"]);
    assert_eq!(versions("v1.12.1"), ["v1beta2"]);
    let (code, yaml, _) = fixname(&[]);
    assert_eq!(code, Some(0));
    let documents = yaml.split("\n---\n").count();
    assert_eq!(
        documents,
        yaml.matches("kind: CustomResourceDefinition").count()
    );
    assert_eq!(fixname(&["--longhorn", "v0.0.1"]).0, Some(2));
}
