//! What the controller manager of a cluster does: dependents of deleted owners
//! go, namespaces that are deleted are emptied, and so are definitions.
//!
//! Work is noticed with each write and done by a task afterwards, through the
//! same path as any request, so that admission hooks and finalizers count.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::admission::UserInfo;
use crate::builtin::Kind;
use crate::delete::Options;
use crate::meta;
use crate::request::{Call, Target};
use crate::resource::{Resource, TableKey, text};
use crate::route::{Query, Route};
use crate::server::ApiServer;
use crate::status::Failure;
use crate::store::Stored;

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    /// An object with owners: do they still exist?
    Dependent(TableKey, String),
    /// An object with this uid is gone.
    OwnerGone(String),
    /// An object waits with `foregroundDeletion` or `orphan`.
    Waiting(TableKey, String),
    /// A namespace is being deleted.
    Namespace(String),
    /// A definition is being deleted.
    Definition(String),
}

#[derive(Debug, Default)]
struct Queue {
    work: VecDeque<Work>,
    running: bool,
}

/// The queue of the collector, and whether it runs at all.
#[derive(Debug)]
pub(crate) struct Collector {
    on: bool,
    queue: Mutex<Queue>,
}

/// Times between attempts when something refuses a deletion.
const FIRST_RETRY: Duration = Duration::from_millis(5);
const LAST_RETRY: Duration = Duration::from_secs(1000);

impl Collector {
    pub(crate) fn new(on: bool) -> Self {
        Self {
            on,
            queue: Mutex::default(),
        }
    }

    /// An object was stored.
    pub(crate) fn noticed(
        &self,
        server: &ApiServer,
        resource: &Resource,
        before: Option<&Stored>,
        after: &Stored,
    ) {
        // Definitions go in every mode: the real server does that itself.
        if resource.behaviour == Kind::Definition && after.terminating {
            self.push(server, Work::Definition(after.key.clone()));
        }
        if !self.on {
            return;
        }
        let new_owners = before.is_none_or(|b| b.owners != after.owners);
        if !after.owners.is_empty() && new_owners {
            self.push(
                server,
                Work::Dependent(resource.table.clone(), after.key.clone()),
            );
        }
        if after.terminating {
            self.push(
                server,
                Work::Waiting(resource.table.clone(), after.key.clone()),
            );
            if resource.behaviour == Kind::Namespace {
                self.push(server, Work::Namespace(after.key.clone()));
            }
        }
    }

    /// An object is gone.
    pub(crate) fn removed(&self, server: &ApiServer, resource: &Resource, last: &Stored) {
        if resource.is_custom() {
            let table = &resource.table;
            let definition = format!("{}.{}", table.plural, table.group);
            let waits = server
                .state()
                .get(&crate::crd::table(), &definition)
                .is_some_and(|d| d.terminating);
            if waits {
                self.push(server, Work::Definition(definition));
            }
        }
        if !self.on {
            return;
        }
        self.push(server, Work::OwnerGone(last.uid.clone()));
        for owner in &last.owners {
            // The owner may wait for its last dependent.
            if let Some((table, key)) = find_uid(server, owner) {
                self.push(server, Work::Waiting(table, key));
            }
        }
        let namespace = last.namespace();
        if !namespace.is_empty() {
            let waits = server
                .state()
                .get(&namespaces(), namespace)
                .is_some_and(|n| n.terminating);
            if waits {
                self.push(server, Work::Namespace(namespace.to_owned()));
            }
        }
    }

