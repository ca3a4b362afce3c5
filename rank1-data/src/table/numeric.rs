//! The schema of a set that is a plain matrix of numbers, so that its models read CSV tables too.
//!
//! Not fitted to a file; see [`super::fit`].

use super::options::CsvOptions;
use super::schema::{Column, ColumnKind, CsvSchema, TargetKind};

impl CsvSchema {
    /// A schema of numeric columns with these names, in this order; missing cells are refused.
    ///
    /// The target is a value when `class_names` is empty, else one of these classes.
    pub fn numeric(feature_names: &[String], target: &str, class_names: &[String]) -> Self {
        let column =
            |name: &String| Column { name: name.clone(), kind: ColumnKind::Numeric { impute: None } };
        let target_kind = if class_names.is_empty() {
            TargetKind::Value
        } else {
            TargetKind::Classes { names: class_names.to_vec() }
        };
        Self::new(target, target_kind, feature_names.iter().map(column).collect(), &CsvOptions::default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_schema_reads_its_columns_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, "b,a\n2,1\n4,3\n").unwrap();
        let schema = CsvSchema::numeric(&["a".into(), "b".into()], "target", &[]);
        assert_eq!(schema.read_inputs(&path).unwrap().values, ndarray::array![[1.0, 2.0], [3.0, 4.0]]);
    }
}
