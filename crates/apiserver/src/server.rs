//! The server itself: its builder, its shared state, and the way from an HTTP
//! request to an HTTP response.
//!
//! What a request does is decided in [`crate::read`], [`crate::write`],
//! [`crate::delete`] and [`crate::watch`]. The one lock of the server is taken
//! in short stretches here and there, and never held across an await.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Body;
use jiff::Timestamp;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::admission::{Admission, UserInfo};
use crate::clock::{Clock, TokioClock};
use crate::fault::{self, FaultAction, FaultPlan, Target};
use crate::reply::{Dropped, Reply, ReplyBody};
use crate::request::Call;
use crate::resource::{Registry, Resource, TableKey};
use crate::route::{Query, Route};
use crate::status::Failure;
use crate::store::{Store, Stored};

/// An embedded Kubernetes API server. Clones are the same server.
#[derive(Clone)]
pub struct ApiServer {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiServer").finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    state: Mutex<State>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) admission: RwLock<Vec<Arc<dyn Admission>>>,
    pub(crate) faults: Mutex<FaultPlan>,
    pub(crate) collector: crate::collector::Collector,
}

/// What the lock protects.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) next_epoch: u64,
    /// The spec that each served definition has, to see whether it changes.
    pub(crate) definitions: std::collections::BTreeMap<TableKey, String>,
}

/// Settings of a server that is not built yet.
pub struct ApiServerBuilder {
    seed: u64,
    clock: Arc<dyn Clock>,
    history: usize,
    collect: bool,
    admission: Vec<Arc<dyn Admission>>,
}

impl std::fmt::Debug for ApiServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiServerBuilder")
            .field("seed", &self.seed)
            .field("history", &self.history)
            .field("collect", &self.collect)
            .finish_non_exhaustive()
    }
}

impl Default for ApiServerBuilder {
    fn default() -> Self {
        Self {
            seed: 0,
            clock: Arc::new(TokioClock::default()),
            history: 8192,
            collect: true,
            admission: Vec::new(),
        }
    }
}

impl ApiServerBuilder {
    /// Seed of uids and generated names; 0 unless set.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Where the time comes from; a [`TokioClock`] unless set.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How many changes of each resource a watch can go back; 8192 unless set.
    #[must_use]
    pub fn history(mut self, changes: usize) -> Self {
        self.history = changes;
        self
    }

    /// Whether owners' dependents and the content of deleted namespaces are
    /// removed, as the controller manager of a cluster does; on unless set.
    #[must_use]
    pub fn collector(mut self, on: bool) -> Self {
        self.collect = on;
        self
    }

    /// Adds an admission hook; hooks run in the order they were added.
    #[must_use]
    pub fn admission(mut self, hook: impl Admission) -> Self {
        self.admission.push(Arc::new(hook));
        self
    }

    /// The server, with the namespaces in it that every cluster has.
    #[must_use]
    pub fn build(self) -> ApiServer {
        let state = State {
            store: Store::new(self.history),
            registry: crate::builtin::registry(),
            rng: ChaCha8Rng::seed_from_u64(self.seed),
            next_epoch: 1,
            definitions: std::collections::BTreeMap::new(),
        };
        let server = self.serving(state);
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            server.seed_namespace(name);
        }
        server
    }

    /// A server that begins with all objects and definitions that `origin` holds, as
    /// one started on a copy of its storage. It shares no history, hooks, faults or
    /// work that was left to do, and what is written to one does not show on the other.
    #[must_use]
    pub fn build_copy(self, origin: &ApiServer) -> ApiServer {
        let state = {
            let origin = origin.state();
            State {
                store: origin.store.copy(self.history),
                registry: origin.registry.clone(),
                rng: ChaCha8Rng::seed_from_u64(self.seed),
                next_epoch: origin.next_epoch,
                definitions: origin.definitions.clone(),
            }
        };
        self.serving(state)
    }

    fn serving(self, state: State) -> ApiServer {
        ApiServer {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                clock: self.clock,
                admission: RwLock::new(self.admission),
                faults: Mutex::new(FaultPlan::new(self.seed)),
                collector: crate::collector::Collector::new(self.collect),
            }),
        }
    }
}

impl ApiServer {
    /// Starts with the default settings.
    #[must_use]
    pub fn builder() -> ApiServerBuilder {
        ApiServerBuilder::default()
    }

    /// A client in the same process, with an administrator's rights.
    ///
    /// Must be called on a tokio runtime: `kube::Client` keeps a task there.
    #[must_use]
    pub fn client(&self, namespace: &str) -> kube::Client {
        self.client_as(UserInfo::admin(), namespace)
    }

    /// A client whose requests come from `user`; admission hooks see the name.
    #[must_use]
    pub fn client_as(&self, user: impl Into<UserInfo>, namespace: &str) -> kube::Client {
        kube::Client::new(self.service(user.into()), namespace)
    }

