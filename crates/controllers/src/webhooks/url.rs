//! URLs as Go 1.26 reads them (`net/url`), with its words for what is wrong. The
//! recordings were made with that release of Go.

use std::net::{IpAddr, Ipv6Addr};

use super::go::quote;

/// The parts of a URL that the rules look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: String,
    /// With the port, and with the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) fragment: String,
    /// What stands for everything else, where no slash follows the scheme.
    opaque: String,
    /// Name and password, as they were written; there may be an empty one.
    user: Option<String>,
    written_path: String,
    written_fragment: String,
}

impl Url {
    /// `url.ParseRequestURI`.
    pub(super) fn request(text: &str) -> Result<Self, String> {
        parse(text, true).map_err(|why| format!("parse {}: {why}", quote(text)))
    }

    /// `url.Parse`.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let (start, fragment) = text.split_once('#').unwrap_or((text, ""));
        let parsed = parse(start, false).and_then(|mut url| {
            url.fragment = unescape(fragment, Part::Other)?;
            fragment.clone_into(&mut url.written_fragment);
            Ok(url)
        });
        parsed.map_err(|why| format!("parse {}: {why}", quote(text)))
    }

    /// `Hostname`: without port and brackets.
    pub(super) fn hostname(&self) -> &str {
        if let Some(v6) = self.host.strip_prefix('[') {
            return v6.split(']').next().unwrap_or_default();
        }
        match self.host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.host,
        }
    }

    /// `String`, once the query is taken away: what must be escaped is, and only that
    /// (a path that was escaped well stays as it was written).
    pub(super) fn without_query(&self) -> String {
        let mut text = match self.scheme.as_str() {
            "" => String::new(),
            scheme => format!("{scheme}:"),
        };
        if !self.opaque.is_empty() {
            return text + &self.opaque;
        }
        if self.user.is_some() || !self.host.is_empty() || self.written_path.starts_with('/') {
            text.push_str("//");
        }
        if let Some(user) = &self.user {
            let plain = |text: &str| {
                let text = unescape(text, Part::Other).unwrap_or_default();
                escape(&text, "$&+,;=")
            };
            text += &match user.split_once(':') {
                Some((name, password)) => format!("{}:{}@", plain(name), plain(password)),
                None => format!("{}@", plain(user)),
            };
        }
        text += &escape(&self.host, "!$&'()*+,;=:[]<>\"");
        let kept = |written: &str, plain: &str, allowed: &str, escaped: &str| {
            let is_fine = |c: char| is_unreserved(c) || c == '%' || allowed.contains(c);
            match written.chars().all(is_fine) {
                true => written.to_owned(),
                false => escape(plain, escaped),
            }
        };
        let (path, fragment) = (&self.written_path, &self.written_fragment);
        text += &kept(path, &self.path, "!$&'()*+,;=:@[]/", "$&+,/:;=@");
        if !fragment.is_empty() {
            text.push('#');
            text += &kept(
                fragment,
                &self.fragment,
                "!$&'()*+,;=:@[]/?",
                "$&+,/:;=?@!()*",
            );
        }
        text
    }

    /// `Query().Get`.
    pub(super) fn parameter(&self, key: &str) -> String {
        let plain = |text: &str| unescape(&text.replace('+', " "), Part::Other).ok();
        self.query
            .split('&')
            .filter(|pair| !pair.contains(';'))
            .filter_map(|pair| {
                let (k, v) = pair.split_once('=').unwrap_or((pair, ""));
                Some((plain(k)?, plain(v)?))
            })
            .find(|(k, _)| k == key)
            .map(|(_, value)| value)
            .unwrap_or_default()
    }
}

