//! One pass of a network: the key of its draws and the layout of its rows.

use burn::tensor::Tensor;
use rank1_core::Error;

use super::DrawRows;
use crate::engine::DrawKey;

const OP: &str = "Pass";

/// S samples of K members on the same B examples; every layer of a network takes the same pass.
///
/// Row `(s * K + k) * B + b` is sample `s`, member `k`, example `b`: [`Pass::tile`] makes the rows, [`Pass::untile`] takes them apart.
/// The same pass draws the same noise again, on every device; another step draws other noise.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::Pass;
///
/// let pass = Pass::prediction(7, 8, 3);                            // 8 samples of 3 members
/// let x = pass.tile(Tensor::<2>::zeros([5, 2], &Device::flex()))?; // the same 5 rows for each
/// assert_eq!(x.dims(), [8 * 3 * 5, 2]);
/// assert_eq!(pass.untile(x)?.dims(), [8, 3, 5, 2]);
/// # Ok::<(), rank1_models::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Seed, step, first sample and first example.
    pub key: DrawKey,
    /// Samples S of each member.
    pub n_samples: usize,
    /// Members K.
    pub n_members: usize,
}

impl Pass {
    /// One sample of every member, with the draws of an optimizer step.
    ///
    /// # Source
    /// Dusenberry et al. 2020, section 3: one draw per member and example in training.
    #[must_use]
    pub fn training(seed: u64, step: u32, n_members: usize) -> Self {
        Self { key: DrawKey { seed, step, first_sample: 0, first_example: 0 }, n_samples: 1, n_members }
    }

    /// Several samples of every member, with draws that no step of training has.
    ///
    /// Rows in several chunks take [`Pass::from_example`], so that their draws are those of one pass.
    #[must_use]
    pub fn prediction(seed: u64, n_samples: usize, n_members: usize) -> Self {
        Self::training(seed, DrawKey::PREDICTION, n_members).with_samples(n_samples)
    }

    /// The same with another number of samples.
    #[must_use]
    pub fn with_samples(self, n_samples: usize) -> Self {
        Self { n_samples, ..self }
    }

    /// The same for examples that are numbered from `first_example`, the row of a data set.
    #[must_use]
    pub fn from_example(self, first_example: u32) -> Self {
        Self { key: DrawKey { first_example, ..self.key }, ..self }
    }

    /// Repeats a batch for every sample and member.
    ///
    /// # Shapes
    /// `x`: `[B, ...]`; returns `[S*K*B, ...]`.
    ///
    /// # Errors
    /// [`Error::Empty`] for no examples, no samples or no members.
    pub fn tile<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<D>, Error> {
        self.tile_axis(x, 0)
    }

    /// Repeats a batch of sequences, whose first axis is time, for every sample and member.
    ///
    /// # Shapes
    /// `xs`: `[T, B, ...]`; returns `[T, S*K*B, ...]`.
    ///
    /// # Errors
    /// As [`Pass::tile`].
    pub fn tile_sequences<const D: usize>(&self, xs: Tensor<D>) -> Result<Tensor<D>, Error> {
        self.tile_axis(xs, 1)
    }

    fn tile_axis<const D: usize>(&self, x: Tensor<D>, axis: usize) -> Result<Tensor<D>, Error> {
        let slots = self.slots()?;
        if x.dims()[axis] == 0 {
            return Err(Error::Empty { op: OP, argument: "x" });
        }
        Ok(if slots == 1 { x } else { x.repeat_dim(axis, slots) })
    }

    /// The outputs of a network by sample, member and example.
    ///
    /// # Shapes
    /// `outputs`: `[S*K*B, C]`; returns `[S, K, B, C]`.
    ///
    /// # Errors
    /// As [`Pass::n_examples`].
    pub fn untile(&self, outputs: Tensor<2>) -> Result<Tensor<4>, Error> {
        let [n_rows, width] = outputs.dims();
        let n_examples = self.n_examples(n_rows)?;
        Ok(outputs.reshape([self.n_samples, self.n_members, n_examples, width]))
    }

    /// Examples B of a tensor of `S*K*B` rows.
    ///
    /// # Errors
    /// [`Error::Empty`] for no samples or no members, [`Error::OutOfRange`] for rows that do not divide by `S*K`: a batch that was not
    /// tiled, or for another pass.
    pub fn n_examples(&self, n_rows: usize) -> Result<usize, Error> {
        let slots = self.slots()?;
        if n_rows == 0 || !n_rows.is_multiple_of(slots) {
            return Err(Error::OutOfRange {
                op: OP,
                argument: "rows",
                value: n_rows as f64,
                expected: "a multiple of samples times members; `Pass::tile` makes the rows of a batch",
            });
        }
        Ok(n_rows / slots)
    }

    /// The rows of a layer with its own noise stream.
    ///
    /// # Errors
    /// As [`Pass::n_examples`].
    pub fn rows(&self, stream: usize, n_rows: usize) -> Result<DrawRows, Error> {
        let n_examples = self.n_examples(n_rows)?;
        let Self { key, n_samples, n_members } = *self;
        Ok(DrawRows { key, layer: stream, n_samples, n_members, n_examples })
    }

    fn slots(&self) -> Result<usize, Error> {
        for (argument, n) in [("n_samples", self.n_samples), ("n_members", self.n_members)] {
            if n == 0 {
                return Err(Error::Empty { op: OP, argument });
            }
        }
        Ok(self.n_samples * self.n_members)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn tiled_rows_are_member_major_and_come_apart_again() {
        let device = Device::flex();
        let pass = Pass::training(1, 2, 3).with_samples(2);
        let x = Tensor::<2>::from_floats([[0.0, 1.0], [2.0, 3.0]], &device);
        let tiled = pass.tile(x.clone()).unwrap();
        assert_eq!(tiled.dims(), [12, 2]);
        let apart = pass.untile(tiled).unwrap();
        for s in 0..2 {
            for k in 0..3 {
                let part = apart.clone().slice([s..s + 1, k..k + 1]).reshape([2, 2]);
                part.into_data().assert_eq(&x.to_data(), true);
            }
        }
        let sequences = Tensor::stack::<3>(vec![x.clone(), x + 10.0], 0);
        let tiled = pass.tile_sequences(sequences).unwrap();
        assert_eq!(tiled.dims(), [2, 12, 2]);
        assert_eq!(tiled.slice([1..2, 11..12, 0..2]).into_data().try_to_vec::<f32>().unwrap(), [12.0, 13.0]);
        let rows = pass.from_example(40).rows(5, 12).unwrap();
        assert_eq!((rows.layer, rows.n_examples, rows.key.first_example), (5, 2, 40));
    }

    #[test]
    fn untiled_rows_and_empty_passes_are_refused() {
        let device = Device::flex();
        let pass = Pass::prediction(1, 2, 3);
        let rows = pass.n_examples(5).unwrap_err().to_string();
        assert!(rows.contains("Pass::tile") && rows.contains('5'), "{rows}");
        assert!(pass.n_examples(0).is_err());
        assert!(pass.untile(Tensor::zeros([5, 1], &device)).is_err());
        let x = Tensor::<2>::zeros([5, 1], &device);
        for empty in [pass.with_samples(0), Pass::training(1, 2, 0)] {
            assert!(matches!(empty.tile(x.clone()), Err(Error::Empty { .. })));
        }
        assert!(pass.tile(Tensor::<2>::zeros([0, 1], &device)).is_err());
    }
}
