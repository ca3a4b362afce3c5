//! Which categories of a table a network reads as trained vectors.

use serde::{Deserialize, Serialize};

/// Which categories get a trained vector for each place of their code; the others stay codes.
///
/// Places are levels, that of rare and unseen levels, and that of missing cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryEmbedding {
    /// Values of a vector; if absent the square root of the number of places, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dim: Option<usize>,
    /// Categories of more places than this get one.
    #[serde(default = "sixteen")]
    pub above: usize,
}

fn sixteen() -> usize {
    16
}

impl Default for CategoryEmbedding {
    fn default() -> Self {
        Self { dim: None, above: sixteen() }
    }
}

impl CategoryEmbedding {
    /// Values of the vector of a category with this many places; none where it stays a code.
    #[must_use]
    pub fn width(self, places: usize) -> Option<usize> {
        (places > self.above)
            .then(|| self.dim.unwrap_or_else(|| places.isqrt() + usize::from(!square(places))))
    }
}

fn square(number: usize) -> bool {
    number.isqrt().pow(2) == number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_of_a_vector_grows_with_the_root_of_the_places() {
        let rule = CategoryEmbedding::default();
        let widths = [2, 16, 17, 25, 26, 1000].map(|places| rule.width(places));
        assert_eq!(widths, [None, None, Some(5), Some(5), Some(6), Some(32)]);
        let fixed = CategoryEmbedding { dim: Some(8), above: 2 };
        assert_eq!([2, 3, 1000].map(|places| fixed.width(places)), [None, Some(8), Some(8)]);
    }
}
