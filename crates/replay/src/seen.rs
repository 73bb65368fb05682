//! What a scenario can expect of single things: objects, lines of the manager's
//! log, events, findings; how many of them; and for how long.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// Objects of one kind.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Objects {
    /// `longhorn.io/v1beta2` if not given.
    pub api_version: Option<String>,
    /// Their kind, such as `BackingImage`.
    pub kind: String,
    /// Only the one of this name.
    pub name: Option<String>,
    /// Only those with these labels.
    #[serde(default)]
    pub labels: IndexMap<String, String>,
    /// What each must have: members that are named must be there and fit, others
    /// may be anything; lists must fit as a whole; `null` is a member that is not there.
    pub fields: Option<Value>,
    /// An expression over `self` that must be true for each.
    pub cel: Option<Expression>,
    /// How many of the objects looked at must have it.
    #[serde(rename = "match")]
    pub rule: Option<Rule>,
}

impl Objects {
    /// How many must fit: a name asks for the one of that name.
    pub fn rule_or_default(&self) -> Rule {
        self.rule.unwrap_or(Rule::Exactly(1))
    }
}

/// Lines of the manager's log, or events.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Lines {
    /// The text has this in it.
    pub contains: Option<String>,
    /// The text matches this regular expression somewhere.
    pub matches: Option<Pattern>,
    /// How many lines there must be; at least one if not given.
    #[serde(rename = "match")]
    pub rule: Option<Rule>,
}

/// Findings of `fixname detect` about the cluster as it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Findings {
    /// Members that each must have, as in the JSON of `detect`.
    pub fields: Option<Value>,
    /// An expression over `self` that must be true for each.
    pub cel: Option<Expression>,
    /// How many there must be; at least one if not given.
    #[serde(rename = "match")]
    pub rule: Option<Rule>,
}

/// How many of what was looked at must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Rule {
    /// At least one.
    Any,
    /// Every one, and there is at least one.
    All,
    /// None.
    None,
    /// So many, not more and not fewer.
    Exactly(usize),
}

impl Rule {
    /// Whether `fit` of `all` are as many as they should be.
    pub fn holds(self, fit: usize, all: usize) -> bool {
        match self {
            Self::Any => fit > 0,
            Self::All => all > 0 && fit == all,
            Self::None => fit == 0,
            Self::Exactly(n) => fit == n,
        }
    }

    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Any => "at least one".to_owned(),
            Self::All => "all, of at least one,".to_owned(),
            Self::None => "no".to_owned(),
            Self::Exactly(n) => format!("exactly {n}"),
        }
    }
}

/// For how long something must be so. At most one is given; without one it must
/// come about within the patience of the runner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// It must come about within so many seconds.
    pub eventually: Option<u32>,
    /// It must be so now, and at each look for so many seconds.
    pub always_for: Option<u32>,
    /// It must not be so, at any look for so many seconds.
    pub never_for: Option<u32>,
    /// It must come about, and then nothing about it may move for so many seconds.
    pub stuck_for: Option<u32>,
}

/// What a [`Span`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// See [`Span::eventually`].
    Eventually(Duration),
    /// See [`Span::always_for`].
    Always(Duration),
    /// See [`Span::never_for`].
    Never(Duration),
    /// See [`Span::stuck_for`].
    Stuck(Duration),
}

impl Span {
    /// What is asked for; `patience` if nothing is.
    ///
    /// # Errors
    ///
    /// What is wrong, if two are given, or 0 seconds.
    pub fn time(&self, patience: Duration) -> Result<Time, String> {
        let seconds = |n: u32| Duration::from_secs(n.into());
        let given: Vec<Time> = [
            self.eventually.map(|n| Time::Eventually(seconds(n))),
            self.always_for.map(|n| Time::Always(seconds(n))),
            self.never_for.map(|n| Time::Never(seconds(n))),
            self.stuck_for.map(|n| Time::Stuck(seconds(n))),
        ]
        .into_iter()
        .flatten()
        .collect();
        let time = match given[..] {
            [] => Time::Eventually(patience),
            [one] => one,
            _ => {
                return Err(
                    "one of eventually, alwaysFor, neverFor and stuckFor is enough".to_owned(),
                );
            }
        };
        if time.span().is_zero() {
            return Err("0 seconds would show nothing".to_owned());
        }
        Ok(time)
    }
}

impl Time {
    /// How long.
    pub fn span(self) -> Duration {
        match self {
            Self::Eventually(span) | Self::Always(span) | Self::Never(span) | Self::Stuck(span) => {
                span
            }
        }
    }

    /// In words.
    pub fn words(self) -> String {
        let seconds = self.span().as_secs();
        match self {
            Self::Eventually(_) => format!("within {seconds} s"),
            Self::Always(_) => format!("at each look for {seconds} s"),
            Self::Never(_) => format!("at no look for {seconds} s"),
            Self::Stuck(_) => format!("and then without moving for {seconds} s"),
        }
    }
}

/// An expression in CEL, compiled.
#[derive(Clone)]
pub struct Expression {
    source: String,
    program: Arc<cel::Program>,
}

impl Expression {
    /// Whether it is true with `object` as `self`.
    ///
    /// # Errors
    ///
    /// Why it is neither true nor false: a member that is not there, a wrong type.
    pub fn is_true(&self, object: &Value) -> Result<bool, String> {
        let mut context = cel::Context::default();
        let value = cel::to_value(object).map_err(|e| e.to_string())?;
        context.add_variable_from_value("self", value);
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(is)) => Ok(is),
            Ok(other) => Err(format!("it is neither true nor false but {other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl std::fmt::Display for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.source)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        match cel::Program::compile(&source) {
            Ok(program) if program.references().has_variable("self") => Ok(Self {
                source,
                program: Arc::new(program),
            }),
            Ok(_) => Err(serde::de::Error::custom(format!(
                "{source:?} does not look at self, so it would say the same of everything"
            ))),
            Err(error) => Err(serde::de::Error::custom(format!(
                "{source:?} is not CEL: {error}"
            ))),
        }
    }
}

crate::scenario::schema_of_text!(Expression Pattern);

/// A regular expression.
#[derive(Clone, Debug)]
pub struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Regex::new(&text)
            .map(Self)
            .map_err(|e| serde::de::Error::custom(format!("no regular expression: {e}")))
    }
}
