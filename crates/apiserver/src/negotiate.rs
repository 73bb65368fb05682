//! Which form an answer takes: objects, a table, or metadata alone.

/// The form that a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Object,
    Table,
    PartialObject,
    PartialList,
}

/// One range of an `Accept` header.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    media: String,
    kind: String,
    version: String,
    group: String,
    profile: String,
}

/// A parsed `Accept` header, in the order of preference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Accept(Vec<Range>);

impl Accept {
    pub(crate) fn parse(header: &str) -> Self {
        let mut ranges: Vec<(f32, Range)> = Vec::new();
        for part in header.split(',') {
            let mut pieces = part.split(';').map(str::trim);
            let media = pieces.next().unwrap_or_default().to_ascii_lowercase();
            if media.is_empty() {
                continue;
            }
            let mut range = Range {
                media,
                kind: String::new(),
                version: String::new(),
                group: String::new(),
                profile: String::new(),
            };
            let mut weight = 1.0;
            for piece in pieces {
                match piece.split_once('=') {
                    Some(("as", v)) => range.kind = v.to_owned(),
                    Some(("v", v)) => range.version = v.to_owned(),
                    Some(("g", v)) => range.group = v.to_owned(),
                    Some(("profile", v)) => range.profile = v.to_owned(),
                    Some(("q", v)) => weight = v.parse().unwrap_or(1.0),
                    _ => {}
                }
            }
            ranges.push((weight, range));
        }
        // A stable sort keeps the client's order among equal weights.
        ranges.sort_by(|a, b| b.0.total_cmp(&a.0));
        Self(ranges.into_iter().map(|(_, r)| r).collect())
    }

    fn is_json(media: &str) -> bool {
        matches!(media, "application/json" | "*/*" | "application/*")
    }

    /// The form for objects, or `None` when nothing that is asked for is served.
    pub(crate) fn form(&self) -> Option<Form> {
        if self.0.is_empty() {
            return Some(Form::Object);
        }
        self.0
            .iter()
            .filter(|r| Self::is_json(&r.media))
            .find_map(|r| match r.kind.as_str() {
                "" => Some(Form::Object),
                "Table" if r.group == "meta.k8s.io" && r.version == "v1" => Some(Form::Table),
                "PartialObjectMetadata" if r.group == "meta.k8s.io" && r.version == "v1" => {
                    Some(Form::PartialObject)
                }
                "PartialObjectMetadataList" if r.group == "meta.k8s.io" && r.version == "v1" => {
                    Some(Form::PartialList)
                }
                _ => None,
            })
    }

    /// Whether plain JSON would be taken.
    pub(crate) fn takes_json(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|r| Self::is_json(&r.media))
    }

    /// The version of aggregated discovery that is asked for, and whether
    /// without the peers' resources.
    pub(crate) fn aggregated(&self) -> Option<(&str, bool)> {
        self.0
            .iter()
            .filter(|r| Self::is_json(&r.media))
            .find_map(|r| {
                if r.kind == "APIGroupDiscoveryList" && r.group == "apidiscovery.k8s.io" {
                    match r.version.as_str() {
                        "v2" | "v2beta1" => Some(Some((r.version.as_str(), r.profile == "nopeer"))),
                        _ => None,
                    }
                } else if r.kind.is_empty() {
                    Some(None)
                } else {
                    None
                }
            })
            .flatten()
    }

    pub(crate) fn first_media(&self) -> Option<&str> {
        self.0.first().map(|r| r.media.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_gets_a_table_and_client_go_falls_back_to_json() {
        let kubectl = Accept::parse(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
        );
        assert_eq!(kubectl.form(), Some(Form::Table));
        let client_go = Accept::parse("application/vnd.kubernetes.protobuf,application/json");
        assert_eq!(client_go.form(), Some(Form::Object));
        assert_eq!(
            Accept::parse("application/vnd.kubernetes.protobuf").form(),
            None
        );
    }
}
