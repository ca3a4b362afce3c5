//! A table of costs: a row for each class, a column for each decision.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use thiserror::Error as ThisError;

/// What decisions cost, by the class that is.
#[derive(Debug, Clone, PartialEq)]
pub struct CostMatrix {
    /// Names of the decisions.
    pub decisions: Vec<String>,
    /// `[C, A]`, classes in the order that was asked for.
    pub costs: Array2<f64>,
}

/// A refused table of costs.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum CostError {
    /// The file cannot be read, or is no CSV.
    #[error("{}: expected a CSV file of costs: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: csv::Error,
    },
    /// The header names no decision, or one twice.
    #[error("{}: expected a header `class` and a name for each decision, each once, got `{got}`", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The header.
        got: String,
    },
    /// A row is not about a class that was not there yet.
    #[error("{}: line {line}: expected one row for each of the classes {expected}, got `{got}`", path.display())]
    Class {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The classes.
        expected: String,
        /// The first cell.
        got: String,
    },
    /// Classes without a row.
    #[error("{}: no row for the classes {missing}; costs need one for every class", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The classes.
        missing: String,
    },
    /// A cell is no number.
    #[error("{}: line {line}, column `{column}`: expected a cost, a finite number, got `{got}`", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The decision.
        column: String,
        /// The cell.
        got: String,
    },
}

/// Reads costs for these classes.
///
/// # Errors
/// [`CostError`] names the line and the cell.
pub fn read_costs(path: &Path, classes: &[String]) -> Result<CostMatrix, CostError> {
    let unreadable = |cause| CostError::Unreadable { path: path.into(), cause };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let decisions: Vec<String> = header.iter().skip(1).map(String::from).collect();
    let twice =
        decisions.iter().enumerate().any(|(i, name)| name.is_empty() || decisions[..i].contains(name));
    if decisions.is_empty() || twice {
        let got = header.iter().collect::<Vec<_>>().join(",");
        return Err(CostError::Header { path: path.into(), got });
    }
    let quoted = |names: &[&String]| {
        let names: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let mut costs: Vec<Option<Vec<f64>>> = vec![None; classes.len()];
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let name = record.get(0).unwrap_or_default();
        let place = classes.iter().position(|class| class == name).filter(|&place| costs[place].is_none());
        let Some(place) = place else {
            let expected = quoted(&classes.iter().collect::<Vec<_>>());
            return Err(CostError::Class { path: path.into(), line, expected, got: name.into() });
        };
        let cell = |(column, cell): (&String, &str)| {
            let cost = cell.parse::<f64>().ok().filter(|cost| cost.is_finite());
            cost.ok_or_else(|| CostError::Cell {
                path: path.into(),
                line,
                column: column.clone(),
                got: cell.into(),
            })
        };
        costs[place] = Some(decisions.iter().zip(record.iter().skip(1)).map(cell).collect::<Result<_, _>>()?);
    }
    let missing: Vec<&String> =
        classes.iter().zip(&costs).filter(|(_, row)| row.is_none()).map(|(class, _)| class).collect();
    if !missing.is_empty() {
        return Err(CostError::Missing { path: path.into(), missing: quoted(&missing) });
    }
    let rows: Vec<f64> = costs.into_iter().flatten().flatten().collect();
    let shape = (classes.len(), decisions.len());
    // Records are as long as the header, or reading them has failed.
    let costs = Array2::from_shape_vec(shape, rows)
        .map_err(|_| CostError::Missing { path: path.into(), missing: String::new() })?;
    Ok(CostMatrix { decisions, costs })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    fn read(text: &str) -> Result<CostMatrix, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("costs.csv");
        std::fs::write(&path, text).unwrap();
        let strip = |error: CostError| error.to_string().replace(&path.display().to_string(), "costs.csv");
        read_costs(&path, &["good".into(), "bad".into()]).map_err(strip)
    }

    #[test]
    fn rows_come_in_the_order_of_the_classes() {
        let found = read("class,grant,refuse,ask\nbad,100, 0,5\ngood,0,20,5\n").unwrap();
        assert_eq!(found.decisions, ["grant", "refuse", "ask"]);
        assert_eq!(found.costs, array![[0.0, 20.0, 5.0], [100.0, 0.0, 5.0]]);
    }

    #[test]
    fn every_wrong_table_has_its_line() {
        for (text, said) in [
            (
                "class\ngood\nbad\n",
                "expected a header `class` and a name for each decision, each once, got `class`",
            ),
            ("class,a,a\ngood,1,2\nbad,1,2\n", "each once, got `class,a,a`"),
            ("class,a\ngood,1\n", "no row for the classes `bad`"),
            (
                "class,a\ngood,1\nevil,1\n",
                "line 3: expected one row for each of the classes `good`, `bad`, got `evil`",
            ),
            ("class,a\ngood,1\ngood,1\n", "line 3: expected one row for each"),
            ("class,a\ngood,1\nbad,inf\n", "line 3, column `a`: expected a cost, a finite number, got `inf`"),
            ("class,a\ngood,1,2\nbad,1\n", "expected a CSV file of costs"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
