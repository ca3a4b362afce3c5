//! Batch normalization of feature maps: statistics shared by all members, or one set per member.
//!
//! Whether a pass normalizes by its batch or by the moving statistics is an argument, never a hidden state.

use burn::module::{Module, Param, RunningState};
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::Error;

const OP: &str = "MemberBatchNorm";

/// By what a pass normalizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchNormMode {
    /// By the statistics of the batch, which also move the moving statistics.
    Training,
    /// By the moving statistics, which stay.
    Evaluation,
}

/// Which variance of a batch enters the moving variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovingVariance {
    /// Mean squared deviation, as Keras' double-precision layer and the reference's layer per member.
    Biased,
    /// Times `n / (n - 1)`, as Keras' fused single-precision layer.
    Unbiased,
}

/// Sizes and choices of a [`MemberBatchNorm`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberBatchNormConfig {
    /// Channels C.
    pub channels: usize,
    /// Sets of statistics, scales and shifts: 1 shared by all members, or one per member.
    pub n_sets: usize,
    /// Added to the variance.
    pub epsilon: f64,
    /// Weight of the old moving statistics.
    pub momentum: f64,
    /// Which variance moves the moving variance.
    pub moving_variance: MovingVariance,
}

impl MemberBatchNormConfig {
    /// One set for all members, as the paper's residual networks.
    ///
    /// # Source
    /// Reference code: epsilon 1e-5 and momentum 0.9; fused Keras layers move by the unbiased variance.
    #[must_use]
    pub fn shared(channels: usize) -> Self {
        Self { channels, n_sets: 1, epsilon: 1e-5, momentum: 0.9, moving_variance: MovingVariance::Unbiased }
    }

    /// One set for each of K members.
    ///
    /// # Source
    /// Edward2's `EnsembleSyncBatchNorm`, which moves by the biased variance.
    #[must_use]
    pub fn per_member(channels: usize, n_members: usize) -> Self {
        let moving_variance = MovingVariance::Biased;
        Self { n_sets: n_members, moving_variance, ..Self::shared(channels) }
    }

    /// A layer with scales 1, shifts 0, moving means 0 and moving variances 1.
    ///
    /// # Shapes
    /// As the fields of [`MemberBatchNorm`] say.
    ///
    /// # Errors
    /// [`rank1_core::Error::OutOfRange`] unless there is a channel and a set, epsilon is positive and momentum in [0, 1].
    ///
    /// # Source
    /// Ioffe and Szegedy 2015, arXiv:1502.03167.
    pub fn init(&self, device: &Device) -> Result<MemberBatchNorm, Error> {
        let refuse = |argument, value, expected| {
            Err(rank1_core::Error::OutOfRange { op: OP, argument, value, expected }.into())
        };
        if self.channels == 0 {
            return refuse("channels", 0.0, "at least 1");
        }
        if self.n_sets == 0 {
            return refuse("n_sets", 0.0, "at least 1");
        }
        if !(self.epsilon.is_finite() && self.epsilon > 0.0) {
            return refuse("epsilon", self.epsilon, "positive and finite");
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            return refuse("momentum", self.momentum, "in [0, 1]");
        }
        let shape = [self.n_sets, self.channels];
        Ok(MemberBatchNorm {
            scale: Param::from_tensor(Tensor::ones(shape, device)),
            shift: Param::from_tensor(Tensor::zeros(shape, device)),
            moving_mean: RunningState::new(Tensor::zeros(shape, device)),
            moving_variance: RunningState::new(Tensor::ones(shape, device)),
            update: self.moving_variance,
            epsilon: self.epsilon,
            momentum: self.momentum,
        })
    }
}

/// Mean and variance of a batch; no gradient flows through them.
#[derive(Debug, Clone)]
pub struct BatchStatistics {
    /// `[G, C]`.
    pub mean: Tensor<2>,
    /// Mean squared deviation, `[G, C]`.
    pub variance: Tensor<2>,
    /// Values behind each entry: rows of a set times positions.
    pub n: usize,
}

