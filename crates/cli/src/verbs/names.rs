//! `fixname names`: which manager names disks get.

use std::fmt::Write as _;

use fixname_naming::rules::broken_subdomain_rules;
use fixname_naming::{
    DiskUuid, ImageRef, LonghornVersion, NameError, Resolved, fits_dns_label, manager_image_for,
    releases,
};
use fixname_report::data;
use fixname_report::text::{BOLD, Columns, YELLOW, clean, styled, wrapped};
use serde::Serialize;

use super::{Format, resolved};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Show the manager names that Longhorn versions give to disks.
///
/// A name is made of the manager image, literally, and the disk's UUID. Without
/// --manager-image it is the one in the version's published manifest; a mirror
/// or a digest gives other names.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 all names could be made, 1 a disk has no valid name, 2 wrong usage.

Examples:
  fixname names --longhorn v1.9.1 v1.9.2 --disk c01200da-8a5c-4692-92e6-c4a983087951 \\
                --disk c012eb76-f8eb-4ea1-b81d-472eac9d98bf
  fixname names --all-versions --disk c012eb76-f8eb-4ea1-b81d-472eac9d98bf -o json")]
pub(crate) struct Args {
    /// Longhorn versions, such as v1.9.1 or longhornio/longhorn-manager:v1.9.1.
    #[arg(
        long,
        value_name = "VERSION",
        num_args = 1..,
        value_delimiter = ',',
        env = "FIXNAME_LONGHORN"
    )]
    longhorn: Vec<LonghornVersion>,
    /// Every version that was ever released.
    #[arg(long)]
    all_versions: bool,
    /// The managers' image, literally as Longhorn's --backing-image-manager-image
    /// has it. Without --longhorn, its tag tells the version.
    #[arg(long, value_name = "IMAGE", env = "FIXNAME_MANAGER_IMAGE")]
    manager_image: Option<String>,
    /// Full UUIDs of disks.
    #[arg(long, value_name = "UUID", num_args = 1.., required = true)]
    disk: Vec<String>,
    /// How to print; wide adds the scheme, the length and the image.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        env = "FIXNAME_OUTPUT"
    )]
    output: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    format_version: u32,
    names: Vec<Entry>,
    /// Versions under which different disks get one name.
    collisions: Vec<Collision>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    longhorn_version: String,
    /// The known version that it is treated as, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    treated_as: Option<String>,
    manager_image: Option<String>,
    #[serde(rename = "diskUUID")]
    disk_uuid: String,
    scheme: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fits_dns_label: Option<bool>,
    /// Why there is no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Why the API server refuses the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// A version without managers is no problem of the disk's.
    #[serde(skip)]
    is_problem: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Collision {
    longhorn_version: String,
    name: String,
    #[serde(rename = "diskUUIDs")]
    disk_uuids: Vec<String>,
}

impl Entry {
    fn complaint(&self) -> Option<&str> {
        self.error.as_deref().or(self.refused.as_deref())
    }
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let versions = versions(args, output)?;
    let mut names = Vec::new();
    for version in &versions {
        for disk in &args.disk {
            names.push(entry(version, args.manager_image.as_deref(), disk));
        }
    }
    let answer = Answer {
        format_version: 1,
        collisions: collisions(&names),
        names,
    };
    match args.output {
        Format::Table => output.text(&table(args, &answer))?,
        Format::Wide => output.text(&wide(&answer))?,
        Format::Json => output.data(&data::json(&answer))?,
        Format::Yaml => output.data(&data::yaml(&answer))?,
    }
    Ok(if answer.names.iter().any(|entry| entry.is_problem) {
        Exit::Finding
    } else {
        Exit::Ok
    })
}

fn versions(args: &Args, output: &Output) -> Result<Vec<Resolved>, Failure> {
    if args.all_versions {
        return Ok(releases().iter().map(Resolved::Exact).collect());
    }
    if !args.longhorn.is_empty() {
        return args.longhorn.iter().map(|v| resolved(v, output)).collect();
    }
    let Some(image) = &args.manager_image else {
        return Err(Failure::usage(
            "a name depends on the Longhorn version, and none was given",
            "fixname names --longhorn v1.9.1 --disk UUID, or --all-versions",
        ));
    };
    let version: LonghornVersion = image.parse().map_err(|error| {
        Failure::usage(
            format!("the manager image does not tell the version: {error}"),
            "fixname names --longhorn VERSION --manager-image IMAGE --disk UUID",
        )
    })?;
    Ok(vec![resolved(&version, output)?])
}

