//! Behaviours that hold on both servers: each body runs on the embedded one
//! always, and on a real kube-apiserver with `-- --ignored`. One file a theme.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "bodies of tests: a panic is a failed test"
)]

#[path = "../common/mod.rs"]
mod common;

/// One test for each arm from one body.
macro_rules! conformance {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "current_thread", start_paused = true)]
            async fn $name() {
                super::$name(super::Arm::embedded()).await;
            })*
        }
        mod control_plane {
            $(#[tokio::test]
            #[ignore = "needs etcd and kube-apiserver"]
            async fn $name() {
                super::$name(super::Arm::control_plane()).await;
            })*
        }
    };
}

mod apply;
mod clients;
mod collection;
mod core_checks;
mod core_kinds;
mod create;
mod definitions;
mod delete;
mod differences;
mod discovery;
mod faults;
mod forms;
mod hostile;
mod kept;
mod list;
mod patch;
mod rules;
mod scale;
mod schemas;
mod types;
mod update;
mod watch;

/// What every theme uses.
mod prelude {
    pub(crate) use std::time::Duration;

    pub(crate) use http::Method;
    pub(crate) use serde_json::{Value, json};

    pub(crate) use crate::common::{self, Answer, Arm, widget};

    pub(crate) fn path(group: &str, ns: &str) -> String {
        format!("/apis/{group}/v1/namespaces/{ns}/widgets")
    }

    /// A namespace and a definition of widgets.
    pub(crate) async fn set_up(arm: &Arm) -> (String, String) {
        let ns = arm.namespace().await;
        let group = arm.define(&arm.group()).await;
        (path(&group, &ns), group)
    }

    pub(crate) async fn make(
        arm: &Arm,
        path: &str,
        group: &str,
        name: &str,
        spec: Value,
    ) -> Answer {
        arm.post(path, &widget(group, name, spec)).await.ok()
    }

    /// Waits until a path answers with this code.
    pub(crate) async fn until(arm: &Arm, path: &str, code: u16) {
        for _ in 0..600 {
            if arm.get(path).await.code == code {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} never answered {code}: {:?}", arm.get(path).await);
    }

    pub(crate) fn names(list: &Answer) -> Vec<String> {
        list.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) async fn labelled(arm: &Arm, p: &str, g: &str) {
        for (name, labels) in [
            ("a", json!({"k": "1"})),
            ("b", json!({"k": "2", "l": "x"})),
            ("c", json!({})),
        ] {
            let mut object = widget(g, name, json!({}));
            object["metadata"]["labels"] = labels;
            arm.post(p, &object).await.ok();
        }
    }
}
