//! The functions that rules may call: CEL's own, its strings extension, and
//! Kubernetes' lists, regex and sets (`apiserver/pkg/cel/library`), with their
//! signatures for the checker.

use std::sync::{Arc, LazyLock};

use cel::{Env, ExecutionError};

use super::types::Type;

/// The environment of all rules: it knows no variables.
pub(super) fn environment() -> Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        env.add_extension(cel::extensions::strings)
            .expect("the extension is added once, to an environment without it");
        super::functions::extension(&mut env)
            .expect("no other library declares these functions for these types");
        Arc::new(env)
    });
    ENVIRONMENT.clone()
}

/// A failure at run time in the words of cel-go.
pub(super) fn go_error(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload(_)
        | ExecutionError::ValuesNotComparable(..)
        | ExecutionError::UnsupportedBinaryOperator(..) => "no such overload".to_owned(),
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::IndexOutOfBounds(cel::Value::Int(i)) => {
            format!("index out of bounds: {i}")
        }
        ExecutionError::FunctionError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// A duration as Go's `time.ParseDuration` reads it; cel-rust reads the same.
pub(super) fn duration(text: &str) -> Option<chrono::Duration> {
    let source = format!("duration({})", serde_json::Value::from(text));
    let program = environment().compile(&source).ok()?;
    match program.execute(&cel::Context::with_env(environment())) {
        Ok(cel::Value::Duration(found)) => Some(found),
        _ => None,
    }
}

/// Functions of libraries that this server does not have.
pub(super) fn is_absent(name: &str) -> bool {
    matches!(
        name,
        "quantity"
            | "isQuantity"
            | "url"
            | "isURL"
            | "ip"
            | "isIP"
            | "ip.isCanonical"
            | "cidr"
            | "isCIDR"
            | "semver"
            | "isSemver"
            | "format.named"
            | "dns1123Label"
            | "dns1123Subdomain"
            | "dns1035Label"
            | "qualifiedName"
            | "labelValue"
    )
}

/// `(string, list(A)) bool` or `string.(int) string`: a target, arguments, and
/// the result. `A` and `B` stand for any type, the same one everywhere.
pub(super) struct Signature {
    target: Option<Pattern>,
    args: Vec<Pattern>,
    result: Pattern,
}

#[derive(Clone)]
enum Pattern {
    Any(usize),
    Is(Type),
    List(Box<Pattern>),
    Map(Box<Pattern>, Box<Pattern>),
    Optional(Box<Pattern>),
}

impl Pattern {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        let inside = |name: &str| {
            text.strip_prefix(name)
                .and_then(|t| t.strip_prefix('('))
                .and_then(|t| t.strip_suffix(')'))
        };
        if let Some(of) = inside("list") {
            return Self::List(Box::new(Self::parse(of)));
        }
        if let Some(of) = inside("optional") {
            return Self::Optional(Box::new(Self::parse(of)));
        }
        if let Some((key, value)) = inside("map").and_then(|of| of.split_once(',')) {
            return Self::Map(Box::new(Self::parse(key)), Box::new(Self::parse(value)));
        }
        match text {
            "A" => Self::Any(0),
            "B" => Self::Any(1),
            "bool" => Self::Is(Type::Bool),
            "int" => Self::Is(Type::Int),
            "uint" => Self::Is(Type::Uint),
            "double" => Self::Is(Type::Double),
            "string" => Self::Is(Type::String),
            "bytes" => Self::Is(Type::Bytes),
            "timestamp" => Self::Is(Type::Timestamp),
            "duration" => Self::Is(Type::Duration),
            "type" => Self::Is(Type::OfTypes),
            _ => Self::Is(Type::Dyn),
        }
    }

    fn matches(&self, found: &Type, bound: &mut [Type; 2]) -> bool {
        if *found == Type::Dyn {
            return true;
        }
        match (self, found) {
            (Self::Any(i), found) => {
                let fits = bound[*i].accepts(found) || is_null_and_object(&bound[*i], found);
                bound[*i] = bound[*i].clone().join(found.clone());
                fits
            }
            (Self::Is(of), found) => of.accepts(found),
            (Self::List(of), Type::List(found)) | (Self::Optional(of), Type::Optional(found)) => {
                of.matches(found, bound)
            }
            (Self::Map(key, value), Type::Map(k, v)) => {
                key.matches(k, bound) && value.matches(v, bound)
            }
            _ => false,
        }
    }

    fn build(&self, bound: &[Type; 2]) -> Type {
        match self {
            Self::Any(i) => bound[*i].clone(),
            Self::Is(of) => of.clone(),
            Self::List(of) => Type::list(of.build(bound)),
            Self::Map(key, value) => {
                Type::Map(Box::new(key.build(bound)), Box::new(value.build(bound)))
            }
            Self::Optional(of) => Type::Optional(Box::new(of.build(bound))),
        }
    }
}

