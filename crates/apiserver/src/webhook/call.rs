//! Sends a message to a webhook on loopback, over TLS or plain HTTP, and says
//! what went wrong in the words of Go's HTTP client.
//!
//! A call has a runtime and a clock of its own, in a thread for blocking work:
//! the caller's runtime may have no sockets, and its time may be paused.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use super::config::Client;
use super::trust::Bundle;

/// An answer above this is refused; real ones are a patch and some texts.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// Sends `body` and gives the answer's body back. The error is a text that
/// fits after `failed to call webhook: `.
pub(super) async fn post(
    client: &Client,
    timeout: Duration,
    body: Vec<u8>,
) -> Result<Vec<u8>, String> {
    let seconds = timeout.as_secs();
    let (url, authorities) = match client {
        Client::Service {
            namespace,
            name,
            port,
            path,
        } => {
            // There are no endpoints here: as there when the service is missing.
            let slash = if path.starts_with('/') { "" } else { "/" };
            return Err(format!(
                "Post \"https://{name}.{namespace}.svc:{port}{slash}{path}?timeout={seconds}s\": service \"{name}\" not found"
            ));
        }
        Client::Url { url, authorities } => (url.clone(), authorities.clone()),
    };
    let shown = format!("Post \"{}?timeout={seconds}s\": ", with_path(&url));
    let target = Target::parse(&url, seconds)
        .ok_or_else(|| format!("{shown}this server calls webhooks on loopback only"))?;
    let called = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Reason::Connection(e.to_string()))?;
        runtime.block_on(async {
            match tokio::time::timeout(timeout, exchange(&target, &authorities, body)).await {
                Ok(result) => result,
                Err(_) => Err(Reason::Connection("context deadline exceeded".to_owned())),
            }
        })
    });
    match called.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Reason::Connection(why))) => Err(format!("{shown}{why}")),
        Ok(Err(Reason::Answer(why))) => Err(why),
        Err(_) => Err(format!("{shown}the call was cut off")),
    }
}

/// A URL without a path gets one, as Go writes it.
fn with_path(url: &str) -> String {
    let has_path = url
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('/'));
    if has_path {
        url.to_owned()
    } else {
        format!("{url}/")
    }
}

enum Reason {
    /// No answer came.
    Connection(String),
    /// An answer came that is an error.
    Answer(String),
}

struct Target {
    tls: bool,
    host: String,
    address: SocketAddr,
    path: String,
}

impl Target {
    /// `None` unless the host is loopback.
    fn parse(url: &str, seconds: u64) -> Option<Self> {
        let uri: http::Uri = url.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        let ip = loopback(&host)?;
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Some(Self {
            tls,
            host,
            address: SocketAddr::new(ip, port),
            path: format!("{}?timeout={seconds}s", uri.path()),
        })
    }
}

/// The address of a host on loopback.
pub(super) fn loopback(host: &str) -> Option<IpAddr> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let ip: IpAddr = host.parse().ok()?;
    ip.is_loopback().then_some(ip)
}

async fn exchange(target: &Target, authorities: &[u8], body: Vec<u8>) -> Result<Vec<u8>, Reason> {
    let address = target.address;
    let stream = TcpStream::connect(address).await.map_err(|e| {
        let why = match e.kind() {
            std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            _ => e.to_string(),
        };
        Reason::Connection(format!("dial tcp {address}: connect: {why}"))
    })?;
    if !target.tls {
        return send(target, TokioIo::new(stream), body).await;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusted = Bundle::new(authorities, provider.clone());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Reason::Connection(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trusted))
        .with_no_client_auth();
    let name =
        ServerName::try_from(target.host.clone()).map_err(|e| Reason::Connection(e.to_string()))?;
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|e| Reason::Connection(tls_error(&e, target)))?;
    send(target, TokioIo::new(stream), body).await
}

/// What Go's TLS says.
fn tls_error(error: &std::io::Error, target: &Target) -> String {
    let inner = error.get_ref().and_then(|e| e.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => {
            "tls: failed to verify certificate: x509: certificate signed by unknown authority"
                .to_owned()
        }
        Some(rustls::Error::InvalidMessage(_)) if target.tls => {
            "tls: first record does not look like a TLS handshake".to_owned()
        }
        Some(rustls::Error::InvalidCertificate(why)) => {
            format!("tls: failed to verify certificate: x509: {why}")
        }
        _ => error.to_string(),
    }
}

async fn send<S>(target: &Target, stream: TokioIo<S>, body: Vec<u8>) -> Result<Vec<u8>, Reason>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let broken = |e: hyper::Error| {
        Reason::Connection(if e.is_incomplete_message() || e.is_closed() {
            "EOF".to_owned()
        } else {
            e.to_string()
        })
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(broken)?;
    let driver = tokio::spawn(connection);
    let request = Request::post(&target.path)
        .header(http::header::HOST, target.address.to_string())
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::ACCEPT, "application/json, */*")
        .header(http::header::USER_AGENT, "kube-apiserver-admission")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| Reason::Connection(e.to_string()))?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let code = response.status().as_u16();
    let is_text = response
        .headers()
        .get(http::header::CONTENT_TYPE)
        .is_none_or(|media| media.as_bytes().starts_with(b"text/"));
    let answer = Limited::new(response.into_body(), ANSWER_LIMIT)
        .collect()
        .await
        .map_err(|e| Reason::Connection(e.to_string()))?
        .to_bytes();
    driver.abort();
    if (200..300).contains(&code) {
        Ok(answer.to_vec())
    } else {
        Err(Reason::Answer(status_text(code, &answer, is_text)))
    }
}

/// What client-go makes of an answer that is an error
/// (`apimachinery/pkg/api/errors/errors.go`, `NewGenericServerResponse`).
fn status_text(code: u16, body: &[u8], is_text: bool) -> String {
    let status: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    if let Some(status) = status
        && status["kind"] == "Status"
        && let Some(message) = status["message"].as_str().filter(|m| !m.is_empty())
    {
        return message.to_owned();
    }
    let said = String::from_utf8_lossy(body);
    let said = if is_text { said.trim() } else { "" };
    let known = match code {
        400 => "the server rejected our request for an unknown reason",
        401 => "the server has asked for the client to provide credentials",
        403 => {
            return if said.is_empty() {
                "forbidden".to_owned()
            } else {
                said.to_owned()
            };
        }
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        409 => "the server reported a conflict",
        415 => "the server was unable to respond with a content type that the client supports",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
        }
        code if code >= 500 => {
            return format!(
                "an error on the server ({}) has prevented the request from succeeding",
                crate::quote::quote(if said.is_empty() { "unknown" } else { said })
            );
        }
        code => {
            return format!(
                "the server responded with the status code {code} but did not return more information"
            );
        }
    };
    known.to_owned()
}
