//! How one input column of a table is scaled.
//!
//! Not for whole inputs; see [`super::InputScaling`].

use serde::{Deserialize, Serialize};

use super::{QuantileNormal, Standard};

/// How one input column of a table is scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ColumnScaling {
    /// By mean and standard deviation.
    Standard(Standard),
    /// By quantiles to a standard normal.
    Quantiles(QuantileNormal),
    /// Not at all: one-hot levels, indicators, sines and cosines.
    Unchanged,
}

impl ColumnScaling {
    /// The scaled value.
    pub fn apply(&self, value: f64) -> f64 {
        match self {
            Self::Standard(scale) => scale.apply(value),
            Self::Quantiles(quantiles) => quantiles.apply(value),
            Self::Unchanged => value,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Error;
    use crate::scaling::InputScaling;

    #[test]
    fn a_table_is_scaled_column_by_column() {
        let quantiles = QuantileNormal::fit(&[0.0, 1.0, 100.0], None, 3).unwrap();
        let columns = vec![
            ColumnScaling::Quantiles(quantiles),
            ColumnScaling::Unchanged,
            ColumnScaling::Standard(Standard { mean: 1.0, std: 2.0 }),
        ];
        let table = InputScaling::Table { columns };
        assert_eq!(table.n_columns(), 3);
        let got = table.apply(array![[1.0, 1.0, 5.0], [-1e9, 0.0, 1.0]].view()).unwrap();
        assert_eq!(got, array![[0.0, 1.0, 2.0], [-5.199_337_5, 0.0, 0.0]]);
        assert!(matches!(table.apply(array![[1.0]].view()), Err(Error::ShapeMismatch { .. })));
        // Infinity would have a place among quantiles, and is no number of a table.
        for value in [f64::NAN, f64::INFINITY] {
            let got = table.apply(array![[value, 0.0, 0.0]].view());
            assert!(matches!(got, Err(Error::NotFinite { ref index, .. }) if *index == [0, 0]), "{got:?}");
        }
    }
}