/// Null may stand for an object, a time or an optional, but for no scalar.
fn is_null_and_object(a: &Type, b: &Type) -> bool {
    let nullable = |t: &Type| {
        matches!(
            t,
            Type::Object(_) | Type::Timestamp | Type::Duration | Type::Optional(_)
        )
    };
    (*a == Type::Null && nullable(b)) || (*b == Type::Null && nullable(a))
}

impl Signature {
    fn parse(text: &str) -> Self {
        let (head, result) = text.rsplit_once(' ').unwrap_or((text, ""));
        // The arguments are the last pair of brackets of the head.
        let mut depth = 0;
        let open = head
            .char_indices()
            .rev()
            .find(|(_, c)| {
                depth += i32::from(*c == ')') - i32::from(*c == '(');
                *c == '(' && depth == 0
            })
            .map_or(0, |(i, _)| i);
        let target = head[..open].strip_suffix('.').map(Pattern::parse);
        let inner = &head[open + 1..head.len() - 1];
        let mut args = Vec::new();
        let (mut depth, mut start) = (0, 0);
        for (i, c) in inner.char_indices() {
            depth += i32::from(c == '(') - i32::from(c == ')');
            if c == ',' && depth == 0 {
                args.push(Pattern::parse(&inner[start..i]));
                start = i + 1;
            }
        }
        if !inner[start..].trim().is_empty() {
            args.push(Pattern::parse(&inner[start..]));
        }
        Self {
            target,
            args,
            result: Pattern::parse(result),
        }
    }

    /// The type of a call, if it fits.
    pub(super) fn apply(&self, target: Option<&Type>, args: &[Type]) -> Option<Type> {
        let mut bound = [Type::Dyn, Type::Dyn];
        let target_fits = match (&self.target, target) {
            (None, None) => true,
            (Some(pattern), Some(found)) => pattern.matches(found, &mut bound),
            _ => false,
        };
        let fits = target_fits
            && self.args.len() == args.len()
            && self
                .args
                .iter()
                .zip(args)
                .all(|(pattern, found)| pattern.matches(found, &mut bound));
        fits.then(|| self.result.build(&bound))
    }
}

/// The signatures of a function or an operator.
pub(super) fn signatures(name: &str) -> Option<Vec<Signature>> {
    let (_, all) = SIGNATURES
        .iter()
        .find(|(names, _)| names.split_whitespace().any(|n| n == name))?;
    Some(all.split(';').map(|s| Signature::parse(s.trim())).collect())
}

