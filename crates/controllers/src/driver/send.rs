//! Carries out effects: sends writes to the API server, one after another, as
//! Longhorn's own client does (PUT with the resource version, never a patch).

use std::time::Duration;

use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, FINALIZER, Kind, Node, Replica,
    Volume,
};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, Resource};
use rand::{Rng, RngExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ModelClock;
use crate::effect::{Effect, Level, LogLine, Object, Tolerance, Write, each_object, map_object};
use crate::trace::{Trace, TraceItem};

/// What Go says when a program uses an object that it does not have.
pub(crate) const NIL_POINTER: &str = "invalid memory address or nil pointer dereference";

/// Who puts the finalizers on new objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// We do, as Longhorn's mutating webhook would.
    Played,
    /// A webhook of the cluster does.
    Cluster,
}

/// Why the API server refused a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// HTTP status; 0 if there was no answer at all.
    pub code: u16,
    /// `AlreadyExists`, `Conflict`, …
    pub reason: String,
    /// The server's words.
    pub message: String,
}

impl From<kube::Error> for Refusal {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self {
                code: status.code,
                reason: status.reason,
                message: status.message,
            },
            other => Self {
                code: 0,
                reason: String::new(),
                message: other.to_string(),
            },
        }
    }
}

impl Refusal {
    fn is_conflict(&self) -> bool {
        self.reason == "Conflict"
    }
}

/// How a series of effects ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All were carried out, or the rest was dropped quietly.
    Done {
        /// A conflict asks for another go.
        requeue: bool,
    },
    /// One failed with this error.
    Failed { error: String, conflict: bool },
    /// The process panicked.
    Panicked(String),
    /// To be called again with a newer view.
    Reread,
}

/// Sends effects to one namespace of one API server.
#[derive(Clone)]
pub struct Sender {
    /// The client.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// Where log lines and events go.
    pub trace: Trace,
    /// Model time.
    pub clock: ModelClock,
    /// Who puts finalizers on.
    pub admission: Admission,
    /// The model's request takes up to this long, at random: without it, two
    /// workers could never overtake each other. Zero on a real server, which
    /// has a latency of its own.
    pub latency: Duration,
}

impl Sender {
    /// Carries out effects in order until one fails. What was written is handed
    /// to `written`.
    pub(super) async fn carry_out(
        &self,
        effects: Vec<Effect>,
        rng: &mut (impl Rng + Send),
        written: &mut Vec<Object>,
    ) -> Ended {
        let mut adopted: Option<String> = None;
        let mut requeue = false;
        for effect in effects {
            match effect {
                Effect::Log(line) => self.note(TraceItem::Log(line)),
                Effect::Event(event) => self.note(TraceItem::Event(event)),
                Effect::Fail(error) => {
                    return Ended::Failed {
                        error,
                        conflict: false,
                    };
                }
                Effect::Reread => return Ended::Reread,
                Effect::Panic(text) => return Ended::Panicked(text),
                Effect::Write {
                    mut write,
                    tolerance,
                    context,
                } => {
                    if let (
                        Some(version),
                        Write::Update(Object::BackingImage(image))
                        | Write::UpdateStatus {
                            object: Object::BackingImage(image),
                            ..
                        },
                    ) = (&adopted, &mut write)
                    {
                        image.metadata.resource_version = Some(version.clone());
                    }
                    if !self.latency.is_zero() {
                        let span = self.latency.mul_f64(rng.random::<f64>());
                        self.clock.sleep(span).await;
                    }
                    match self.send(&write).await {
                        Ok(Some(object)) => {
                            if let Write::UpdateStatus { adopted: true, .. } = write
                                && let Object::BackingImage(image) = &object
                            {
                                adopted.clone_from(&image.metadata.resource_version);
                            }
                            written.push(object);
                        }
                        Ok(None) => {}
                        Err(refusal) => match tolerance {
                            Tolerance::NotFound if refusal.code == 404 => {}
                            Tolerance::Dropped => requeue |= refusal.is_conflict(),
                            Tolerance::ConflictEndsQuietly if refusal.is_conflict() => {
                                return Ended::Done { requeue: false };
                            }
                            Tolerance::ConflictPanics if refusal.is_conflict() => {
                                return Ended::Panicked(NIL_POINTER.to_owned());
                            }
                            Tolerance::Warned {
                                message,
                                with_error,
                            } => {
                                self.note(TraceItem::Log(LogLine {
                                    level: Level::Warning,
                                    message: message.to_owned(),
                                    error: with_error.then_some(refusal.message),
                                    image: write.name(),
                                }));
                                return Ended::Done { requeue: false };
                            }
                            _ => {
                                let conflict = refusal.is_conflict();
                                let error =
                                    context.iter().rev().fold(refusal.message, |error, outer| {
                                        format!("{outer}: {error}")
                                    });
                                return Ended::Failed { error, conflict };
                            }
                        },
                    }
                }
            }
        }
        Ended::Done { requeue }
    }

    /// Writes an entry into the trace.
    pub fn note(&self, item: TraceItem) {
        self.trace.push(self.clock.elapsed(), item);
    }

    /// Sends one request. A deletion answers with no object.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with the server's own words.
    pub async fn send(&self, write: &Write) -> Result<Option<Object>, Refusal> {
        match write {
            Write::Create(object) => {
                let mut object = object.clone();
                self.admit(&mut object);
                Ok(Some(map_object!(object, o => self.create(&*o).await?)))
            }
            Write::Update(object) => Ok(Some(map_object!(object, o => self.replace(&**o).await?))),
            Write::UpdateStatus { object, .. } => Ok(Some(
                map_object!(object, o => self.replace_status(&**o).await?),
            )),
            Write::Delete(kind, name) => {
                match kind {
                    Kind::BackingImage => self.delete::<BackingImage>(name).await?,
                    Kind::BackingImageDataSource => {
                        self.delete::<BackingImageDataSource>(name).await?;
                    }
                    Kind::Replica => self.delete::<Replica>(name).await?,
                    _ => self.delete::<BackingImageManager>(name).await?,
                }
                Ok(None)
            }
        }
    }

    fn admit(&self, object: &mut Object) {
        if self.admission == Admission::Cluster {
            return;
        }
        let meta = each_object!(object, o => &mut o.metadata);
        let finalizers = meta.finalizers.get_or_insert_default();
        if !finalizers.iter().any(|f| f == FINALIZER) {
            finalizers.push(FINALIZER.to_owned());
        }
    }

    fn api<T>(&self) -> Api<T>
    where
        T: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn create<T: Written>(&self, object: &T) -> Result<T, Refusal> {
        Ok(self.api().create(&PostParams::default(), object).await?)
    }

    async fn replace<T: Written>(&self, object: &T) -> Result<T, Refusal> {
        let name = object.meta().name.clone().unwrap_or_default();
        Ok(self
            .api()
            .replace(&name, &PostParams::default(), object)
            .await?)
    }

    async fn replace_status<T: Written>(&self, object: &T) -> Result<T, Refusal> {
        let name = object.meta().name.clone().unwrap_or_default();
        let params = PostParams::default();
        Ok(self.api().replace_status(&name, &params, object).await?)
    }

    async fn delete<T: Written>(&self, name: &str) -> Result<(), Refusal> {
        let api: Api<T> = self.api();
        api.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }
}

/// An object that controllers write.
trait Written:
    Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
    + Clone
    + std::fmt::Debug
    + Serialize
    + DeserializeOwned
{
}
impl Written for BackingImage {}
impl Written for BackingImageManager {}
impl Written for BackingImageDataSource {}
impl Written for Node {}
impl Written for Replica {}
impl Written for Volume {}