/// `IsLoopbackHost` of Longhorn's go-common-libs. It also asks a name server, which
/// is left out here: a name other than `localhost` is taken for another machine.
pub(super) fn is_loopback(host: &str) -> bool {
    if host.is_empty() || host == "0.0.0.0" || host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let (address, zone) = host.split_once('%').unwrap_or((host, ""));
    let address = address.parse::<IpAddr>();
    address.is_ok_and(|address| match address {
        IpAddr::V4(_) if !zone.is_empty() => false,
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|a| a.is_loopback()),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Host,
    Zone,
    Other,
}

fn parse(text: &str, via_request: bool) -> Result<Url, String> {
    let mut url = Url::default();
    if text.bytes().any(|b| b < b' ' || b == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    if text.is_empty() && via_request {
        return Err("empty url".to_owned());
    }
    if text == "*" {
        text.clone_into(&mut url.path);
        return Ok(url);
    }
    let (scheme, mut rest) = scheme(text)?;
    url.scheme = scheme.to_ascii_lowercase();
    if let Some((start, query)) = rest.split_once('?') {
        rest = start;
        query.clone_into(&mut url.query);
    }
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            rest.clone_into(&mut url.opaque);
            return Ok(url);
        }
        if via_request {
            return Err("invalid URI for request".to_owned());
        }
        if rest.split('/').next().is_some_and(|s| s.contains(':')) {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    let has_authority = !url.scheme.is_empty() || (!via_request && !rest.starts_with("///"));
    if has_authority && let Some(after) = rest.strip_prefix("//") {
        let end = after.find('/').unwrap_or(after.len());
        (url.user, url.host) = authority(&url.scheme, &after[..end])?;
        rest = &after[end..];
    }
    url.path = unescape(rest, Part::Other)?;
    rest.clone_into(&mut url.written_path);
    Ok(url)
}

fn scheme(text: &str) -> Result<(&str, &str), String> {
    for (i, c) in text.bytes().enumerate() {
        match c {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..i], &text[i + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn authority(scheme: &str, text: &str) -> Result<(Option<String>, String), String> {
    let Some((user, host)) = text.rsplit_once('@') else {
        return Ok((None, parse_host(scheme, text)?));
    };
    let host = parse_host(scheme, host)?;
    let is_user_character = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !user.chars().all(is_user_character) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    unescape(user, Part::Other)?;
    Ok((Some(user.to_owned()), host))
}

fn parse_host(scheme: &str, host: &str) -> Result<String, String> {
    let bad_port = |port: &str| format!("invalid port {} after host", quote(port));
    match host.rfind('[') {
        Some(0) => {
            let Some(end) = host.rfind(']') else {
                return Err("missing ']' in host".to_owned());
            };
            let port = &host[end + 1..];
            if !is_port(port) {
                return Err(bad_port(port));
            }
            let inner = &host[1..end];
            let (address, zone) = inner.split_at(inner.find("%25").unwrap_or(inner.len()));
            let address = unescape(address, Part::Host)?;
            let zone = unescape(zone, Part::Zone)?;
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(match address.parse::<IpAddr>() {
                    Ok(_) => "invalid IP-literal".to_owned(),
                    Err(_) => format!(
                        "invalid host: ParseAddr({}): unable to parse IP",
                        quote(&format!("{address}{zone}"))
                    ),
                });
            }
            return Ok(format!("[{address}{zone}]{port}"));
        }
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    let colon = match scheme {
        "http" | "https" => host.find(':'),
        _ => host.rfind(':'),
    };
    if let Some(colon) = colon
        && !is_port(&host[colon..])
    {
        return Err(bad_port(&host[colon..]));
    }
    unescape(host, Part::Host)
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~".contains(c)
}

/// Everything but the unreserved characters, and some more, byte by byte.
fn escape(text: &str, kept: &str) -> String {
    let shown = text.bytes().map(|byte| {
        let c = char::from(byte);
        match is_unreserved(c) || kept.contains(c) {
            true => c.to_string(),
            false => format!("%{byte:02X}"),
        }
    });
    shown.collect()
}

fn unescape(text: &str, part: Part) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let c = bytes[i];
        if c == b'%' {
            let escape = &bytes[i..bytes.len().min(i + 3)];
            let shown = String::from_utf8_lossy(escape).into_owned();
            let digits = escape.get(1..).unwrap_or_default();
            let is_hex = digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit);
            let value = std::str::from_utf8(digits)
                .ok()
                .and_then(|d| u8::from_str_radix(d, 16).ok())
                .filter(|_| is_hex);
            match value {
                Some(value) if part != Part::Host || value >= 0x80 || shown == "%25" => {
                    out.push(value);
                }
                _ => return Err(format!("invalid URL escape {}", quote(&shown))),
            }
            i += 3;
            continue;
        }
        let is_host_character =
            c >= 0x80 || c.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&c);
        if part != Part::Other && !is_host_character {
            let c = quote(&(c as char).to_string());
            return Err(format!("invalid character {c} in host name"));
        }
        out.push(c);
        i += 1;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_words_what_is_wrong() {
        for (text, why) in [
            ("not a url", r#"parse "not a url": invalid URI for request"#),
            ("", r#"parse "": empty url"#),
            ("://x", r#"parse "://x": missing protocol scheme"#),
            (
                "http://a b/",
                r#"parse "http://a b/": invalid character " " in host name"#,
            ),
            (
                "http://h:80a/",
                r#"parse "http://h:80a/": invalid port ":80a" after host"#,
            ),
            ("http://[::1", r#"parse "http://[::1": missing ']' in host"#),
            (
                "http://h/%zz",
                r#"parse "http://h/%zz": invalid URL escape "%zz""#,
            ),
        ] {
            assert_eq!(Url::request(text).unwrap_err(), why);
        }
    }

    #[test]
    fn a_loopback_host_is_known_by_name_and_by_address() {
        let is = |text: &str| is_loopback(Url::request(text).unwrap().hostname());
        for url in [
            "http://127.0.0.1:8000/x.img",
            "https://user@localhost/x",
            "http://[::1]:80/x",
            "http://127.9.9.9",
            "http://0.0.0.0/",
            "http:///x",
            "http://[::1%25lo]/x",
        ] {
            assert!(is(url), "{url}");
        }
        for url in [
            "http://images.example.com/localhost",
            "http://10.0.0.1/",
            "https://127.0.0.1.example.com/x",
        ] {
            assert!(!is(url), "{url}");
        }
    }

    #[test]
    fn a_url_is_written_as_go_does() {
        for (text, written) in [
            (
                "S3://bucket@us-east-1/?backingImage=p#x",
                "s3://bucket@us-east-1/#x",
            ),
            ("s3://bucket@us-east-1?a=b", "s3://bucket@us-east-1"),
            ("nfs://10.0.0.1:/a b?a=b", "nfs://10.0.0.1:/a%20b"),
            ("nfs://10.0.0.1:/a%20b", "nfs://10.0.0.1:/a%20b"),
            ("s3:bucket?a=b", "s3:bucket"),
            ("s3:///p", "s3:///p"),
            ("s3://user:pa:ss@r/", "s3://user:pa%3Ass@r/"),
            ("s3://us%65r@r/p%2fq/é", "s3://user@r/p/q/%C3%A9"),
        ] {
            assert_eq!(Url::new(text).unwrap().without_query(), written);
        }
    }

    #[test]
    fn the_scheme_is_in_lower_case_and_parameters_are_found() {
        let url = Url::new("S3://bucket@region/?backingImage=a%20b&x=1#f").unwrap();
        assert_eq!((url.scheme.as_str(), url.host.as_str()), ("s3", "region"));
        assert_eq!(url.parameter("backingImage"), "a b");
        assert_eq!(url.parameter("backup"), "");
    }
}