/// Names of functions that share their signatures, and the signatures.
const SIGNATURES: &[(&str, &str)] = &[
    ("_&&_ _||_", "(bool, bool) bool"),
    ("!_ @not_strictly_false", "(bool) bool"),
    ("_==_ _!=_", "(A, A) bool"),
    (
        "_<_ _<=_ _>_ _>=_",
        "(bool, bool) bool; (int, int) bool; (uint, uint) bool; (double, double) bool; (string, string) bool; (bytes, bytes) bool; (timestamp, timestamp) bool; (duration, duration) bool; (int, uint) bool; (int, double) bool; (uint, int) bool; (uint, double) bool; (double, int) bool; (double, uint) bool",
    ),
    (
        "_+_",
        "(int, int) int; (uint, uint) uint; (double, double) double; (string, string) string; (bytes, bytes) bytes; (list(A), list(A)) list(A); (timestamp, duration) timestamp; (duration, timestamp) timestamp; (duration, duration) duration",
    ),
    (
        "_-_",
        "(int, int) int; (uint, uint) uint; (double, double) double; (timestamp, timestamp) duration; (timestamp, duration) timestamp; (duration, duration) duration",
    ),
    (
        "_*_ _/_",
        "(int, int) int; (uint, uint) uint; (double, double) double",
    ),
    ("_%_", "(int, int) int; (uint, uint) uint"),
    ("-_", "(int) int; (double) double; (duration) duration"),
    ("@in", "(A, list(A)) bool; (A, map(A, B)) bool"),
    (
        "_[_]",
        "(list(A), int) A; (map(A, B), A) B; (optional(list(A)), int) optional(A); (optional(map(A, B)), A) optional(B)",
    ),
    (
        "_[?_]",
        "(list(A), int) optional(A); (map(A, B), A) optional(B); (optional(list(A)), int) optional(A); (optional(map(A, B)), A) optional(B)",
    ),
    (
        "size",
        "(string) int; (bytes) int; (list(A)) int; (map(A, B)) int; string.() int; bytes.() int; list(A).() int; map(A, B).() int",
    ),
    ("contains startsWith endsWith", "string.(string) bool"),
    ("matches", "string.(string) bool; (string, string) bool"),
    ("type", "(A) type"),
    ("dyn", "(A) dyn"),
    (
        "int",
        "(int) int; (uint) int; (double) int; (string) int; (timestamp) int; (duration) int",
    ),
    (
        "uint",
        "(uint) uint; (int) uint; (double) uint; (string) uint",
    ),
    (
        "double",
        "(double) double; (int) double; (uint) double; (string) double",
    ),
    (
        "string",
        "(string) string; (bool) string; (int) string; (uint) string; (double) string; (bytes) string; (timestamp) string; (duration) string",
    ),
    ("bytes", "(bytes) bytes; (string) bytes"),
    ("bool", "(bool) bool; (string) bool"),
    (
        "duration",
        "(duration) duration; (string) duration; (int) duration",
    ),
    (
        "timestamp",
        "(timestamp) timestamp; (string) timestamp; (int) timestamp",
    ),
    (
        "getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear",
        "timestamp.() int; timestamp.(string) int",
    ),
    (
        "getHours getMinutes getSeconds getMilliseconds",
        "timestamp.() int; timestamp.(string) int; duration.() int",
    ),
    ("optional.of optional.ofNonZeroValue", "(A) optional(A)"),
    ("optional.none", "() optional(dyn)"),
    ("hasValue", "optional(A).() bool"),
    ("value", "optional(A).() A"),
    ("or", "optional(A).(optional(A)) optional(A)"),
    ("orValue", "optional(A).(A) A"),
    ("charAt", "string.(int) string"),
    (
        "indexOf lastIndexOf",
        "string.(string) int; string.(string, int) int; list(A).(A) int",
    ),
    ("lowerAscii upperAscii trim", "string.() string"),
    (
        "replace",
        "string.(string, string) string; string.(string, string, int) string",
    ),
    (
        "split",
        "string.(string) list(string); string.(string, int) list(string)",
    ),
    ("substring", "string.(int) string; string.(int, int) string"),
    (
        "join",
        "list(string).() string; list(string).(string) string",
    ),
    ("format", "string.(list(dyn)) string"),
    ("strings.quote", "(string) string"),
    (
        "isSorted",
        "list(int).() bool; list(uint).() bool; list(double).() bool; list(bool).() bool; list(duration).() bool; list(timestamp).() bool; list(string).() bool; list(bytes).() bool",
    ),
    (
        "sum",
        "list(int).() int; list(uint).() uint; list(double).() double; list(duration).() duration",
    ),
    (
        "min max",
        "list(int).() int; list(uint).() uint; list(double).() double; list(bool).() bool; list(duration).() duration; list(timestamp).() timestamp; list(string).() string; list(bytes).() bytes",
    ),
    ("find", "string.(string) string"),
    (
        "findAll",
        "string.(string) list(string); string.(string, int) list(string)",
    ),
    (
        "sets.contains sets.equivalent sets.intersects",
        "(list(A), list(A)) bool",
    ),
];
