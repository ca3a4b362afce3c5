//! Reads `metrics.csv`, the numbers of every epoch; averaging over runs is in `average`.

use std::path::Path;

use super::error::ReportError;

/// One epoch of training. Numbers that were not measured are NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryRow {
    /// Which of the separately trained networks of a run; 0 where there is one.
    pub network: usize,
    /// Epoch, from 1 as written.
    pub epoch: f64,
    /// Optimizer step at its end.
    pub step: f64,
    /// Training NLL in nats per example.
    pub train_nll: f64,
    /// KL of all factors in nats.
    pub kl: f64,
    /// KL divided by the number of training examples.
    pub kl_per_example: f64,
    /// Weight of the KL in the objective.
    pub kl_weight: f64,
    /// Penalty on the shared weights.
    pub penalty: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Validation NLL in nats per example.
    pub valid_nll: f64,
    /// KL per layer in nats, in the order of the columns.
    pub layer_kl: Vec<(String, f64)>,
    /// Mean standard deviation of the factors per `layer/side`, in the order of the columns.
    pub spread: Vec<(String, f64)>,
}

const PLAIN: [&str; 9] = [
    "epoch",
    "step",
    "train_nll",
    "kl",
    "kl_per_example",
    "kl_weight",
    "penalty",
    "learning_rate",
    "valid_nll",
];

/// Parses the text of a `metrics.csv`; `path` is only named in errors.
///
/// # Errors
/// A missing column, a ragged row, or a cell that is not a number, with its line and column.
pub fn parse_history(path: &Path, text: &str) -> Result<Vec<HistoryRow>, ReportError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| row_error(path, &error))?.clone();
    let mut plain = [0; PLAIN.len()];
    for (place, column) in plain.iter_mut().zip(PLAIN) {
        *place = header
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| ReportError::MissingColumn { path: path.to_path_buf(), column })?;
    }
    let with_prefix = |prefix: &str| -> Vec<(usize, String)> {
        header
            .iter()
            .enumerate()
            .filter_map(|(index, name)| Some((index, name.strip_prefix(prefix)?.to_owned())))
            .collect()
    };
    let network_column = header.iter().position(|name| name == "network");
    let (kl_columns, spread_columns) = (with_prefix("kl/"), with_prefix("spread/"));
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| row_error(path, &error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let number = |index: usize| {
            let cell = record.get(index).unwrap_or_default();
            if cell.is_empty() {
                return Ok(f64::NAN);
            }
            cell.parse::<f64>().map_err(|_| ReportError::Cell {
                path: path.to_path_buf(),
                line,
                column: header.get(index).unwrap_or_default().to_owned(),
                value: cell.to_owned(),
            })
        };
        let named = |columns: &[(usize, String)]| {
            columns
                .iter()
                .map(|(index, name)| Ok((name.clone(), number(*index)?)))
                .collect::<Result<Vec<_>, _>>()
        };
        rows.push(HistoryRow {
            network: network_column.map_or(Ok(0.0), &number)? as usize,
            epoch: number(plain[0])?,
            step: number(plain[1])?,
            train_nll: number(plain[2])?,
            kl: number(plain[3])?,
            kl_per_example: number(plain[4])?,
            kl_weight: number(plain[5])?,
            penalty: number(plain[6])?,
            learning_rate: number(plain[7])?,
            valid_nll: number(plain[8])?,
            layer_kl: named(&kl_columns)?,
            spread: named(&spread_columns)?,
        });
    }
    Ok(rows)
}

fn row_error(path: &Path, error: &csv::Error) -> ReportError {
    let line = error.position().map_or(1, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("expected {expected_len} cells, got {len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not valid UTF-8".to_owned(),
        _ => error.to_string(),
    };
    ReportError::Row { path: path.to_path_buf(), line, reason }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HEADER: &str = "epoch,step,train_nll,kl,kl_per_example,kl_weight,penalty,learning_rate,valid_nll,\
                          kl/hidden,kl/out,spread/hidden/input";

    fn parse(rows: &str) -> Result<Vec<HistoryRow>, ReportError> {
        parse_history(Path::new("run/metrics.csv"), &format!("{HEADER}\n{rows}"))
    }

    #[test]
    fn columns_are_found_by_name_and_layers_keep_their_order() {
        let rows = parse("1,10,0.5,3,0.03,1,0.1,0.01,0.6,2,1,0.05\n").unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].epoch, rows[0].valid_nll), (1.0, 0.6));
        assert_eq!(rows[0].layer_kl, [("hidden".to_owned(), 2.0), ("out".to_owned(), 1.0)]);
        assert_eq!(rows[0].spread, [("hidden/input".to_owned(), 0.05)]);
    }

    #[test]
    fn rows_of_several_networks_are_told_apart() {
        let text = format!("network,{HEADER}\n1,1,10,0.5,3,0.03,1,0.1,0.01,0.6,2,1,0.05\n");
        assert_eq!(parse_history(Path::new("m.csv"), &text).unwrap()[0].network, 1);
        assert_eq!(parse("1,10,0.5,3,0.03,1,0.1,0.01,0.6,2,1,0.05\n").unwrap()[0].network, 0);
    }

    #[test]
    fn an_empty_cell_is_not_measured() {
        assert!(parse("1,10,0.5,3,0.03,1,0.1,0.01,,2,1,0.05\n").unwrap()[0].valid_nll.is_nan());
    }

    #[test]
    fn a_word_in_a_numeric_column_is_named_with_line_and_column() {
        let message =
            parse("1,10,0.5,3,0.03,1,0.1,0.01,0.6,2,1,0.05\n2,20,oops,3,0.03,1,0.1,0.01,0.6,2,1,0.05\n")
                .unwrap_err()
                .to_string();
        assert_eq!(message, "run/metrics.csv: line 3, column \"train_nll\": expected a number, got \"oops\"");
    }

    #[test]
    fn a_row_that_was_cut_off_is_named_with_its_line() {
        let message = parse("1,10,0.5,3,0.03,1\n").unwrap_err().to_string();
        assert_eq!(message, "run/metrics.csv: line 2: expected 12 cells, got 6");
    }

    #[test]
    fn a_missing_column_is_named() {
        let message = parse_history(Path::new("m.csv"), "epoch,step\n1,2\n").unwrap_err().to_string();
        assert_eq!(message, "m.csv: no column \"train_nll\"");
    }
}
