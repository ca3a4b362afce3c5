//! Standard noise of a pass as tensors, from the counters of `rank1-core`.
//!
//! The same key gives the same numbers as any engine of this crate draws. Not for scaling or shifting the noise.

use burn::tensor::{Device, Tensor, TensorData};
use rank1_core::noise::{NoiseKind, Rows};

use crate::engine::{DrawKey, Site};
use crate::method::Granularity;

/// The rows of one layer in one pass: samples S, members K, examples B; [`super::Pass::rows`] makes them.
///
/// Row `(s * K + k) * B + b` is sample `s`, member `k`, example `b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawRows {
    /// Seed, step, first sample and first example.
    pub key: DrawKey,
    /// Noise stream of the layer; layers of different streams draw different numbers.
    pub layer: usize,
    /// S.
    pub n_samples: usize,
    /// K.
    pub n_members: usize,
    /// B.
    pub n_examples: usize,
}

impl DrawRows {
    /// One row of `width` values per sample, member and example, or per sample and member only.
    ///
    /// # Shapes
    /// Returns `[S*K*B, width]` for [`Granularity::PerExample`], else `[S*K, width]`.
    ///
    /// # Source
    /// Dusenberry et al. 2020, section 3 and reference code: a fresh draw per member and example.
    #[must_use]
    pub fn noise(
        &self,
        site: Site,
        kind: NoiseKind,
        granularity: Granularity,
        width: usize,
        device: &Device,
    ) -> Tensor<2> {
        let (first_example, n_examples) = match granularity {
            Granularity::PerExample => (self.key.first_example, self.n_examples),
            Granularity::PerBatch => (0, 1),
        };
        let rows = Rows {
            step: self.key.step,
            first_member: 0,
            n_members: self.n_members,
            first_example,
            n_examples,
        };
        let values = self.fill(site, kind, rows, width);
        let n_rows = self.n_samples * self.n_members * n_examples;
        Tensor::from_data(TensorData::new(values, [n_rows, width]), device)
    }

    /// One matrix of standard normal values per sample, shared by members and examples.
    ///
    /// # Shapes
    /// Returns `[S, D_in, D_out]`.
    ///
    /// # Source
    /// Blundell et al. 2015, arXiv:1505.05424: one draw of the weights per batch.
    #[must_use]
    pub fn weight_noise(&self, d_in: usize, d_out: usize, device: &Device) -> Tensor<3> {
        let rows =
            Rows { step: self.key.step, first_member: 0, n_members: 1, first_example: 0, n_examples: 1 };
        let values = self.fill(Site::Weight, NoiseKind::Normal, rows, d_in * d_out);
        Tensor::from_data(TensorData::new(values, [self.n_samples, d_in, d_out]), device)
    }

    fn fill(&self, site: Site, kind: NoiseKind, rows: Rows, width: usize) -> Vec<f32> {
        let per_sample = rows.n_members * rows.n_examples * width;
        let mut values = vec![0.0; self.n_samples * per_sample];
        if per_sample > 0 {
            for (s, out) in values.chunks_exact_mut(per_sample).enumerate() {
                site.stream(self.key.seed, self.layer, self.key.first_sample + s as u32)
                    .fill_rows(kind, rows, width, out)
                    .expect("the slice has members x examples x width entries");
            }
        }
        values
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rank1_core::noise::At;

    use super::*;

    const ROWS: DrawRows = DrawRows {
        key: DrawKey { seed: 5, step: 7, first_sample: 2, first_example: 100 },
        layer: 1,
        n_samples: 2,
        n_members: 3,
        n_examples: 5,
    };

    #[test]
    fn every_row_is_the_stream_at_its_sample_member_and_example() {
        let device = Device::flex();
        let got = ROWS.noise(Site::OutputFactor, NoiseKind::Cauchy, Granularity::PerExample, 7, &device);
        let got = got.into_data().try_to_vec::<f32>().unwrap();
        for s in 0..2 {
            for k in 0..3 {
                for b in 0..5 {
                    let mut row = [0.0; 7];
                    let at = At { step: 7, member: k as u32, example: 100 + b as u32 };
                    Site::OutputFactor.stream(5, 1, 2 + s as u32).fill_cauchy(at, &mut row);
                    let start = ((s * 3 + k) * 5 + b) * 7;
                    assert_eq!(got[start..start + 7], row);
                }
            }
        }
    }

    #[test]
    fn per_batch_rows_do_not_depend_on_the_examples() {
        let device = Device::flex();
        let rows = |first_example, n_examples| {
            let key = DrawKey { first_example, ..ROWS.key };
            DrawRows { key, n_examples, ..ROWS }
                .noise(Site::InputFactor, NoiseKind::Normal, Granularity::PerBatch, 7, &device)
                .into_data()
        };
        assert_eq!(rows(0, 5).shape()[0], 6);
        rows(0, 5).assert_eq(&rows(40, 2), true);
    }
}
