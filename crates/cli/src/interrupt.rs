//! Ctrl-C, and SIGTERM, with which Kubernetes ends a pod: the first one lets
//! what is under way clean up, the second one ends the program at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::Exit;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// True once somebody pressed Ctrl-C; never before [`watch`] was called.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// From here on Ctrl-C is noted, and no longer ends the program by itself: when this
/// returns, also the very first signal is.
pub(crate) fn watch() {
    let (ready, is_ready) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let Ok(mut signals) = Signals::listen() else {
                return;
            };
            drop(ready);
            while signals.next().await {
                if INTERRUPTED.swap(true, Ordering::Relaxed) {
                    std::process::exit(Exit::Interrupted.code().into());
                }
                eprintln!("interrupted: cleaning up; once more to end at once");
            }
        });
    });
    // Ends when the sender is gone, whether or not signals can be heard.
    let _ = is_ready.recv();
}

/// The signals that ask a program to end.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one; false if none can come.
    async fn next(&mut self) -> bool {
        tokio::select! {
            told = self.interrupt.recv() => told.is_some(),
            told = self.terminate.recv() => told.is_some(),
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one; false if none can come.
    async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