    fn push(&self, server: &ApiServer, work: Work) {
        let start = {
            let mut queue = self.lock();
            if !queue.work.contains(&work) {
                queue.work.push_back(work);
            }
            !std::mem::replace(&mut queue.running, true)
        };
        if start {
            let server = server.clone();
            tokio::spawn(async move { run(server).await });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece of work; the task ends when there is none.
    fn pop(&self) -> Option<Work> {
        let mut queue = self.lock();
        let next = queue.work.pop_front();
        queue.running = next.is_some();
        next
    }
}

fn namespaces() -> TableKey {
    TableKey {
        group: String::new(),
        plural: "namespaces".to_owned(),
    }
}

async fn run(server: ApiServer) {
    while let Some(work) = server.inner.collector.pop() {
        attempt(server.clone(), work, FIRST_RETRY).await;
    }
}

/// Does one piece of work; what was refused is tried again later, longer and
/// longer apart, without keeping other work waiting.
fn attempt(server: ApiServer, work: Work, retry: Duration) -> Attempt {
    Box::pin(async move {
        if try_once(&server, &work).await.is_err() {
            tokio::spawn(async move {
                tokio::time::sleep(retry).await;
                attempt(server, work, (retry * 2).min(LAST_RETRY)).await;
            });
        }
    })
}

type Attempt = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn try_once(server: &ApiServer, work: &Work) -> Result<(), Failure> {
    match work {
        Work::Dependent(table, key) => dependent(server, table, key).await,
        Work::OwnerGone(uid) => owner_gone(server, uid).await,
        Work::Waiting(table, key) => waiting(server, table, key).await,
        Work::Namespace(name) => namespace(server, name).await,
        Work::Definition(name) => definition(server, name).await,
    }
}

fn user(name: &str) -> UserInfo {
    UserInfo {
        name: format!("system:serviceaccount:kube-system:{name}"),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            "system:serviceaccounts:kube-system".to_owned(),
            "system:authenticated".to_owned(),
        ],
    }
}

fn call(server: &ApiServer, who: &str) -> Call {
    Call::internal(
        server.clone(),
        Route::Unknown,
        Query::default(),
        Arc::new(user(who)),
    )
}

fn target_of(server: &ApiServer, table: &TableKey, namespace: &str) -> Option<Target> {
    let resource = server.state().registry.any(&table.group, &table.plural)?;
    Some(Target {
        resource,
        namespace: namespace.to_owned(),
        subresource: String::new(),
    })
}

fn find_uid(server: &ApiServer, uid: &str) -> Option<(TableKey, String)> {
    let state = server.state();
    state.store.tables().find_map(|(key, table)| {
        table
            .range("", None)
            .find(|stored| stored.uid == uid)
            .map(|stored| (key.clone(), stored.key.clone()))
    })
}

/// Objects that name `uid` as an owner.
fn dependents(server: &ApiServer, uid: &str) -> Vec<(TableKey, Arc<Stored>)> {
    let state = server.state();
    state
        .store
        .tables()
        .flat_map(|(key, table)| {
            table
                .range("", None)
                .filter(|stored| stored.owners.iter().any(|owner| owner == uid))
                .map(|stored| (key.clone(), stored.clone()))
        })
        .collect()
}

fn ignore_gone<T>(result: Result<T, Failure>) -> Result<(), Failure> {
    match result {
        Ok(_) => Ok(()),
        Err(failure) if failure.code() == 404 => Ok(()),
        Err(failure) => Err(failure),
    }
}

async fn delete(
    server: &ApiServer,
    who: &str,
    table: &TableKey,
    stored: &Stored,
    options: &Options,
) -> Result<(), Failure> {
    let Some(target) = target_of(server, table, stored.namespace()) else {
        return Ok(());
    };
    let call = call(server, who);
    ignore_gone(crate::delete::object(&call, &target, stored.name(), options).await)
}

async fn owner_gone(server: &ApiServer, uid: &str) -> Result<(), Failure> {
    for (table, stored) in dependents(server, uid) {
        dependent(server, &table, &stored.key).await?;
    }
    Ok(())
}

/// An object whose owners are all gone goes too; a gone owner among living
/// ones is only struck from the list.
async fn dependent(server: &ApiServer, table: &TableKey, key: &str) -> Result<(), Failure> {
    let Some(stored) = server.state().get(table, key) else {
        return Ok(());
    };
    if stored.owners.is_empty() {
        return Ok(());
    }
    let object = stored.parse();
    let owners = meta::get(&object, "ownerReferences")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut solid = Vec::new();
    let mut waiting = false;
    let mut dangling = false;
    for owner in owners {
        match owner_state(server, &owner, stored.namespace()) {
            Owner::Lives => solid.push(owner),
            Owner::WaitsForDependents => waiting = true,
            Owner::Gone => dangling = true,
        }
    }
    if solid.is_empty() {
        if stored.terminating && !waiting {
            return Ok(());
        }
        if !dangling && !waiting {
            return Ok(());
        }
        let options = if waiting && stored_has_dependents(server, &stored) {
            Options::foreground()
        } else if meta::finalizers(&object).iter().any(|f| f == "orphan") {
            Options::default()
        } else {
            Options::background()
        }
        .with_uid(&stored.uid);
        return delete(
            server,
            "generic-garbage-collector",
            table,
            &stored,
            &options,
        )
        .await;
    }
    if dangling || waiting {
        return edit(server, "generic-garbage-collector", table, key, |object| {
            meta::set(object, "ownerReferences", Some(Value::from(solid.clone())));
        });
    }
    Ok(())
}

fn stored_has_dependents(server: &ApiServer, stored: &Stored) -> bool {
    !dependents(server, &stored.uid).is_empty()
}

enum Owner {
    Lives,
    WaitsForDependents,
    Gone,
}

/// Looks an owner up as the real collector does: by kind and name, in the
/// dependent's namespace, with the same uid.
fn owner_state(server: &ApiServer, owner: &Value, namespace: &str) -> Owner {
    let state = server.state();
    let Some(resource) = state
        .registry
        .by_kind(text(owner, "/apiVersion"), text(owner, "/kind"))
    else {
        // Of a kind that is not served nothing can be known: it is kept.
        return Owner::Lives;
    };
    let name = text(owner, "/name");
    let key = if resource.namespaced {
        format!("{namespace}/{name}")
    } else {
        name.to_owned()
    };
    match state.get(&resource.table, &key) {
        Some(found) if found.uid == text(owner, "/uid") => {
            if found.terminating
                && meta::finalizers(&found.parse())
                    .iter()
                    .any(|f| f == "foregroundDeletion")
            {
                Owner::WaitsForDependents
            } else {
                Owner::Lives
            }
        }
        _ => Owner::Gone,
    }
}

/// An object that is deleted in the foreground waits for its blocking
/// dependents; one that orphans lets them go first.
async fn waiting(server: &ApiServer, table: &TableKey, key: &str) -> Result<(), Failure> {
    let Some(stored) = server.state().get(table, key) else {
        return Ok(());
    };
    let finalizers = meta::finalizers(&stored.parse());
    if finalizers.iter().any(|f| f == "orphan") {
        for (dependent_table, dependent) in dependents(server, &stored.uid) {
            edit(
                server,
                "generic-garbage-collector",
                &dependent_table,
                &dependent.key,
                |object| {
                    let left: Vec<Value> = meta::get(object, "ownerReferences")
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten()
                        .filter(|owner| text(owner, "/uid") != stored.uid)
                        .cloned()
                        .collect();
                    let left = (!left.is_empty()).then(|| Value::from(left));
                    meta::set(object, "ownerReferences", left);
                },
            )?;
        }
        return strike_finalizer(server, table, key, "orphan");
    }
    if !finalizers.iter().any(|f| f == "foregroundDeletion") {
        return Ok(());
    }
    let all = dependents(server, &stored.uid);
    for (dependent_table, one) in &all {
        if !one.terminating {
            dependent(server, dependent_table, &one.key).await?;
        }
    }
    let blocking = dependents(server, &stored.uid).iter().any(|(_, one)| {
        meta::get(&one.parse(), "ownerReferences")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|owner| {
                text(owner, "/uid") == stored.uid
                    && owner.get("blockOwnerDeletion") == Some(&Value::Bool(true))
            })
    });
    if blocking {
        return Ok(());
    }
    strike_finalizer(server, table, key, "foregroundDeletion")
}

