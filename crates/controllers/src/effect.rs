//! What a reconcile does, as data: the pure functions return effects in order,
//! and the driver carries them out until one fails.

use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, Kind, Node, Replica, Volume,
};
use serde::Serialize;

/// One thing that a reconcile does.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Writes a line to the manager's log.
    Log(LogLine),
    /// Records a Kubernetes event.
    Event(Event),
    /// Sends a request to the API server.
    Write {
        /// The request.
        write: Write,
        /// Which refusals do not end the reconcile.
        tolerance: Tolerance,
        /// What the error is wrapped in if it does end it, outermost first.
        context: &'static [&'static str],
    },
    /// The real code looks into its caches again from here on: once they show what
    /// was written, the reconcile is to be called again, with the same random
    /// numbers, and finds that done. Always the last effect.
    Reread,
    /// Ends the reconcile with this error.
    Fail(String),
    /// Ends the process: the real code panics here.
    Panic(String),
}

/// Which refusals of a write do not end the reconcile with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// None.
    Strict,
    /// The object may be gone already.
    NotFound,
    /// Somebody else came first: the reconcile ends quietly.
    ConflictEndsQuietly,
    /// Somebody else came first: the process crashes, for it goes on with the
    /// object that it did not get.
    ConflictPanics,
    /// Any error is logged as a warning of this text, and ends this series quietly.
    Warned {
        /// The text.
        message: &'static str,
        /// Whether the error follows in the line's `error` field.
        with_error: bool,
    },
    /// Any error is dropped; a conflict queues the image again. So ends every
    /// reconcile (`controller/backing_image_controller.go:263-281` at v1.9.1).
    Dropped,
}

/// A request to the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// POST.
    Create(Object),
    /// PUT of the object, with its resource version.
    Update(Object),
    /// PUT of its status, with its resource version. `adopted` says that the
    /// reconcile goes on with the answer, that is, with its resource version.
    UpdateStatus {
        /// The object.
        object: Object,
        /// Go on with the answer's resource version.
        adopted: bool,
    },
    /// DELETE by name.
    Delete(Kind, String),
}

impl Write {
    /// The name of the object written.
    pub fn name(&self) -> String {
        match self {
            Self::Create(object) | Self::Update(object) | Self::UpdateStatus { object, .. } => {
                object.name().to_owned()
            }
            Self::Delete(_, name) => name.clone(),
        }
    }
}

/// An object that a controller writes.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A backing image.
    BackingImage(Box<BackingImage>),
    /// A manager.
    Manager(Box<BackingImageManager>),
    /// A data source.
    DataSource(Box<BackingImageDataSource>),
    /// A node.
    Node(Box<Node>),
    /// A replica.
    Replica(Box<Replica>),
    /// A volume.
    Volume(Box<Volume>),
}

/// Does the same with the object of any kind.
macro_rules! each_object {
    ($object:expr, $inner:ident => $do:expr) => {
        match $object {
            $crate::effect::Object::BackingImage($inner) => $do,
            $crate::effect::Object::Manager($inner) => $do,
            $crate::effect::Object::DataSource($inner) => $do,
            $crate::effect::Object::Node($inner) => $do,
            $crate::effect::Object::Replica($inner) => $do,
            $crate::effect::Object::Volume($inner) => $do,
        }
    };
}
pub(crate) use each_object;

/// The object of any kind, made by the same expression.
macro_rules! map_object {
    ($object:expr, $inner:ident => $do:expr) => {
        match $object {
            $crate::effect::Object::BackingImage($inner) => {
                $crate::effect::Object::BackingImage(Box::new($do))
            }
            $crate::effect::Object::Manager($inner) => {
                $crate::effect::Object::Manager(Box::new($do))
            }
            $crate::effect::Object::DataSource($inner) => {
                $crate::effect::Object::DataSource(Box::new($do))
            }
            $crate::effect::Object::Node($inner) => $crate::effect::Object::Node(Box::new($do)),
            $crate::effect::Object::Replica($inner) => {
                $crate::effect::Object::Replica(Box::new($do))
            }
            $crate::effect::Object::Volume($inner) => $crate::effect::Object::Volume(Box::new($do)),
        }
    };
}
pub(crate) use map_object;

impl Object {
    /// The object's name.
    pub fn name(&self) -> &str {
        each_object!(self, object => object.name())
    }
}

/// Severity of a log line, as logrus has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// `level=info`.
    Info,
    /// `level=warning`.
    Warning,
    /// `level=error`.
    Error,
}

/// A line of the manager's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Severity.
    pub level: Level,
    /// The `msg` field.
    pub message: String,
    /// The `error` field, if there is one.
    pub error: Option<String>,
    /// The backing image it is about, or empty.
    pub image: String,
}

impl LogLine {
    /// Message and error in one, joined as recordings of the real Longhorn have it.
    pub fn text(&self) -> String {
        match &self.error {
            Some(error) => format!("{}: {error}", self.message),
            None => self.message.clone(),
        }
    }
}

/// `Normal` or `Warning`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum EventType {
    /// Nothing to worry about.
    Normal,
    /// Something to look at.
    Warning,
}

/// A Kubernetes event on an object of Longhorn's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// The object's kind.
    pub kind: &'static str,
    /// The object's name.
    pub name: String,
    /// Severity.
    pub type_: EventType,
    /// One word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

impl Event {
    /// `Kind/name Type Reason: message`, as recordings of the real Longhorn have it.
    pub fn text(&self) -> String {
        format!(
            "{}/{} {:?} {}: {}",
            self.kind, self.name, self.type_, self.reason, self.message
        )
    }
}
