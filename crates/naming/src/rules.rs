//! What Kubernetes asks of a name: DNS-1123 subdomains and labels, and their
//! lengths.
//!
//! The checks answer with the apiserver's own words, so that a model of it can
//! pass them on. Nothing here knows a naming scheme.

use thiserror::Error;

use crate::ids::ManagerName;

/// 63: a DNS label's length. The kubelet cuts a pod's **hostname** here and
/// repeats `Hostname for pod was too long, truncated it` (longhorn#12356).
/// That is a warning only: object names, pod names among them, may be longer,
/// and no label holds a manager's name, so the 68-character names of v1.9.2,
/// v1.9.3, v1.10.0 and v1.10.1 work.
pub const DNS_LABEL_MAX: usize = 63;

/// 253: a DNS subdomain's length, the limit for object and pod names.
pub const DNS_SUBDOMAIN_MAX: usize = 253;

/// Why a string is not a valid name. A string can break both rules; the
/// apiserver then lists the length first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameRule {
    /// Too many bytes for a label.
    #[error("must be no more than 63 bytes")]
    LabelTooLong,
    /// Too many bytes for a subdomain.
    #[error("must be no more than 253 bytes")]
    SubdomainTooLong,
    /// Wrong characters for a label.
    #[error(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
         and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', \
         regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    )]
    LabelCharacters,
    /// Wrong characters for a subdomain.
    #[error(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
         or '.', and must start and end with an alphanumeric character (e.g. 'example.com', \
         regex used for validation is \
         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )]
    SubdomainCharacters,
}

/// Every rule for object names that `name` breaks; empty if it is valid.
#[must_use]
pub fn broken_subdomain_rules(name: &str) -> Vec<NameRule> {
    let mut broken = Vec::new();
    if name.len() > DNS_SUBDOMAIN_MAX {
        broken.push(NameRule::SubdomainTooLong);
    }
    if !name.split('.').all(has_label_shape) {
        broken.push(NameRule::SubdomainCharacters);
    }
    broken
}

/// Every rule for DNS labels that `name` breaks; empty if it is valid.
#[must_use]
pub fn broken_label_rules(name: &str) -> Vec<NameRule> {
    let mut broken = Vec::new();
    if name.len() > DNS_LABEL_MAX {
        broken.push(NameRule::LabelTooLong);
    }
    if !has_label_shape(name) {
        broken.push(NameRule::LabelCharacters);
    }
    broken
}

/// Whether an object may have this name.
#[must_use]
pub fn is_dns_subdomain(name: &str) -> bool {
    broken_subdomain_rules(name).is_empty()
}

/// Whether this is a DNS label.
#[must_use]
pub fn is_dns_label(name: &str) -> bool {
    broken_label_rules(name).is_empty()
}

/// Whether a pod of this name keeps its whole name as its hostname. If not,
/// nothing breaks; see [`DNS_LABEL_MAX`].
#[must_use]
pub fn fits_dns_label(name: &ManagerName) -> bool {
    name.as_str().len() <= DNS_LABEL_MAX
}

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, of any length.
fn has_label_shape(label: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = label.as_bytes();
    bytes.first().is_some_and(|&b| alphanumeric(b))
        && bytes.last().is_some_and(|&b| alphanumeric(b))
        && bytes.iter().all(|&b| alphanumeric(b) || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_the_apiserver_does() {
        for valid in ["a", "0", "a-b", "a.b", "bim-0.x", "a--b", &"a".repeat(253)] {
            assert!(is_dns_subdomain(valid), "{valid}");
        }
        for invalid in [
            "", "-a", "a-", ".a", "a.", "a..b", "a.-b", "A", "a_b", "a b", "é", "a\n",
        ] {
            assert_eq!(
                broken_subdomain_rules(invalid),
                [NameRule::SubdomainCharacters],
                "{invalid}"
            );
        }
        assert_eq!(
            broken_subdomain_rules(&"a".repeat(254)),
            [NameRule::SubdomainTooLong]
        );
        assert_eq!(
            broken_subdomain_rules(&"A".repeat(254)),
            [NameRule::SubdomainTooLong, NameRule::SubdomainCharacters]
        );
    }

    #[test]
    fn a_label_has_no_dot_and_at_most_63_bytes() {
        assert!(is_dns_label(&"a".repeat(63)));
        assert_eq!(
            broken_label_rules(&"a".repeat(64)),
            [NameRule::LabelTooLong]
        );
        assert_eq!(broken_label_rules("a.b"), [NameRule::LabelCharacters]);
        assert!(fits_dns_label(&ManagerName::new("a".repeat(63))));
        assert!(!fits_dns_label(&ManagerName::new("a".repeat(64))));
    }

    #[test]
    fn the_name_of_an_upper_case_uuid_is_refused() {
        assert!(!is_dns_subdomain("backing-image-manager-4407-C012"));
        assert!(is_dns_subdomain("backing-image-manager-4407-c012"));
    }
}
