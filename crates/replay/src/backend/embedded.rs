//! The embedded API server, in process, with virtual time: a run of many model
//! minutes takes a fraction of a second, and a seed gives the same run again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fixname_apiserver::{ApiServer, ApiServerBuilder, Faults, TokioClock};
use fixname_controllers::Part;
use fixname_controllers::driver::{Admission, ModelClock};
use fixname_controllers::webhooks::Webhooks;
use fixname_longhorn::NAMESPACE;
use fixname_naming::LonghornVersion;

use super::kept::keep;
use super::{Backend, BackendError, Definitions, EPOCH, Session, prepare};
use crate::event::RunResult;
use crate::run::{RunOptions, run};
use crate::scenario::{Action, Scenario};
use crate::webhooks::{Hook, Judged};

/// The longest a model request takes. Recorded attempts come 0, 8-10, 23-25 and
/// 49-55 ms after a trigger; the back-offs alone would be 5, 15 and 35 ms.
const LATENCY: Duration = Duration::from_millis(4);

/// The embedded backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbeddedBackend;

/// A runtime whose clock stands still while anything is to be done, and jumps when
/// nothing is.
pub(crate) fn virtual_time() -> Result<tokio::runtime::Runtime, BackendError> {
    runtime(false)
}

/// The same, and whether it can listen. It stands still as well while a thread of
/// [`tokio::task::spawn_blocking`] is at work.
fn runtime(listens: bool) -> Result<tokio::runtime::Runtime, BackendError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let paused = builder.enable_time().start_paused(true);
    if listens {
        paused.enable_io();
    }
    paused.build().map_err(BackendError::new)
}

/// An API server in this process, in the time of the runtime it is made on.
pub(crate) fn server(seed: u64) -> ApiServer {
    builder(seed).build()
}

/// The same, to be fitted out further.
pub(crate) fn builder(seed: u64) -> ApiServerBuilder {
    ApiServer::builder()
        .seed(seed)
        .clock(TokioClock::new(EPOCH))
}

/// One with Longhorn's namespace and definitions. A thousand runs begin alike: what is
/// loaded is checked once for each release, and copied.
pub(crate) async fn prepared(
    longhorn: &LonghornVersion,
    given: Option<&Definitions>,
    seed: u64,
) -> Result<ApiServer, BackendError> {
    static LOADED: Mutex<BTreeMap<LonghornVersion, ApiServer>> = Mutex::new(BTreeMap::new());
    let loaded = || LOADED.lock().unwrap_or_else(PoisonError::into_inner);

    let is_usual = given.is_none();
    if let Some(origin) = loaded().get(longhorn).filter(|_| is_usual) {
        return Ok(builder(seed).build_copy(origin));
    }
    let origin = server(0);
    prepare(&origin.client(NAMESPACE), NAMESPACE, longhorn, given).await?;
    let copy = builder(seed).build_copy(&origin);
    if is_usual {
        loaded().insert(longhorn.clone(), origin);
    }
    Ok(copy)
}

impl Backend for EmbeddedBackend {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn time_scale(&self) -> Option<f64> {
        None
    }

    fn run(
        &self,
        scenario: &Scenario,
        options: &RunOptions,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<RunResult, BackendError> {
        let mut actions = scenario.steps.iter().flat_map(|step| &step.actions);
        let listens = actions.any(|action| matches!(action, Action::Run(_)));
        runtime(listens)?.block_on(async {
            let given = options.definitions.as_ref();
            let server = prepared(&options.longhorn, given, options.seed).await?;
            let client = server.client(NAMESPACE);
            let mut webhooks = None;
            if options.parts.has(Part::Webhooks) {
                let rules = Webhooks::of(&options.longhorn).map_err(BackendError::new)?;
                let hook = Hook::new(rules, Judged::Everybody, &server, options.seed);
                webhooks = Some(hook.in_force());
                server.add_admission(hook);
            }
            let session = Session {
                client,
                server: Some(server),
                faults: Faults::new(options.seed),
                kubeconfig: None,
                namespace: NAMESPACE.to_owned(),
                clock: ModelClock::new(EPOCH, 1.0),
                admission: Admission::Cluster,
                webhooks,
                latency: LATENCY,
            };
            let mut result = run(scenario, options, &session, cancelled).await;
            let folder = options.keep_on_failure.as_deref();
            keep(&mut result, folder, &session.client, NAMESPACE).await;
            Ok(result)
        })
    }
}
