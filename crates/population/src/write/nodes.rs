//! nodes.longhorn.io objects, byte for byte as kubectl prints them: keys in
//! alphabetical order, fields as in a recording of kubectl and Longhorn's types.

use std::io::{self, Write};

use fixname_longhorn::NAMESPACE;

use super::json::Json;
use crate::node::{CREATED, DISK_SIZE, FIRST_VERSION, LABEL};
use crate::population::Population;
use crate::tally::{Summary, Tally};

/// A List.
pub(super) fn list(population: &mut Population, out: impl Write) -> io::Result<Summary> {
    let mut tally = Tally::new(population);
    let mut json = Json::kubectl(out);
    json.object(|json| {
        json.text("apiVersion", "v1")?;
        json.key("items")?.list(|json| {
            for node in 0..population.spec().nodes {
                write(json.item()?, population, node, &mut tally)?;
            }
            Ok(())
        })?;
        json.text("kind", "List")?;
        json.key("metadata")?
            .object(|json| json.text("resourceVersion", ""))
    })?;
    json.end_line()?;
    json.flush()?;
    Ok(tally.summary())
}

/// One object a line.
pub(super) fn lines(population: &mut Population, out: impl Write) -> io::Result<Summary> {
    let mut tally = Tally::new(population);
    let mut json = Json::line(out);
    for node in 0..population.spec().nodes {
        write(&mut json, population, node, &mut tally)?;
        json.end_line()?;
    }
    json.flush()?;
    Ok(tally.summary())
}

fn write(
    json: &mut Json<impl Write>,
    population: &mut Population,
    node: u64,
    tally: &mut Tally,
) -> io::Result<()> {
    let mut name = String::new();
    population.node_name(&mut name, node);
    json.object(|json| {
        json.text("apiVersion", "longhorn.io/v1beta2")?;
        json.text("kind", "Node")?;
        json.key("metadata")?.object(|json| {
            json.text("creationTimestamp", CREATED)?;
            json.plain("generation", 1)?;
            json.key("labels")?
                .object(|json| json.text(LABEL.0, LABEL.1))?;
            json.text("name", &name)?;
            json.text("namespace", NAMESPACE)?;
            json.plain(
                "resourceVersion",
                format_args!("\"{}\"", FIRST_VERSION + node),
            )?;
            let uid = population.node_uid(node);
            json.text("uid", &String::from_utf8_lossy(&uid))
        })?;
        json.key("spec")?
            .object(|json| spec(json, population, &name))?;
        json.key("status")?
            .object(|json| status(json, population, node, tally))
    })
}

fn spec(json: &mut Json<impl Write>, population: &Population, name: &str) -> io::Result<()> {
    json.plain("allowScheduling", true)?;
    json.key("disks")?.object(|json| {
        let mut disk = String::new();
        for slot in 0..population.spec().disks_per_node {
            population.disk_name(&mut disk, slot);
            json.key(&disk)?.object(|json| {
                json.plain("allowScheduling", true)?;
                json.text("diskDriver", "")?;
                json.text("diskType", "filesystem")?;
                json.plain("evictionRequested", false)?;
                json.plain("path", format_args!("\"/var/lib/{disk}\""))?;
                json.plain("storageReserved", 0)?;
                json.plain("tags", "[]")
            })?;
        }
        Ok(())
    })?;
    json.plain("evictionRequested", false)?;
    json.plain("instanceManagerCPURequest", 0)?;
    json.text("name", name)?;
    json.plain("tags", "[]")
}

fn status(
    json: &mut Json<impl Write>,
    population: &mut Population,
    node: u64,
    tally: &mut Tally,
) -> io::Result<()> {
    json.plain("autoEvicting", false)?;
    conditions(json)?;
    json.key("diskStatus")?.object(|json| {
        let mut name = String::new();
        let per_node = population.spec().disks_per_node;
        for slot in 0..per_node {
            let disk = population.disk(node * per_node + slot);
            tally.add(&disk);
            population.disk_name(&mut name, slot);
            json.key(&name)?.object(|json| {
                conditions(json)?;
                json.text("diskDriver", "")?;
                json.text("diskName", &name)?;
                json.plain("diskPath", format_args!("\"/var/lib/{name}\""))?;
                json.text("diskType", "filesystem")?;
                json.text("diskUUID", disk.uuid())?;
                json.text("filesystemType", "ext4")?;
                json.text("instanceManagerName", "")?;
                json.plain("scheduledBackingImage", "{}")?;
                json.plain("scheduledReplica", "{}")?;
                json.plain("storageAvailable", DISK_SIZE)?;
                json.plain("storageMaximum", DISK_SIZE)?;
                json.plain("storageScheduled", 0)
            })?;
        }
        Ok(())
    })?;
    json.text("region", "")?;
    json.plain("snapshotCheckStatus", "{}")?;
    json.text("zone", "")
}

fn conditions(json: &mut Json<impl Write>) -> io::Result<()> {
    json.key("conditions")?.list(|json| {
        for type_ in ["Ready", "Schedulable"] {
            json.item()?.object(|json| {
                for key in ["lastProbeTime", "lastTransitionTime", "message", "reason"] {
                    json.text(key, "")?;
                }
                json.text("status", "True")?;
                json.text("type", type_)
            })?;
        }
        Ok(())
    })
}
