//! One etcd, one kube-apiserver and, if asked for, one controller manager,
//! each on a free port of loopback, with a data folder of their own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::supervised::Supervised;
use crate::{Programs, keys};

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is missing. Set `KUBEBUILDER_ASSETS` to a folder that has it,
    /// or put it into `PATH`; a test should skip itself and say so.
    #[error(
        "find {} (looked in {}): set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver, or put them into PATH or ~/.cache/fixname/bin",
        missing.join(" and "),
        looked_in.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    ProgramsNotFound {
        /// Names of the programs.
        missing: Vec<String>,
        /// Folders that were looked into.
        looked_in: Vec<PathBuf>,
    },
    /// A program ended, or did not become ready in time. Read its log.
    #[error("start {program}: {why}; its last lines:\n{log}")]
    Start {
        /// Which program.
        program: &'static str,
        /// What was seen.
        why: String,
        /// The last lines of its log.
        log: String,
    },
    /// The folder or a file in it could not be made.
    #[error("prepare the data folder")]
    Prepare(#[source] std::io::Error),
    /// No client could be made from the kubeconfig.
    #[error("make a client for the control plane")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How a control plane is started.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Which programs; looked up when not given.
    pub programs: Option<Programs>,
    /// Whether to start the garbage collector and the namespace controller
    /// too, if the controller manager is there.
    pub controllers: bool,
    /// How long to wait until it is ready.
    pub timeout: Duration,
    /// More arguments for kube-apiserver.
    pub apiserver_args: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            programs: None,
            controllers: false,
            timeout: Duration::from_secs(90),
            apiserver_args: Vec::new(),
        }
    }
}

impl Options {
    /// Also starts the garbage collector and the namespace controller.
    #[must_use]
    pub fn controllers(mut self, on: bool) -> Self {
        self.controllers = on;
        self
    }

    /// Uses these programs.
    #[must_use]
    pub fn programs(mut self, programs: Programs) -> Self {
        self.programs = Some(programs);
        self
    }
}

/// A running control plane. It ends, and its data is removed, when this is
/// dropped; also when the process dies.
#[derive(Debug)]
pub struct ControlPlane {
    // In this order: the apiserver must go before etcd, the folder last.
    _controllers: Option<Supervised>,
    _apiserver: Supervised,
    _etcd: Supervised,
    folder: tempfile::TempDir,
    kubeconfig: String,
    url: String,
    token: String,
    has_controllers: bool,
}

/// A port can be taken by somebody else between choosing and using it.
const PORT_ATTEMPTS: usize = 3;

