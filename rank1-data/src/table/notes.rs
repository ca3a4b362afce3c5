//! What a user should be told about how a table was read: guesses, filled cells, columns that carry nothing.
//!
//! Not for refusals; see [`TableError`](super::TableError). Nothing is printed here.

use std::fmt;
use std::path::PathBuf;

use super::place::{shown, shown_list};

/// One remark about a table that was read; shown as one line that names the setting which changes it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TableNote {
    /// The separator or the decimal mark was found out and is not the ordinary one.
    Dialect {
        /// The file.
        path: PathBuf,
        /// The separator.
        separator: char,
        /// The decimal mark.
        decimal: char,
    },
    /// Columns that count the rows were left out.
    Index {
        /// The file.
        path: PathBuf,
        /// Their names, of which one may be empty.
        columns: Vec<String>,
    },
    /// Levels that differ only in case or spaces and are different levels: column, and such levels.
    SimilarLevels {
        /// The file.
        path: PathBuf,
        /// One entry per group of levels.
        columns: Vec<(String, Vec<String>)>,
    },
    /// Missing cells were filled: column, number of cells, with what.
    Filled {
        /// The file.
        path: PathBuf,
        /// One entry per column.
        columns: Vec<(String, usize, String)>,
    },
    /// Texts that often stand for missing values are levels: column, text, number of cells.
    TokensAsLevels {
        /// The file.
        path: PathBuf,
        /// One entry per column and text.
        columns: Vec<(String, String, usize)>,
    },
    /// A target with a few whole numbers is read as numbers.
    NumbersForClasses {
        /// The file.
        path: PathBuf,
        /// The target column.
        target: String,
        /// The numbers as they stand in the file.
        values: Vec<String>,
    },
    /// Columns read as numbers whose whole numbers begin with zeros, as codes do: column, the first such cell.
    LeadingZeros {
        /// The file.
        path: PathBuf,
        /// One entry per column.
        columns: Vec<(String, String)>,
    },
    /// Columns that are constant in the training rows.
    Constant {
        /// The file.
        path: PathBuf,
        /// Their names.
        columns: Vec<String>,
    },
    /// Columns whose different values fall together in single precision: column, values before, values after.
    Indistinct {
        /// The file.
        path: PathBuf,
        /// One entry per column.
        columns: Vec<(String, usize, usize)>,
    },
    /// Columns of text that have about as many levels as there are rows: column, levels.
    ManyLevels {
        /// The file.
        path: PathBuf,
        /// Number of rows.
        rows: usize,
        /// One entry per column.
        columns: Vec<(String, usize)>,
    },
    /// Columns were left out because they carry nothing to new rows: column, why.
    Useless {
        /// The file.
        path: PathBuf,
        /// One entry per column.
        columns: Vec<(String, &'static str)>,
    },
    /// Levels that are rare in training or that it never saw have one place: column, number of cells, the first of them.
    OtherLevels {
        /// The file.
        path: PathBuf,
        /// One entry per column.
        columns: Vec<(String, usize, String)>,
    },
    /// Levels that training never saw were read as none of the known ones: column, number of cells, the first of them.
    UnknownLevels {
        /// The file.
        path: PathBuf,
        /// One entry per column.
        columns: Vec<(String, usize, String)>,
    },
}

