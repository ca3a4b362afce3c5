//! What the columns of a table are to a network: numbers, with bins learned from training rows, and codes.

use std::ops::Range;

use ndarray::ArrayView2;
use rank1_core::embedding::{Edges, quantile_edges};
use serde::{Deserialize, Serialize};

use super::category::CategoryEmbedding;
use crate::error::Error;

/// How the members of a TabM share weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TabmForm {
    /// One weight for all members, factors in every layer.
    #[default]
    Full,
    /// One weight, and factors on the inputs of the first layer only.
    Mini,
    /// Weights of their own.
    Packed,
}

/// How numbers enter a TabM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberEmbedding {
    /// As they are.
    None,
    /// A vector of the feature times the number plus another, then max(0, .).
    Linear,
    /// Cosines and sines at trained frequencies, a linear layer, then max(0, .).
    Periodic,
    /// The same with one linear layer for all features.
    PeriodicLite,
    /// Bins that the number has passed times a matrix, plus a linear embedding.
    #[default]
    PiecewiseLinear,
}

/// One feature of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TableColumn {
    /// One column of numbers.
    Number {
        /// Edges of its bins, ascending, in the scaled unit; empty where numbers are not divided.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        edges: Vec<f64>,
    },
    /// Columns of zeros and ones that belong to one feature.
    Code {
        /// Their number.
        width: usize,
    },
    /// Places on circles, such as the hour of a day: never embedded.
    Circles {
        /// Number of columns, two for each circle.
        width: usize,
    },
}

/// The features of a table in the order of its columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TableColumns(Vec<TableColumn>);

impl TableColumns {
    /// Features of these kinds; edges are learned by [`TableColumns::learn`].
    #[must_use]
    pub fn new(features: Vec<TableColumn>) -> Self {
        Self(features)
    }

    /// Every column a number.
    #[must_use]
    pub fn numbers(width: usize) -> Self {
        Self(vec![TableColumn::Number { edges: Vec::new() }; width])
    }

    /// Whether nothing is known of the columns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The features.
    #[must_use]
    pub fn features(&self) -> &[TableColumn] {
        &self.0
    }

    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.iter().map(TableColumn::width).sum()
    }

    /// Places of the numbers among the columns.
    pub(crate) fn number_places(&self) -> Vec<usize> {
        self.places(|feature| matches!(feature, TableColumn::Number { .. }))
    }

    /// Places of all columns that are neither numbers nor embedded categories.
    pub(crate) fn code_places(&self, rule: Option<CategoryEmbedding>) -> Vec<usize> {
        self.places(|feature| {
            !matches!(feature, TableColumn::Number { .. }) && feature.embedded_width(rule).is_none()
        })
    }

    /// Places of the categories that become vectors, and the width of these.
    pub(crate) fn categories(&self, rule: Option<CategoryEmbedding>) -> Vec<(Range<usize>, usize)> {
        let mut first = 0;
        let mut found = Vec::new();
        for feature in &self.0 {
            let places = first..first + feature.width();
            first = places.end;
            found.extend(feature.embedded_width(rule).map(|width| (places, width)));
        }
        found
    }

    fn places(&self, wanted: impl Fn(&TableColumn) -> bool) -> Vec<usize> {
        let mut first = 0;
        let mut places = Vec::new();
        for feature in &self.0 {
            if wanted(feature) {
                places.extend(first..first + feature.width());
            }
            first += feature.width();
        }
        places
    }

    /// Edges of the bins of all numbers.
    pub(crate) fn edges(&self) -> Result<Edges, Error> {
        let of = |feature: &TableColumn| match feature {
            TableColumn::Number { edges } => Some(edges.clone()),
            TableColumn::Code { .. } | TableColumn::Circles { .. } => None,
        };
        Ok(Edges::new(&self.0.iter().filter_map(of).collect::<Vec<_>>())?)
    }

    /// Gives numbers without bins as many as this, of width one.
    pub(super) fn fill_bins(&mut self, bins: usize) {
        for feature in &mut self.0 {
            if let TableColumn::Number { edges } = feature
                && edges.is_empty()
            {
                *edges = (0..=bins).map(|edge| edge as f64).collect();
            }
        }
    }

    /// Learns the edges of at most `bins` bins for every number, from scaled training rows.
    ///
    /// A column of one value gets one bin that begins there.
    ///
    /// # Shapes
    /// `x`: `[N, D]`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of columns; numbers that are not finite.
    pub fn learn(mut self, x: ArrayView2<'_, f32>, bins: usize) -> Result<Self, Error> {
        if x.ncols() != self.width() {
            return Err(Error::Mismatch { what: "columns", expected: self.width(), got: x.ncols() });
        }
        let mut place = 0;
        for feature in &mut self.0 {
            let width = feature.width();
            if let TableColumn::Number { edges } = feature {
                let values: Vec<f64> = x.column(place).iter().map(|&v| f64::from(v)).collect();
                let low = values.iter().copied().fold(f64::INFINITY, f64::min);
                let constant = values.iter().all(|&v| v == low);
                *edges = match values.len() {
                    0 => vec![0.0, 1.0],
                    _ if constant => vec![low, low + 1.0],
                    // Too few rows for two bins.
                    2 => vec![low, values[0].max(values[1])],
                    n => quantile_edges(&values, bins.clamp(2, n - 1))?,
                };
            }
            place += width;
        }
        Ok(self)
    }
}

