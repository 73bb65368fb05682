//! GET of one object and of collections.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use crate::negotiate::Form;
use crate::quote::quote;
use crate::reply::Reply;
use crate::request::{Call, Target};
use crate::resource::{Resource, text};
use crate::route::Query;
use crate::selector::{FieldSelector, LabelSelector};
use crate::status::{Failure, FieldError};
use crate::store::Stored;

/// What a list or a watch selects.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
}

impl Selection {
    pub(crate) fn of(call: &Call, target: &Target) -> Result<Self, Failure> {
        let resource = &target.resource;
        let labels = match call.query.get("labelSelector") {
            None => LabelSelector::default(),
            Some(text) => LabelSelector::parse(text).map_err(Failure::bad_request)?,
        };
        let fields = match call.query.get("fieldSelector") {
            None => FieldSelector::default(),
            Some(text) => FieldSelector::parse(text).map_err(Failure::bad_request)?,
        };
        for path in fields.paths() {
            let known = path == "metadata.name"
                || (path == "metadata.namespace" && (resource.namespaced || !resource.is_custom()))
                || resource.selectable.iter().any(|s| s == path);
            if !known {
                if resource.is_custom() {
                    return Err(Failure::bad_request(format!(
                        "field label not supported: {path}"
                    )));
                }
                let why = unsupported_field(resource, path);
                return Err(Failure::bad_request(why));
            }
        }
        Ok(Self { labels, fields })
    }

    pub(crate) fn matches(&self, stored: &Stored) -> bool {
        self.labels.matches(stored) && self.fields.matches(stored)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

fn unsupported_field(resource: &Resource, path: &str) -> String {
    use crate::builtin::Kind;
    match resource.behaviour {
        Kind::Pod | Kind::Event | Kind::Node | Kind::Namespace | Kind::Secret => {
            format!("field label not supported: {path}")
        }
        Kind::Job => format!("field label {} not supported for Job", quote(path)),
        _ => format!(
            "{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            quote(path)
        ),
    }
}

/// A `resourceVersion` parameter as a number.
pub(crate) fn parse_version(text: &str) -> Result<u64, Failure> {
    version_number(text).map_err(|error| {
        Failure::bad_request(format!("invalid resource version: {}", error.text()))
    })
}

/// The same where nothing says what the number is for.
pub(crate) fn parse_bare_version(text: &str) -> Result<u64, Failure> {
    version_number(text).map_err(|error| Failure::new(500, "", error.text()))
}

fn version_number(text: &str) -> Result<u64, FieldError> {
    text.parse::<u64>().map_err(|error| {
        let why = match error.kind() {
            std::num::IntErrorKind::PosOverflow => "value out of range",
            _ => "invalid syntax",
        };
        let why = format!("strconv.ParseUint: parsing {}: {why}", quote(text));
        FieldError::invalid_str("resourceVersion", text, why)
    })
}

/// A signed number of the query.
pub(crate) fn number(call: &Call, key: &str) -> Result<Option<i64>, Failure> {
    let Some(text) = call.query.get(key) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        Failure::bad_request(format!(
            "strconv.ParseInt: parsing {}: invalid syntax",
            quote(text)
        ))
    })
}

/// The answer's form, or 406.
pub(crate) fn form(call: &Call) -> Result<Form, Failure> {
    call.accept.form().ok_or_else(|| {
        Failure::not_acceptable(&[
            "application/json",
            "application/yaml",
            "application/vnd.kubernetes.protobuf",
        ])
    })
}

/// One object in the form that the client asks for.
pub(crate) fn reply_object(
    call: &Call,
    resource: &Resource,
    code: u16,
    json: Bytes,
) -> Result<Reply, Failure> {
    let value = || -> Value { serde_json::from_slice(&json).unwrap_or(Value::Null) };
    Ok(match form(call)? {
        Form::Object => Reply::json(code, json),
        Form::Table => {
            crate::table::check_include(call)?;
            let value = value();
            let version = text(&value, "/metadata/resourceVersion").to_owned();
            let table = crate::table::table(
                call,
                resource,
                &[value],
                &json!({"resourceVersion": version}),
                true,
            );
            Reply::value(code, &table)
        }
        Form::PartialObject => Reply::value(code, &crate::table::partial(&value())),
        Form::PartialList => return Err(Failure::new(500, "", "content is not a list")),
    })
}

/// GET of one object.
pub(crate) fn get(call: &Call, target: &Target, name: &str) -> Result<Reply, Failure> {
    let asked = call.query.get("resourceVersion").map(parse_bare_version);
    let asked = asked.transpose()?;
    let (stored, current) = {
        let mut state = call.server.state();
        let current = state.store.version();
        let key = target.key(name);
        let table = state.store.table(&target.resource.table);
        let old = call
            .stale_version(table, current, asked)
            .and_then(|version| table.at(version));
        let stored = match old {
            Some(old) => old.get(&key).cloned(),
            None => table.get(&key).cloned(),
        };
        (stored, current)
    };
    if let Some(asked) = asked
        && asked > current
    {
        return Err(Failure::version_too_large(asked, current));
    }
    let stored = stored.ok_or_else(|| target.not_found(name))?;
    let json = crate::convert::to_bytes(&target.resource, &stored);
    reply_object(call, &target.resource, 200, json)
}