fn strike_finalizer(
    server: &ApiServer,
    table: &TableKey,
    key: &str,
    finalizer: &str,
) -> Result<(), Failure> {
    edit(server, "generic-garbage-collector", table, key, |object| {
        let left: Vec<String> = meta::finalizers(object)
            .into_iter()
            .filter(|f| f != finalizer)
            .collect();
        let left = (!left.is_empty()).then(|| Value::from(left));
        meta::set(object, "finalizers", left);
    })
}

/// Changes `metadata` of a stored object; it goes if its last finalizer went.
fn edit(
    server: &ApiServer,
    _who: &str,
    table: &TableKey,
    key: &str,
    change: impl Fn(&mut Value),
) -> Result<(), Failure> {
    let (before, after, resource, gone) = {
        let mut state = server.state();
        let Some(before) = state.get(table, key) else {
            return Ok(());
        };
        let Some(resource) = state.registry.any(&table.group, &table.plural) else {
            return Ok(());
        };
        let mut object = crate::convert::to_value(&resource, &before);
        let old = object.clone();
        change(&mut object);
        if object == old {
            return Ok(());
        }
        let gone = meta::is_terminating(&object)
            && meta::finalizers(&object).is_empty()
            && (resource.behaviour != Kind::Namespace
                || crate::strategy::namespace_is_done(&object));
        let after = if gone {
            state.remove(&resource, key.to_owned(), object)
        } else {
            state.put(&resource, key.to_owned(), object)
        };
        if gone && resource.behaviour == Kind::Definition {
            crate::crd::unregister(&mut state, &after);
        }
        (before, after, resource, gone)
    };
    let collector = &server.inner.collector;
    if gone {
        collector.removed(server, &resource, &after);
    } else {
        collector.noticed(server, &resource, Some(&before), &after);
    }
    Ok(())
}

