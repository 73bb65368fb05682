//! The types of the core kinds: which members they have, how Go reads and
//! writes each, and how lists and maps of them are merged.
//!
//! The table (`core_types.txt`) holds facts about `k8s.io/api` v0.34: the JSON
//! tags of its structs, and the list, map and patch annotations of its OpenAPI
//! document. It is read when the first object of a core kind is written, not
//! when a server starts. A line without an indent names a type, the lines
//! below it its members: name, Go type, `o` for omitempty, `z` for omitzero.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::builtin::Kind;
use crate::schema::ListKind;

/// The index of a struct in the table.
pub(crate) type StructId = usize;

/// A Go type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum GoType {
    /// A string; the name of its type when it has one of its own.
    Text(&'static str),
    Bool,
    /// An integer of so many bits.
    Integer(u32),
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    /// `FieldsV1`: any JSON.
    Fields,
    List(Box<GoType>),
    /// The name of its own type (or none), the type of its keys, its values.
    Map(&'static str, &'static str, Box<GoType>),
    Pointer(Box<GoType>),
    Struct(StructId),
}

impl GoType {
    /// As Go prints it in errors.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(name) => go_name(name),
            Self::Bool => "bool".to_owned(),
            Self::Integer(bits) => format!("int{bits}"),
            Self::Bytes => "[]uint8".to_owned(),
            Self::Time => "v1.Time".to_owned(),
            Self::MicroTime => "v1.MicroTime".to_owned(),
            Self::Quantity => "resource.Quantity".to_owned(),
            Self::IntOrString => "intstr.IntOrString".to_owned(),
            Self::Fields => "v1.FieldsV1".to_owned(),
            Self::List(of) => format!("[]{}", of.shown()),
            Self::Map("", key, of) => format!("map[{}]{}", go_name(key), of.shown()),
            Self::Map(name, _, _) => go_name(name),
            Self::Pointer(of) => format!("*{}", of.shown()),
            Self::Struct(id) => go_name(table().structs[*id].name),
        }
    }

    /// Without the pointers around it.
    pub(crate) fn pointee(&self) -> &Self {
        match self {
            Self::Pointer(of) => of.pointee(),
            other => other,
        }
    }
}

/// All packages of the core kinds are called `v1`.
fn go_name(name: &'static str) -> String {
    match name.split_once('.') {
        Some(("types", rest)) => format!("types.{rest}"),
        Some((_, rest)) => format!("v1.{rest}"),
        None => name.to_owned(),
    }
}

/// `patchStrategy` and `patchMergeKey` of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PatchRule {
    pub(crate) merge: bool,
    pub(crate) retain_keys: bool,
    /// Empty for lists of scalars.
    pub(crate) key: &'static str,
}

/// A member of a struct.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) go: GoType,
    pub(crate) omit_empty: bool,
    pub(crate) omit_zero: bool,
    pub(crate) required: bool,
    pub(crate) list: ListKind,
    pub(crate) atomic_map: bool,
    pub(crate) patch: Option<PatchRule>,
    pub(crate) default: Option<Value>,
}

/// A struct.
#[derive(Debug, PartialEq)]
pub(crate) struct Struct {
    pub(crate) name: &'static str,
    pub(crate) atomic: bool,
    pub(crate) fields: Vec<Field>,
}

impl Struct {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The name without its package, as Go's decoder prints it.
    pub(crate) fn short_name(&self) -> &'static str {
        self.name
            .split_once('.')
            .map_or(self.name, |(_, rest)| rest)
    }
}

/// All structs.
#[derive(Debug)]
pub(crate) struct Table {
    structs: Vec<Struct>,
    /// [`GoType::Struct`] of each struct, for those who need a reference.
    types: Vec<GoType>,
    index: BTreeMap<&'static str, StructId>,
}

impl Table {
    pub(crate) fn get(&self, id: StructId) -> &Struct {
        &self.structs[id]
    }

    pub(crate) fn as_type(&self, id: StructId) -> &GoType {
        &self.types[id]
    }

    pub(crate) fn id(&self, name: &str) -> Option<StructId> {
        self.index.get(name).copied()
    }
}

/// The one table.
pub(crate) fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| parse(include_str!("core_types.txt")));
    &TABLE
}

/// The struct of a kind's objects; definitions and custom resources have none.
pub(crate) fn of_kind(kind: Kind) -> Option<StructId> {
    let name = match kind {
        Kind::Namespace => "core.Namespace",
        Kind::Node => "core.Node",
        Kind::Pod => "core.Pod",
        Kind::Event => "core.Event",
        Kind::EventV1 => "events.Event",
        Kind::ConfigMap => "core.ConfigMap",
        Kind::Secret => "core.Secret",
        Kind::Lease => "coordination.Lease",
        Kind::ServiceAccount => "core.ServiceAccount",
        Kind::Job => "batch.Job",
        Kind::MutatingWebhooks => "admissionregistration.MutatingWebhookConfiguration",
        Kind::ValidatingWebhooks => "admissionregistration.ValidatingWebhookConfiguration",
        Kind::Kept(kind) => kind.type_name(),
        Kind::Definition | Kind::Custom => return None,
    };
    table().id(name)
}

