//! The collision has struck: one disk has the name, the others never get it, and
//! the image's status stands still while every resync tries in vain.

use std::sync::Arc;
use std::time::Duration;

use fixname_controllers::View;
use fixname_controllers::driver::RESYNC;
use fixname_longhorn::CopyState;

use super::attempts::{attempts, bursts};
use super::{LOOK, Mismatch, Observer, PATIENCE, TWO_RESYNCS, copy_state, describe, image};
use crate::event::{Disk, Outcome};
use crate::scenario::Stuck;

/// An image that has not been tried for so long waits for its next resync.
const QUIET: Duration = Duration::from_secs(10);

/// Attempts a trigger: three retries after the first (see the work queue).
const ATTEMPTS_PER_TRIGGER: usize = 4;

/// A second's sleep that takes so long shows that this program was held up.
const HELD_UP: Duration = Duration::from_secs(10);

/// How often a window in which this program was held up is followed by another one.
const MOST_HELD_UP: usize = 3;

/// Two resyncs, or more where the program was held up.
struct Window {
    /// What the trace held when it opened.
    from: usize,
    before: Arc<View>,
    after: Arc<View>,
    /// How long it was, in model time.
    frozen: Duration,
}

struct Collision {
    name: String,
    winner: Disk,
    losers: Vec<Disk>,
    bystanders: Vec<Disk>,
    /// The winner's manager has no file, and nobody can send it one: it looks for
    /// one in its own folder again and again, and each time wakes the image.
    restless: bool,
}

