//! Failed attempts to reconcile an image, as the manager logs them.

use fixname_controllers::{TraceEntry, TraceItem};

/// One failed attempt to reconcile an image.
pub(super) struct Attempt {
    pub(super) text: String,
    /// The attempt was the last one until the next trigger.
    pub(super) given_up: bool,
}

/// The failed attempts among log entries.
pub(super) fn attempts(entries: &[TraceEntry], image: &str) -> Vec<Attempt> {
    let mut found = Vec::new();
    for entry in entries {
        let TraceItem::Log(line) = &entry.item else {
            continue;
        };
        let given_up = line.message.starts_with("Dropping ");
        if line.image == image && (given_up || line.message.starts_with("Failed to sync ")) {
            found.push(Attempt {
                text: line.text(),
                given_up,
            });
        }
    }
    found
}

/// The attempts of each trigger that has been given up. The queue counts failures,
/// not time, so a machine that stalls does not cut a burst in two. Attempts of a
/// trigger still under way are left out.
pub(super) fn bursts(attempts: &[Attempt]) -> Vec<usize> {
    let mut bursts = Vec::new();
    let mut begun = 0;
    for attempt in attempts {
        begun += 1;
        if attempt.given_up {
            bursts.push(std::mem::take(&mut begun));
        }
    }
    bursts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fixname_controllers::{Level, LogLine};

    use super::*;

    fn entry(image: &str, message: &str) -> TraceEntry {
        TraceEntry {
            at: Duration::ZERO,
            item: TraceItem::Log(LogLine {
                level: Level::Error,
                message: message.to_owned(),
                error: None,
                image: image.to_owned(),
            }),
        }
    }

    #[test]
    fn a_burst_ends_when_the_image_is_given_up() {
        const FAILED: &str = "Failed to sync Longhorn backing image";
        const DROPPED: &str = "Dropping Longhorn backing image out of the queue";
        let mut log = Vec::new();
        for message in [FAILED, FAILED, FAILED, DROPPED, FAILED, DROPPED, FAILED] {
            log.push(entry("parrot", message));
            log.push(entry("another", DROPPED));
            log.push(entry(
                "parrot",
                "Creating default backing image manager for disk x",
            ));
        }
        let attempts = attempts(&log, "parrot");
        assert_eq!(attempts.len(), 7);
        assert_eq!(bursts(&attempts), [4, 2]);
    }
}
