//! One disk a line. No field ever needs quotes.

use std::io::{self, Write};

use crate::population::Population;
use crate::tally::{Summary, Tally};

/// The columns, here and in Parquet. `collision` numbers the chosen collisions
/// from 1, and is empty for all other disks.
pub(super) const COLUMNS: [&str; 6] = ["node", "disk", "diskUUID", "prefix", "kind", "collision"];

pub(super) fn write(population: &mut Population, mut out: impl Write) -> io::Result<Summary> {
    let mut tally = Tally::new(population);
    writeln!(out, "{}", COLUMNS.join(","))?;
    let (mut node, mut name) = (String::new(), String::new());
    for index in 0..population.len() {
        let disk = population.disk(index);
        tally.add(&disk);
        if disk.slot == 0 {
            population.node_name(&mut node, disk.node);
        }
        population.disk_name(&mut name, disk.slot);
        let (uuid, prefix, kind) = (disk.uuid(), disk.prefix(), disk.kind);
        write!(out, "{node},{name},{uuid},{prefix},{kind},")?;
        match disk.collision {
            Some(at) => writeln!(out, "{}", at + 1)?,
            None => writeln!(out)?,
        }
    }
    out.flush()?;
    Ok(tally.summary())
}