/// `y = scale (x - mean) / sqrt(variance + epsilon) + shift`, per set and channel.
///
/// # Shapes
/// `[S*K*B, C, H, W]` to the same, rows in the order sample, member, example.
///
/// # Streams
/// None: nothing is drawn.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::{Device, Tensor};
/// use rank1_models::layer::{BatchNormMode, MemberBatchNormConfig};
///
/// let device = Device::flex();
/// let norm = MemberBatchNormConfig::per_member(2, 3).init(&device)?;            // 2 channels, 3 members
/// let x = Tensor::<4>::ones([3 * 4, 2, 5, 5], &device);
/// let y = norm.forward(x, 1, BatchNormMode::Training)?;                         // of one sample
/// assert!(y.abs().max().into_scalar::<f32>() < 1e-3);
/// # Ok::<(), rank1_models::Error>(())
/// ```
///
/// Clones share their moving statistics, as every clone of a Burn module with a running state does; `num_params` counts
/// them, optimizers do not touch them.
#[derive(Module, Debug)]
pub struct MemberBatchNorm {
    /// Scales, `[G, C]` with G sets.
    pub scale: Param<Tensor<2>>,
    /// Shifts, `[G, C]`.
    pub shift: Param<Tensor<2>>,
    /// Moving means, `[G, C]`; not trained.
    pub moving_mean: RunningState<Tensor<2>>,
    /// Moving variances, `[G, C]`; not trained.
    pub moving_variance: RunningState<Tensor<2>>,
    /// Which variance moves the moving variance.
    #[module(skip)]
    pub update: MovingVariance,
    /// Added to the variance.
    pub epsilon: f64,
    /// Weight of the old moving statistics.
    pub momentum: f64,
}

impl MemberBatchNorm {
    /// Normalizes by the batch and moves the moving statistics, or normalizes by those.
    ///
    /// # Shapes
    /// `x`: `[S*K*B, C, H, W]`, rows in the order sample, member, example; returns the same shape.
    ///
    /// # Errors
    /// As [`MemberBatchNorm::with_batch_statistics`] and [`MemberBatchNorm::move_statistics`].
    ///
    /// # Source
    /// Ioffe and Szegedy 2015; over members as [`MemberBatchNormConfig`] says.
    pub fn forward(&self, x: Tensor<4>, n_samples: usize, mode: BatchNormMode) -> Result<Tensor<4>, Error> {
        match mode {
            BatchNormMode::Evaluation => self.with_moving_statistics(x, n_samples),
            BatchNormMode::Training => {
                let (y, statistics) = self.with_batch_statistics(x, n_samples)?;
                self.move_statistics(&statistics)?;
                Ok(y)
            }
        }
    }

    /// Normalizes by the batch; the moving statistics stay.
    ///
    /// # Shapes
    /// As [`MemberBatchNorm::forward`].
    ///
    /// # Errors
    /// [`rank1_core::Error::ShapeMismatch`] for another number of channels, [`rank1_core::Error::Empty`] for no
    /// values, [`rank1_core::Error::OutOfRange`] if samples and sets do not divide the rows.
    ///
    /// # Numerics
    /// Biased variance of deviations from the mean; gradients count the dependence of both on the inputs.
    ///
    /// # Source
    /// Ioffe and Szegedy 2015, algorithm 1.
    pub fn with_batch_statistics(
        &self,
        x: Tensor<4>,
        n_samples: usize,
    ) -> Result<(Tensor<4>, BatchStatistics), Error> {
        let shape = x.dims();
        let sets = self.check(&x, n_samples)?;
        let [scale, shift] = [&self.scale, &self.shift].map(|p| flat(p.val()));
        let out = batch_norm_train(by_set(x, n_samples, sets), scale, shift, self.epsilon);
        let statistic = |t: Tensor<1>| t.detach().reshape([sets, shape[1]]);
        let statistics = BatchStatistics {
            mean: statistic(out.mean),
            variance: statistic(out.variance),
            n: shape[0] / sets * shape[2] * shape[3],
        };
        Ok((by_row(out.output, shape, n_samples, sets), statistics))
    }

