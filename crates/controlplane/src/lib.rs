//! Starts etcd and kube-apiserver on loopback, and stops and removes them again.
//!
//! For tests that compare something with the real server. [`ControlPlane`] is
//! the whole of it; [`programs`](Programs) says where the programs are looked
//! for. Nothing is downloaded or built here.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use fixname_controlplane::{ControlPlane, Options};
//!
//! let control_plane = ControlPlane::start(Options::default()).await?;
//! let client = control_plane.client("default").await?;
//! println!("{}", client.apiserver_version().await?.git_version);
//! # Ok(())
//! # }
//! ```

mod keys;
mod plane;
mod programs;
mod supervised;

pub use plane::{ControlPlane, Error, Options};
pub use programs::Programs;
