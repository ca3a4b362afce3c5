//! Negative log-likelihoods and their gradients on the host, in plain `f64` Rust.
//!
//! Not fast and not used by the kernels.

use std::f64::consts::TAU;

use crate::{Error, Likelihood, NllForm, OutputShape};

/// Added to every learned noise scale.
pub const NOISE_FLOOR: f64 = 1e-6;

/// Targets of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Targets<'a> {
    /// Class labels.
    Labels(&'a [u32]),
    /// Values of a regression.
    Values(&'a [f32]),
}

/// Losses and gradients on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct NllGrads {
    /// `[B]`, loss of each example in nats.
    pub values: Vec<f64>,
    /// `[S, K, B, C]`, gradient of the mean over the batch.
    pub outputs: Vec<f64>,
    /// `[K]`, the same for the raw noise scales; only for [`Likelihood::Gaussian`].
    pub raw_noise: Option<Vec<f64>>,
}

/// Loss of every example, and the gradient of the mean over the batch.
///
/// # Shapes
/// As [`crate::launch::nll_with_gradient`].
///
/// # Units
/// Nats per example.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::Empty`] or [`Error::OverLimit`] if the lengths do not fit `shape`,
/// [`Error::Undefined`] if the targets or `raw_noise` do not fit the likelihood.
///
/// # Source
/// As [`crate::launch::nll_with_gradient`].
pub fn nll_with_gradient(
    likelihood: Likelihood,
    form: NllForm,
    shape: OutputShape,
    outputs: &[f32],
    targets: Targets<'_>,
    raw_noise: Option<&[f32]>,
) -> Result<NllGrads, Error> {
    let op = "host::nll_with_gradient";
    let elements = shape.elements(op)?;
    shape.check_likelihood(op, "outputs", likelihood)?;
    let n_targets = match targets {
        Targets::Labels(labels) if likelihood.is_classification() => labels.len(),
        Targets::Values(values) if !likelihood.is_classification() => values.len(),
        _ => return Err(Error::Undefined { op, what: "a likelihood of targets of the other kind" }),
    };
    if raw_noise.is_some() != (likelihood == Likelihood::Gaussian) {
        return Err(Error::Undefined { op, what: "`raw_noise` with any likelihood but the Gaussian" });
    }
    let lengths = [
        ("outputs", outputs.len(), shape.axes().to_vec(), elements),
        ("targets", n_targets, vec![shape.n_examples], shape.n_examples),
        (
            "raw_noise",
            raw_noise.map_or(shape.n_members, <[f32]>::len),
            vec![shape.n_members],
            shape.n_members,
        ),
    ];
    for (argument, got, expected, length) in lengths {
        if got != length {
            return Err(Error::ShapeMismatch { op, argument, expected, got });
        }
    }
    let wide: Vec<f64> = outputs.iter().map(|&z| f64::from(z)).collect();
    let wide_noise: Option<Vec<f64>> = raw_noise.map(|raw| raw.iter().map(|&r| f64::from(r)).collect());
    Ok(grads(likelihood, form, shape, &wide, targets, wide_noise.as_deref()))
}

/// The same of `f64` outputs, whose lengths fit.
fn grads(
    likelihood: Likelihood,
    form: NllForm,
    shape: OutputShape,
    outputs: &[f64],
    targets: Targets<'_>,
    raw_noise: Option<&[f64]>,
) -> NllGrads {
    let (b, n_terms, width) = (shape.n_examples, shape.n_terms(), shape.n_outputs);
    let rows: Vec<Row> = outputs
        .chunks(width)
        .enumerate()
        .map(|(r, z)| {
            let raw = raw_noise.map(|raw| raw[(r / b) % shape.n_members]);
            match targets {
                Targets::Labels(labels) => class_row(likelihood, z, labels[r % b] as usize),
                Targets::Values(values) => gaussian_row(z, raw, f64::from(values[r % b])),
            }
        })
        .collect();
    let mut values = Vec::with_capacity(b);
    let mut d_outputs = vec![0.0; outputs.len()];
    let mut d_noise = raw_noise.map(|raw| vec![0.0; raw.len()]);
    for example in 0..b {
        let terms: Vec<&Row> = (0..n_terms).map(|term| &rows[term * b + example]).collect();
        let (value, weights) = weigh(form, &terms.iter().map(|row| row.value).collect::<Vec<_>>());
        values.push(value);
        for (term, (row, weight)) in terms.iter().zip(weights).enumerate() {
            let weight = weight / b as f64;
            let start = (term * b + example) * width;
            for (d, slope) in d_outputs[start..start + width].iter_mut().zip(&row.slopes) {
                *d = weight * slope;
            }
            if let Some(d_noise) = &mut d_noise {
                d_noise[term % shape.n_members] += weight * row.slopes[1];
            }
        }
    }
    NllGrads { values, outputs: d_outputs, raw_noise: d_noise }
}