    /// The server as a tower service; requests come from `user`.
    #[must_use]
    pub fn service(&self, user: UserInfo) -> ApiService {
        ApiService {
            server: self.clone(),
            user: Arc::new(user),
        }
    }

    /// What the server's clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The version of the last write.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.state().store.version()
    }

    /// Forgets the history: watches and lists that go back behind the present
    /// version get 410, as after a compaction of etcd.
    pub fn compact(&self) {
        self.state().store.compact();
    }

    /// Adds an admission hook behind those that are there.
    pub fn add_admission(&self, hook: impl Admission) {
        self.inner
            .admission
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(hook));
    }

    /// Access to the fault plan: what is added acts on later requests.
    pub fn faults<R>(&self, edit: impl FnOnce(&mut FaultPlan) -> R) -> R {
        edit(
            &mut self
                .inner
                .faults
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock would be a bug here; the data stays usable
        // because every write is one call into the store.
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn seed_namespace(&self, name: &str) {
        let now = crate::clock::rfc3339(self.now());
        let mut state = self.state();
        let Some(resource) = state.registry.get("", "v1", "namespaces") else {
            return;
        };
        let uid = state.new_uid();
        let object = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "uid": uid,
                "creationTimestamp": now,
                "labels": {"kubernetes.io/metadata.name": name},
            },
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        });
        state.put(&resource, name.to_owned(), object);
    }

    /// Answers one request. The error means: no answer at all, cut the connection.
    pub(crate) async fn answer<B>(
        &self,
        request: Request<B>,
        user: Arc<UserInfo>,
    ) -> Result<Response<ReplyBody>, Dropped>
    where
        B: Body<Data = Bytes> + Send,
    {
        let (head, body) = request.into_parts();
        let mut call = match Call::new(self.clone(), &head, user) {
            Ok(call) => call,
            Err(failure) => return Ok(Reply::failure(&failure).into_response()),
        };
        let hit = self
            .inner
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next(&Target {
                method: &call.method,
                route: &call.route,
                query: &call.query,
                user: &call.user.name,
            });
        let mut lose_answer = false;
        match hit {
            None | Some(FaultAction::BreakWatch { .. }) => {}
            Some(FaultAction::Stale { behind }) => call.behind = behind,
            Some(FaultAction::Delay(time)) => tokio::time::sleep(time).await,
            Some(FaultAction::Fail(refusal)) => return Ok(refusal.reply().into_response()),
            Some(FaultAction::Conflict) => {
                let failure = fault::client::conflict(&call.route);
                return Ok(Reply::failure(&failure).into_response());
            }
            Some(FaultAction::Expired) => {
                let failure = fault::client::expired();
                return Ok(Reply::failure(&failure).into_response());
            }
            Some(FaultAction::Drop) => return Err(Dropped),
            Some(FaultAction::LoseAnswer) => lose_answer = true,
        }
        let body = match crate::request::read_body(body).await {
            Ok(body) => body,
            Err(failure) => return Ok(Reply::failure(&failure).into_response()),
        };
        let body = match call.read_body_as_json(body) {
            Ok(body) => body,
            Err(failure) => return Ok(Reply::failure(&failure).into_response()),
        };
        let reply = call.dispatch(body).await;
        if lose_answer {
            return Err(Dropped);
        }
        let mut reply = match reply {
            Ok(reply) => reply,
            Err(failure) => {
                let mut reply = Reply::failure(&failure);
                reply.warnings = call.take_warnings();
                reply
            }
        };
        if let Some(FaultAction::BreakWatch { after }) = hit {
            reply.break_after(after);
        }
        Ok(reply.into_response())
    }
}

