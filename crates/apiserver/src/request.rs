//! One request: its parts, the checks that come before anything is done, and
//! the choice of the handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use http::{Method, header, request::Parts};
use hyper::body::Body;
use serde_json::Value;

use crate::admission::{UserInfo, Warnings};
use crate::negotiate::Accept;
use crate::reply::Reply;
use crate::resource::Resource;
use crate::route::{Query, ResourcePath, Route};
use crate::server::ApiServer;
use crate::status::Failure;

/// Bodies above this are refused, as by the real server.
pub(crate) const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// As much of a body that is too large is read, and forgotten.
const SKIPPED: usize = 64 * 1024 * 1024;

/// A request without its body.
pub(crate) struct Call {
    pub(crate) server: ApiServer,
    pub(crate) method: Method,
    pub(crate) route: Route,
    pub(crate) query: Query,
    pub(crate) user: Arc<UserInfo>,
    pub(crate) accept: Accept,
    pub(crate) content_type: String,
    pub(crate) user_agent: String,
    pub(crate) warnings: Warnings,
    /// How many changes old a cached answer shall be; a fault asks for it.
    pub(crate) behind: u64,
    /// See [`crate::core_rules::shares_labels`].
    pub(crate) shares_labels: AtomicBool,
    /// What strict validation says of a body in YAML with a key twice.
    pub(crate) doubled_in_yaml: Option<String>,
}

impl Call {
    pub(crate) fn new(
        server: ApiServer,
        head: &Parts,
        user: Arc<UserInfo>,
    ) -> Result<Self, Failure> {
        let text = |name: header::HeaderName| {
            head.headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        Ok(Self {
            server,
            method: head.method.clone(),
            route: crate::route::route(head.uri.path())?,
            query: Query::parse(head.uri.query()),
            user,
            accept: Accept::parse(&text(header::ACCEPT)),
            content_type: text(header::CONTENT_TYPE),
            user_agent: text(header::USER_AGENT),
            warnings: Warnings::default(),
            behind: 0,
            shares_labels: AtomicBool::new(false),
            doubled_in_yaml: None,
        })
    }

    /// A request that the server makes to itself.
    pub(crate) fn internal(
        server: ApiServer,
        route: Route,
        query: Query,
        user: Arc<UserInfo>,
    ) -> Self {
        Self {
            server,
            method: Method::DELETE,
            route,
            query,
            user,
            accept: Accept::default(),
            content_type: String::new(),
            user_agent: String::new(),
            warnings: Warnings::default(),
            behind: 0,
            shares_labels: AtomicBool::new(false),
            doubled_in_yaml: None,
        }
    }

    /// The verb as Kubernetes counts them.
    pub(crate) fn verb(&self) -> &'static str {
        verb(&self.method, &self.route, &self.query)
    }

    /// The same for errors: methods that Kubernetes does not know have none.
    pub(crate) fn known_verb(&self) -> &'static str {
        match self.method {
            Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE => self.verb(),
            _ => "",
        }
    }

    /// Remembers of an object that is decoded what its defaults will hide.
    pub(crate) fn note_labels(&self, resource: &Resource, object: &Value) {
        let shares = crate::core_rules::shares_labels(resource.behaviour, object);
        self.shares_labels.store(shares, Ordering::Relaxed);
    }

    pub(crate) fn warn(&self, text: String) {
        self.warnings.add(text);
    }

    pub(crate) fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// Who is recorded in `managedFields`: `fieldManager`, else the program's name.
    pub(crate) fn manager(&self) -> String {
        if let Some(manager) = self.query.get("fieldManager") {
            return manager.to_owned();
        }
        let program = self.user_agent.split('/').next().unwrap_or_default();
        let mut short: String = program.chars().filter(|c| !c.is_control()).collect();
        while short.len() > 128 {
            short.pop();
        }
        short
    }

    /// The version that a read from the cache shows instead of the newest, if a
    /// fault wants an older one and `asked` allows it.
    pub(crate) fn stale_version(
        &self,
        table: &crate::store::Table,
        current: u64,
        asked: Option<u64>,
    ) -> Option<u64> {
        let oldest = asked?.max(table.compacted);
        let version = current.saturating_sub(self.behind).max(oldest);
        (version < current).then_some(version)
    }
}

