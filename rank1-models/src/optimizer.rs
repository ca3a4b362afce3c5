//! SGD with momentum and Adam(W) as single passes over flat parameter slices.
//!
//! Burn's optimizers step module by module; these step one flat vector, so that their state goes into a
//! checkpoint as plain tensors and a step allocates nothing.

use rank1_core::kernels::simd::vectorized;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::params::{ParamGroup, ParamLayout};

/// The update rule, as a recipe's `[train.optimizer]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OptimizerSpec {
    /// Stochastic gradient descent with (Nesterov) momentum, Keras' form.
    Sgd {
        /// Base learning rate.
        learning_rate: f64,
        /// Momentum, in [0, 1).
        #[serde(default = "default_momentum")]
        momentum: f64,
        /// Look-ahead form of the update.
        #[serde(default = "default_true")]
        nesterov: bool,
    },
    /// Adam (Kingma & Ba 2015); with `weight_decay` > 0 AdamW (Loshchilov & Hutter 2019).
    Adam {
        /// Base learning rate.
        learning_rate: f64,
        /// Decay of the first moment.
        #[serde(default = "default_beta1")]
        beta1: f64,
        /// Decay of the second moment.
        #[serde(default = "default_beta2")]
        beta2: f64,
        /// Added to the root of the second moment.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
        /// Decoupled decay of weights and biases, times the learning rate.
        #[serde(default)]
        weight_decay: f64,
    },
}

fn default_momentum() -> f64 {
    0.9
}
fn default_true() -> bool {
    true
}
fn default_beta1() -> f64 {
    0.9
}
fn default_beta2() -> f64 {
    0.999
}
fn default_epsilon() -> f64 {
    1e-8
}

impl OptimizerSpec {
    /// Adam with the published decays of its moments and no weight decay.
    #[must_use]
    pub fn adam(learning_rate: f64) -> Self {
        Self::Adam {
            learning_rate,
            beta1: default_beta1(),
            beta2: default_beta2(),
            epsilon: default_epsilon(),
            weight_decay: 0.0,
        }
    }

    /// The base learning rate.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Sgd { learning_rate, .. } | Self::Adam { learning_rate, .. } => *learning_rate,
        }
    }
}

/// Multiples of the learning rate per kind of parameter.
///
/// The reference code multiplies the gradient instead; for SGD that is the same update, for Adam a constant
/// multiple of the gradient changes nothing, so the rate itself is multiplied here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearningRateMultipliers {
    /// Factor locations and scales (the reference code's `fast_weight_lr_multiplier`).
    pub factors: f64,
    /// Factor scales and mean-field scales, on top of the above.
    pub scales: f64,
    /// Observation noise of the Gaussian likelihood.
    pub noise: f64,
}

impl Default for LearningRateMultipliers {
    fn default() -> Self {
        Self { factors: 1.0, scales: 1.0, noise: 1.0 }
    }
}

impl LearningRateMultipliers {
    /// The multiple for one kind of parameter.
    #[must_use]
    pub fn of(&self, group: ParamGroup) -> f64 {
        match group {
            ParamGroup::Weight | ParamGroup::Bias | ParamGroup::Norm => 1.0,
            ParamGroup::Statistic => 0.0,
            ParamGroup::FactorLocation | ParamGroup::Prior => self.factors,
            ParamGroup::FactorScale => self.factors * self.scales,
            ParamGroup::WeightScale => self.scales,
            ParamGroup::Noise => self.noise,
        }
    }
}

/// An update rule with its state: one or two slots as long as the parameters, and a step count.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer {
    spec: OptimizerSpec,
    /// Velocity of SGD, or first moment of Adam.
    pub first: Vec<f32>,
    /// Second moment of Adam; empty for SGD.
    pub second: Vec<f32>,
    /// Updates made so far.
    pub steps: u64,
}

impl Optimizer {
    /// An optimizer with zero state for `len` parameters.
    #[must_use]
    pub fn new(spec: OptimizerSpec, len: usize) -> Self {
        let second = match spec {
            OptimizerSpec::Sgd { .. } => Vec::new(),
            OptimizerSpec::Adam { .. } => vec![0.0; len],
        };
        Self { spec, first: vec![0.0; len], second, steps: 0 }
    }

