//! What is known of the type of a value: from a definition's schema, from the
//! table of the core kinds, or nothing (`kube-openapi/pkg/schemaconv`).

use serde_json::Value;

use crate::core_types::{self, GoType};
use crate::resource::Resource;
use crate::schema::{Additional, ListKind, Schema, Type};

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ty<'a> {
    /// An object of a definition.
    Custom(&'a Resource),
    /// A definition.
    Definition,
    /// Below a definition's schema; whether unknown fields are kept here
    /// because a schema above says so.
    Schema(&'a Schema, bool),
    /// A core type, how a list of it merges, and whether its map is atomic.
    Core(&'static GoType, &'static ListKind, bool),
    Text,
    /// Maps by their keys, lists as a whole (`__untyped_deduced_`).
    Deduced,
    /// Owned as a whole (`__untyped_atomic_`).
    Untyped,
}

/// What a scalar must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Numeric,
    Text,
    Boolean,
    Untyped,
}

/// The forms that a value of a type can have.
#[derive(Debug)]
pub(crate) struct Atom<'a> {
    pub(crate) scalar: Option<Scalar>,
    pub(crate) list: Option<List<'a>>,
    pub(crate) map: Option<MapType<'a>>,
}

/// A list: its items and how it merges.
#[derive(Debug)]
pub(crate) struct List<'a> {
    pub(crate) item: Ty<'a>,
    pub(crate) kind: &'a ListKind,
}

/// A map or a struct.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapType<'a> {
    ty: Ty<'a>,
    pub(crate) atomic: bool,
}

/// One form out of those that a type allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Map,
    Scalar,
    List,
}

impl Atom<'_> {
    /// The form that fits a value, else the first that the type allows, and
    /// whether that was decided by the value alone (`deduceAtom`).
    pub(crate) fn form(&self, value: Option<&Value>) -> (Form, bool) {
        let fits = match value {
            Some(Value::Object(_)) if self.map.is_some() => Some(Form::Map),
            Some(Value::Array(_)) if self.list.is_some() => Some(Form::List),
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) if self.scalar.is_some() => {
                Some(Form::Scalar)
            }
            _ => None,
        };
        let count = usize::from(self.map.is_some())
            + usize::from(self.scalar.is_some())
            + usize::from(self.list.is_some());
        let first = if self.map.is_some() {
            Form::Map
        } else if self.scalar.is_some() {
            Form::Scalar
        } else {
            Form::List
        };
        (fits.unwrap_or(first), fits.is_some() || count == 1)
    }
}

const ATOMIC: &ListKind = &ListKind::Atomic;
static ANY_FIELDS: GoType = GoType::Fields;

impl<'a> Ty<'a> {
    /// The type of a whole object of a resource.
    pub(crate) fn of(resource: &'a Resource) -> Self {
        use crate::builtin::Kind;
        match resource.behaviour {
            Kind::Custom => Self::Custom(resource),
            Kind::Definition => Self::Definition,
            kind => core_types::of_kind(kind).map_or(Self::Deduced, |id| {
                Self::Core(core_types::table().as_type(id), ATOMIC, false)
            }),
        }
    }

    fn meta() -> Self {
        let id = core_types::object_meta();
        Self::Core(core_types::table().as_type(id), ATOMIC, false)
    }

    pub(crate) fn atom(self) -> Atom<'a> {
        let map = |atomic| MapType { ty: self, atomic };
        let (scalar, list, map) = match self {
            Self::Custom(_) | Self::Definition => (None, None, Some(map(false))),
            Self::Text => (Some(Scalar::Text), None, None),
            Self::Deduced | Self::Untyped => (
                Some(Scalar::Untyped),
                Some(List {
                    item: Self::Untyped,
                    kind: ATOMIC,
                }),
                Some(map(matches!(self, Self::Untyped))),
            ),
            Self::Schema(schema, preserve) => {
                let list = || {
                    Some(List {
                        item: schema.items.as_deref().map_or(Self::Untyped, |items| {
                            Self::Schema(items, preserve || items.preserve_unknown)
                        }),
                        kind: &schema.list_kind,
                    })
                };
                match schema.kind.filter(|_| !schema.int_or_string) {
                    None => (Some(Scalar::Untyped), list(), Some(map(schema.atomic_map))),
                    Some(Type::Object) => (None, None, Some(map(schema.atomic_map))),
                    Some(Type::Array) => (None, list(), None),
                    Some(Type::Integer | Type::Number) => (Some(Scalar::Numeric), None, None),
                    Some(Type::Boolean) => (Some(Scalar::Boolean), None, None),
                    Some(Type::String) => {
                        let plain = schema
                            .format
                            .as_deref()
                            .is_none_or(|f| f.is_empty() || f == "byte");
                        let scalar = if plain { Scalar::Text } else { Scalar::Untyped };
                        (Some(scalar), None, None)
                    }
                }
            }
            Self::Core(go, kind, atomic) => match go {
                GoType::Pointer(of) => return Self::Core(of, kind, atomic).atom(),
                GoType::Text(_) | GoType::Bytes => (Some(Scalar::Text), None, None),
                GoType::Bool => (Some(Scalar::Boolean), None, None),
                GoType::Integer(_) => (Some(Scalar::Numeric), None, None),
                GoType::Time | GoType::MicroTime | GoType::Quantity | GoType::IntOrString => {
                    (Some(Scalar::Untyped), None, None)
                }
                GoType::List(of) => (
                    None,
                    Some(List {
                        item: Self::Core(of, ATOMIC, false),
                        kind,
                    }),
                    None,
                ),
                GoType::Struct(id) => {
                    let atomic = atomic || core_types::table().get(*id).atomic;
                    (None, None, Some(map(atomic)))
                }
                GoType::Map(..) | GoType::Fields => (None, None, Some(map(atomic))),
            },
        };
        Atom { scalar, list, map }
    }
}

