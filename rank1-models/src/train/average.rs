//! The mean of the parameters over the last steps.

/// The mean of the parameters after each of some steps (stochastic weight averaging, Izmailov et al. 2018, here of every step
/// and of all trained parameters: weights, biases, locations and raw scales of factors).
#[derive(Debug, Clone, PartialEq)]
pub struct Average {
    /// Steps in the mean.
    pub steps: u64,
    /// The mean.
    pub parameters: Vec<f32>,
}

impl Average {
    /// Takes in the parameters after one more step.
    pub(super) fn add(&mut self, parameters: &[f32]) {
        self.steps += 1;
        let share = 1.0 / self.steps as f32;
        self.parameters
            .iter_mut()
            .zip(parameters)
            .for_each(|(mean, &value)| *mean += (value - *mean) * share);
    }
}