/// The verb as Kubernetes counts them.
pub(crate) fn verb(method: &Method, route: &Route, query: &Query) -> &'static str {
    let named = matches!(route, Route::Resource(p) if p.name.is_some());
    let watch = query.flag("watch") || matches!(route, Route::Resource(p) if p.watch);
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ if watch => "watch",
        _ if named => "get",
        _ => "list",
    }
}

/// The whole body, or 413.
pub(crate) async fn read_body<B>(body: B) -> Result<Bytes, Failure>
where
    B: Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let mut whole = BytesMut::new();
    let mut first: Option<Bytes> = None;
    // A client that cannot write on would not read the answer.
    let mut skipped = 0;
    loop {
        let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
        match frame {
            None => break,
            Some(Err(_)) if skipped == 0 => return Err(Failure::bad_request("unexpected EOF")),
            Some(Err(_)) => break,
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                let so_far = whole.len() + first.as_ref().map_or(0, Bytes::len);
                if skipped > 0 || so_far + data.len() > BODY_LIMIT {
                    skipped += data.len();
                    if skipped >= SKIPPED {
                        break;
                    }
                    continue;
                }
                match (&first, whole.is_empty()) {
                    (None, true) => first = Some(data),
                    _ => {
                        if let Some(first) = first.take() {
                            whole.extend_from_slice(&first);
                        }
                        whole.extend_from_slice(&data);
                    }
                }
            }
        }
    }
    if skipped > 0 {
        return Err(Failure::too_large(BODY_LIMIT));
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

/// Answers a request below a resource.
pub(crate) async fn resource(
    call: &Call,
    path: &ResourcePath,
    body: Bytes,
) -> Result<Reply, Failure> {
    if let Some(answer) = crate::access::review(call, path, &body) {
        return answer;
    }
    let found = call
        .server
        .state()
        .registry
        .get(&path.group, &path.version, &path.plural);
    let Some(resource) = found else {
        return Err(if crate::builtin::is_group(&path.group) {
            Failure::generic_not_found()
        } else {
            Failure::path_not_found()
        });
    };
    if let Some(text) = &resource.deprecation {
        call.warn(text.clone());
    }
    let result = route_verb(call, path, &resource, body).await;
    result.map(|mut reply| {
        reply.warnings = call.take_warnings();
        reply
    })
}

async fn route_verb(
    call: &Call,
    path: &ResourcePath,
    resource: &Arc<Resource>,
    body: Bytes,
) -> Result<Reply, Failure> {
    let misplaced = if resource.namespaced {
        path.name.is_some() && path.namespace.is_none()
    } else {
        path.namespace.is_some()
    };
    if misplaced {
        return Err(if resource.is_custom() {
            Failure::path_not_found()
        } else {
            Failure::generic_not_found()
        });
    }
    if resource.foreign_conversion && resource.version != resource.storage_version {
        return Err(Failure::internal(
            "this server cannot call conversion webhooks; set spec.conversion.strategy to None",
        ));
    }
    let target = Target {
        resource: resource.clone(),
        namespace: path.namespace.clone().unwrap_or_default(),
        subresource: path.subresource.clone().unwrap_or_default(),
    };
    let custom = resource.is_custom();
    // Custom resources have one handler for all methods, which names the verb.
    let not_allowed = || {
        if custom {
            Failure::method_not_supported(&resource.group, &resource.plural, call.known_verb())
        } else {
            Failure::generic_method_not_allowed()
        }
    };
    match (path.name.as_deref(), path.subresource.as_deref()) {
        (None, _) => match call.method {
            Method::GET | Method::HEAD => {
                if call.query.flag("watch") || path.watch {
                    crate::watch::start(call, &target, None)
                } else {
                    crate::read::list(call, &target)
                }
            }
            Method::POST if !resource.namespaced || path.namespace.is_some() => {
                crate::write::create(call, &target, body).await
            }
            Method::POST if custom => Err(Failure::path_not_found()),
            Method::PUT | Method::PATCH if custom => {
                Err(Failure::bad_request("name must be provided"))
            }
            Method::DELETE if resource.namespaced && path.namespace.is_none() => Err(if custom {
                Failure::path_not_found()
            } else {
                not_allowed()
            }),
            Method::DELETE if resource.behaviour == crate::builtin::Kind::Namespace => {
                Err(not_allowed())
            }
            Method::DELETE => crate::delete::collection(call, &target, body).await,
            _ => Err(not_allowed()),
        },
        (Some(name), None) => match call.method {
            Method::GET | Method::HEAD => {
                // `?watch=true` of one object is a plain get.
                if path.watch {
                    crate::watch::start(call, &target, Some(name))
                } else {
                    crate::read::get(call, &target, name)
                }
            }
            Method::PUT => crate::write::replace(call, &target, name, body).await,
            Method::PATCH => crate::write::patch(call, &target, name, body).await,
            Method::DELETE => crate::delete::one(call, &target, name, body).await,
            // The handler of custom resources ignores the name of a POST.
            Method::POST if custom => crate::write::create(call, &target, body).await,
            _ => Err(not_allowed()),
        },
        (Some(name), Some("status")) if resource.has_status => match call.method {
            Method::GET | Method::HEAD => crate::read::get(call, &target, name),
            Method::PUT => crate::write::replace(call, &target, name, body).await,
            Method::PATCH => crate::write::patch(call, &target, name, body).await,
            _ => Err(not_allowed()),
        },
        (Some(name), Some("finalize")) if resource.behaviour == crate::builtin::Kind::Namespace => {
            match call.method {
                Method::PUT => crate::write::replace(call, &target, name, body).await,
                _ => Err(not_allowed()),
            }
        }
        (Some(name), Some("binding")) if resource.behaviour == crate::builtin::Kind::Pod => {
            match call.method {
                Method::POST => crate::write::bind(call, &target, name, &body).await,
                _ => Err(not_allowed()),
            }
        }
        (Some(name), Some("scale")) if resource.scale.is_some() => match call.method {
            Method::GET | Method::HEAD => crate::scale::get(call, &target, name),
            Method::PUT => {
                let change = crate::scale::decode(&body, name)?;
                crate::write::scale(call, &target, name, change).await
            }
            Method::PATCH => {
                let patch = crate::patch::Patch::decode(call, &target, &body)?;
                crate::write::scale(call, &target, name, crate::scale::Change::Patch(patch)).await
            }
            _ => Err(not_allowed()),
        },
        // Paths below a core group are answered by the group.
        _ if !custom => Err(Failure::generic_not_found()),
        (Some(name), Some(_)) => Err(target.not_found(name)),
    }
}

/// What a request is about, below the resource.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) resource: Arc<Resource>,
    /// Empty for all namespaces, or for a resource of the cluster.
    pub(crate) namespace: String,
    pub(crate) subresource: String,
}

impl Target {
    pub(crate) fn key(&self, name: &str) -> String {
        if self.resource.namespaced {
            format!("{}/{name}", self.namespace)
        } else {
            name.to_owned()
        }
    }

    /// What the keys of the collection start with.
    pub(crate) fn prefix(&self) -> String {
        if self.resource.namespaced && !self.namespace.is_empty() {
            format!("{}/", self.namespace)
        } else {
            String::new()
        }
    }

    pub(crate) fn not_found(&self, name: &str) -> Failure {
        Failure::not_found(&self.resource.group, &self.resource.plural, name)
    }
}

/// How unknown and doubled fields are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

impl FieldValidation {
    pub(crate) fn of(query: &Query) -> Result<Self, Failure> {
        match query.get("fieldValidation") {
            None | Some("Warn") => Ok(Self::Warn),
            Some("Ignore") => Ok(Self::Ignore),
            Some("Strict") => Ok(Self::Strict),
            Some(other) => Err(Failure::invalid(
                "meta.k8s.io",
                "CreateOptions",
                "",
                &[crate::status::FieldError::not_supported(
                    "fieldValidation",
                    &Value::from(other),
                    &["", "Ignore", "Strict", "Warn"].map(str::to_owned),
                )],
            )),
        }
    }
}