impl State {
    /// A random (version 4) UUID from the server's seed.
    pub(crate) fn new_uid(&mut self) -> String {
        use rand::Rng;
        let mut bytes = [0u8; 16];
        self.rng.fill_bytes(&mut bytes);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let mut out = String::with_capacity(36);
        for (i, byte) in bytes.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                out.push('-');
            }
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        out
    }

    /// The random end of a generated name.
    pub(crate) fn new_suffix(&mut self) -> String {
        use rand::Rng;
        let alphabet = crate::names::SUFFIX_ALPHABET;
        (0..5)
            .map(|_| {
                let i = self.rng.next_u32() as usize % alphabet.len();
                char::from(alphabet[i])
            })
            .collect()
    }

    /// Stores an object that is given in the version of `resource`.
    pub(crate) fn put(&mut self, resource: &Resource, key: String, object: Value) -> Arc<Stored> {
        let stored = self.seal(resource, key, object);
        self.store.put(&resource.table, stored)
    }

    /// Removes an object; `last` is its last state in the version of `resource`.
    pub(crate) fn remove(&mut self, resource: &Resource, key: String, last: Value) -> Arc<Stored> {
        let stored = self.seal(resource, key, last);
        self.store.remove(&resource.table, stored)
    }

    /// The version that objects are stored in, when that is another one:
    /// what its schema does not name is not stored.
    fn storage_version(&self, resource: &Resource) -> Option<Arc<Resource>> {
        if resource.version == resource.storage_version || !resource.is_custom() {
            return None;
        }
        let (group, plural) = (&resource.group, &resource.plural);
        self.registry.get(group, &resource.storage_version, plural)
    }

    /// Takes out of an object what its storage version would not keep.
    pub(crate) fn keep_what_is_stored(&self, resource: &Resource, object: &mut Value) {
        let storage = self.storage_version(resource);
        if let Some(schema) = storage.as_ref().and_then(|r| r.schema.as_ref()) {
            schema.prune(object);
        }
    }

    fn seal(&self, resource: &Resource, key: String, mut object: Value) -> Stored {
        let version = self.store.next_version();
        crate::convert::to_storage(resource, &mut object);
        self.keep_what_is_stored(resource, &mut object);
        let meta = crate::meta::of_mut(&mut object);
        meta.remove("selfLink");
        meta.insert(
            "resourceVersion".to_owned(),
            Value::String(version.to_string()),
        );
        seal_as(resource, key, &object, version)
    }

    pub(crate) fn get(&self, table: &TableKey, key: &str) -> Option<Arc<Stored>> {
        self.store.peek(table)?.get(key).cloned()
    }
}

/// A value as JSON, in a piece of memory of just its size.
fn written(value: &Value) -> Bytes {
    thread_local! {
        // Kept from one write to the next, so that it need not grow each time.
        static SPACE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SPACE.with_borrow_mut(|space| {
        space.clear();
        serde_json::to_writer(&mut *space, value)
            .expect("a JSON value whose keys are all strings can always be written");
        let json = Bytes::copy_from_slice(space);
        // A rare large object must not hold its space for ever.
        if space.capacity() > 1 << 20 {
            *space = Vec::new();
        }
        json
    })
}

/// An object in its storage form that carries `version` already.
pub(crate) fn seal_as(resource: &Resource, key: String, object: &Value, version: u64) -> Stored {
    let json = written(object);
    Stored {
        key,
        version,
        json,
        api_version: resource.storage_api_version().into(),
        epoch: resource.epoch,
        uid: crate::meta::text(object, "uid").to_owned(),
        labels: crate::meta::labels(object),
        owners: crate::meta::owner_uids(object),
        terminating: crate::meta::is_terminating(object),
    }
}

/// The server under a `kube::Client`, without a socket.
#[derive(Debug, Clone)]
pub struct ApiService {
    server: ApiServer,
    user: Arc<UserInfo>,
}

impl<B> tower::Service<Request<B>> for ApiService
where
    B: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<ReplyBody>;
    type Error = Dropped;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Dropped>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = self.server.clone();
        let user = self.user.clone();
        Box::pin(async move { server.answer(request, user).await })
    }
}

impl Call {
    /// A body in protobuf or YAML as JSON; other bodies as they are.
    fn read_body_as_json(&mut self, body: Bytes) -> Result<Bytes, Failure> {
        let Route::Resource(path) = &self.route else {
            return Ok(body);
        };
        let protobuf = crate::protobuf::is(&self.content_type);
        if crate::access::is_self_review(path) {
            return Ok(body);
        }
        if body.is_empty() || !(protobuf || crate::yaml::is(&self.content_type)) {
            return Ok(body);
        }
        let found = self
            .server
            .state()
            .registry
            .get(&path.group, &path.version, &path.plural);
        let kind = found.map(|resource| resource.kind.clone());
        let kind = kind.unwrap_or_default();
        let json = if protobuf {
            crate::protobuf::to_json(&body, &kind)?
        } else {
            self.doubled_in_yaml = crate::yaml::doubled(&body);
            crate::yaml::to_json(&body, &kind)?
        };
        "application/json".clone_into(&mut self.content_type);
        Ok(json)
    }

    /// Does what the request asks for.
    async fn dispatch(&self, body: Bytes) -> Result<Reply, Failure> {
        match &self.route {
            Route::Resource(path) => crate::request::resource(self, path, body).await,
            other => crate::discovery::answer(self, other),
        }
    }
}

impl Query {
    /// Whether a request asks to be only tried.
    pub(crate) fn dry_run(&self) -> Result<bool, Failure> {
        let mut asked = false;
        for value in self.all("dryRun") {
            if value != "All" {
                return Err(Failure::invalid(
                    "meta.k8s.io",
                    "CreateOptions",
                    "",
                    &[crate::status::FieldError::not_supported(
                        "dryRun",
                        &json!([value]),
                        &["All".to_owned()],
                    )],
                ));
            }
            asked = true;
        }
        Ok(asked)
    }
}