fn entry(version: &Resolved, image: Option<&str>, disk: &str) -> Entry {
    let scheme = version.release().scheme;
    let image = match image {
        Some(image) => Some(ImageRef::new(image)),
        None => manager_image_for(version.asked()).ok().map(|i| i.image),
    };
    let uuid = DiskUuid::new(disk);
    let name = match &image {
        Some(image) => scheme.manager_name(image, &uuid),
        None => Err(NameError::NoManagers),
    };
    let mut entry = Entry {
        longhorn_version: version.asked().to_string(),
        treated_as: (!version.is_exact()).then(|| version.release().version.to_string()),
        manager_image: image.map(ImageRef::into_string),
        disk_uuid: disk.to_owned(),
        scheme: scheme.id().into_owned(),
        name: None,
        length: None,
        fits_dns_label: None,
        error: None,
        refused: None,
        is_problem: false,
    };
    match name {
        Ok(name) => {
            let broken = broken_subdomain_rules(name.as_str());
            entry.error = broken
                .first()
                .map(|rule| format!("the API server refuses {name} as a name: {rule}"));
            entry.is_problem = entry.refused.is_some();
            entry.length = Some(name.as_str().len());
            entry.fits_dns_label = Some(fits_dns_label(&name));
            entry.name = Some(name.into_string());
        }
        Err(error) => {
            entry.is_problem = error != NameError::NoManagers;
            entry.error = Some(error.to_string());
        }
    }
    entry
}

fn collisions(names: &[Entry]) -> Vec<Collision> {
    let mut collisions: Vec<Collision> = Vec::new();
    for entry in names {
        let Some(name) = &entry.name else { continue };
        let known = collisions
            .iter_mut()
            .find(|c| c.longhorn_version == entry.longhorn_version && c.name == *name);
        match known {
            Some(known) if known.disk_uuids.contains(&entry.disk_uuid) => {}
            Some(known) => known.disk_uuids.push(entry.disk_uuid.clone()),
            None => collisions.push(Collision {
                longhorn_version: entry.longhorn_version.clone(),
                name: name.clone(),
                disk_uuids: vec![entry.disk_uuid.clone()],
            }),
        }
    }
    collisions.retain(|c| c.disk_uuids.len() > 1);
    collisions
}

fn table(args: &Args, answer: &Answer) -> String {
    let mut out = String::new();
    for disk in &args.disk {
        writeln!(out, "{}", styled(BOLD, &format!("Disk {}", clean(disk))))
            .expect("a String takes everything");
        let mut columns = Columns::default();
        let of_disk = || answer.names.iter().filter(|e| e.disk_uuid == *disk);
        for entry in of_disk() {
            let shown = match (&entry.name, entry.complaint()) {
                (Some(name), None) => name.as_str(),
                _ => "no valid name, see below",
            };
            columns.row(&[entry.longhorn_version.as_str(), shown]);
        }
        out.push_str(&columns.render("  "));
        let mut said: Vec<&str> = Vec::new();
        for error in of_disk().filter_map(Entry::complaint) {
            if !said.contains(&error) {
                said.push(error);
                out.push_str(&wrapped("  - ", "    ", error));
            }
        }
    }
    for collision in &answer.collisions {
        let line = format!(
            "{}: these {} disks get one name, {}: {}",
            collision.longhorn_version,
            collision.disk_uuids.len(),
            collision.name,
            collision.disk_uuids.join(", ")
        );
        let text = wrapped("", "  ", &line);
        out.push_str(&styled(YELLOW, text.trim_end()));
        out.push('\n');
    }
    if answer.names.iter().any(|e| e.fits_dns_label == Some(false)) {
        out.push_str(&wrapped(
            "",
            "  ",
            "Names longer than 63 characters work, but the kubelet cuts the pod's hostname and \
             logs it again and again (longhorn#12356).",
        ));
    }
    out
}

fn wide(answer: &Answer) -> String {
    let mut columns = Columns::new(&[
        "VERSION", "SCHEME", "LENGTH", "FITS63", "DISK", "NAME", "IMAGE", "ERROR",
    ]);
    for entry in &answer.names {
        columns.row(&[
            entry.longhorn_version.as_str(),
            &entry.scheme,
            &entry.length.map(|l| l.to_string()).unwrap_or_default(),
            super::yes_no(entry.fits_dns_label),
            &entry.disk_uuid,
            entry.name.as_deref().unwrap_or_default(),
            entry.manager_image.as_deref().unwrap_or_default(),
            entry.complaint().unwrap_or_default(),
        ]);
    }
    columns.render("")
}
