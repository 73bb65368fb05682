//! How Longhorn names its backing image managers, in every release and in
//! what-if releases, and what Kubernetes makes of those names.
//!
//! Pure: no clock, network, file or randomness of its own. How *likely* two
//! names collide is the `collision` crate; what a collision does to a cluster
//! is `controllers` and `diagnose`.
//!
//! Start with [`resolve`] to get a version's [`Scheme`], and ask it for a
//! [`ManagerName`]:
//!
//! ```
//! use fixname_naming::{DiskUuid, LonghornVersion, manager_image_for, resolve};
//!
//! let a = DiskUuid::new("c01200da-8a5c-4692-92e6-c4a983087951");
//! let b = DiskUuid::new("c012eb76-f8eb-4ea1-b81d-472eac9d98bf");
//! for (version, collide) in [("v1.9.1", true), ("v1.9.2", false)] {
//!     let version: LonghornVersion = version.parse()?;
//!     let scheme = resolve(&version)?.release().scheme;
//!     let image = manager_image_for(&version)?.image;
//!     let names = [&a, &b].map(|disk| scheme.manager_name(&image, disk));
//!     assert_eq!(names[0] == names[1], collide);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Map: [`ids`] the newtypes, [`version`] spelling of versions, [`mod@releases`]
//! the version table, [`scheme`] the name functions, [`guard`] how later
//! releases draw a disk's UUID, [`rules`] what a name may look like,
//! [`upgrade`] which upgrades Longhorn starts.

pub mod guard;
pub mod ids;
pub mod releases;
pub mod rules;
pub mod scheme;
pub mod upgrade;
pub mod version;

pub use guard::{DiskType, GuardExhausted, generate_unique};
pub use ids::{DiskUuid, ImageRef, ManagerName};
pub use releases::{
    ManagerImage, NoManagerImage, Release, Resolved, UnknownVersion, manager_image_for, releases,
    resolve,
};
pub use rules::{fits_dns_label, is_dns_subdomain};
pub use scheme::{NameError, Scheme, UnknownScheme, WhatIf, Width};
pub use upgrade::{PathRefused, upgrade_path};
pub use version::{LonghornVersion, VersionError};
