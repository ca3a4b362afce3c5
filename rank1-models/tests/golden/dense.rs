//! Dense rank-1 layers with given factors, in double precision and as Burn layers.

use ndarray::{Array2, Array3};
use rank1_core::factor::{ClipBounds, per_member};
use rank1_core::layout::member_major;
use rank1_core::perturb::{Perturbation, PerturbedLinear};

use crate::activation::Activation;
use crate::burn_dense::{self, BurnFactor};
use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

/// What all dense cases share.
#[derive(Debug, Clone)]
pub(crate) struct Dense {
    pub(crate) k: usize,
    pub(crate) e: usize,
    pub(crate) x: Array2<f64>,
    pub(crate) kernel: Array2<f64>,
    pub(crate) bias: Option<Array2<f64>>,
    pub(crate) cotangent: Array2<f64>,
    pub(crate) activation: Activation,
    pub(crate) perturbation: Perturbation,
}

impl Dense {
    pub(crate) fn read(record: &Record<'_>) -> Outcome<Self> {
        let (k, e) = (record.count("K")?, record.count("E")?);
        let kernel = record.matrix("kernel")?;
        let (d_in, d_out) = kernel.dim();
        if record.has("in") && (record.count("in")?, record.count("out")?) != (d_in, d_out) {
            return record.fault("kernel", "has another shape than `in` and `out` say");
        }
        record.expect_shape("x", &[k * e, d_in])?;
        record.expect_shape("cotangent", &[k * e, d_out])?;
        let bias = if record.has("bias") {
            record.expect_shape("bias", &[k, d_out])?;
            Some(record.matrix("bias")?)
        } else {
            None
        };
        if record.has("use_bias") && record.flag("use_bias")? != bias.is_some() {
            return record.fault("use_bias", "contradicts the presence of `bias`");
        }
        let activation =
            if record.has("activation") { Activation::read(record)? } else { Activation::Linear };
        let additive = record.has("additive") && record.flag("additive")?;
        Ok(Self {
            k,
            e,
            x: record.matrix("x")?,
            kernel,
            bias,
            cotangent: record.matrix("cotangent")?,
            activation,
            perturbation: if additive { Perturbation::Additive } else { Perturbation::Multiplicative },
        })
    }

    fn linear<'a>(&'a self, s: &'a Array3<f64>, r: &'a Array3<f64>, bias: bool) -> PerturbedLinear<'a, f64> {
        PerturbedLinear {
            weight: self.kernel.view(),
            input_factor: Some(s.view()),
            output_factor: Some(r.view()),
            bias: self.bias.as_ref().filter(|_| bias).map(|b| b.view()),
            perturbation: self.perturbation,
            n_members: self.k,
        }
    }

    /// Output and gradients of the double-precision implementation; several pairs of factors are summed.
    pub(crate) fn run(&self, record: &Record<'_>, factors: &[(Array3<f64>, Array3<f64>)]) -> Outcome<Run> {
        let mut z = Array2::zeros(self.cotangent.dim());
        for (index, (s, r)) in factors.iter().enumerate() {
            z += &record.ok(self.linear(s, r, index == 0).forward(self.x.view()))?;
        }
        let output = self.activation.forward(z.view());
        let grad_z = self.activation.backward(z.view(), self.cotangent.view());
        let mut run = Run {
            objective: (&output * &self.cotangent).sum(),
            output,
            x: Array2::zeros(self.x.dim()),
            kernel: Array2::zeros(self.kernel.dim()),
            bias: None,
            factors: Vec::new(),
        };
        for (index, (s, r)) in factors.iter().enumerate() {
            let grads = record.ok(self.linear(s, r, index == 0).backward(self.x.view(), grad_z.view()))?;
            run.x += &grads.x;
            run.kernel += &grads.weight;
            run.bias = run.bias.or(grads.bias);
            let (Some(s), Some(r)) = (grads.input_factor, grads.output_factor) else {
                return record.fault("grad", "lacks the gradient of a factor that was given");
            };
            run.factors.push((s, r));
        }
        Ok(run)
    }
}

/// Output and gradients in double precision.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) output: Array2<f64>,
    pub(crate) objective: f64,
    pub(crate) x: Array2<f64>,
    pub(crate) kernel: Array2<f64>,
    pub(crate) bias: Option<Array2<f64>>,
    /// Gradients for input and output factors, `[K, E or 1, D]`.
    pub(crate) factors: Vec<(Array3<f64>, Array3<f64>)>,
}

impl Run {
    /// Compares everything that does not depend on the kind of factor; returns the gradients' record.
    pub(crate) fn check<'a>(self, record: &Record<'a>) -> Outcome<(Record<'a>, Factors)> {
        record.check("output", self.output, Precision::Double)?;
        record.check("objective", self.objective, Precision::Double)?;
        let grad = record.child("grad")?;
        grad.check("x", self.x, Precision::Double)?;
        grad.check("kernel", self.kernel, Precision::Double)?;
        if let Some(bias) = self.bias {
            grad.check("bias", bias, Precision::Double)?;
        }
        Ok((grad, self.factors))
    }
}

