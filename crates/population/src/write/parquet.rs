//! Parquet: the columns of the CSV, uncompressed, in row groups of one size.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::WriteError;
use super::csv::COLUMNS;
use crate::population::Population;
use crate::tally::{Summary, Tally};

/// Rows of a group: about 20 MB in memory.
const ROWS: usize = 1 << 17;

/// One row group, column by column.
#[derive(Default)]
struct Columns {
    texts: [Vec<ByteArray>; 5],
    /// The collisions that there are, and for every row whether there is one.
    collisions: Vec<i32>,
    has_collision: Vec<i16>,
}

pub(super) fn write<W: Write + Send>(
    population: &mut Population,
    out: W,
) -> Result<Summary, WriteError> {
    let mut tally = Tally::new(population);
    let properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        // The library would write its own version here, and the bytes would
        // change with it.
        .set_created_by("fixname population".to_owned())
        .build();
    let schema = Arc::new(schema().map_err(failed)?);
    let mut file = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(failed)?;
    let mut columns = Columns::default();
    let (mut node, mut name) = (String::new(), String::new());
    let mut node_bytes = ByteArray::default();
    for index in 0..population.len() {
        let disk = population.disk(index);
        tally.add(&disk);
        // Every name is one shared buffer, however many rows it stands in.
        if disk.slot == 0 || columns.has_collision.is_empty() {
            population.node_name(&mut node, disk.node);
            node_bytes = node.as_str().into();
        }
        population.disk_name(&mut name, disk.slot);
        let row = [
            node_bytes.clone(),
            name.as_str().into(),
            disk.uuid().into(),
            disk.prefix().into(),
            disk.kind.as_str().into(),
        ];
        for (column, value) in columns.texts.iter_mut().zip(row) {
            column.push(value);
        }
        columns
            .has_collision
            .push(i16::from(disk.collision.is_some()));
        let number = disk.collision.map(|at| i32::try_from(at + 1));
        columns.collisions.extend(number.and_then(Result::ok));
        if columns.has_collision.len() == ROWS {
            columns.flush(&mut file).map_err(failed)?;
        }
    }
    if !columns.has_collision.is_empty() {
        columns.flush(&mut file).map_err(failed)?;
    }
    file.close().map_err(failed)?;
    Ok(tally.summary())
}

impl Columns {
    fn flush<W: Write + Send>(
        &mut self,
        file: &mut SerializedFileWriter<W>,
    ) -> Result<(), ParquetError> {
        let mut group = file.next_row_group()?;
        for texts in &mut self.texts {
            column::<ByteArrayType, W>(&mut group, texts, None)?;
            texts.clear();
        }
        column::<Int32Type, W>(&mut group, &self.collisions, Some(&self.has_collision))?;
        self.collisions.clear();
        self.has_collision.clear();
        group.close()?;
        Ok(())
    }
}

fn column<T: parquet::data_type::DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("a column too many".to_owned()));
    };
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()
}

fn schema() -> Result<Type, ParquetError> {
    let [texts @ .., collision] = COLUMNS;
    let mut fields = Vec::new();
    for name in texts {
        let field = Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(Some(LogicalType::String))
            .with_converted_type(ConvertedType::UTF8)
            .build()?;
        fields.push(Arc::new(field));
    }
    let field = Type::primitive_type_builder(collision, Physical::INT32)
        .with_repetition(Repetition::OPTIONAL)
        .build()?;
    fields.push(Arc::new(field));
    Type::group_type_builder("disk").with_fields(fields).build()
}

/// An error of the output comes out as one: the caller tells a closed pipe by it.
fn failed(error: ParquetError) -> WriteError {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => WriteError::Io(*io),
            Err(other) => WriteError::Parquet(other.to_string()),
        },
        other => WriteError::Parquet(other.to_string()),
    }
}
