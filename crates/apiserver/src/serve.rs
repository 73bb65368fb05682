//! The server on a loopback port: HTTP/1.1 and a bearer token, so that another
//! user of the machine cannot write.
//!
//! The port takes TLS and plain HTTP: client-go sends a token over TLS alone,
//! so kubeconfigs say `https`; plain HTTP is for curl and simple tests.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rand::SeedableRng;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::admission::UserInfo;
use crate::reply::Reply;
use crate::server::ApiServer;
use crate::status::Failure;
use crate::tls::SelfSigned;

/// Where and how to serve.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The bearer token; a random one unless given.
    pub token: Option<String>,
}

impl ServeOptions {
    /// Serves on this port; 0 takes a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Asks for this token instead of a random one.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }
}

/// Why the server could not be put on a port. Try another port, or give up.
#[derive(Debug, thiserror::Error)]
#[error("listen on 127.0.0.1:{port}")]
pub struct ServeError {
    /// The port that was asked for.
    pub port: u16,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// A server on a port. Dropping it closes the port too.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    token: String,
    certificate: String,
    stop: watch::Sender<bool>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl ApiServer {
    /// Serves on loopback until [`Serving::shutdown`], or until it is dropped.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn serve(&self, options: ServeOptions) -> Result<Serving, ServeError> {
        let port = options.port;
        let fail = |source| ServeError { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let token = match options.token {
            Some(token) => token,
            None => random_token().map_err(fail)?,
        };
        let own = SelfSigned::new().map_err(|e| fail(std::io::Error::other(e)))?;
        let config = own
            .server_config()
            .map_err(|e| fail(std::io::Error::other(e)))?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(
            self.clone(),
            listener,
            TlsAcceptor::from(Arc::new(config)),
            Arc::from(token.as_str()),
            stopped,
        ));
        Ok(Serving {
            address,
            token,
            certificate: own.certificate_pem(),
            stop,
            task: Some(task),
        })
    }
}

/// 32 hex digits from the system's source of randomness: the token guards the
/// port, so the server's seed must not give it away.
fn random_token() -> std::io::Result<String> {
    use rand::Rng;
    let mut seed = [0u8; 32];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut seed)?;
    let mut rng = rand_chacha::ChaCha20Rng::from_seed(seed);
    Ok(format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64()))
}

async fn accept(
    server: ApiServer,
    listener: TcpListener,
    tls: TlsAcceptor,
    token: Arc<str>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: give others time to close.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (server, token, tls) = (server.clone(), token.clone(), tls.clone());
        connections.spawn(async move {
            let mut first = [0];
            match stream.peek(&mut first).await {
                Ok(1) if first == TLS_HANDSHAKE => {
                    // A client that does not trust the certificate goes away here.
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(server, token, stream).await;
                    }
                }
                Ok(_) => connection(server, token, stream).await,
                Err(_) => {}
            }
        });
    }
    connections.shutdown().await;
}

/// The first byte of a connection that begins with TLS (RFC 8446, 5.1).
const TLS_HANDSHAKE: [u8; 1] = [22];

/// Answers the requests of one connection.
async fn connection<S>(server: ApiServer, token: Arc<str>, stream: S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let server = server.clone();
        let open = matches!(request.uri().path(), "/healthz" | "/readyz" | "/livez");
        let welcome = open || is_authorised(&request, &token);
        async move {
            if !welcome {
                return Ok(Reply::failure(&Failure::unauthorized()).into_response());
            }
            server.answer(request, Arc::new(UserInfo::admin())).await
        }
    });
    // An error here is the client's connection going away.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Whether the request carries the bearer token.
fn is_authorised<B>(request: &http::Request<B>, token: &str) -> bool {
    let given = request
        .headers()
        .get(http::header::AUTHORIZATION)
        .map(http::HeaderValue::as_bytes)
        .unwrap_or_default();
    let wanted = format!("Bearer {token}");
    let wanted = wanted.as_bytes();
    same(given, wanted)
}

/// Compares in a time that does not depend on where the two differ.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    given.len() == wanted.len()
        && given
            .iter()
            .zip(wanted)
            .fold(0, |differs, (a, b)| differs | (a ^ b))
            == 0
}

impl Serving {
    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The bearer token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// `https://127.0.0.1:PORT`
    #[must_use]
    pub fn https_url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A kubeconfig for this server. It holds the token: see
    /// [`Serving::write_kubeconfig`].
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        use base64::Engine;
        let authority = base64::engine::general_purpose::STANDARD.encode(&self.certificate);
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: fixname\n  cluster:\n    server: {}\n    certificate-authority-data: {authority}\ncontexts:\n- name: fixname\n  context:\n    cluster: fixname\n    user: fixname\ncurrent-context: fixname\nusers:\n- name: fixname\n  user:\n    token: {}\n",
            self.https_url(),
            self.token
        )
    }

    /// Writes the kubeconfig into a file that only its owner can read.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_kubeconfig(&self, path: &Path) -> std::io::Result<()> {
        // A new file that is renamed: nobody can have opened it before, a link at
        // `path` is not followed, and no reader sees half of it.
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(self.kubeconfig().as_bytes())?;
        file.persist(path)?;
        Ok(())
    }

    /// Closes the port and all connections.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        if let Some(task) = self.task.take() {
            // The task ends by itself after the signal; it cannot be cancelled here.
            let _ = task.await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