impl Observer<'_> {
    /// Waits until the image has not been tried for a while, and has been given up.
    /// One that knows no rest is only given up.
    async fn quiet(&self, stuck: &Stuck, mut from: usize) -> Result<(), Mismatch> {
        let began = self.clock.elapsed();
        let (mut since, mut given_up) = (began, true);
        loop {
            let new = self.trace.since(from);
            from += new.len();
            let now = self.clock.elapsed();
            if let Some(last) = attempts(&new, &stuck.image).pop() {
                (since, given_up) = (now, last.given_up);
            }
            if given_up && now.saturating_sub(since) >= QUIET {
                return Ok(());
            }
            let is_late = now.saturating_sub(began) >= TWO_RESYNCS;
            if given_up && is_late {
                let view = self.view().await?;
                if self.check_stuck(stuck, &view)?.restless {
                    return Ok(());
                }
            }
            if now.saturating_sub(began) >= PATIENCE || (self.cancelled)() {
                return Err(vec![format!(
                    "image {} is never at rest for {} model seconds",
                    stuck.image,
                    QUIET.as_secs()
                )]);
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// What happens within two resyncs. A machine that holds this program up makes
    /// several of them into one; then the next two are looked at.
    async fn window(&self, stuck: &Stuck, began: usize) -> Result<Window, Mismatch> {
        let mut held_up = 0;
        loop {
            // Let what is still under way end (a download, a burst of attempts), so
            // that only resyncs trigger anything in the window.
            self.quiet(stuck, began).await?;
            // It opens before the objects are read: a resync that falls into the
            // reading belongs to it as a whole.
            let (from, start) = (self.trace.len(), self.clock.elapsed());
            let before = self.view().await?;
            let longest = self.sleep_until(start + TWO_RESYNCS).await;
            let after = self.view().await?;
            if longest < HELD_UP || held_up == MOST_HELD_UP {
                return Ok(Window {
                    from,
                    before,
                    after,
                    frozen: self.clock.elapsed().saturating_sub(start),
                });
            }
            held_up += 1;
        }
    }

    /// Sleeps in short stretches, and says how long the longest one was in truth.
    async fn sleep_until(&self, end: Duration) -> Duration {
        let mut longest = Duration::ZERO;
        let mut now = self.clock.elapsed();
        while now < end {
            self.clock.sleep(LOOK.min(end - now)).await;
            let woken = self.clock.elapsed();
            longest = longest.max(woken.saturating_sub(now));
            now = woken;
        }
        longest
    }

    /// The collision has struck, and nothing moves.
    pub(crate) async fn stuck(&self, stuck: &Stuck) -> Result<Outcome, Mismatch> {
        let began = self.trace.len();
        self.eventually(|view| {
            let failed = attempts(&self.trace.since(began), &stuck.image);
            if failed.is_empty() && self.is_logged {
                return Err(vec![format!(
                    "no attempt of image {} has failed",
                    stuck.image
                )]);
            }
            self.check_stuck(stuck, view)
        })
        .await
        .map_err(|mut found| {
            if let Some(summary) = self
                .trace
                .since(began)
                .is_empty()
                .then_some("the manager logged nothing")
            {
                found.push(summary.to_owned());
            }
            found
        })?;
        let Window {
            from,
            before,
            after,
            frozen,
        } = self.window(stuck, began).await?;
        let found = self.check_stuck(stuck, &after)?;

        let mut problems = Vec::new();
        let (old, new) = (image(&before, &stuck.image)?, image(&after, &stuck.image)?);
        if old.status != new.status {
            problems.push(format!(
                "the status of image {} moved within {} model seconds, so it is not frozen",
                stuck.image,
                frozen.as_secs()
            ));
        }
        let failed = attempts(&self.trace.since(from), &stuck.image);
        let bursts = bursts(&failed);
        if bursts.len() < 2 && self.is_logged {
            problems.push(format!(
                "{} bursts of attempts in {} model seconds; every resync should bring one",
                bursts.len(),
                frozen.as_secs()
            ));
        }
        let resyncs = usize::try_from(frozen.as_secs() / RESYNC.as_secs()).unwrap_or(usize::MAX);
        if bursts.len() > resyncs + 1 && !found.restless {
            problems.push(format!(
                "{} bursts of attempts in {} model seconds; a given-up image should rest until the next resync",
                bursts.len(),
                frozen.as_secs()
            ));
        }
        if bursts.iter().any(|burst| *burst != ATTEMPTS_PER_TRIGGER) {
            problems.push(format!(
                "attempts a trigger: {bursts:?}; Longhorn makes {ATTEMPTS_PER_TRIGGER}"
            ));
        }
        let taken = format!(
            "backingimagemanagers.longhorn.io {:?} already exists",
            found.name
        );
        let expected = format!("failed to handle backing image managers: {taken}");
        if let Some(other) = failed.iter().find(|a| !a.text.ends_with(&expected)) {
            problems.push(format!(
                "an attempt failed for another reason: {}",
                other.text
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Outcome::Stuck {
            image: stuck.image.clone(),
            manager_name: found.name,
            winner: found.winner,
            losers: found.losers,
            bystanders: found.bystanders,
            attempts: bursts,
            frozen,
            error: taken,
        })
    }

    fn check_stuck(&self, stuck: &Stuck, view: &View) -> Result<Collision, Mismatch> {
        let image = image(view, &stuck.image)?;
        let mut problems = Vec::new();
        let mut winners = Vec::new();
        let mut losers = Vec::new();
        let mut names = Vec::new();
        for path in &stuck.contested {
            let disk = self.disk(path)?;
            names.push(self.name_of(&disk.uuid).map_err(|e| vec![e])?);
            let live = view
                .managers
                .values()
                .find(|m| !m.is_deleting() && m.spec.disk_uuid == disk.uuid);
            match live {
                Some(manager) => {
                    let name = manager.name().to_owned();
                    winners.push((disk, name));
                }
                None => losers.push(disk),
            }
        }
        names.dedup();
        let [name] = &names[..] else {
            return Err(vec![format!(
                "{} gives the contested disks different names, so they cannot collide: {}",
                self.expected.version,
                names.join(", ")
            )]);
        };
        if winners.len() != 1 {
            let who: Vec<_> = winners
                .iter()
                .map(|(d, name)| format!("{} has {name}", describe(d)))
                .collect();
            return Err(vec![format!(
                "{} of the {} contested disks have a manager, not one{}{}",
                winners.len(),
                stuck.contested.len(),
                if who.is_empty() { "" } else { ": " },
                who.join(", ")
            )]);
        }
        let (winner, held) = winners.remove(0);
        let restless = !view.managers.get(&held).is_some_and(|manager| {
            let file = manager.status.backing_image_file_map.get(&stuck.image);
            file.is_some_and(|file| file.state == CopyState::Ready)
        });
        if held != *name {
            problems.push(format!("the winner's manager is named {held}, not {name}"));
        }
        if let Some(path) = &stuck.winner
            && self.disk(path)? != winner
        {
            problems.push(format!("{} has the name, not {path}", describe(&winner)));
        }
        let wanted = self.wanted(image);
        let losers: Vec<Disk> = losers.into_iter().filter(|d| wanted.contains(d)).collect();
        if losers.is_empty() {
            problems.push(format!(
                "image {} wants none of the disks without a manager",
                stuck.image
            ));
        }
        // "In spec, not in status" is the knowledge base's symptom. An entry that
        // was there before the freeze stays, whatever it says.
        let mut bystanders = Vec::new();
        for path in &stuck.bystanders {
            let disk = self.disk(path)?;
            let serves = view.managers_of_disk(&disk.uuid).any(|m| {
                let file = m.status.backing_image_file_map.get(&stuck.image);
                !m.is_deleting() && file.is_some_and(|f| f.state == CopyState::Ready)
            });
            if !serves {
                problems.push(format!(
                    "the manager of bystander {path} does not have the file yet"
                ));
            } else if copy_state(image, &disk.uuid).is_some() {
                problems.push(format!(
                    "image {} knows of the copy on bystander {path}, so it is not frozen",
                    stuck.image
                ));
            }
            bystanders.push(disk);
        }
        if problems.is_empty() {
            Ok(Collision {
                name: name.clone(),
                winner,
                losers,
                bystanders,
                restless,
            })
        } else {
            Err(problems)
        }
    }
}
