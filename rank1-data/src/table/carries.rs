//! Columns that carry less than they seem to: constant ones, ones whose values fall together, ones with a level per row.
//!
//! Not for refusals: such tables are read, and a user is told.

use std::collections::{BTreeMap, HashSet};

use super::notes::TableNote;
use super::place::shown;
use super::read::{Cell, Table};
use super::schema::{ColumnKind, CsvSchema, TargetKind};
use crate::Split;
use crate::normalize::Standard;

/// Rows in which values are counted.
const LOOKED_AT: usize = 10_000;

/// Levels that are certainly few enough.
const FEW: usize = 10;

/// Columns, the target among them, that have one value in the training rows.
pub(super) fn constant_columns(table: &Table, schema: &CsvSchema, rows: &[usize]) -> Option<TableNote> {
    if rows.len() < 2 {
        return None;
    }
    let names = schema.columns.iter().map(|column| &column.name);
    let constant = |name: &&String| {
        let Ok(position) = table.position(name) else { return false };
        let mut cells = rows.iter().map(|&row| table.cell(row, position).text());
        let first = cells.next();
        cells.all(|text| Some(text) == first)
    };
    let columns: Vec<String> = names.chain([&schema.target]).filter(constant).cloned().collect();
    (!columns.is_empty()).then(|| TableNote::Constant { path: table.path.clone(), columns })
}

/// Columns of numbers of which more than a tenth of the different values fall together once they are standardized and
/// rounded to single precision: huge beside their spread, or with a few huge values among small ones.
pub(super) fn indistinct_columns(
    table: &Table,
    schema: &CsvSchema,
    train: &Split,
    rows: &[usize],
) -> Option<TableNote> {
    let mut columns = Vec::new();
    let mut note = |name: &String, values: &[f64], scale: Standard| {
        let Ok(position) = table.position(name) else { return };
        let cells = rows.iter().zip(values).take(LOOKED_AT);
        let before: HashSet<Value> =
            cells.clone().map(|(&row, &value)| Value::of(table.cell(row, position), value)).collect();
        let after: HashSet<u32> =
            cells.map(|(_, &value)| ((scale.apply(value) as f32) + 0.0).to_bits()).collect();
        if 10 * after.len() < 9 * before.len() {
            columns.push((name.clone(), before.len(), after.len()));
        }
    };
    let mut feature = 0;
    for column in &schema.columns {
        if column.kind.is_number() {
            let values: Vec<f64> = train.column(feature).collect();
            note(&column.name, &values, Standard::fit(values.iter().copied()));
        }
        feature += column.kind.width();
    }
    if let (TargetKind::Value, rank1_core::targets::Targets::Values(values)) =
        (&schema.target_kind, &train.targets)
    {
        note(&schema.target, &values.to_vec(), Standard::fit(values.iter().copied()));
    }
    (!columns.is_empty()).then(|| TableNote::Indistinct { path: table.path.clone(), columns })
}

/// A value as the file has it: whole numbers beyond 2^53 are told apart although double precision does not.
#[derive(PartialEq, Eq, Hash)]
enum Value {
    Whole(i128),
    Number(u64),
}

impl Value {
    fn of(cell: Cell<'_>, value: f64) -> Self {
        const EXACT: f64 = (1_u64 << 53) as f64;
        match cell.text().parse() {
            Ok(whole) if value.abs() >= EXACT => Self::Whole(whole),
            _ => Self::Number((value + 0.0).to_bits()),
        }
    }
}

/// Levels, classes among them, that are one but for case and spaces.
pub(super) fn similar_levels(table: &Table, schema: &CsvSchema) -> Option<TableNote> {
    let mut columns = Vec::new();
    for (name, levels) in schema.levels() {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for level in levels {
            let alike = level.split_whitespace().collect::<String>().to_lowercase();
            groups.entry(alike).or_default().push(level.clone());
        }
        columns
            .extend(groups.into_values().filter(|group| group.len() > 1).map(|group| (name.clone(), group)));
    }
    (!columns.is_empty()).then(|| TableNote::SimilarLevels { path: table.path.clone(), columns })
}

/// Levels that may be meant as missing, and columns with about as many levels as rows.
pub(super) fn doubtful_levels(table: &Table, schema: &CsvSchema) -> Vec<TableNote> {
    let (mut tokens, mut many) = (Vec::new(), Vec::new());
    for column in &schema.columns {
        if let ColumnKind::Categorical { levels, .. } = &column.kind
            && levels.len() > FEW
            && 2 * levels.len() > table.n_rows()
        {
            many.push((column.name.clone(), levels.len()));
        }
    }
    for (name, levels) in schema.levels() {
        let Ok(position) = table.position(name) else { continue };
        for level in levels.iter().filter(|level| schema.tokens().is_doubtful(level)) {
            let n = table.column(position).filter(|cell| cell.text() == level).count();
            tokens.push((name.clone(), shown(level), n));
        }
    }
    let path = &table.path;
    let mut notes = Vec::new();
    if !tokens.is_empty() {
        notes.push(TableNote::TokensAsLevels { path: path.clone(), columns: tokens });
    }
    if !many.is_empty() {
        notes.push(TableNote::ManyLevels { path: path.clone(), rows: table.n_rows(), columns: many });
    }
    notes
}

/// Columns of numbers in which a whole number begins with a zero, as postal and product codes do.
pub(super) fn leading_zeros(table: &Table, schema: &CsvSchema) -> Option<TableNote> {
    let mut columns = Vec::new();
    for column in schema.columns.iter().filter(|column| column.kind.is_number()) {
        let Ok(position) = table.position(&column.name) else { continue };
        let is_code = |text: &str| {
            text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if let Some(cell) = table.column(position).find(|cell| is_code(cell.text())) {
            columns.push((column.name.clone(), shown(cell.text())));
        }
    }
    (!columns.is_empty()).then(|| TableNote::LeadingZeros { path: table.path.clone(), columns })
}