impl TableColumn {
    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::Code { width } | Self::Circles { width } => *width,
        }
    }

    /// Values of the vector that the category becomes; none for what is none, or stays a code.
    #[must_use]
    pub fn embedded_width(&self, rule: Option<CategoryEmbedding>) -> Option<usize> {
        match self {
            Self::Code { width } => rule?.width(*width),
            Self::Number { .. } | Self::Circles { .. } => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn numbers_between_codes_keep_their_places_and_get_bins() {
        let number = || TableColumn::Number { edges: Vec::new() };
        let columns = TableColumns::new(vec![number(), TableColumn::Code { width: 3 }, number(), number()]);
        assert_eq!(
            (columns.width(), columns.number_places(), columns.code_places(None)),
            (6, vec![0, 4, 5], vec![1, 2, 3])
        );
        let x = Array2::from_shape_fn((41, 6), |(i, j)| if j == 5 { 2.0 } else { (i * (j + 1)) as f32 });
        let learned = columns.learn(x.view(), 4).unwrap();
        let edges = learned.edges().unwrap();
        assert_eq!(edges.of(0), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!((edges.of(1).len(), edges.of(2)), (5, &[2.0, 3.0][..]));
        let text = serde_json::to_string(&learned).unwrap();
        assert_eq!(serde_json::from_str::<TableColumns>(&text).unwrap(), learned);
        assert!(TableColumns::numbers(5).learn(x.view(), 4).is_err());
    }

    #[test]
    fn only_wide_codes_become_vectors() {
        let code = |width| TableColumn::Code { width };
        let features = vec![
            code(3),
            TableColumn::Number { edges: Vec::new() },
            TableColumn::Circles { width: 6 },
            code(5),
        ];
        let columns = TableColumns::new(features);
        let rule = Some(CategoryEmbedding { dim: Some(2), above: 3 });
        assert_eq!(columns.categories(rule), [(10..15, 2)]);
        assert_eq!(columns.code_places(rule), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
        assert_eq!(columns.categories(None), []);
        assert_eq!(columns.code_places(None).len(), 14);
    }

    #[test]
    fn embeddings_have_the_names_of_recipes() {
        for (name, embedding) in [
            ("none", NumberEmbedding::None),
            ("linear", NumberEmbedding::Linear),
            ("periodic", NumberEmbedding::Periodic),
            ("periodic_lite", NumberEmbedding::PeriodicLite),
            ("piecewise_linear", NumberEmbedding::PiecewiseLinear),
        ] {
            assert_eq!(serde_json::to_string(&embedding).unwrap(), format!("\"{name}\""));
        }
    }

    #[test]
    fn few_rows_make_few_bins() {
        for rows in 1..5 {
            let x = Array2::from_shape_fn((rows, 1), |(i, _)| i as f32);
            let edges = TableColumns::numbers(1).learn(x.view(), 48).unwrap().edges().unwrap();
            assert!(edges.of(0).len() <= rows.max(2), "{rows}: {edges:?}");
        }
    }
}
