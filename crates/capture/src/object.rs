//! Reads one object as its `apiVersion` and `kind` say. The two formats cut the
//! text into objects; this is what they have in common.

use fixname_longhorn::objects::GROUP;
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, Kind, Node, Replica, Setting, Volume,
};
use serde::de::{Deserialize, Deserializer};
use serde_json::Value;

/// One object of a kind that is used.
pub(crate) enum Object {
    Node(Node),
    BackingImage(BackingImage),
    BackingImageManager(BackingImageManager),
    BackingImageDataSource(BackingImageDataSource),
    Replica(Replica),
    Setting(Setting),
    Volume(Volume),
}

/// What to do with an object, to be told from its `apiVersion` and `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Read it as this kind.
    Typed(Kind),
    /// A node of v1beta1, which differs in the shape of its conditions.
    OldNode,
    /// It is of no use here.
    Ignore,
}

impl How {
    pub(crate) fn of(api_version: &str, kind: &str) -> Self {
        let Some((GROUP, version)) = api_version.split_once('/') else {
            return Self::Ignore;
        };
        let known = Kind::ALL.iter().find(|known| known.as_str() == kind);
        match (version, known) {
            ("v1beta2", Some(kind)) => Self::Typed(*kind),
            ("v1beta1", Some(Kind::Node)) => Self::OldNode,
            _ => Self::Ignore,
        }
    }
}

/// The kind of a list's items, for items that do not say it themselves.
pub(crate) fn item_kind(list_kind: &str) -> Option<&str> {
    list_kind
        .strip_suffix("List")
        .filter(|kind| !kind.is_empty())
}

/// True if a value of that kind is a list of objects rather than an object.
pub(crate) fn is_list(kind: &str) -> bool {
    kind.ends_with("List")
}

impl Object {
    pub(crate) fn read<'de, D: Deserializer<'de>>(
        kind: Kind,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        Ok(match kind {
            Kind::Node => Self::Node(Node::deserialize(deserializer)?),
            Kind::BackingImage => Self::BackingImage(BackingImage::deserialize(deserializer)?),
            Kind::BackingImageManager => {
                Self::BackingImageManager(BackingImageManager::deserialize(deserializer)?)
            }
            Kind::BackingImageDataSource => {
                Self::BackingImageDataSource(BackingImageDataSource::deserialize(deserializer)?)
            }
            Kind::Replica => Self::Replica(Replica::deserialize(deserializer)?),
            Kind::Setting => Self::Setting(Setting::deserialize(deserializer)?),
            Kind::Volume => Self::Volume(Volume::deserialize(deserializer)?),
        })
    }

    /// Reads a node of v1beta1. Its conditions are maps by type (a list since
    /// v1beta2, longhorn-manager `k8s/pkg/apis/longhorn/v1beta1/node.go`) and
    /// are left out; the disks and their UUIDs have the same shape.
    pub(crate) fn read_old_node(mut value: Value) -> Result<Self, serde_json::Error> {
        fn drop_map(owner: &mut Value) {
            if let Some(owner) = owner.as_object_mut()
                && owner.get("conditions").is_some_and(Value::is_object)
            {
                owner.remove("conditions");
            }
        }
        if let Some(status) = value.get_mut("status") {
            drop_map(status);
            if let Some(Value::Object(disks)) = status.get_mut("diskStatus") {
                disks.values_mut().for_each(drop_map);
            }
        }
        Ok(Self::Node(Node::deserialize(value)?))
    }

    /// Fills in what the list said about its items, where the item itself did not.
    pub(crate) fn with_type(mut self, api_version: &str, kind: &str) -> Self {
        macro_rules! fill {
            ($($variant:ident)+) => {
                match &mut self {
                    $(Self::$variant(object) => {
                        object.api_version = api_version.to_owned();
                        object.kind = kind.to_owned();
                    })+
                }
            };
        }
        fill!(Node BackingImage BackingImageManager BackingImageDataSource Replica Setting Volume);
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Node(_) => Kind::Node,
            Self::BackingImage(_) => Kind::BackingImage,
            Self::BackingImageManager(_) => Kind::BackingImageManager,
            Self::BackingImageDataSource(_) => Kind::BackingImageDataSource,
            Self::Replica(_) => Kind::Replica,
            Self::Setting(_) => Kind::Setting,
            Self::Volume(_) => Kind::Volume,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_longhorns_own_kinds_of_a_known_version_are_read() {
        for (api_version, kind, how) in [
            ("longhorn.io/v1beta2", "Node", How::Typed(Kind::Node)),
            ("longhorn.io/v1beta2", "Replica", How::Typed(Kind::Replica)),
            ("longhorn.io/v1beta1", "Node", How::OldNode),
            ("longhorn.io/v1beta1", "BackingImage", How::Ignore),
            ("longhorn.io/v1", "Node", How::Ignore),
            ("longhorn.io/v1beta2", "Volume", How::Typed(Kind::Volume)),
            ("longhorn.io/v1beta2", "Engine", How::Ignore),
            ("v1", "Node", How::Ignore),
            ("", "", How::Ignore),
        ] {
            assert_eq!(How::of(api_version, kind), how, "{api_version} {kind}");
        }
        assert_eq!(item_kind("NodeList"), Some("Node"));
        assert_eq!(item_kind("List"), None);
    }
}
