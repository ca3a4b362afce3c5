//! An engine that predicts every row with the draws of row 0, so that equal rows have equal outputs.
//!
//! Only for prediction: in training each example draws for itself.

use std::sync::Arc;

use ndarray::{Array4, ArrayView2};

use super::{Batch, DrawKey, Engine, NllRequest};
use crate::engine::analytic::OperationTimes;
use crate::error::Error;

/// Hands rows to another engine as if each were the first of its set.
pub struct SharedDraws(Box<dyn Engine>);

impl SharedDraws {
    /// Shares the draws of `engine`.
    #[must_use]
    pub fn of(engine: Box<dyn Engine>) -> Self {
        Self(engine)
    }
}

impl std::fmt::Debug for SharedDraws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedDraws").finish_non_exhaustive()
    }
}

impl Engine for SharedDraws {
    fn nll(
        &mut self,
        parameters: &[f32],
        gradient: &mut [f32],
        batch: Batch<'_, f32>,
        key: DrawKey,
        request: NllRequest,
    ) -> Result<f64, Error> {
        self.0.nll(parameters, gradient, batch, key, request)
    }

    fn outputs(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        self.0.outputs_alike(parameters, inputs, key, n_samples)
    }

    fn outputs_listed(
        &mut self,
        parameters: &Arc<[f32]>,
        inputs: ArrayView2<'_, f32>,
        _: &[u32],
        key: DrawKey,
        n_samples: usize,
    ) -> Result<Array4<f32>, Error> {
        self.outputs(parameters, inputs, key, n_samples)
    }

    fn measure(&mut self) {
        self.0.measure();
    }

    fn operation_times(&self) -> &[OperationTimes] {
        self.0.operation_times()
    }
}
