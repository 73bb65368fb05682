//! Ctrl-C, and SIGTERM, with which Kubernetes ends a pod: the first one lets
//! what is under way clean up, the second one ends the program at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::Exit;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// True once somebody pressed Ctrl-C; never before [`watch`] was called.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// From here on Ctrl-C is noted, and no longer ends the program by itself.
pub(crate) fn watch() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            while told().await {
                if INTERRUPTED.swap(true, Ordering::Relaxed) {
                    std::process::exit(Exit::Interrupted.code().into());
                }
                eprintln!("interrupted: cleaning up; once more to end at once");
            }
        });
    });
}

/// Waits for the next signal; false if none can come.
#[cfg(unix)]
async fn told() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(interrupt), signal(terminate)) else {
        return false;
    };
    tokio::select! {
        told = interrupt.recv() => told.is_some(),
        told = terminate.recv() => told.is_some(),
    }
}

/// Waits for the next Ctrl-C; false if none can come.
#[cfg(not(unix))]
async fn told() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}
