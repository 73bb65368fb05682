//! Rules that judge an [`Inventory`]: which disks would, or do, fight over one
//! manager name. Pure: reads no file and no cluster (crate `capture` does), and
//! draws nothing (crate `report` does).
//!
//! Map of the code: [`diagnose`] runs everything; [`report`] has the types that
//! other programs parse; `running` finds out which Longhorn runs; `index` is the
//! inventory made searchable; `rules` has one file for each kind of finding.
//!
//! ```
//! use fixname_diagnose::{Options, State, diagnose};
//! use fixname_longhorn::{Coverage, CoverageState, Inventory, Kind, Node};
//!
//! let node = |name: &str, uuid: &str| {
//!     let mut node = Node::named(name);
//!     node.status.disk_status.entry("disk".into()).or_default().disk_uuid = uuid.into();
//!     node
//! };
//! let inventory = Inventory {
//!     nodes: vec![
//!         node("node-1", "c01200da-8a5c-4692-92e6-c4a983087951"),
//!         node("node-2", "c012eb76-f8eb-4ea1-b81d-472eac9d98bf"),
//!     ],
//!     coverage: vec![Coverage {
//!         kind: Kind::Node,
//!         state: CoverageState::Read { objects: 2, sources: vec![] },
//!         notes: vec![],
//!     }],
//!     ..Inventory::default()
//! };
//! let report = diagnose(&inventory, &Options::default());
//! assert_eq!(report.findings[0].state, State::Latent);
//! assert_eq!(report.findings[0].prefix.as_deref(), Some("c012"));
//! assert!(report.has_problem());
//! ```

mod index;
pub mod report;
mod rules;
mod running;

pub use report::{Code, Finding, FindingDisk, Report, Role, Severity, State};
pub use running::{Basis, Running};

use fixname_longhorn::{Inventory, Kind};
use fixname_naming::{ImageRef, Resolved};

use index::Index;

/// What the caller knows beside the inventory. What is given here is believed
/// more than anything that the inventory lets one guess.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The Longhorn version that runs.
    pub longhorn: Option<Resolved>,
    /// The literal value of `--backing-image-manager-image`.
    pub manager_image: Option<ImageRef>,
}

/// Judges an inventory.
pub fn diagnose(inventory: &Inventory, options: &Options) -> Report {
    let running = Running::find(inventory, options);
    let index = Index::new(inventory, options.manager_image.as_ref());
    let mut findings = Vec::new();
    rules::prefix::check(&index, &running, &mut findings);
    rules::identity::same_uuid(&index, &mut findings);
    rules::label::check(&index, &mut findings);
    rules::identity::unusable_uuid(&index, &running, &mut findings);
    rules::managers::two_images(&index, &mut findings);
    if !inventory.has_read(Kind::Node) {
        rules::nodes_not_read(&mut findings);
    }
    // Stable: within one state the order of the input is kept.
    findings.sort_by_key(|finding| finding.state);

    let mut coverage = inventory.coverage.clone();
    if let Some(note) = index.disks_without_uuid()
        && let Some(nodes) = coverage.iter_mut().find(|c| c.kind == Kind::Node)
    {
        nodes.notes.push(note);
    }
    Report {
        format_version: report::FORMAT_VERSION,
        running,
        findings,
        coverage,
        ignored: inventory.ignored.clone(),
    }
}
