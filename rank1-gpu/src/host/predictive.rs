//! The predictive of a classifier on the host, in plain `f64` Rust.
//!
//! Not fast and not used by the kernels.

use crate::{Error, Likelihood, OutputShape};

/// What samples and members together say of `N` examples, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassPredictive {
    /// `[N, C]`, mean probability over samples and members.
    pub probs: Vec<f64>,
    /// `[N]`, entropy of the mean probability in nats.
    pub total: Vec<f64>,
    /// `[N]`, expected entropy of one draw.
    pub aleatoric: Vec<f64>,
    /// `[N]`, mutual information of label and draw.
    pub epistemic: Vec<f64>,
    /// `[N]`, fraction of unordered pairs of members that predict different classes; NaN for a single member.
    pub disagreement: Vec<f64>,
    /// `[K, N]`, predicted class of each member, `u32::MAX` where its probabilities are NaN.
    pub member_classes: Vec<u32>,
}

/// The predictive of all samples.
///
/// # Shapes
/// As [`crate::launch::class_predictive`].
///
/// # Units
/// Entropies in nats.
///
/// # Errors
/// [`Error::ShapeMismatch`], [`Error::Empty`] or [`Error::OverLimit`] if the length does not fit `shape`,
/// [`Error::Undefined`] for a likelihood without classes.
///
/// # Source
/// As [`crate::launch::class_predictive`].
pub fn class_predictive(
    likelihood: Likelihood,
    shape: OutputShape,
    logits: &[f32],
) -> Result<ClassPredictive, Error> {
    let op = "host::class_predictive";
    let elements = shape.elements(op)?;
    if !likelihood.is_classification() {
        return Err(Error::Undefined { op, what: "a class predictive of a Gaussian likelihood" });
    }
    shape.check_likelihood(op, "logits", likelihood)?;
    if logits.len() != elements {
        let expected = shape.axes().to_vec();
        return Err(Error::ShapeMismatch { op, argument: "logits", expected, got: logits.len() });
    }
    let (s, k, n) = (shape.n_samples, shape.n_members, shape.n_examples);
    let draws: Vec<Vec<f64>> = logits.chunks(shape.n_outputs).map(|row| softmax(likelihood, row)).collect();
    let draw = |sample: usize, member: usize, example: usize| &draws[(sample * k + member) * n + example];
    let mean = |rows: &[&Vec<f64>]| -> Vec<f64> {
        let sum = |c| rows.iter().map(|row| row[c]).sum::<f64>();
        (0..rows[0].len()).map(|c| sum(c) / rows.len() as f64).collect()
    };
    let mut out = ClassPredictive {
        probs: Vec::new(),
        total: Vec::new(),
        aleatoric: Vec::new(),
        epistemic: Vec::new(),
        disagreement: Vec::new(),
        member_classes: vec![0; k * n],
    };
    for example in 0..n {
        let members: Vec<Vec<f64>> = (0..k)
            .map(|member| mean(&(0..s).map(|sample| draw(sample, member, example)).collect::<Vec<_>>()))
            .collect();
        let classes: Vec<u32> = members.iter().map(|probs| first_largest(probs)).collect();
        for (member, class) in classes.iter().enumerate() {
            out.member_classes[member * n + example] = *class;
        }
        let probs = mean(&members.iter().collect::<Vec<_>>());
        let total = entropy(&probs);
        let draws = (0..s).flat_map(|sample| (0..k).map(move |member| (sample, member)));
        let aleatoric = draws.map(|(sample, member)| entropy(draw(sample, member, example))).sum::<f64>();
        let aleatoric = aleatoric / (s * k) as f64;
        let epistemic = total - aleatoric;
        out.total.push(total);
        out.aleatoric.push(aleatoric);
        out.epistemic.push(if epistemic < 0.0 { 0.0 } else { epistemic });
        out.disagreement.push(if total.is_nan() { f64::NAN } else { differing_pairs(&classes) });
        out.probs.extend(if total.is_nan() { vec![f64::NAN; probs.len()] } else { probs });
    }
    Ok(out)
}

fn softmax(likelihood: Likelihood, row: &[f32]) -> Vec<f64> {
    let logits: Vec<f64> = match (likelihood, row) {
        (Likelihood::Bernoulli, [z]) => vec![0.0, f64::from(*z)],
        _ => row.iter().map(|&z| f64::from(z)).collect(),
    };
    let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &z| a.max(z));
    let shares: Vec<f64> = logits.iter().map(|z| (z - largest).exp()).collect();
    let total: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / total).collect()
}

