//! Which encoded inputs are numbers, which are codes and which lie on circles, and the column each comes from.
//!
//! Not for values; see [`super::encode`].

use super::schema::{ColumnKind, CsvSchema};

/// What the inputs of a group are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputKind {
    /// A quantity, to be scaled by quantiles or standardized; a network may embed it.
    Number,
    /// Zeros and ones, to be left as they are.
    Code,
    /// Sines and cosines, between -1 and 1, to be left as they are.
    Cyclic,
}

/// Neighboring encoded inputs of one column of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputGroup {
    /// The column of the file.
    pub column: String,
    /// Position of the first of the inputs.
    pub start: usize,
    /// How many there are.
    pub width: usize,
    /// What they are.
    pub kind: InputKind,
}

impl CsvSchema {
    /// The encoded inputs in groups, in their order and without gaps; a column may have several groups, such as its number and
    /// its indicator.
    pub fn input_groups(&self) -> Vec<InputGroup> {
        let mut groups = Vec::new();
        let mut start = 0;
        for column in &self.columns {
            for (kind, width) in column.kind.groups() {
                groups.push(InputGroup { column: column.name.clone(), start, width, kind });
                start += width;
            }
        }
        groups
    }

    /// Positions of the encoded inputs that are numbers, rising.
    pub fn number_columns(&self) -> Vec<usize> {
        let numbers = self.input_groups().into_iter().filter(|group| group.kind == InputKind::Number);
        numbers.flat_map(|group| group.start..group.start + group.width).collect()
    }
}

impl ColumnKind {
    /// What the inputs of a column are, in their order.
    fn groups(&self) -> Vec<(InputKind, usize)> {
        use InputKind::{Code, Cyclic, Number};
        match self {
            Self::Numeric { .. } => vec![(Number, 1)],
            Self::NumericWithIndicator { .. } => vec![(Number, 1), (Code, 1)],
            Self::Categorical { .. } | Self::Places(_) | Self::Truth(_) => vec![(Code, self.width())],
            Self::Date(date) => {
                let mut groups = vec![(Number, 1), (Cyclic, date.n_cyclic())];
                groups.extend(date.indicator.then_some((Code, 1)));
                groups
            }
        }
    }
}
