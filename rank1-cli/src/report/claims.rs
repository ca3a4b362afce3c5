//! Reads a file of published figures; which of them a report shows is decided by its data sets.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::comparison::Claim;

/// Why a file of published figures cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// The operating system refused to read the file.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's reason, with line and column.
        source: Box<toml::de::Error>,
    },
    /// A row lacks a key, or a key has the wrong type.
    #[error("{}: claims.{group}, row {row}: `{key}` {problem}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Group of claims.
        group: String,
        /// Row of the group, from 1.
        row: usize,
        /// Key at fault.
        key: String,
        /// What is wrong.
        problem: &'static str,
    },
}

/// Keys of a row that are not figures.
const NOT_FIGURES: [&str; 4] = ["set", "method", "source", "samples"];

/// Reads `[source.ID]` tables and `[claims]` groups of rows: a row names its `method`, its `source` by ID, and either its
/// `set` or takes the group's name for it; every other key is a figure, a number or `[value, error]`. Accuracies stand in
/// percent there and are fractions afterwards.
///
/// # Errors
/// An unreadable file, TOML syntax, rows without method or source, sources that the file does not have, figures that
/// are no numbers.
pub fn read_claims(path: &Path) -> Result<Vec<Claim>, ClaimsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ClaimsError::Read { path: path.to_path_buf(), source })?;
    let file: Table = text
        .parse()
        .map_err(|source| ClaimsError::Syntax { path: path.to_path_buf(), source: Box::new(source) })?;
    let sources = file.get("source").and_then(Value::as_table);
    let mut claims = Vec::new();
    for (group, rows) in file.get("claims").and_then(Value::as_table).into_iter().flatten() {
        for (index, row) in rows.as_array().into_iter().flatten().enumerate() {
            let fail = |key: &str, problem| ClaimsError::Row {
                path: path.to_path_buf(),
                group: group.clone(),
                row: index + 1,
                key: key.to_owned(),
                problem,
            };
            let word = |key: &str| row.get(key).and_then(Value::as_str);
            let id = word("source").ok_or_else(|| fail("source", "is missing"))?;
            let source = sources
                .and_then(|sources| sources.get(id)?.get("text")?.as_str())
                .ok_or_else(|| fail("source", "names no [source.ID] table with a text"))?;
            let mut method = word("method").ok_or_else(|| fail("method", "is missing"))?.to_owned();
            if let Some(samples) = row.get("samples").and_then(Value::as_integer) {
                method = format!("{method} (S = {samples})");
            }
            for (metric, figure) in row.as_table().into_iter().flatten() {
                if NOT_FIGURES.contains(&metric.as_str()) {
                    continue;
                }
                let (claimed, standard_error) =
                    figure_of(figure).ok_or_else(|| fail(metric, "must be a number or [value, error]"))?;
                let scale = if metric == "accuracy" { 0.01 } else { 1.0 };
                claims.push(Claim {
                    set: word("set").unwrap_or(group).to_owned(),
                    method: method.clone(),
                    metric: metric.clone(),
                    claimed: scale * claimed,
                    standard_error: standard_error.map(|error| scale * error),
                    source: source.to_owned(),
                });
            }
        }
    }
    Ok(claims)
}

fn figure_of(figure: &Value) -> Option<(f64, Option<f64>)> {
    let number = |value: &Value| value.as_float().or_else(|| Some(value.as_integer()? as f64));
    match figure.as_array().map(Vec::as_slice) {
        None => Some((number(figure)?, None)),
        Some([value, error]) => Some((number(value)?, Some(number(error)?))),
        Some(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Claim>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claims.toml");
        std::fs::write(&path, text).unwrap();
        read_claims(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
    }

    const SOURCE: &str = "[source.a]\ntext = \"Paper A\"\n[claims]\n";

    #[test]
    fn every_figure_of_a_row_is_a_claim() {
        let rows =
            "uci = [{ set = \"boston\", method = \"pbp\", source = \"a\", rmse = [3.01, 0.18], nll = 2 }]\n";
        let claims = read(&format!("{SOURCE}{rows}")).unwrap();
        assert_eq!(claims.len(), 2);
        let rmse = claims.iter().find(|claim| claim.metric == "rmse").unwrap();
        assert_eq!((rmse.claimed, rmse.standard_error), (3.01, Some(0.18)));
        assert_eq!((rmse.set.as_str(), rmse.source.as_str()), ("boston", "Paper A"));
    }

    #[test]
    fn the_group_is_the_set_and_percentages_become_fractions() {
        let rows = "cifar10 = [{ method = \"rank1\", samples = 4, source = \"a\", accuracy = 96.5 }]\n";
        let claims = read(&format!("{SOURCE}{rows}")).unwrap();
        assert_eq!((claims[0].set.as_str(), claims[0].method.as_str()), ("cifar10", "rank1 (S = 4)"));
        assert!((claims[0].claimed - 0.965).abs() < 1e-12);
    }

    #[test]
    fn the_figures_of_this_repository_can_be_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/claims.toml");
        let claims = read_claims(&path).unwrap();
        assert!(claims.iter().any(|claim| claim.set == "boston" && claim.metric == "rmse"));
        let accuracies = claims.iter().filter(|claim| claim.metric == "accuracy");
        assert!(accuracies.map(|claim| claim.claimed).all(|share| (0.0..=1.0).contains(&share)));
    }

    #[test]
    fn a_faulty_row_is_named() {
        let source = read(&format!("{SOURCE}x = [{{ method = \"m\", source = \"b\", nll = 1 }}]\n"));
        assert_eq!(
            source.unwrap_err(),
            "FILE: claims.x, row 1: `source` names no [source.ID] table with a text"
        );
        let figure = read(&format!("{SOURCE}x = [{{ method = \"m\", source = \"a\", nll = \"one\" }}]\n"));
        assert_eq!(figure.unwrap_err(), "FILE: claims.x, row 1: `nll` must be a number or [value, error]");
        assert!(read("[source").unwrap_err().starts_with("FILE: TOML parse error at line 1"));
    }
}
