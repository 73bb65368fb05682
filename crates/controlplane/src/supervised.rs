//! A child process that cannot outlive its parent.
//!
//! The child runs below a small shell, which reads a pipe that only this
//! process holds open. When the pipe closes (on drop, on a panic, and also
//! when this process is killed) the shell kills the child and, if told so,
//! removes the data folder. No signal handler and no unsafe code is needed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// $1: folder to remove afterwards, or nothing; the rest is the command.
/// The pipe is passed on as descriptor 3, because a shell gives its background
/// jobs an empty standard input.
const SUPERVISOR: &str = r#"
folder=$1; shift
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
(
  cat <&3 >/dev/null
  kill -KILL "$child" 2>/dev/null
  case $folder in */fixname-control-plane-*) sleep 0.2; rm -rf -- "$folder";; esac
) &
wait "$child"
"#;

/// One supervised program.
#[derive(Debug)]
pub(crate) struct Supervised {
    name: &'static str,
    shell: Child,
    log: PathBuf,
}

impl Supervised {
    /// Starts `command`; what it prints goes to `log`.
    pub(crate) fn start(
        name: &'static str,
        command: &[String],
        log: PathBuf,
        remove: Option<&Path>,
    ) -> std::io::Result<Self> {
        let output = File::create(&log)?;
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(SUPERVISOR)
            .arg("fixname-supervisor")
            .arg(remove.map(Path::as_os_str).unwrap_or_default())
            .args(command)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output);
        // Its own group: Ctrl-C goes to the parent, which then closes the pipe.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        Ok(Self {
            name,
            shell: shell.spawn()?,
            log,
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the program has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.shell.try_wait(), Ok(None))
    }

    /// The last lines that the program printed.
    pub(crate) fn last_lines(&self) -> String {
        const TAIL: u64 = 8 * 1024;
        const LINES: usize = 20;
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_else(|e| format!("(no log: {e})"));
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Closing the pipe is the order to stop.
        drop(self.shell.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if self.has_ended() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