    /// Updates `parameters` along `gradient` at `rate_factor` times the base learning rate.
    pub fn step(
        &mut self,
        layout: &ParamLayout,
        multipliers: &LearningRateMultipliers,
        rate_factor: f64,
        parameters: &mut [f32],
        gradient: &[f32],
    ) {
        self.steps += 1;
        let base = self.spec.learning_rate() * rate_factor;
        for spec in layout.specs() {
            let range = spec.range.clone();
            if spec.group == ParamGroup::Statistic {
                parameters[range.clone()].iter_mut().zip(&gradient[range]).for_each(|(p, &g)| *p -= g);
                continue;
            }
            let rate = base * multipliers.of(spec.group);
            let (p, g) = (&mut parameters[range.clone()], &gradient[range.clone()]);
            let first = &mut self.first[range.clone()];
            match &self.spec {
                OptimizerSpec::Sgd { momentum, nesterov, .. } => {
                    sgd(rate as f32, *momentum as f32, *nesterov, p, g, first);
                }
                OptimizerSpec::Adam { beta1, beta2, epsilon, weight_decay, .. } => {
                    let decays = matches!(spec.group, ParamGroup::Weight | ParamGroup::Bias);
                    let keep = if decays { 1.0 - rate * weight_decay } else { 1.0 };
                    let steps = self.steps.min(i32::MAX as u64) as i32;
                    let corrected = rate * (1.0 - beta2.powi(steps)).sqrt() / (1.0 - beta1.powi(steps));
                    let rule = AdamRule {
                        rate: corrected as f32,
                        keep: keep as f32,
                        beta1: *beta1 as f32,
                        beta2: *beta2 as f32,
                        // The bias correction is folded into the rate, so epsilon is scaled with it.
                        epsilon: (epsilon * (1.0 - beta2.powi(steps)).sqrt()) as f32,
                    };
                    rule.apply(p, g, first, &mut self.second[range]);
                }
            }
        }
    }
}

/// Parameters that one thread updates at a time.
const CHUNK: usize = 1 << 16;

fn sgd(rate: f32, momentum: f32, nesterov: bool, p: &mut [f32], g: &[f32], velocity: &mut [f32]) {
    if p.len() > CHUNK {
        let chunks = p.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).zip(velocity.par_chunks_mut(CHUNK));
        chunks.for_each(|((p, g), v)| sgd(rate, momentum, nesterov, p, g, v));
        return;
    }
    vectorized(
        #[inline(always)]
        || {
            for ((p, &g), v) in p.iter_mut().zip(g).zip(velocity) {
                *v = momentum * *v - rate * g;
                *p += if nesterov { momentum * *v - rate * g } else { *v };
            }
        },
    );
}

struct AdamRule {
    rate: f32,
    keep: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
}

impl AdamRule {
    fn apply(&self, p: &mut [f32], g: &[f32], first: &mut [f32], second: &mut [f32]) {
        if p.len() > CHUNK {
            let moments = first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK));
            let chunks = p.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).zip(moments);
            chunks.for_each(|((p, g), (m, v))| self.apply(p, g, m, v));
            return;
        }
        vectorized(
            #[inline(always)]
            || {
                for (((p, &g), m), v) in p.iter_mut().zip(g).zip(first).zip(second) {
                    *m = self.beta1 * *m + (1.0 - self.beta1) * g;
                    *v = self.beta2 * *v + (1.0 - self.beta2) * g * g;
                    *p = self.keep * *p - self.rate * *m / (v.sqrt() + self.epsilon);
                }
            },
        );
    }
}

/// Fills with zeros.
pub(crate) fn zero(values: &mut [f32]) {
    if values.len() > CHUNK {
        values.par_chunks_mut(CHUNK).for_each(|values| values.fill(0.0));
    } else {
        values.fill(0.0);
    }
}

/// Scales `gradient` down to Euclidean norm `max_norm` if it is longer; returns the norm before.
///
/// # Source
/// Pascanu et al. 2013; the norm is over all parameters together, accumulated in f64.
pub fn clip_global_norm(gradient: &mut [f32], max_norm: Option<f64>) -> f64 {
    let norm = sum_of_squares(gradient).sqrt();
    if let Some(max_norm) = max_norm
        && norm > max_norm
    {
        let scale = (max_norm / norm) as f32;
        gradient.iter_mut().for_each(|g| *g *= scale);
    }
    norm
}

