//! Webhooks over HTTP: each body runs a webhook of its own on loopback and
//! tries it against the embedded server, and against kube-apiserver with
//! `-- --ignored`. One file a theme.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "bodies of tests: a panic is a failed test"
)]

#[path = "../common/mod.rs"]
mod common;

/// One test for each arm from one body. Webhooks need sockets and real time.
macro_rules! on_both_arms {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test]
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

mod answers;
mod conditions;
mod configurations;
mod failures;
mod hook;
mod matching;
mod types;