/// The struct of `metadata`.
pub(crate) fn object_meta() -> StructId {
    table()
        .id("meta.ObjectMeta")
        .expect("the table in this crate has it, as a test checks")
}

fn parse(text: &'static str) -> Table {
    let mut index = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with(' ')) {
        let name = line.split(' ').next().unwrap_or_default();
        index.insert(name, index.len());
    }
    let mut structs: Vec<Struct> = Vec::with_capacity(index.len());
    for line in text.lines() {
        let mut words = line.trim_start().split(' ');
        let name = words.next().unwrap_or_default();
        if !line.starts_with(' ') {
            structs.push(Struct {
                name,
                atomic: words.next() == Some("atomic"),
                fields: Vec::new(),
            });
            continue;
        }
        let go = go_type(words.next().unwrap_or_default(), &index);
        let omit = words.next().unwrap_or_default();
        let mut field = Field {
            name,
            go,
            omit_empty: omit.contains('o'),
            omit_zero: omit.contains('z'),
            required: false,
            list: ListKind::Atomic,
            atomic_map: false,
            patch: None,
            default: None,
        };
        let mut list = None;
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "required" => field.required = true,
                "set" => list = Some(ListKind::Set),
                "atomic" => list = Some(ListKind::Atomic),
                "map-atomic" => field.atomic_map = true,
                "list" => {
                    let keys = value.split(',').map(str::to_owned).collect();
                    list = Some(ListKind::Map(keys));
                }
                "default" => field.default = serde_json::from_str(value).ok(),
                "patch" => {
                    let (strategy, key) = value.split_once(':').unwrap_or((value, ""));
                    field.patch = Some(PatchRule {
                        merge: strategy.contains("merge"),
                        retain_keys: strategy.contains("retainKeys"),
                        key,
                    });
                }
                _ => {}
            }
        }
        // As `kube-openapi/pkg/schemaconv`: a merge key stands in for a list type.
        field.list = match (list, field.patch) {
            (Some(list), _) => list,
            (None, Some(patch)) if patch.merge && patch.key.is_empty() => ListKind::Set,
            (None, Some(patch)) if patch.merge => ListKind::Map(vec![patch.key.to_owned()]),
            (None, _) => ListKind::Atomic,
        };
        if let Some(last) = structs.last_mut() {
            last.fields.push(field);
        }
    }
    Table {
        types: (0..structs.len()).map(GoType::Struct).collect(),
        structs,
        index,
    }
}

fn go_type(text: &'static str, index: &BTreeMap<&'static str, StructId>) -> GoType {
    if let Some(of) = text.strip_prefix('*') {
        return GoType::Pointer(Box::new(go_type(of, index)));
    }
    if let Some(of) = text.strip_prefix("[]") {
        return GoType::List(Box::new(go_type(of, index)));
    }
    if let Some((name, rest)) = text.split_once("map[")
        && let Some((key, of)) = rest.split_once(']')
        && (name.is_empty() || name.ends_with('='))
    {
        return GoType::Map(
            name.trim_end_matches('='),
            key,
            Box::new(go_type(of, index)),
        );
    }
    match text {
        "string" => GoType::Text("string"),
        "bool" => GoType::Bool,
        "int32" => GoType::Integer(32),
        "int64" => GoType::Integer(64),
        "bytes" => GoType::Bytes,
        "time" => GoType::Time,
        "microtime" => GoType::MicroTime,
        "quantity" => GoType::Quantity,
        "intstr" => GoType::IntOrString,
        "fields" => GoType::Fields,
        other => match (other.split_once('='), index.get(other)) {
            (Some((name, _)), _) => GoType::Text(name),
            (None, Some(id)) => GoType::Struct(*id),
            (None, None) => GoType::Fields,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_a_member_names_is_in_the_table() {
        let text = include_str!("core_types.txt");
        for line in text.lines().filter(|line| line.starts_with(' ')) {
            let go = line.trim_start().split(' ').nth(1).expect("a type");
            let last = go.rsplit([']', '*']).next().expect("a name");
            let known = last.contains('=')
                || matches!(
                    last,
                    "string"
                        | "bool"
                        | "int32"
                        | "int64"
                        | "bytes"
                        | "time"
                        | "microtime"
                        | "quantity"
                        | "intstr"
                        | "fields"
                )
                || table().id(last).is_some();
            assert!(known, "{line}");
        }
        assert!(
            table()
                .get(object_meta())
                .field("ownerReferences")
                .is_some()
        );
    }

    #[test]
    fn lists_merge_as_the_open_api_document_says() {
        let spec = table().get(table().id("core.Container").expect("there"));
        let ports = spec.field("ports").expect("there");
        assert_eq!(
            ports.list,
            ListKind::Map(vec!["containerPort".to_owned(), "protocol".to_owned()])
        );
        assert_eq!(ports.patch.expect("there").key, "containerPort");
        let node = table().get(table().id("core.NodeSpec").expect("there"));
        assert_eq!(node.field("taints").expect("there").list, ListKind::Atomic);
        assert_eq!(node.field("podCIDRs").expect("there").list, ListKind::Set);
    }
}