/// Where a list goes on: the version of the first page, and the next key.
struct Continue {
    version: u64,
    start: String,
}

impl Continue {
    fn encode(&self) -> String {
        let token = json!({"v": "meta.k8s.io/v1", "rv": self.version, "start": self.start});
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    /// Goes on from whatever there is: the real server writes -1.
    fn without_version(&self) -> String {
        let token = json!({"v": "meta.k8s.io/v1", "rv": -1, "start": self.start});
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    fn decode(token: &str) -> Result<Self, Failure> {
        let bad = |why: &str| {
            Failure::bad_request(format!(
                "invalid continue token: continue key is not valid: {why}"
            ))
        };
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _)
                | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                // Too short: Go names the beginning of the last four.
                _ => token.len() - token.len() % 4,
            };
            bad(&format!("illegal base64 data at input byte {at}"))
        })?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|e| bad(&crate::patch::go_json_error(&e, &bytes)))?;
        if text(&value, "/v") != "meta.k8s.io/v1" {
            return Err(bad(&format!(
                "server does not recognize this encoded version {}",
                text(&value, "/v")
            )));
        }
        if value.get("rv").and_then(Value::as_i64).unwrap_or_default() == 0 {
            return Err(bad(
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ));
        }
        let start = text(&value, "/start");
        if start.is_empty() {
            return Err(bad("encoded start key empty (version meta.k8s.io/v1)"));
        }
        Ok(Self {
            version: value
                .get("rv")
                .and_then(Value::as_i64)
                .and_then(|v| u64::try_from(v).ok())
                .unwrap_or_default(),
            start: start.to_owned(),
        })
    }
}

/// What a list found.
pub(crate) struct Page {
    pub(crate) items: Vec<Arc<Stored>>,
    pub(crate) version: u64,
    token: Option<String>,
    remaining: Option<usize>,
}

