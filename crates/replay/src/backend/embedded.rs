//! The embedded API server, in process, with virtual time: a run of many model
//! minutes takes a fraction of a second, and a seed gives the same run again.

use std::time::Duration;

use fixname_apiserver::{ApiServer, TokioClock};
use fixname_controllers::driver::{Admission, ModelClock};
use fixname_controllers::webhooks::Webhooks;

use super::{Backend, BackendError, EPOCH, Session, create_namespace, load_crds};
use crate::event::RunResult;
use crate::run::{RunOptions, run};
use crate::scenario::Scenario;
use crate::webhooks::{Hook, Judged};

/// The longest a model request takes. Recorded attempts come 0, 8-10, 23-25 and
/// 49-55 ms after a trigger; the back-offs alone would be 5, 15 and 35 ms.
const LATENCY: Duration = Duration::from_millis(4);

/// The embedded backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbeddedBackend;

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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(BackendError::new)?;
        runtime.block_on(async {
            let server = ApiServer::builder()
                .seed(options.seed)
                .clock(TokioClock::new(EPOCH))
                .build();
            let namespace = fixname_longhorn::NAMESPACE;
            let client = server.client(namespace);
            let webhooks = Webhooks::of(&options.longhorn).map_err(BackendError::new)?;
            let hook = Hook::new(webhooks, Judged::Everybody, client.clone(), options.seed);
            let in_force = hook.in_force();
            server.add_admission(hook);
            load_crds(&client).await?;
            create_namespace(&client, namespace).await?;
            let session = Session {
                client,
                server: Some(server),
                namespace: namespace.to_owned(),
                clock: ModelClock::new(EPOCH, 1.0),
                admission: Admission::Cluster,
                webhooks: Some(in_force),
                latency: LATENCY,
            };
            Ok(run(scenario, options, &session, cancelled).await)
        })
    }
}
