//! What a request asks for, read from its method and path alone.
//!
//! Follows `apiserver/pkg/endpoints/request/requestinfo.go`; whether the
//! resource exists is not decided here.

use crate::status::Failure;

/// A path below `/api/v1` or `/apis/GROUP/VERSION` that names a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) plural: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// The old form `/watch/…`.
    pub(crate) watch: bool,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/v1` or `/apis/GROUP/VERSION`
    Resources(String, String),
    Resource(ResourcePath),
    Version,
    Health,
    OpenApiV2,
    OpenApiV3Index,
    /// `/openapi/v3/…`: group and version.
    OpenApiV3(String, String),
    Unknown,
}

/// Reads a path; percent signs are decoded segment by segment.
pub(crate) fn route(path: &str) -> Result<Route, Failure> {
    let mut parts = Vec::new();
    for raw in path.trim_matches('/').split('/') {
        let decoded = percent_decode(raw)
            .ok_or_else(|| Failure::bad_request("the path of the request is not valid UTF-8"))?;
        parts.push(decoded);
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Ok(match parts.as_slice() {
        ["version"] => Route::Version,
        ["healthz" | "readyz" | "livez", ..] => Route::Health,
        ["openapi", "v2"] => Route::OpenApiV2,
        ["openapi", "v3"] => Route::OpenApiV3Index,
        ["openapi", "v3", "api", version] => Route::OpenApiV3(String::new(), (*version).to_owned()),
        ["openapi", "v3", "apis", group, version] => {
            Route::OpenApiV3((*group).to_owned(), (*version).to_owned())
        }
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["apis", group] => Route::Group((*group).to_owned()),
        ["api", version] => Route::Resources(String::new(), (*version).to_owned()),
        ["apis", group, version] => Route::Resources((*group).to_owned(), (*version).to_owned()),
        ["api", version, rest @ ..] => resource("", version, rest),
        ["apis", group, version, rest @ ..] => resource(group, version, rest),
        _ => Route::Unknown,
    })
}

fn resource(group: &str, version: &str, rest: &[&str]) -> Route {
    let (watch, rest) = match rest {
        ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
        rest => (false, rest),
    };
    let own = |s: &&str| (*s).to_owned();
    let (namespace, rest) = match rest {
        // `status` and `finalize` below a namespace belong to the namespace itself.
        ["namespaces", name, tail @ ..]
            if !tail.is_empty() && !matches!(tail, ["status" | "finalize"]) =>
        {
            (Some(own(name)), tail)
        }
        rest => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (plural, None, None),
        [plural, name] => (plural, Some(own(name)), None),
        [plural, name, sub] => (plural, Some(own(name)), Some(own(sub))),
        _ => return Route::Unknown,
    };
    if plural.is_empty() || name.as_deref() == Some("") || subresource.as_deref() == Some("") {
        return Route::Unknown;
    }
    Route::Resource(ResourcePath {
        group: group.to_owned(),
        version: version.to_owned(),
        namespace,
        plural: own(plural),
        name,
        subresource,
        watch,
    })
}

fn percent_decode(raw: &str) -> Option<String> {
    if !raw.contains('%') {
        return Some(raw.to_owned());
    }
    let bytes = raw.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'%'
            && let Some(hex) = raw.get(i + 1..i + 3)
            && let Ok(byte) = u8::from_str_radix(hex, 16)
        {
            out.push(byte);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8(out).ok()
}

/// Query parameters in the order they were sent.
#[derive(Debug, Default, Clone)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(raw: Option<&str>) -> Self {
        let pairs = raw
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let decode = |s: &str| {
                    let spaced = s.replace('+', " ");
                    percent_decode(&spaced).unwrap_or(spaced)
                };
                (decode(key), decode(value))
            })
            .collect();
        Self(pairs)
    }

    /// The first value of a parameter; empty counts as not given.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
            .filter(|v| !v.is_empty())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(k, _)| k == key)
    }

    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// As Go's query conversion reads a boolean: given and not `false` or `0`.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .is_some_and(|(_, v)| !matches!(v.to_ascii_lowercase().as_str(), "false" | "0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_of_a_namespace_is_not_a_resource_in_it() {
        let Ok(Route::Resource(path)) = route("/api/v1/namespaces/a/status") else {
            panic!("not a resource path");
        };
        assert_eq!(path.plural, "namespaces");
        assert_eq!(path.subresource.as_deref(), Some("status"));
        let Ok(Route::Resource(path)) = route("/api/v1/namespaces/a/pods/b/status") else {
            panic!("not a resource path");
        };
        assert_eq!(path.namespace.as_deref(), Some("a"));
        assert_eq!(path.plural, "pods");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert!(route("/api/v1/namespaces/%ff/pods").is_err());
        assert_eq!(route("/api/v1/namespaces/a//b/c/d/e"), Ok(Route::Unknown));
    }
}