/// The sum of all squares in f64, in an order that does not depend on the number of threads.
pub(crate) fn sum_of_squares(values: &[f32]) -> f64 {
    let squares = |chunk: &[f32]| {
        vectorized(
            #[inline(always)]
            || {
                // Several sums at a time, so that one addition need not wait for the last.
                let (groups, rest) = chunk.as_chunks::<16>();
                let mut sums = [0.0; 16];
                for group in groups {
                    for (sum, &value) in sums.iter_mut().zip(group) {
                        *sum += f64::from(value) * f64::from(value);
                    }
                }
                sums.iter().sum::<f64>() + rest.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>()
            },
        )
    };
    if values.len() <= CHUNK {
        return squares(values);
    }
    let mut parts = [0.0; 64];
    let len = values.len().div_ceil(parts.len()).next_multiple_of(16);
    let chunks = parts.par_iter_mut().zip(values.par_chunks(len));
    chunks.for_each(|(part, chunk)| *part = squares(chunk));
    parts.iter().sum()
}

/// `to += factor values`.
pub(crate) fn add_multiple(to: &mut [f32], factor: f32, values: &[f32]) {
    let add = |(to, values): (&mut [f32], &[f32])| {
        vectorized(
            #[inline(always)]
            || to.iter_mut().zip(values).for_each(|(to, &value)| *to += factor * value),
        );
    };
    if to.len() <= CHUNK {
        add((to, values));
    } else {
        to.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK)).for_each(add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> ParamLayout {
        let mut layout = ParamLayout::default();
        layout.push("w".into(), &[2], ParamGroup::Weight);
        layout.push("s".into(), &[1], ParamGroup::FactorScale);
        layout
    }

    #[test]
    fn nesterov_follows_two_steps_by_hand() {
        let spec = OptimizerSpec::Sgd { learning_rate: 0.1, momentum: 0.9, nesterov: true };
        let mut optimizer = Optimizer::new(spec, 3);
        let multipliers = LearningRateMultipliers { factors: 2.0, ..Default::default() };
        let mut p = vec![1.0, 2.0, 3.0];
        optimizer.step(&layout(), &multipliers, 1.0, &mut p, &[1.0, 0.0, 1.0]);
        // v = -0.1; p = 1 + 0.9 * -0.1 - 0.1 = 0.81, and the scale moves twice as far.
        assert!((p[0] - 0.81).abs() < 1e-6 && p[1] == 2.0 && (p[2] - 2.62).abs() < 1e-6);
        optimizer.step(&layout(), &multipliers, 1.0, &mut p, &[1.0, 0.0, 0.0]);
        // v = -0.19; p = 0.81 - 0.171 - 0.1.
        assert!((p[0] - 0.539).abs() < 1e-6);
    }

    #[test]
    fn adam_moves_by_its_rate_at_the_first_step_and_decays_weights_only() {
        let spec = OptimizerSpec::Adam {
            learning_rate: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.1,
        };
        let mut optimizer = Optimizer::new(spec, 3);
        let mut p = vec![1.0, 2.0, 3.0];
        optimizer.step(&layout(), &LearningRateMultipliers::default(), 1.0, &mut p, &[5.0, -0.1, 7.0]);
        assert!((p[0] - (0.999 - 0.01)).abs() < 1e-6);
        assert!((p[1] - (2.0 * 0.999 + 0.01)).abs() < 1e-6);
        assert!((p[2] - 2.99).abs() < 1e-6);
    }

    #[test]
    fn clipping_keeps_short_gradients_and_shortens_long_ones() {
        let mut short = vec![0.3, 0.4];
        assert!((clip_global_norm(&mut short, Some(1.0)) - 0.5).abs() < 1e-6);
        assert_eq!(short, vec![0.3, 0.4]);
        let mut long = vec![3.0, 4.0];
        assert!((clip_global_norm(&mut long, Some(1.0)) - 5.0).abs() < 1e-6);
        assert!((long[0] - 0.6).abs() < 1e-6 && (long[1] - 0.8).abs() < 1e-6);
    }
}