fn entropy(probs: &[f64]) -> f64 {
    probs.iter().map(|&p| if p == 0.0 { 0.0 } else { -p * p.ln() }).sum()
}

fn first_largest(probs: &[f64]) -> u32 {
    if probs.iter().any(|p| p.is_nan()) {
        return u32::MAX;
    }
    let first = |best: usize, c: usize| if probs[c] > probs[best] { c } else { best };
    (0..probs.len()).fold(0, first) as u32
}

fn differing_pairs(classes: &[u32]) -> f64 {
    let pairs = (0..classes.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let (mut differing, mut n_pairs) = (0, 0);
    for (i, j) in pairs {
        differing += usize::from(classes[i] != classes[j]);
        n_pairs += 1;
    }
    f64::from(differing as u32) / f64::from(n_pairs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;

    fn predictive(axes: [usize; 4], logits: &[f32]) -> ClassPredictive {
        let [n_samples, n_members, n_examples, n_outputs] = axes;
        let shape = OutputShape { n_samples, n_members, n_examples, n_outputs };
        class_predictive(Likelihood::Categorical, shape, logits).unwrap()
    }

    #[test]
    fn certain_members_that_disagree_are_all_epistemic() {
        let got = predictive([1, 2, 1, 2], &[0.0, 100.0, 100.0, 0.0]);
        assert!((got.total[0] - 2.0_f64.ln()).abs() < 1e-12 && got.aleatoric[0] < 1e-12);
        assert_eq!(got.epistemic[0], got.total[0] - got.aleatoric[0]);
        assert_eq!((got.disagreement[0], got.member_classes), (1.0, vec![1, 0]));
    }

    #[test]
    fn equal_members_are_all_aleatoric_and_the_first_class_wins_a_tie() {
        let got = predictive([2, 3, 1, 4], &[0.5; 24]);
        assert!((got.total[0] - 4.0_f64.ln()).abs() < 1e-12 && got.epistemic[0] < 1e-12);
        assert_eq!((got.disagreement[0], got.member_classes), (0.0, vec![0; 3]));
    }

    #[test]
    fn a_member_is_the_mean_of_its_samples_before_it_names_a_class() {
        // Member 0: probabilities of class 0 are 0.75, 0.75 and 0.02, above a half on average; the mean logit is not.
        let [low, high] = [[0.75_f32.ln(), 0.25_f32.ln()], [0.02_f32.ln(), 0.98_f32.ln()]];
        let other = [0.0, 1.0];
        let logits = [low, other, low, other, high, other].concat();
        let got = predictive([3, 2, 1, 2], &logits);
        assert_eq!((got.disagreement[0], got.member_classes), (1.0, vec![0, 1]));
        let member_1 = 1.0_f64.exp() / (1.0 + 1.0_f64.exp());
        assert!((got.probs[1] - 0.5 * (1.48 / 3.0 + member_1)).abs() < 1e-7);
    }

    #[test]
    fn one_logit_equals_two_and_one_member_has_no_pairs() {
        let one = OutputShape { n_samples: 3, n_members: 1, n_examples: 1, n_outputs: 1 };
        let got = class_predictive(Likelihood::Bernoulli, one, &[0.3, -1.0, 2.0]).unwrap();
        let two = predictive([3, 1, 1, 2], &[0.0, 0.3, 0.0, -1.0, 0.0, 2.0]);
        assert_eq!((&got.probs, &got.total, &got.aleatoric), (&two.probs, &two.total, &two.aleatoric));
        assert!(got.disagreement[0].is_nan());
    }

    #[test]
    fn a_gaussian_and_a_wrong_length_are_refused() {
        let shape = OutputShape { n_samples: 1, n_members: 2, n_examples: 3, n_outputs: 1 };
        let got = class_predictive(Likelihood::Gaussian, shape, &[0.0; 6]);
        assert!(matches!(got, Err(Error::Undefined { .. })), "{got:?}");
        let got = class_predictive(Likelihood::Bernoulli, shape, &[0.0; 5]);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "logits", got: 5, .. })), "{got:?}");
    }
}