impl ControlPlane {
    /// Starts the programs and waits until the server is ready.
    ///
    /// # Errors
    /// See [`Error`]; what was started is stopped again.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let programs = match options.programs.clone() {
            Some(programs) => programs,
            None => Programs::find()?,
        };
        let deadline = Instant::now() + options.timeout;
        let mut attempt = 1;
        loop {
            match Self::start_once(&programs, &options, deadline).await {
                Err(Error::Start { log, .. })
                    if attempt < PORT_ATTEMPTS && log.contains("address already in use") =>
                {
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    /// The same for callers without a runtime, such as a test's static.
    ///
    /// # Errors
    /// See [`ControlPlane::start`].
    pub fn start_blocking(options: Options) -> Result<Self, Error> {
        // A thread of its own: the caller may be inside a runtime.
        std::thread::scope(|scope| {
            let started = scope.spawn(|| {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(Error::Prepare)?
                    .block_on(Self::start(options))
            });
            match started.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    async fn start_once(
        programs: &Programs,
        options: &Options,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("fixname-control-plane-")
            .tempdir()
            .map_err(Error::Prepare)?;
        let path = |name: &str| folder.path().join(name);
        let show = |name: &str| path(name).display().to_string();
        let [etcd_port, peer_port, api_port] = free_ports().map_err(Error::Prepare)?;
        let token = keys::token().map_err(Error::Prepare)?;
        let write =
            |name: &str, text: &str| write_private(&path(name), text).map_err(Error::Prepare);
        let (private_key, public_key) = keys::service_account_key().map_err(Error::Prepare)?;
        write("service-account.pem", &private_key)?;
        write("service-account.pub", &public_key)?;
        write(
            "tokens.csv",
            &format!("{token},admin,admin,\"system:masters\"\n"),
        )?;
        let etcd_url = format!("http://127.0.0.1:{etcd_port}");
        let peer_url = format!("http://127.0.0.1:{peer_port}");
        let arguments = |program: &PathBuf, args: &[String]| -> Vec<String> {
            std::iter::once(program.display().to_string())
                .chain(args.iter().cloned())
                .collect()
        };
        let etcd = Supervised::start(
            "etcd",
            &arguments(
                &programs.etcd,
                &[
                    format!("--data-dir={}", show("etcd")),
                    format!("--listen-client-urls={etcd_url}"),
                    format!("--advertise-client-urls={etcd_url}"),
                    format!("--listen-peer-urls={peer_url}"),
                    format!("--initial-advertise-peer-urls={peer_url}"),
                    format!("--initial-cluster=default={peer_url}"),
                    // The data lives as long as the test.
                    "--unsafe-no-fsync".to_owned(),
                ],
            ),
            path("etcd.log"),
            Some(folder.path()),
        )
        .map_err(Error::Prepare)?;
        let mut args = vec![
            format!("--etcd-servers={etcd_url}"),
            format!("--secure-port={api_port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--cert-dir={}", show("certs")),
            format!("--token-auth-file={}", show("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://127.0.0.1".to_owned(),
            format!("--service-account-key-file={}", show("service-account.pub")),
            format!(
                "--service-account-signing-key-file={}",
                show("service-account.pem")
            ),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            // Without its controller no pod could be created.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--allow-privileged=true".to_owned(),
        ];
        args.extend(options.apiserver_args.iter().cloned());
        let apiserver = Supervised::start(
            "kube-apiserver",
            &arguments(&programs.apiserver, &args),
            path("kube-apiserver.log"),
            None,
        )
        .map_err(Error::Prepare)?;
        let mut plane = Self {
            _controllers: None,
            _apiserver: apiserver,
            _etcd: etcd,
            kubeconfig: String::new(),
            url: format!("https://127.0.0.1:{api_port}"),
            token,
            has_controllers: false,
            folder,
        };
        plane.wait_ready(deadline).await?;
        if let Some(program) = programs
            .controller_manager
            .as_ref()
            .filter(|_| options.controllers)
        {
            let config = plane.folder.path().join("kubeconfig");
            write_private(&config, &plane.kubeconfig).map_err(Error::Prepare)?;
            let log = plane.folder.path().join("kube-controller-manager.log");
            plane._controllers = Some(
                Supervised::start(
                    "kube-controller-manager",
                    &arguments(
                        program,
                        &[
                            format!("--kubeconfig={}", config.display()),
                            "--controllers=garbage-collector-controller,namespace-controller"
                                .to_owned(),
                            "--leader-elect=false".to_owned(),
                            "--secure-port=0".to_owned(),
                        ],
                    ),
                    log,
                    None,
                )
                .map_err(Error::Prepare)?,
            );
            plane.has_controllers = true;
        }
        Ok(plane)
    }

    async fn wait_ready(&mut self, deadline: Instant) -> Result<(), Error> {
        let mut last = "it did not answer".to_owned();
        loop {
            for program in [&mut self._etcd, &mut self._apiserver] {
                if program.has_ended() {
                    return Err(Error::Start {
                        program: program.name(),
                        why: "it ended".to_owned(),
                        log: program.last_lines(),
                    });
                }
            }
            // The server makes its certificate while it starts.
            if let Ok(certificate) = std::fs::read(self.folder.path().join("certs/apiserver.crt")) {
                self.kubeconfig = kubeconfig(&self.url, &self.token, &certificate);
                match self.probe().await {
                    Ok(()) => return Ok(()),
                    Err(why) => last = why,
                }
            }
            if Instant::now() >= deadline {
                return Err(Error::Start {
                    program: self._apiserver.name(),
                    why: format!("it was not ready in time: {last}"),
                    log: self._apiserver.last_lines(),
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn probe(&self) -> Result<(), String> {
        let config = self.config("default").await.map_err(|e| e.to_string())?;
        let client = kube::Client::try_from(config).map_err(|e| e.to_string())?;
        let get = |path: &str| {
            http::Request::get(path)
                .body(Vec::new())
                .map_err(|e| e.to_string())
        };
        client
            .request_text(get("/readyz")?)
            .await
            .map_err(|e| e.to_string())?;
        // Ready comes a little before the namespace that every client expects.
        client
            .request_text(get("/api/v1/namespaces/default")?)
            .await
            .map_err(|e| e.to_string())?;
        Ok(())
    }

    async fn config(&self, namespace: &str) -> Result<kube::Config, Error> {
        let fail = |e: kube::config::KubeconfigError| Error::Client(Box::new(e));
        let parsed = Kubeconfig::from_yaml(&self.kubeconfig).map_err(fail)?;
        let mut config =
            kube::Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
                .await
                .map_err(fail)?;
        namespace.clone_into(&mut config.default_namespace);
        Ok(config)
    }

    /// A client with an administrator's rights, for the current runtime.
    ///
    /// # Errors
    /// [`Error::Client`] when the certificate cannot be read.
    pub async fn client(&self, namespace: &str) -> Result<kube::Client, Error> {
        let config = self.config(namespace).await?;
        kube::Client::try_from(config).map_err(|e| Error::Client(Box::new(e)))
    }

    /// A client that acts as another user, with an administrator's rights kept
    /// through its group.
    ///
    /// # Errors
    /// [`Error::Client`] when the certificate cannot be read.
    pub async fn client_as(&self, user: &str, namespace: &str) -> Result<kube::Client, Error> {
        let mut config = self.config(namespace).await?;
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(vec!["system:masters".to_owned()]);
        kube::Client::try_from(config).map_err(|e| Error::Client(Box::new(e)))
    }

    /// A kubeconfig for this server. It holds the administrator's token.
    #[must_use]
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// `https://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the garbage collector and the namespace controller run.
    #[must_use]
    pub fn has_controllers(&self) -> bool {
        self.has_controllers
    }

    /// The folder with data and logs, as long as the control plane runs.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

fn kubeconfig(url: &str, token: &str, certificate: &[u8]) -> String {
    use base64::Engine;
    let authority = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: control-plane\n  cluster:\n    server: {url}\n    certificate-authority-data: {authority}\ncontexts:\n- name: control-plane\n  context:\n    cluster: control-plane\n    user: admin\ncurrent-context: control-plane\nusers:\n- name: admin\n  user:\n    token: {token}\n"
    )
}

/// Ports that are free now. All are held at once, so that they differ.
fn free_ports<const N: usize>() -> std::io::Result<[u16; N]> {
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