/// Empties a namespace; the last one to leave takes it along.
async fn namespace(server: &ApiServer, name: &str) -> Result<(), Failure> {
    let Some(stored) = server.state().get(&namespaces(), name) else {
        return Ok(());
    };
    if !stored.terminating {
        return Ok(());
    }
    let prefix = format!("{name}/");
    let content = |server: &ApiServer| -> Vec<(TableKey, Arc<Stored>)> {
        let state = server.state();
        state
            .store
            .tables()
            .flat_map(|(key, table)| {
                table
                    .range(&prefix, None)
                    .map(|stored| (key.clone(), stored.clone()))
            })
            .collect()
    };
    let mut refused = None;
    for (table, one) in content(server) {
        if one.terminating {
            continue;
        }
        let options = Options::background().with_uid(&one.uid);
        if let Err(failure) = delete(server, "namespace-controller", &table, &one, &options).await {
            refused = Some(failure);
        }
    }
    let left = content(server);
    if let Some(failure) = refused {
        return Err(failure);
    }
    if !left.is_empty() {
        return note_content_left(server, name, &left);
    }
    edit(
        server,
        "namespace-controller",
        &namespaces(),
        name,
        |object| {
            object["spec"] = json!({});
            object["status"] = json!({"phase": "Terminating"});
        },
    )
}

/// Says in the namespace's conditions what it waits for.
fn note_content_left(
    server: &ApiServer,
    name: &str,
    left: &[(TableKey, Arc<Stored>)],
) -> Result<(), Failure> {
    let mut finalizers: BTreeSet<String> = BTreeSet::new();
    for (_, stored) in left {
        finalizers.extend(meta::finalizers(&stored.parse()));
    }
    let now = crate::clock::rfc3339(server.now());
    edit(
        server,
        "namespace-controller",
        &namespaces(),
        name,
        |object| {
            let texts: Vec<String> = finalizers
                .iter()
                .map(|f| {
                    let n = left
                        .iter()
                        .filter(|(_, s)| meta::finalizers(&s.parse()).contains(f))
                        .count();
                    format!("{f} in {n} resource instances")
                })
                .collect();
            let kept = object
                .pointer("/status/conditions")
                .and_then(Value::as_array)
                .and_then(|all| {
                    all.iter()
                        .find(|c| text(c, "/type") == "NamespaceFinalizersRemaining")
                })
                .map(|c| text(c, "/lastTransitionTime").to_owned())
                .unwrap_or_else(|| now.clone());
            object["status"]["phase"] = Value::from("Terminating");
            object["status"]["conditions"] = json!([{
                "type": "NamespaceFinalizersRemaining",
                "status": if texts.is_empty() { "False" } else { "True" },
                "reason": "SomeFinalizersRemain",
                "message": format!("Some content in the namespace has finalizers remaining: {}", texts.join(", ")),
                "lastTransitionTime": kept,
            }]);
        },
    )
}

/// Deletes the instances of a definition; then the definition goes.
async fn definition(server: &ApiServer, name: &str) -> Result<(), Failure> {
    let Some(stored) = server.state().get(&crate::crd::table(), name) else {
        return Ok(());
    };
    if !stored.terminating {
        return Ok(());
    }
    let object = stored.parse();
    let table = TableKey {
        group: text(&object, "/spec/group").to_owned(),
        plural: text(&object, "/spec/names/plural").to_owned(),
    };
    let instances = |server: &ApiServer| -> Vec<Arc<Stored>> {
        let state = server.state();
        state
            .store
            .peek(&table)
            .map(|t| t.range("", None).cloned().collect())
            .unwrap_or_default()
    };
    for one in instances(server) {
        if !one.terminating {
            let options = Options::background().with_uid(&one.uid);
            delete(server, "crd-finalizer", &table, &one, &options).await?;
        }
    }
    if !instances(server).is_empty() {
        return Ok(());
    }
    edit(
        server,
        "crd-finalizer",
        &crate::crd::table(),
        name,
        |object| {
            let left: Vec<String> = meta::finalizers(object)
                .into_iter()
                .filter(|f| f != crate::crd::FINALIZER)
                .collect();
            let left = (!left.is_empty()).then(|| Value::from(left));
            meta::set(object, "finalizers", left);
        },
    )
}
