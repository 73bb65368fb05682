//! Ctrl-C: the first one lets what is under way clean up, the second one ends
//! the program at once.

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
            while tokio::signal::ctrl_c().await.is_ok() {
                if INTERRUPTED.swap(true, Ordering::Relaxed) {
                    std::process::exit(Exit::Interrupted.code().into());
                }
                eprintln!("interrupted: cleaning up; once more to end at once");
            }
        });
    });
}
