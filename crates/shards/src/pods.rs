//! What a pod's status says about its shard. Pure.

use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::ResourceExt;

use crate::job::{INDEX, SHARD};

/// How a shard's pod is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not begun, with the reason if there is one that should not last.
    Waiting(Option<String>),
    /// It works.
    Running,
    /// Its log has a part.
    Ended,
    /// It failed, for this reason.
    Failed(String),
}

/// Which shard a pod works on.
pub(crate) fn shard_of(pod: &Pod) -> Option<u32> {
    let single = pod.labels().get(SHARD);
    single
        .or_else(|| pod.annotations().get(INDEX))?
        .parse()
        .ok()
}

pub(crate) fn fate(pod: &Pod) -> Fate {
    let Some(status) = &pod.status else {
        return Fate::Waiting(None);
    };
    let states = || {
        let containers = status.container_statuses.iter().flatten();
        containers.filter_map(|container| container.state.as_ref())
    };
    match status.phase.as_deref() {
        Some("Succeeded") => Fate::Ended,
        Some("Failed") => {
            let why = states().find_map(terminated);
            let own = status.message.clone().or_else(|| status.reason.clone());
            Fate::Failed(why.or(own).unwrap_or_else(|| "its pod failed".to_owned()))
        }
        Some("Running") => Fate::Running,
        _ => Fate::Waiting(states().find_map(stays_waiting).or_else(|| unplaced(pod))),
    }
}

fn terminated(state: &ContainerState) -> Option<String> {
    let ended = state.terminated.as_ref()?;
    let signal = ended.signal.or(match ended.exit_code {
        // As shells and container runtimes count signals.
        code @ 129..=159 => Some(code - 128),
        _ => None,
    });
    let how = match signal {
        Some(signal) => format!("ended by signal {signal}"),
        None => format!("exit code {}", ended.exit_code),
    };
    Some(match ended.reason.as_deref() {
        None | Some("Error") => format!("its container: {how}"),
        Some(reason) => format!("its container: {reason}, {how}"),
    })
}

/// A reason that waiting alone seldom ends.
fn stays_waiting(state: &ContainerState) -> Option<String> {
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    if matches!(reason, "ContainerCreating" | "PodInitializing") {
        return None;
    }
    Some(match &waiting.message {
        Some(message) => format!("{reason}: {message}"),
        None => reason.to_owned(),
    })
}

fn unplaced(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let placed = conditions.iter().find(|c| c.type_ == "PodScheduled")?;
    if placed.status != "False" {
        return None;
    }
    let reason = placed.reason.as_deref().unwrap_or("Unschedulable");
    Some(match &placed.message {
        Some(message) => format!("{reason}: {message}"),
        None => reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(status: &Value) -> Fate {
        let pod = json!({"metadata": {"name": "p"}, "status": status});
        fate(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_pods_status_is_told_in_words() {
        let container = |state: &Value| {
            json!([{"name": "shard", "image": "i", "imageID": "",
            "ready": false, "restartCount": 0, "state": state}])
        };
        assert_eq!(of(&json!({"phase": "Succeeded"})), Fate::Ended);
        assert_eq!(of(&json!({"phase": "Running"})), Fate::Running);
        assert_eq!(of(&json!({"phase": "Pending"})), Fate::Waiting(None));
        assert_eq!(
            of(&json!({"phase": "Failed", "containerStatuses":
                container(&json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}))})),
            Fate::Failed("its container: OOMKilled, ended by signal 9".to_owned())
        );
        assert_eq!(
            of(&json!({"phase": "Failed", "containerStatuses":
                container(&json!({"terminated": {"exitCode": 2, "reason": "Error"}}))})),
            Fate::Failed("its container: exit code 2".to_owned())
        );
        assert_eq!(
            of(&json!({"phase": "Failed", "reason": "Evicted", "message": "too full"})),
            Fate::Failed("too full".to_owned())
        );
        assert_eq!(
            of(&json!({"phase": "Pending", "containerStatuses":
                container(&json!({"waiting": {"reason": "ErrImageNeverPull", "message": "no"}}))})),
            Fate::Waiting(Some("ErrImageNeverPull: no".to_owned()))
        );
        assert_eq!(
            of(&json!({"phase": "Pending", "containerStatuses":
                container(&json!({"waiting": {"reason": "ContainerCreating"}}))})),
            Fate::Waiting(None)
        );
        assert_eq!(
            of(
                &json!({"phase": "Pending", "conditions": [{"type": "PodScheduled",
                "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]})
            ),
            Fate::Waiting(Some("Unschedulable: 0/1 nodes".to_owned()))
        );
    }
}
