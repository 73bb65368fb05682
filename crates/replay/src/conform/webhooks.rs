//! The part of Longhorn's own webhooks that shows in recordings of its controllers:
//! the refusal to update an image whose download comes from a loopback host. The
//! rest of them, and admission recordings, are not modelled yet.

use fixname_apiserver::{Admission, AdmissionRequest, Denial, Operation};
use fixname_controllers::Behaviour;
use serde_json::Value;

use super::format::Recording;
use crate::backend::BackendError;

/// Who the controller is to the API server. Webhooks judge only what it writes.
pub(super) const CONTROLLER: &str = "system:serviceaccount:longhorn-system:longhorn";

/// The webhooks of one version.
pub(super) struct Webhooks {
    behaviour: Behaviour,
}

impl Webhooks {
    /// Those of the recording's first version.
    pub(super) fn of(recording: &Recording) -> Result<Self, BackendError> {
        let behaviour = Behaviour::of(&recording.version).map_err(BackendError::new)?;
        Ok(Self { behaviour })
    }

    fn refuses(&self, request: &AdmissionRequest) -> bool {
        let is_judged = request.user.name == CONTROLLER
            && request.operation == Operation::Update
            && request.resource == "backingimages"
            && request.subresource.is_empty();
        let spec = request.object.as_ref().map(|image| &image["spec"]);
        is_judged
            && self.behaviour.refuses_loopback_updates
            && spec.is_some_and(|spec| {
                spec["sourceType"] == "download"
                    && spec["sourceParameters"]["url"]
                        .as_str()
                        .is_some_and(is_loopback)
            })
    }
}

impl Admission for Webhooks {
    fn validate<'a>(&'a self, request: &'a AdmissionRequest) -> fixname_apiserver::Verdict<'a> {
        let verdict = if self.refuses(request) {
            let url = request.object.as_ref().map_or(&Value::Null, |image| {
                &image["spec"]["sourceParameters"]["url"]
            });
            Err(Denial::webhook(
                "validator.longhorn.io",
                422,
                "Invalid",
                &format!("invalid URL {url}: loopback addresses are not allowed"),
            ))
        } else {
            Ok(())
        };
        Box::pin(std::future::ready(verdict))
    }
}

/// True if the URL's host is this machine, by name or by address.
fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_host_is_known_by_name_and_by_address() {
        for url in [
            "http://127.0.0.1:8000/x.img",
            "https://user@localhost/x",
            "http://[::1]:80/x",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://images.example.com/localhost",
            "http://10.0.0.1/",
            "",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
