//! The work queue of one controller, as client-go has it: a key is never worked
//! on twice at once, and a failing key is tried four times and then forgotten.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How often a key is put back after failing: `maxRetries`
/// (`controller/base_controller.go:15` at v1.9.1). Four attempts in all.
const MAX_RETRIES: u32 = 3;

/// Delay after the first failure; it doubles (client-go's default rate limiter).
const BASE_DELAY: Duration = Duration::from_millis(5);

/// What becomes of a key that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is to be added again after this time.
    RetryAfter(Duration),
    /// It is forgotten until something new happens.
    Drop,
}

/// A queue of keys. It has no clock: whoever drives it waits.
#[derive(Clone, Debug, Default)]
pub struct WorkQueue {
    ready: VecDeque<String>,
    /// Added and not yet taken.
    dirty: BTreeSet<String>,
    /// Taken and not yet done.
    processing: BTreeSet<String>,
    failures: BTreeMap<String, u32>,
    /// Failed, and when each is to be added again.
    waiting: BTreeMap<String, Duration>,
}

impl WorkQueue {
    /// Adds a key, unless it waits already. A key in work is queued once that is done.
    pub fn add(&mut self, key: impl Into<String>) {
        let key = key.into();
        if self.dirty.insert(key.clone()) && !self.processing.contains(&key) {
            self.ready.push_back(key);
        }
    }

    /// Puts a key aside until a time. One that waits already is added at the
    /// earlier of the two times, and only once (client-go's delaying queue), so
    /// that triggers in a row do not multiply the attempts.
    pub fn add_at(&mut self, key: &str, at: Duration) {
        let waiting = self.waiting.entry(key.to_owned()).or_insert(at);
        *waiting = at.min(*waiting);
    }

    /// The next time at which a key that was put aside is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.waiting.values().min().copied()
    }

    /// Adds the keys that are due.
    pub fn add_due(&mut self, now: Duration) {
        let due: Vec<_> = self.waiting.extract_if(.., |_, at| *at <= now).collect();
        due.into_iter().for_each(|(key, _)| self.add(key));
    }

    /// Takes the next key.
    pub fn take(&mut self) -> Option<String> {
        let key = self.ready.pop_front()?;
        self.dirty.remove(&key);
        self.processing.insert(key.clone());
        Some(key)
    }

    /// Ends the work on a key.
    pub fn done(&mut self, key: &str) {
        self.processing.remove(key);
        if self.dirty.contains(key) {
            self.ready.push_back(key.to_owned());
        }
    }

    /// Forgets the failures of a key that has succeeded.
    pub fn forget(&mut self, key: &str) {
        self.failures.remove(key);
    }

    /// Counts a failure and says what follows.
    pub fn fail(&mut self, key: &str) -> Verdict {
        let failures = self.failures.entry(key.to_owned()).or_default();
        if *failures < MAX_RETRIES {
            let delay = BASE_DELAY * 2u32.pow(*failures);
            *failures += 1;
            return Verdict::RetryAfter(delay);
        }
        self.forget(key);
        Verdict::Drop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_key_is_tried_four_times_and_then_starts_afresh() {
        let mut queue = WorkQueue::default();
        let ms = |n| Verdict::RetryAfter(Duration::from_millis(n));
        for _ in 0..2 {
            let verdicts: Vec<_> = (0..4).map(|_| queue.fail("parrot")).collect();
            assert_eq!(verdicts, [ms(5), ms(10), ms(20), Verdict::Drop]);
        }
    }

    #[test]
    fn a_key_put_aside_twice_comes_back_once_at_the_earlier_time() {
        let ms = Duration::from_millis;
        let mut queue = WorkQueue::default();
        queue.add_at("parrot", ms(40));
        queue.add_at("parrot", ms(57));
        assert_eq!(queue.next_due(), Some(ms(40)));
        queue.add_due(ms(39));
        assert_eq!(queue.take(), None);
        queue.add_due(ms(40));
        assert_eq!(queue.take().as_deref(), Some("parrot"));
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn a_key_in_work_is_queued_once_more_however_often_it_is_added() {
        let mut queue = WorkQueue::default();
        queue.add("parrot");
        assert_eq!(queue.take().as_deref(), Some("parrot"));
        queue.add("parrot");
        queue.add("parrot");
        assert_eq!(queue.take(), None);
        queue.done("parrot");
        assert_eq!(queue.take().as_deref(), Some("parrot"));
        queue.done("parrot");
        assert_eq!(queue.take(), None);
    }
}