    /// Normalizes by the moving statistics.
    ///
    /// # Shapes
    /// As [`MemberBatchNorm::forward`].
    ///
    /// # Errors
    /// As [`MemberBatchNorm::with_batch_statistics`].
    ///
    /// # Source
    /// Ioffe and Szegedy 2015, algorithm 2.
    pub fn with_moving_statistics(&self, x: Tensor<4>, n_samples: usize) -> Result<Tensor<4>, Error> {
        let (shape, device) = (x.dims(), x.device());
        let sets = self.check(&x, n_samples)?;
        let [scale, shift] = [&self.scale, &self.shift].map(|p| flat(p.val()));
        let [mean, variance] =
            [&self.moving_mean, &self.moving_variance].map(|s| flat(s.value_sync().to_device(&device)));
        let y = batch_norm(by_set(x, n_samples, sets), scale, shift, mean, variance, self.epsilon);
        Ok(by_row(y, shape, n_samples, sets))
    }

    /// Moves the moving statistics: `moving = momentum moving + (1 - momentum) batch`.
    ///
    /// # Shapes
    /// As [`BatchStatistics`] says.
    ///
    /// # Errors
    /// [`rank1_core::Error::OutOfRange`] for an unbiased variance of a single value,
    /// [`rank1_core::Error::ShapeMismatch`] for statistics of another layer.
    ///
    /// # Source
    /// Keras' moving averages.
    pub fn move_statistics(&self, batch: &BatchStatistics) -> Result<(), Error> {
        let expected = self.scale.dims();
        super::expect_shape(OP, "statistics.mean", &batch.mean, expected)?;
        super::expect_shape(OP, "statistics.variance", &batch.variance, expected)?;
        let correction = match self.update {
            MovingVariance::Biased => 1.0,
            MovingVariance::Unbiased if batch.n > 1 => batch.n as f64 / (batch.n - 1) as f64,
            MovingVariance::Unbiased => {
                return Err(rank1_core::Error::OutOfRange {
                    op: OP,
                    argument: "statistics.n",
                    value: batch.n as f64,
                    expected: "at least 2 values per channel for an unbiased variance",
                }
                .into());
            }
        };
        let moves =
            [(&self.moving_mean, &batch.mean, 1.0), (&self.moving_variance, &batch.variance, correction)];
        for (state, new, factor) in moves {
            let old = state.value_sync();
            let new = new.clone().detach().to_device(&old.device()) * (factor * (1.0 - self.momentum));
            state.update((old * self.momentum + new).detach());
        }
        Ok(())
    }

    /// The number of sets if `x` fits the layer.
    fn check(&self, x: &Tensor<4>, n_samples: usize) -> Result<usize, Error> {
        let [rows, channels, height, width] = x.dims();
        let [sets, expected] = self.scale.dims();
        if rows * height * width == 0 {
            return Err(rank1_core::Error::Empty { op: OP, argument: "x" }.into());
        }
        if channels != expected {
            let (expected, got) = (vec![rows, expected, height, width], x.dims().to_vec());
            return Err(rank1_core::Error::ShapeMismatch { op: OP, argument: "x", expected, got }.into());
        }
        if n_samples == 0 || !rows.is_multiple_of(n_samples * sets) {
            return Err(rank1_core::Error::OutOfRange {
                op: OP,
                argument: "n_samples",
                value: n_samples as f64,
                expected: "positive, and with the number of sets a divisor of the rows of `x`",
            }
            .into());
        }
        Ok(sets)
    }
}

fn flat(parameter: Tensor<2>) -> Tensor<1> {
    let n = parameter.shape().num_elements();
    parameter.reshape([n])
}

/// Rows `[S*G*B, C, H, W]` as `[S*B, G*C, H*W]`: every set has channels of its own.
fn by_set(x: Tensor<4>, n_samples: usize, sets: usize) -> Tensor<3> {
    let [rows, channels, height, width] = x.dims();
    let (examples, positions) = (rows / (n_samples * sets), height * width);
    if sets == 1 {
        return x.reshape([rows, channels, positions]);
    }
    x.reshape([n_samples, sets, examples, channels, positions]).permute([0, 2, 1, 3, 4]).reshape([
        n_samples * examples,
        sets * channels,
        positions,
    ])
}

/// Undoes [`by_set`].
fn by_row(y: Tensor<3>, shape: [usize; 4], n_samples: usize, sets: usize) -> Tensor<4> {
    let [rows, channels, height, width] = shape;
    if sets == 1 {
        return y.reshape(shape);
    }
    let (examples, positions) = (rows / (n_samples * sets), height * width);
    y.reshape([n_samples, examples, sets, channels, positions]).permute([0, 2, 1, 3, 4]).reshape(shape)
}

#[cfg(test)]
mod tests;