/// Options of a list that do not go together (`ValidateListOptions`).
fn option_errors(query: &Query) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let asked = query.get("resourceVersion");
    if let Some(matching) = query.get("resourceVersionMatch") {
        let mut forbid =
            |why: &str| errors.push(FieldError::forbidden("resourceVersionMatch", why));
        if asked.is_none() {
            forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if query.get("continue").is_some() {
            forbid("resourceVersionMatch is forbidden when continue is provided");
        }
        if matching == "Exact" && asked == Some("0") {
            forbid("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
        if matching != "Exact" && matching != "NotOlderThan" {
            errors.push(FieldError::not_supported(
                "resourceVersionMatch",
                &Value::from(matching),
                &["Exact", "NotOlderThan", ""].map(str::to_owned),
            ));
        }
    }
    if query.get("sendInitialEvents").is_some() {
        errors.push(FieldError::forbidden(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for list",
        ));
    }
    errors
}

/// Collects the objects of a list.
pub(crate) fn collect(
    call: &Call,
    target: &Target,
    selection: &Selection,
) -> Result<Page, Failure> {
    let query = &call.query;
    let limit = number(call, "limit")?.unwrap_or_default();
    number(call, "timeoutSeconds")?;
    let asked = query.get("resourceVersion");
    let matching = query.get("resourceVersionMatch");
    let errors = option_errors(query);
    if !errors.is_empty() {
        return Err(Failure::invalid("meta.k8s.io", "ListOptions", "", &errors));
    }
    let token = query.get("continue").map(Continue::decode).transpose()?;
    if token.is_some() && asked.is_some_and(|v| v != "0") {
        return Err(Failure::bad_request(
            "specifying resource version is not allowed when using continue",
        ));
    }
    // The watch cache answers "any version" with everything it has.
    let limit = if asked == Some("0") { 0 } else { limit };
    let asked = asked.map(parse_version).transpose()?;

    let mut state = call.server.state();
    let current = state.store.version();
    if let Some(asked) = asked
        && asked > current
    {
        return Err(Failure::version_too_large(asked, current));
    }
    let exact = match (&token, matching, asked) {
        (Some(token), _, _) if token.version > 0 => Some(token.version),
        (None, Some("Exact"), Some(version)) => Some(version),
        // As the real server: a limited list from a version is exact, unless told otherwise.
        (None, None, Some(version)) if version > 0 && limit > 0 => Some(version),
        _ => None,
    };
    let table = state.store.table(&target.resource.table);
    let exact = match (exact, &token) {
        (None, None) => call.stale_version(table, current, asked),
        _ => exact,
    };
    let prefix = target.prefix();
    let start = token.as_ref().map(|t| t.start.as_str());
    let limit = usize::try_from(limit).unwrap_or_default();
    let mut page = Page {
        items: Vec::new(),
        version: current,
        token: None,
        remaining: None,
    };
    // With metadata.name given there is at most one object.
    let single = selection
        .fields
        .required("metadata.name")
        .filter(|_| !prefix.is_empty() || !target.resource.namespaced)
        .map(|name| target.key(name));
    let old;
    let objects: Box<dyn Iterator<Item = &Arc<Stored>>> =
        match exact.filter(|v| *v < table.newest()) {
            None => {
                page.version = exact.unwrap_or(current);
                match &single {
                    Some(key) => Box::new(table.get(key).into_iter()),
                    None => Box::new(table.range(&prefix, start)),
                }
            }
            Some(version) => {
                old = table
                    .at(version)
                    .ok_or_else(|| expired_list(token.as_ref()))?;
                page.version = version;
                let from = start.unwrap_or(&prefix).to_owned();
                let prefix = &prefix;
                Box::new(
                    old.range(from..)
                        .map(|(_, stored)| stored)
                        .take_while(move |stored| stored.key.starts_with(prefix.as_str())),
                )
            }
        };
    let mut rest = objects;
    if limit == 0 {
        page.items = rest
            .filter(|stored| selection.matches(stored))
            .cloned()
            .collect();
        return Ok(page);
    }
    while page.items.len() < limit {
        match rest.next() {
            Some(stored) if selection.matches(stored) => page.items.push(stored.clone()),
            Some(_) => {}
            None => return Ok(page),
        }
    }
    // A page that is full goes on when there is anything behind it, whether or
    // not that matches (`cacher.go`).
    if let Some(next) = rest.next() {
        page.token = Some(
            Continue {
                version: page.version,
                start: next.key.clone(),
            }
            .encode(),
        );
        // With a selector the real server cannot tell how many are left.
        if selection.is_empty() {
            page.remaining = Some(rest.count() + 1);
        }
    }
    Ok(page)
}

/// The answer to a list whose version is gone from the history; one that is
/// continued gets a token to go on with from what there is now.
fn expired_list(token: Option<&Continue>) -> Failure {
    match token {
        Some(token) => {
            let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
            Failure::expired_list(message, token.without_version())
        }
        None => Failure::expired("The resourceVersion for the provided list is too old."),
    }
}

/// GET of a collection.
pub(crate) fn list(call: &Call, target: &Target) -> Result<Reply, Failure> {
    let selection = Selection::of(call, target)?;
    let form = form(call)?;
    let page = collect(call, target, &selection)?;
    let resource = &target.resource;
    let mut meta = json!({"resourceVersion": page.version.to_string()});
    if let Some(token) = &page.token {
        meta["continue"] = Value::from(token.as_str());
    } else if resource.is_custom() {
        // Lists of custom resources show the empty token.
        meta["continue"] = Value::from("");
    }
    if let Some(remaining) = page.remaining {
        meta["remainingItemCount"] = Value::from(remaining);
    }
    let values = || -> Vec<Value> {
        page.items
            .iter()
            .map(|stored| crate::convert::to_value(resource, stored))
            .collect()
    };
    match form {
        Form::Object => {
            let head = json!({"kind": resource.list_kind, "apiVersion": resource.api_version(), "metadata": meta})
                .to_string();
            let size: usize = page.items.iter().map(|i| i.json.len() + 1).sum();
            let mut body = BytesMut::with_capacity(head.len() + size + 16);
            body.extend_from_slice(&head.as_bytes()[..head.len() - 1]);
            body.extend_from_slice(b",\"items\":[");
            for (i, stored) in page.items.iter().enumerate() {
                if i > 0 {
                    body.extend_from_slice(b",");
                }
                let json = crate::convert::to_bytes(resource, stored);
                if resource.is_custom() {
                    body.extend_from_slice(&json);
                } else {
                    // Items of typed lists do not say what they are.
                    crate::json::without_type(&json, &mut body);
                }
            }
            body.extend_from_slice(b"]}\n");
            Ok(Reply::json(200, body.freeze()))
        }
        Form::Table => {
            crate::table::check_include(call)?;
            Ok(Reply::value(
                200,
                &crate::table::table(call, resource, &values(), &meta, true),
            ))
        }
        Form::PartialObject => Err(Failure::not_metadata_of_one(&if resource.is_custom() {
            "*unstructured.UnstructuredList".to_owned()
        } else {
            format!("*{}.{}", resource.go_package(), resource.list_kind)
        })),
        Form::PartialList => {
            let items: Vec<Value> = values().iter().map(crate::table::partial).collect();
            Ok(Reply::value(
                200,
                &json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": meta, "items": items}),
            ))
        }
    }
}