impl<'a> MapType<'a> {
    /// The type of a field that the type names.
    pub(crate) fn field(self, key: &str) -> Option<Ty<'a>> {
        match self.ty {
            Ty::Custom(_) | Ty::Definition if key == "metadata" => Some(Ty::meta()),
            Ty::Custom(_) | Ty::Definition if key == "apiVersion" || key == "kind" => {
                Some(Ty::Text)
            }
            Ty::Definition => matches!(key, "spec" | "status").then_some(Ty::Deduced),
            Ty::Custom(resource) => {
                let schema = resource.schema.as_ref()?;
                MapType {
                    ty: Ty::Schema(schema, schema.preserve_unknown),
                    atomic: false,
                }
                .field(key)
            }
            Ty::Schema(schema, preserve) => {
                if let Some(property) = schema.properties.get(key) {
                    return Some(Ty::Schema(property, preserve || property.preserve_unknown));
                }
                // An embedded object has these whether or not its schema says so.
                match key {
                    "metadata" if schema.embedded_resource => Some(Ty::meta()),
                    "apiVersion" | "kind" if schema.embedded_resource => Some(Ty::Text),
                    _ => None,
                }
            }
            Ty::Core(GoType::Struct(id), _, _) => {
                let field = core_types::table().get(*id).field(key)?;
                Some(Ty::Core(&field.go, &field.list, field.atomic_map))
            }
            _ => None,
        }
    }

    /// The type of other keys; `None` when there may be none.
    pub(crate) fn element(self) -> Option<Ty<'a>> {
        match self.ty {
            Ty::Custom(resource) => match &resource.schema {
                None => Some(Ty::Deduced),
                Some(schema) => schema.preserve_unknown.then_some(Ty::Deduced),
            },
            Ty::Schema(schema, preserve) => match &schema.additional {
                Additional::Schema(rest) => {
                    Some(Ty::Schema(rest, preserve || rest.preserve_unknown))
                }
                Additional::Allowed(allowed) => allowed.then_some(Ty::Deduced),
                Additional::Unset => {
                    (preserve || schema.properties.is_empty()).then_some(Ty::Deduced)
                }
            },
            Ty::Core(GoType::Map(_, _, of), _, _) => Some(Ty::Core(of, ATOMIC, false)),
            Ty::Core(GoType::Fields, _, _) | Ty::Deduced => Some(Ty::Deduced),
            Ty::Untyped => Some(Ty::Untyped),
            Ty::Core(..) | Ty::Definition | Ty::Text => None,
        }
    }

    /// The type below any key: a named field's, else the other keys'.
    pub(crate) fn below(self, key: &str) -> Ty<'a> {
        self.field(key)
            .or_else(|| self.element())
            .unwrap_or(Ty::Core(&ANY_FIELDS, ATOMIC, false))
    }

    /// The value that a list's key has when an item leaves it out.
    pub(crate) fn default_of(self, key: &str) -> Option<Value> {
        match self.ty {
            Ty::Schema(schema, _) => schema.properties.get(key)?.default.clone(),
            Ty::Core(GoType::Struct(id), _, _) => {
                let field = core_types::table().get(*id).field(key)?;
                // The OpenAPI document gives what Go always writes its zero
                // value as the default.
                let zero = || (!field.omit_empty).then(|| crate::go_decode::zero(&field.go));
                field.default.clone().or_else(zero)
            }
            _ => None,
        }
    }
}
