//! What is written: the same cluster in every format, byte for byte the same
//! for a seed, and an output that breaks is an error and no panic.

use std::io::{self, Read, Write};

use fixname_longhorn::Node;
use fixname_population::{Format, Population, Spec, WriteError, write};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::Value;
use sha2::{Digest, Sha256};

const ALL: [Format; 4] = [
    Format::NodesJson,
    Format::Ndjson,
    Format::Csv,
    Format::Parquet,
];

fn population() -> Population {
    let mut spec = Spec::new(12, 3, 42);
    spec.uuids = "v4=4,v1=1".parse().expect("a mix");
    spec.collide = ["2", "1x3@node", "1@nodes=cloned", "1=hand-set"]
        .map(|c| c.parse().expect("a collision"))
        .to_vec();
    Population::new(spec).expect("there is such a population")
}

fn written(population: &Population, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(population, format, &mut bytes).expect("memory takes everything");
    bytes
}

/// The bytes of one seed. They may only change with a new number in the
/// generator's domain, since a seed is a promise.
#[test]
fn a_seed_gives_the_same_bytes_everywhere() {
    let digests = ALL.map(|format| {
        let digest = Sha256::digest(written(&population(), format));
        digest
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()[..16]
            .to_owned()
    });
    assert_eq!(
        digests,
        [
            "566a282c13ac5282",
            "930f696e385f84f9",
            "49b7fd2568dc8cf3",
            "4dd9d9452373df8b"
        ]
    );
}

#[test]
fn the_list_is_what_kubectl_would_print_of_the_typed_nodes() {
    let mut population = population();
    let text = String::from_utf8(written(&population, Format::NodesJson)).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let nodes: Vec<Node> = serde_json::from_value(value["items"].clone()).unwrap();
    let expected: Vec<Node> = (0..12).map(|node| population.node(node)).collect();
    assert_eq!(nodes, expected);
    assert_eq!(text, kubectl(&value));
    // Nothing of the types' fields is left out.
    assert_eq!(
        sorted(value["items"][0].clone()),
        sorted(serde_json::to_value(&nodes[0]).unwrap())
    );
}

#[test]
fn a_line_is_a_node() {
    let mut population = population();
    let text = String::from_utf8(written(&population, Format::Ndjson)).unwrap();
    let nodes: Vec<Node> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let expected: Vec<Node> = (0..12).map(|node| population.node(node)).collect();
    assert_eq!(nodes, expected);
    assert!(!text.contains(' '), "compact");
}

#[test]
fn csv_and_parquet_hold_the_same_rows_and_say_what_was_chosen() {
    let mut population = population();
    let text = String::from_utf8(written(&population, Format::Csv)).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("node,disk,diskUUID,prefix,kind,collision")
    );
    let csv: Vec<Vec<String>> = lines
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect();
    assert_eq!(csv.len(), 36);
    for (at, group) in population.collisions().enumerate() {
        let number = (at + 1).to_string();
        let rows = (0u64..).zip(&csv).filter(|(_, row)| row[5] == number);
        assert_eq!(rows.map(|(at, _)| at).collect::<Vec<_>>(), group);
    }
    let disk = population.disk(35);
    assert_eq!(csv[35][..3], ["node-12", "disk-3", disk.uuid()]);

    let bytes = bytes::Bytes::from(written(&population, Format::Parquet));
    let reader = SerializedFileReader::new(bytes).unwrap();
    let rows: Vec<Vec<String>> = reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| {
            let row = row.unwrap();
            let mut cells: Vec<String> = (0..5)
                .map(|at| row.get_string(at).unwrap().clone())
                .collect();
            cells.push(row.get_int(5).map_or(String::new(), |n| n.to_string()));
            cells
        })
        .collect();
    assert_eq!(rows, csv);
}

#[test]
fn parquet_of_several_row_groups_is_whole() {
    let population = Population::new(Spec::new(140_000, 1, 1)).unwrap();
    let bytes = bytes::Bytes::from(written(&population, Format::Parquet));
    let reader = SerializedFileReader::new(bytes).unwrap();
    assert_eq!(reader.num_row_groups(), 2);
    assert_eq!(reader.metadata().file_metadata().num_rows(), 140_000);
    let last = reader.get_row_iter(None).unwrap().last().unwrap().unwrap();
    assert_eq!(last.get_string(0).unwrap(), "node-140000");
}

#[test]
fn nothing_is_written_of_nothing() {
    for (nodes, disks) in [(0, 0), (0, 5), (2, 0)] {
        let population = Population::new(Spec::new(nodes, disks, 1)).unwrap();
        let list: Value = serde_json::from_slice(&written(&population, Format::NodesJson)).unwrap();
        assert_eq!(list["items"].as_array().unwrap().len() as u64, nodes);
        assert_eq!(
            written(&population, Format::Csv)
                .iter()
                .filter(|b| **b == b'\n')
                .count(),
            1
        );
        let bytes = bytes::Bytes::from(written(&population, Format::Parquet));
        let reader = SerializedFileReader::new(bytes).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
    let empty = Population::new(Spec::new(0, 5, 1)).unwrap();
    let mut text = String::new();
    (&written(&empty, Format::NodesJson)[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(
        text,
        "{\n    \"apiVersion\": \"v1\",\n    \"items\": [],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n"
    );
}

/// Takes so many bytes, and then no more.
struct Pipe(usize);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_told_as_such() {
    let population = Population::new(Spec::new(2000, 3, 1)).unwrap();
    for format in ALL {
        for most in [0, 1, 5000, 100_000] {
            match write(&population, format, Pipe(most)) {
                Err(WriteError::Io(error)) => {
                    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format:?}");
                }
                other => panic!("{format:?} {most}: {other:?}"),
            }
        }
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn kubectl(value: &Value) -> String {
    let mut bytes = Vec::new();
    let style = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, style);
    serde::Serialize::serialize(&sorted(value.clone()), &mut serializer).expect("it is JSON");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is UTF-8")
}