impl fmt::Display for TableNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialect { path, separator, decimal } => {
                let mark = if *decimal == ',' { "commas" } else { "points" };
                let path = path.display();
                write!(f, "{path}: read with {separator:?} between cells and decimal {mark}; ")?;
                f.write_str("data.delimiter and data.decimal say otherwise")
            }
            Self::Index { path, columns } => {
                let list = shown_all(columns.iter().map(|name| match name.as_str() {
                    "" => "the one without a name".to_owned(),
                    name => format!("`{}`", shown(name)),
                }));
                let path = path.display();
                write!(
                    f,
                    "{path}: columns that count the rows, as pandas writes its index, were left out: {list}; "
                )?;
                f.write_str("data.keep_index = true keeps those that have a name")
            }
            Self::SimilarLevels { path, columns } => {
                let each = |(column, levels): &(String, Vec<String>)| {
                    let levels: Vec<String> = levels.iter().map(|level| format!("`{level}`")).collect();
                    format!("{} in `{}`", shown_list(levels).join(", "), shown(column))
                };
                let list = shown_all(columns.iter().map(each));
                write!(
                    f,
                    "{}: different levels that differ only in case or spaces: {list}; ",
                    path.display()
                )?;
                f.write_str("write them alike in the file if they are one")
            }
            Self::Filled { path, columns } => {
                let each = |(column, n, value): &(String, usize, String)| {
                    format!("{n} of `{}` with {}", shown(column), shown(value))
                };
                let list = shown_all(columns.iter().map(each));
                write!(f, "{}: missing cells were filled (data.missing): {list}; ", path.display())?;
                f.write_str("data.missing_tokens says which cells are missing")
            }
            Self::TokensAsLevels { path, columns } => {
                let each = |(column, token, n): &(String, String, usize)| {
                    format!("`{token}` in `{}` ({n} cells)", shown(column))
                };
                let list = shown_all(columns.iter().map(each));
                write!(f, "{}: read as values, not as missing: {list}; ", path.display())?;
                f.write_str("data.missing_tokens says otherwise")
            }
            Self::NumbersForClasses { path, target, values } => write!(
                f,
                "{}: the target `{}` holds {} whole numbers ({}) and is read as a quantity (regression); \
                 data.categorical = [{target:?}] makes them classes",
                path.display(),
                shown(target),
                values.len(),
                shown_list(values).join(", ")
            ),
            Self::LeadingZeros { path, columns } => {
                let each = |(column, cell): &(String, String)| format!("`{}` (`{cell}`, ...)", shown(column));
                let list = shown_all(columns.iter().map(each));
                let path = path.display();
                write!(f, "{path}: whole numbers that begin with zeros are read as numbers: {list}; ")?;
                f.write_str("data.categorical reads codes as levels")
            }
            Self::Constant { path, columns } => write!(
                f,
                "{}: constant in the training rows, so without effect: {}; data.ignore leaves columns out",
                path.display(),
                shown_list(columns.iter().map(|name| format!("`{name}`"))).join(", ")
            ),
            Self::Indistinct { path, columns } => {
                let each = |(column, before, after): &(String, usize, usize)| {
                    format!("`{}` ({before} different values become {after})", shown(column))
                };
                let list = shown_all(columns.iter().map(each));
                write!(f, "{}: columns that lose information in single precision: {list}; ", path.display())?;
                f.write_str(
                    "subtract an offset, take logarithms, or list them in data.categorical or data.ignore",
                )
            }
            Self::ManyLevels { path, rows, columns } => {
                let each =
                    |(column, levels): &(String, usize)| format!("`{}` ({levels} levels)", shown(column));
                let list = shown_all(columns.iter().map(each));
                write!(f, "{}: text that differs in most of the {rows} rows: {list}; ", path.display())?;
                f.write_str("data.ignore leaves columns out")
            }
            Self::Useless { path, columns } => {
                let each = |(column, why): &(String, &str)| format!("`{}` ({why})", shown(column));
                let list = shown_all(columns.iter().map(each));
                write!(f, "{}: left out as useless: {list}; data.keep keeps columns", path.display())
            }
            Self::OtherLevels { path, columns } => {
                let list = shown_all(columns.iter().map(cells_in));
                write!(
                    f,
                    "{}: levels that are rare in training or new to it share one place ",
                    path.display()
                )?;
                write!(f, "(data.unknown, data.rare_below): {list}")
            }
            Self::UnknownLevels { path, columns } => {
                let list = shown_all(columns.iter().map(cells_in));
                write!(
                    f,
                    "{}: levels that training never saw, read as none of the known ones ",
                    path.display()
                )?;
                write!(f, "(data.unknown): {list}")
            }
        }
    }
}

fn cells_in((column, n, first): &(String, usize, String)) -> String {
    format!("{n} in `{}` (`{first}`, ...)", shown(column))
}

fn shown_all(texts: impl Iterator<Item = String>) -> String {
    const MOST: usize = 10;
    let texts: Vec<String> = texts.collect();
    let mut list = texts[..texts.len().min(MOST)].join(", ");
    if texts.len() > MOST {
        list.push_str(&format!(", ... ({} in all)", texts.len()));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_line_however_many_columns_it_names() {
        let columns: Vec<String> = (0..4000).map(|i| format!("c{i}\n")).collect();
        let note = TableNote::Constant { path: "t.csv".into(), columns }.to_string();
        assert!(
            note.starts_with("t.csv: constant in the training rows, so without effect: `c0\\n`, `c1\\n`")
        );
        assert!(note.contains("... (4000 in all)") && note.len() < 300 && !note.contains('\n'), "{note}");
        let columns = vec![("a".into(), 3, "the median 2.5".into()); 12];
        let note = TableNote::Filled { path: "t.csv".into(), columns }.to_string();
        assert!(note.contains("3 of `a` with the median 2.5") && note.contains("... (12 in all)"), "{note}");
    }
}
