//! An embedded Kubernetes API server: in process or on loopback,
//! deterministic, with a virtual clock. It behaves as kube-apiserver does;
//! where it differs on purpose, `docs/api-server.md` says so.
//!
//! Start with [`ApiServer::builder`]. [`ApiServer::client`] gives a
//! `kube::Client` in the same process, [`ApiServer::serve`] a port for kubectl;
//! [`ApiServer::load`] fills it with objects from elsewhere; [`Admission`] is the
//! seam for webhook-like rules, [`FaultPlan`] for faults.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), kube::Error> {
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::api::{Api, PostParams};
//!
//! let server = fixname_apiserver::ApiServer::builder().seed(7).build();
//! let maps: Api<ConfigMap> = Api::default_namespaced(server.client("default"));
//! let map: ConfigMap = serde_json::from_str(r#"{"metadata": {"name": "first"}}"#)
//!     .map_err(kube::Error::SerdeError)?;
//! maps.create(&PostParams::default(), &map).await?;
//! let again = maps.create(&PostParams::default(), &map).await;
//! assert!(matches!(again, Err(kube::Error::Api(e)) if e.message == "configmaps \"first\" already exists"));
//! # Ok(())
//! # }
//! ```

mod access;
mod admission;
mod binding;
mod builtin;
mod clock;
mod collector;
mod columns;
mod convert;
mod core_checks;
mod core_openapi;
mod core_rules;
mod core_types;
mod crd;
mod definition;
mod delete;
mod discovery;
mod fault;
mod go_decode;
mod json;
mod json_patch;
mod kept;
mod load;
mod look;
mod managed;
mod meta;
mod names;
mod negotiate;
mod openapi;
mod patch;
mod protobuf;
mod quantity;
mod quote;
mod read;
mod reply;
mod request;
mod resource;
mod route;
mod scale;
mod schema;
mod selector;
mod serve;
mod server;
mod smd;
mod status;
mod store;
mod strategic;
mod strategy;
mod table;
mod tls;
mod watch;
mod webhook;
mod write;
mod yaml;

pub use admission::{Admission, AdmissionRequest, Cause, Denial, Operation, UserInfo, Verdict};
pub use clock::{Clock, SystemClock, TokioClock};
pub use fault::{FaultAction, FaultPlan, Faults, Matcher, Refusal};
pub use load::{LoadError, Loaded};
pub use look::{Object, WeakApiServer};
pub use reply::{Dropped, ReplyBody};
pub use serve::{ServeError, ServeOptions, Serving};
pub use server::{ApiServer, ApiServerBuilder, ApiService};
pub use tls::{KeyError, SelfSigned};
