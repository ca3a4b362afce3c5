//! Arrays that the files hold in another order of entries than this workspace: transposed weights, padded rows of bins.

use crate::bins::Bins;
use crate::json::{Outcome, Record, Values};

/// How a stored array lies against ours.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// Entry by entry.
    Same,
    /// A matrix, ours with its axes exchanged.
    Transposed,
    /// `[n, most bins, d]` against our `[all bins, d]`: what holds no bin is no parameter of ours, and its gradient is zero.
    Padded(Bins),
}

/// A stored array: its key, its shape, and how it lies against ours.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) key: String,
    shape: Vec<usize>,
    order: Order,
}

impl Stored {
    pub(crate) fn new(key: impl Into<String>, shape: &[usize], order: Order) -> Self {
        Self { key: key.into(), shape: shape.to_vec(), order }
    }

    /// The place of each of our entries in the stored array.
    fn places(&self) -> Vec<usize> {
        let len: usize = self.shape.iter().product();
        match (&self.order, &self.shape[..]) {
            (Order::Same, _) => (0..len).collect(),
            (Order::Transposed, &[rows, columns]) => {
                (0..columns).flat_map(|j| (0..rows).map(move |i| i * columns + j)).collect()
            }
            (Order::Padded(bins), &[.., d]) => {
                bins.places().into_iter().flat_map(|place| place * d..(place + 1) * d).collect()
            }
            _ => panic!("`{}` is no matrix and has no bins", self.key),
        }
    }

    /// The entries of a record in our order.
    pub(crate) fn read(&self, record: &Record<'_>) -> Outcome<Vec<f64>> {
        record.expect_shape(&self.key, &self.shape)?;
        let data = record.values(&self.key)?.data;
        Ok(self.places().into_iter().map(|place| data[place]).collect())
    }

    /// Our entries as they would be stored, zero where there are none of ours.
    pub(crate) fn values(&self, ours: &[f64]) -> Values {
        let mut data = vec![0.0; self.shape.iter().product()];
        let places = self.places();
        assert_eq!(places.len(), ours.len(), "`{}` has another size than ours", self.key);
        places.into_iter().zip(ours).for_each(|(place, &value)| data[place] = value);
        Values::from(data).reshaped(&self.shape)
    }
}
