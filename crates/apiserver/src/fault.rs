//! Faults on demand: the n-th request that matches gets an error, a delay, a
//! cut connection, a conflict, a lost answer, a broken watch, a 410, or a state
//! that is no longer the newest.

use std::time::Duration;

use http::Method;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::reply::Reply;
use crate::request::verb;
use crate::route::{Query, Route};

pub(crate) mod client;

pub use client::Faults;

/// A request as faults see it.
pub(crate) struct Target<'a> {
    pub(crate) method: &'a Method,
    pub(crate) route: &'a Route,
    pub(crate) query: &'a Query,
    pub(crate) user: &'a str,
}

/// Which requests a fault is for. What is not set matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matcher {
    verb: Option<String>,
    resource: Option<String>,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    user: Option<String>,
}

impl Matcher {
    /// Every request to a resource.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or
    /// `deletecollection`.
    #[must_use]
    pub fn verb(mut self, verb: &str) -> Self {
        self.verb = Some(verb.to_owned());
        self
    }

    /// Plural name of the resource.
    #[must_use]
    pub fn resource(mut self, plural: &str) -> Self {
        self.resource = Some(plural.to_owned());
        self
    }

    /// `status` and the like; the empty string for the object itself.
    #[must_use]
    pub fn subresource(mut self, subresource: &str) -> Self {
        self.subresource = Some(subresource.to_owned());
        self
    }

    /// Namespace of the request.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Name of the object in the request's path.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Name of the user who asks.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    fn matches(&self, target: &Target<'_>) -> bool {
        let Route::Resource(path) = target.route else {
            return false;
        };
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|w| w == found);
        is(&self.verb, verb(target.method, target.route, target.query))
            && is(&self.resource, &path.plural)
            && is(
                &self.subresource,
                path.subresource.as_deref().unwrap_or_default(),
            )
            && is(
                &self.namespace,
                path.namespace.as_deref().unwrap_or_default(),
            )
            && is(&self.name, path.name.as_deref().unwrap_or_default())
            && is(&self.user, target.user)
    }
}

/// What happens to a request that a fault hits.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultAction {
    /// Answer with this error; nothing is done.
    Fail(Refusal),
    /// Wait, then go on.
    Delay(Duration),
    /// Cut the connection; nothing is done.
    Drop,
    /// Answer 409 as if somebody else had written in between; nothing is done.
    Conflict,
    /// Do it, then cut the connection instead of answering.
    LoseAnswer,
    /// Cut a watch after this many frames.
    BreakWatch {
        /// Frames that still arrive.
        after: usize,
    },
    /// Answer 410: the version that is asked for is gone.
    Expired,
    /// Answer a get, a list or the begin of a watch from a state that is so
    /// many changes old, as another API server's watch cache may.
    ///
    /// Only where the real server's cache answers too: with `resourceVersion=0`
    /// anything may come, with another version nothing older than that. Without
    /// a version, and with an exact one, the answer is the newest, as ever.
    Stale {
        /// Changes, of any object, that the answer does not know of yet.
        behind: u64,
    },
}

impl FaultAction {
    /// An error with this code, reason and text.
    #[must_use]
    pub fn error(code: u16, reason: &str, message: &str) -> Self {
        Self::Fail(Refusal {
            code,
            reason: reason.to_owned(),
            message: message.to_owned(),
        })
    }
}

/// An error that a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code of the answer, and in its `Status`.
    pub code: u16,
    /// One word for programs, such as `InternalError`.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

impl Refusal {
    /// The answer, with the whole `Status` object.
    pub(crate) fn reply(&self) -> Reply {
        let Self {
            code,
            reason,
            message,
        } = self;
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "code": code, "reason": reason, "message": message});
        Reply::value(*code, &status)
    }
}

#[derive(Debug, Clone)]
struct Fault {
    matcher: Matcher,
    when: When,
    action: FaultAction,
    seen: u64,
}

#[derive(Debug, Clone, Copy)]
enum When {
    Nth { first: u64, count: u64 },
    Chance { per_million: u32 },
}

/// The faults that are still to come, and how many requests each has seen.
#[derive(Debug)]
pub struct FaultPlan {
    faults: Vec<Fault>,
    rng: ChaCha8Rng,
    injected: u64,
}

impl FaultPlan {
    pub(crate) fn new(seed: u64) -> Self {
        // Another stream than that of the uids, so that faults do not move them.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        Self {
            faults: Vec::new(),
            rng,
            injected: 0,
        }
    }

    /// The `n`-th matching request from now on (the first is 1) gets `action`.
    pub fn nth(&mut self, n: u64, matcher: Matcher, action: FaultAction) {
        self.span(n, 1, matcher, action);
    }

    /// `count` matching requests, from the `first` one from now on, get `action`.
    pub fn span(&mut self, first: u64, count: u64, matcher: Matcher, action: FaultAction) {
        self.faults.push(Fault {
            matcher,
            when: When::Nth { first, count },
            action,
            seen: 0,
        });
    }

    /// Each matching request gets `action` with this probability, drawn from
    /// the server's seed.
    pub fn chance(&mut self, per_million: u32, matcher: Matcher, action: FaultAction) {
        self.faults.push(Fault {
            matcher,
            when: When::Chance { per_million },
            action,
            seen: 0,
        });
    }

    /// Removes all faults.
    pub fn clear(&mut self) {
        self.faults.clear();
    }

    /// How many requests were hit so far.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.injected
    }

    /// The fault for this request: the first that is due.
    pub(crate) fn next(&mut self, target: &Target<'_>) -> Option<FaultAction> {
        let mut due = None;
        for fault in &mut self.faults {
            if !fault.matcher.matches(target) {
                continue;
            }
            fault.seen += 1;
            let hit = match fault.when {
                When::Nth { first, count } => fault.seen >= first && fault.seen - first < count,
                When::Chance { per_million } => self.rng.next_u32() % 1_000_000 < per_million,
            };
            if hit && due.is_none() {
                due = Some(fault.action.clone());
            }
        }
        self.faults.retain(|fault| match fault.when {
            When::Nth { first, count } => {
                fault.seen < first.saturating_add(count).saturating_sub(1)
            }
            When::Chance { .. } => true,
        });
        self.injected += u64::from(due.is_some());
        due
    }
}