/// Loss of an example and its derivatives with respect to the log-likelihoods.
fn weigh(form: NllForm, terms: &[f64]) -> (f64, Vec<f64>) {
    let n = terms.len() as f64;
    match form {
        NllForm::AverageNll => (-terms.iter().sum::<f64>() / n, vec![-1.0 / n; terms.len()]),
        NllForm::MixtureNll => {
            let largest =
                terms.iter().fold(f64::NEG_INFINITY, |a, &x| if a.is_nan() || a > x { a } else { x });
            let shares: Vec<f64> = terms.iter().map(|x| (x - largest).exp()).collect();
            let total: f64 = shares.iter().sum();
            // All terms -inf: the sum is NaN, the limit is not.
            let impossible = largest == f64::NEG_INFINITY;
            let value = if impossible { f64::INFINITY } else { -(largest + (total / n).ln()) };
            (value, shares.iter().map(|share| -share / total).collect())
        }
    }
}

/// A log-likelihood and its derivatives with respect to the outputs, and behind them the raw noise scale.
struct Row {
    value: f64,
    slopes: Vec<f64>,
}

fn class_row(likelihood: Likelihood, z: &[f64], label: usize) -> Row {
    if likelihood == Likelihood::Bernoulli {
        let sign = match label {
            0 => 1.0,
            1 => -1.0,
            _ => f64::NAN,
        };
        let slope = -sign / (1.0 + (-sign * z[0]).exp());
        return Row { value: -softplus(sign * z[0]), slopes: vec![slope] };
    }
    let largest = z.iter().fold(f64::NEG_INFINITY, |a, &x| a.max(x));
    let total: f64 = z.iter().map(|x| (x - largest).exp()).sum();
    let Some(hit) = z.get(label) else {
        return Row { value: f64::NAN, slopes: vec![f64::NAN; z.len()] };
    };
    let slope = |(c, x): (usize, &f64)| f64::from(u8::from(c == label)) - (x - largest).exp() / total;
    Row { value: hit - largest - total.ln(), slopes: z.iter().enumerate().map(slope).collect() }
}

fn gaussian_row(outputs: &[f64], raw: Option<f64>, target: f64) -> Row {
    let raw = raw.unwrap_or_else(|| outputs[1]);
    let scale = softplus(raw) + NOISE_FLOOR;
    let z = (target - outputs[0]) / scale;
    let value = -0.5 * (z * z + TAU.ln()) - scale.ln();
    Row { value, slopes: vec![z / scale, (z * z - 1.0) / scale / (1.0 + (-raw).exp())] }
}

fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ALL: [Likelihood; 4] = [
        Likelihood::Categorical,
        Likelihood::Bernoulli,
        Likelihood::Gaussian,
        Likelihood::HeteroscedasticGaussian,
    ];
    const LABELS: [u32; 3] = [0, 1, 1];
    const VALUES: [f32; 3] = [0.7, -1.3, 0.1];

    fn case(likelihood: Likelihood) -> (OutputShape, Vec<f64>, Targets<'static>, Option<Vec<f64>>) {
        let n_outputs = likelihood.n_outputs(5);
        let shape = OutputShape { n_samples: 2, n_members: 3, n_examples: 3, n_outputs };
        let outputs = (0..18 * n_outputs).map(|i| 1.5 * (1.7 * i as f64 + 0.4).sin()).collect();
        let targets =
            if likelihood.is_classification() { Targets::Labels(&LABELS) } else { Targets::Values(&VALUES) };
        let noise = (likelihood == Likelihood::Gaussian).then(|| vec![-1.0, 0.2, 2.5]);
        (shape, outputs, targets, noise)
    }

    #[test]
    fn gradients_match_central_differences_of_the_mean_loss() {
        for likelihood in ALL {
            for form in [NllForm::AverageNll, NllForm::MixtureNll] {
                let (shape, outputs, targets, noise) = case(likelihood);
                let loss = |outputs: &[f64], noise: Option<&[f64]>| {
                    grads(likelihood, form, shape, outputs, targets, noise).values.iter().sum::<f64>() / 3.0
                };
                let got = grads(likelihood, form, shape, &outputs, targets, noise.as_deref());
                let slope = |at: usize, of: &dyn Fn(&[f64]) -> f64, point: &[f64]| {
                    let moved = |h: f64| {
                        let mut point = point.to_vec();
                        point[at] += h;
                        of(&point)
                    };
                    (moved(1e-5) - moved(-1e-5)) / 2e-5
                };
                for (at, got) in got.outputs.iter().enumerate() {
                    let numeric = slope(at, &|z| loss(z, noise.as_deref()), &outputs);
                    assert!((got - numeric).abs() < 1e-8, "{likelihood:?} {form:?} {at}: {got} {numeric}");
                }
                assert_eq!(got.raw_noise.is_some(), likelihood == Likelihood::Gaussian);
                for (at, got) in got.raw_noise.iter().flatten().enumerate() {
                    let raw = noise.as_deref().unwrap();
                    let numeric = slope(at, &|raw| loss(&outputs, Some(raw)), raw);
                    assert!((got - numeric).abs() < 1e-8, "{form:?} noise {at}: {got} {numeric}");
                }
            }
        }
    }

    #[test]
    fn losses_by_hand() {
        let shape = OutputShape { n_samples: 1, n_members: 2, n_examples: 1, n_outputs: 2 };
        // Probabilities of class 1: 3/4 and 1/4.
        let outputs = [0.0, 3.0_f64.ln(), 3.0_f64.ln(), 0.0];
        let loss = |form| {
            grads(Likelihood::Categorical, form, shape, &outputs, Targets::Labels(&[1]), None).values[0]
        };
        assert!((loss(NllForm::MixtureNll) - 2.0_f64.ln()).abs() < 1e-14);
        assert!((loss(NllForm::AverageNll) + 0.5 * (3.0_f64 / 16.0).ln()).abs() < 1e-14);
        let one = OutputShape { n_samples: 1, n_members: 1, n_examples: 1, n_outputs: 1 };
        let form = NllForm::AverageNll;
        let bernoulli = grads(Likelihood::Bernoulli, form, one, &[3.0_f64.ln()], Targets::Labels(&[1]), None);
        assert!((bernoulli.values[0] - (4.0_f64 / 3.0).ln()).abs() < 1e-14);
        // A standard normal at its own mean, up to the floor of the scale.
        let raw = [(1.0_f64.exp() - 1.0).ln()];
        let gaussian = grads(Likelihood::Gaussian, form, one, &[0.5], Targets::Values(&[0.5]), Some(&raw));
        assert!((gaussian.values[0] - 0.5 * TAU.ln()).abs() < 2e-6);
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused_by_name() {
        let shape = OutputShape { n_samples: 2, n_members: 3, n_examples: 5, n_outputs: 1 };
        let form = NllForm::AverageNll;
        let (outputs, values) = ([0.0; 30], Targets::Values(&[0.0; 5]));
        let got = nll_with_gradient(Likelihood::Gaussian, form, shape, &outputs, values, Some(&[0.0; 2]));
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "raw_noise", got: 2, .. })), "{got:?}");
        let got =
            nll_with_gradient(Likelihood::Gaussian, form, shape, &outputs[1..], values, Some(&[0.0; 3]));
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "outputs", got: 29, .. })), "{got:?}");
        let got = nll_with_gradient(Likelihood::Gaussian, form, shape, &outputs, values, None);
        assert!(matches!(got, Err(Error::Undefined { .. })), "{got:?}");
        let got = nll_with_gradient(Likelihood::Bernoulli, form, shape, &outputs, values, None);
        assert!(matches!(got, Err(Error::Undefined { .. })), "{got:?}");
    }
}
