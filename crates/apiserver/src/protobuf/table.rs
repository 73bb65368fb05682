//! The messages that can be read, from `messages.txt`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// How often a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Single,
    List,
    Map,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Bool,
    Int,
    Double,
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    FieldsV1,
    Raw,
    Duration,
    StringList,
    Message(&'static str),
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    number: u64,
    /// In JSON; `*` when its members belong to the message around it.
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) of: Type,
    /// Absent unless sent, empty when sent empty.
    pub(super) pointer: bool,
    /// Written also when it is empty.
    pub(super) always: bool,
}

impl Field {
    pub(super) fn is_inline(&self) -> bool {
        self.name == "*"
    }

    /// The message that it holds.
    pub(super) fn message(&self) -> Option<&'static Message> {
        match self.of {
            Type::Message(name) => message(name),
            _ => None,
        }
    }

    /// `number=name:type`, with the marks that the file explains.
    fn parse(text: &'static str) -> Option<Self> {
        let (number, rest) = text.split_once('=')?;
        let (name, of) = rest.split_once(':')?;
        let (of, pointer) = match of.strip_suffix('?') {
            Some(of) => (of, true),
            None => (of, false),
        };
        let (of, always) = match of.strip_suffix('!') {
            Some(of) => (of, true),
            None => (of, false),
        };
        let (shape, of) = match (of.strip_prefix("[]"), of.strip_prefix("{}")) {
            (Some(of), _) => (Shape::List, of),
            (_, Some(of)) => (Shape::Map, of),
            _ => (Shape::Single, of),
        };
        Some(Self {
            number: number.parse().ok()?,
            name,
            shape,
            of: match of {
                "string" => Type::String,
                "bool" => Type::Bool,
                "int" => Type::Int,
                "double" => Type::Double,
                "bytes" => Type::Bytes,
                "time" => Type::Time,
                "microtime" => Type::MicroTime,
                "quantity" => Type::Quantity,
                "intorstring" => Type::IntOrString,
                "fieldsv1" => Type::FieldsV1,
                "raw" => Type::Raw,
                "duration" => Type::Duration,
                "stringlist" => Type::StringList,
                message => Type::Message(message),
            },
            pointer,
            always,
        })
    }
}

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    fields: Vec<Field>,
}

impl Message {
    pub(super) fn field(&self, number: u64) -> Option<&Field> {
        self.fields.iter().find(|field| field.number == number)
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }
}

/// The message of this name.
pub(super) fn message(name: &str) -> Option<&'static Message> {
    messages().get(name)
}

fn messages() -> &'static BTreeMap<&'static str, Message> {
    static MESSAGES: OnceLock<BTreeMap<&'static str, Message>> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        include_str!("messages.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let mut words = line.split(' ');
                let name = words.next()?;
                let fields = words.filter_map(Field::parse).collect();
                Some((name, Message { fields }))
            })
            .collect()
    })
}

/// All of them.
#[cfg(test)]
pub(super) fn all() -> &'static BTreeMap<&'static str, Message> {
    messages()
}