type Factors = Vec<(Array3<f64>, Array3<f64>)>;

/// `dense_rank1_injected.json`: draws are given, `[E, K, D]`, and clipped inside the layer.
pub(crate) fn injected(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, injected_case);
    }
    Ok(())
}

fn injected_case(record: &Record<'_>) -> Outcome<Verdict> {
    let dense = Dense::read(record)?;
    let samples = |key: &str, width: usize| {
        record.expect_shape(key, &[dense.e, dense.k, width])?;
        record.cube(key)
    };
    let (d_in, d_out) = dense.kernel.dim();
    let (alpha, gamma) = (samples("alpha_samples", d_in)?, samples("gamma_samples", d_out)?);
    let clip = ClipBounds::REFERENCE;
    let beyond = alpha.iter().chain(&gamma).any(|v| !(clip.min..=clip.max).contains(v));
    record.check_flag("has_values_beyond_clip", beyond)?;
    let factors = [&alpha, &gamma].map(|a| member_major(clip.forward(a.view()).view()));
    let [s, r] = factors;
    let (grad, mut gradients) = dense.run(record, &[(s, r)])?.check(record)?;
    let (s, r) = gradients.remove(0);
    for (key, draws, gradient) in [("alpha_samples", &alpha, s), ("gamma_samples", &gamma, r)] {
        // The gradient goes back to [E, K, D] and is zero where a draw was cut.
        let example_first = member_major(gradient.view());
        let gradient = record.ok(clip.backward(draws.view(), example_first.view()))?;
        grad.check(key, gradient, Precision::Double)?;
    }
    let burn = burn_dense::run(
        record,
        &dense,
        &[(BurnFactor::injected(&alpha, Some(clip)), BurnFactor::injected(&gamma, Some(clip)))],
    )?;
    burn.check(record, &grad)?;
    let [(alpha_grad, gamma_grad)] = &burn.noise[..] else {
        return record.fault("grad", "was computed for another number of factors");
    };
    for (key, got) in [("alpha_samples", alpha_grad), ("gamma_samples", gamma_grad)] {
        let got = got.clone().map(|tensor| example_first(tensor, dense.k, dense.e));
        match got {
            Some(got) => grad.check(key, got, Precision::Burn)?,
            None => return grad.fault(key, "was not computed by the Burn layer"),
        }
    }
    record.report.unread.borrow_mut().extend(grad.unread());
    Ok(Verdict::Compared)
}

/// Rows `[K*E, D]` as `[E, K, D]`.
fn example_first(rows: burn::tensor::Tensor<2>, k: usize, e: usize) -> Values {
    let [_, width] = rows.dims();
    rows.reshape([k, e, width]).swap_dims(0, 1).into()
}

/// `dense_rank1_deterministic_vars.json`: one plain vector per member, never clipped.
pub(crate) fn deterministic(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, |record| {
            let dense = Dense::read(record)?;
            let (d_in, d_out) = dense.kernel.dim();
            record.expect_shape("alpha", &[dense.k, d_in])?;
            record.expect_shape("gamma", &[dense.k, d_out])?;
            plain_factors(record, &dense, &[(record.matrix("alpha")?, record.matrix("gamma")?)], None)
        });
    }
    Ok(())
}

/// Plain vectors per member; with `rank`, gradients are stacked along a leading axis of that length.
pub(crate) fn plain_factors(
    record: &Record<'_>,
    dense: &Dense,
    pairs: &[(Array2<f64>, Array2<f64>)],
    rank: Option<usize>,
) -> Outcome<Verdict> {
    let factors: Vec<_> = pairs.iter().map(|(s, r)| (per_member(s.view()), per_member(r.view()))).collect();
    let (grad, gradients) = dense.run(record, &factors)?.check(record)?;
    let (d_in, d_out) = dense.kernel.dim();
    let stacked = |parts: Vec<Vec<f64>>, width: usize| {
        let shape = [rank.into_iter().collect::<Vec<_>>(), vec![dense.k, width]].concat();
        Values::from(parts.concat()).reshaped(&shape)
    };
    let flat = |a: &Array3<f64>| a.iter().copied().collect::<Vec<f64>>();
    grad.check("alpha", stacked(gradients.iter().map(|(s, _)| flat(s)).collect(), d_in), Precision::Double)?;
    grad.check("gamma", stacked(gradients.iter().map(|(_, r)| flat(r)).collect(), d_out), Precision::Double)?;
    let layers: Vec<_> = pairs.iter().map(|(s, r)| (BurnFactor::plain(s), BurnFactor::plain(r))).collect();
    let burn = burn_dense::run(record, dense, &layers)?;
    burn.check(record, &grad)?;
    let flat = |t: &burn::tensor::Tensor<2>| Values::from(t.clone()).data;
    let locations =
        |input: bool| burn.location.iter().map(|(s, r)| flat(if input { s } else { r })).collect();
    grad.check("alpha", stacked(locations(true), d_in), Precision::Burn)?;
    grad.check("gamma", stacked(locations(false), d_out), Precision::Burn)?;
    record.report.unread.borrow_mut().extend(grad.unread());
    Ok(Verdict::Compared)
}
