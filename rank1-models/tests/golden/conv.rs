//! Rank-1 convolutions with given factors, in double precision; the Burn layer's side is in [`crate::burn_conv`].

use ndarray::{Array2, Array3, Array4};
use rank1_core::conv::{ConvShape, Padding, PerturbedConv2d};
use rank1_core::factor::{ClipBounds, per_member};
use rank1_core::layout::member_major;
use rank1_core::perturb::Perturbation;

use crate::burn_conv;
use crate::burn_dense::BurnFactor;
use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

/// What all convolution cases share; images are `[K*E, H, W, C]`.
#[derive(Debug, Clone)]
pub(crate) struct Conv {
    pub(crate) k: usize,
    pub(crate) e: usize,
    pub(crate) shape: ConvShape,
    pub(crate) x: Array4<f64>,
    pub(crate) kernel: Array4<f64>,
    pub(crate) bias: Option<Array2<f64>>,
    pub(crate) cotangent: Array4<f64>,
    pub(crate) perturbation: Perturbation,
}

impl Conv {
    pub(crate) fn read(record: &Record<'_>) -> Outcome<Self> {
        let (k, e) = (record.count("K")?, record.count("E")?);
        let (x, kernel) = (record.block("x")?, record.block("kernel")?);
        let (_, height, width, c_in) = x.dim();
        let (kernel_h, kernel_w, _, c_out) = kernel.dim();
        record.expect_shape("x", &[k * e, height, width, c_in])?;
        record.expect_shape("kernel", &[kernel_h, kernel_w, c_in, c_out])?;
        let stride = record.count(if record.has("strides") { "strides" } else { "stride" })?;
        let padding = match record.text("padding")? {
            "same" => Padding::Same,
            "valid" => Padding::Valid,
            other => return record.fault("padding", format!("is {other:?}, which is not known")),
        };
        for (key, size) in [
            ("H", height),
            ("W", width),
            ("cin", c_in),
            ("cout", c_out),
            ("in", c_in),
            ("out", c_out),
            ("kernel_size", kernel_h),
        ] {
            if record.has(key) && record.count(key)? != size {
                return record.fault(key, format!("is not the {size} of the arrays"));
            }
        }
        let shape = ConvShape {
            height,
            width,
            c_in,
            c_out,
            kernel: (kernel_h, kernel_w),
            stride: (stride, stride),
            dilation: (1, 1),
            padding,
        };
        record.ok(shape.check())?;
        let (out_h, out_w) = shape.out_size();
        record.expect_shape("cotangent", &[k * e, out_h, out_w, c_out])?;
        let bias = record.has("bias").then(|| record.matrix("bias")).transpose()?;
        if bias.is_some() {
            record.expect_shape("bias", &[k, c_out])?;
        }
        if record.has("use_bias") && record.flag("use_bias")? != bias.is_some() {
            return record.fault("use_bias", "contradicts the presence of `bias`");
        }
        let additive = record.has("additive") && record.flag("additive")?;
        let perturbation = if additive { Perturbation::Additive } else { Perturbation::Multiplicative };
        let cotangent = record.block("cotangent")?;
        Ok(Self { k, e, shape, x, kernel, bias, cotangent, perturbation })
    }

    /// Widths of input and output factor.
    pub(crate) fn widths(&self) -> (usize, usize) {
        (self.shape.c_in, self.shape.c_out)
    }

    fn layer<'a>(&'a self, s: &'a Array3<f64>, r: &'a Array3<f64>, bias: bool) -> PerturbedConv2d<'a, f64> {
        PerturbedConv2d {
            shape: self.shape,
            weight: self.kernel.view(),
            input_factor: Some(s.view()),
            output_factor: Some(r.view()),
            bias: self.bias.as_ref().filter(|_| bias).map(|b| b.view()),
            perturbation: self.perturbation,
            n_members: self.k,
        }
    }

    /// Output and gradients in double precision, compared; several pairs of factors are summed. Returns the gradients'
    /// record and the gradients for the factors, `[K, E or 1, C]`.
    pub(crate) fn check<'a>(&self, record: &Record<'a>, factors: &Pairs) -> Outcome<(Record<'a>, Pairs)> {
        let mut output = Array4::zeros(self.cotangent.dim());
        let (mut x, mut kernel) = (Array4::zeros(self.x.dim()), Array4::zeros(self.kernel.dim()));
        let (mut bias, mut gradients) = (None, Vec::new());
        for (index, (s, r)) in factors.iter().enumerate() {
            let layer = self.layer(s, r, index == 0);
            output += &record.ok(layer.forward(self.x.view()))?;
            let grads = record.ok(layer.backward(self.x.view(), self.cotangent.view()))?;
            x += &grads.x;
            kernel += &grads.weight;
            bias = bias.or(grads.bias);
            let (Some(s), Some(r)) = (grads.input_factor, grads.output_factor) else {
                return record.fault("grad", "lacks the gradient of a factor that was given");
            };
            gradients.push((s, r));
        }
        record.check("objective", (&output * &self.cotangent).sum(), Precision::Double)?;
        record.check("output", output, Precision::Double)?;
        let grad = record.child("grad")?;
        grad.check("x", x, Precision::Double)?;
        grad.check("kernel", kernel, Precision::Double)?;
        if let Some(bias) = bias {
            grad.check("bias", bias, Precision::Double)?;
        }
        Ok((grad, gradients))
    }
}

/// Input and output factors or gradients for them.
pub(crate) type Pairs = Vec<(Array3<f64>, Array3<f64>)>;

/// `conv2d_rank1_k*_K*.json`: draws are given, `[E, K, C]`, and clipped inside the layer.
pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, injected);
    }
    Ok(())
}

fn injected(record: &Record<'_>) -> Outcome<Verdict> {
    const KEYS: [&str; 2] = ["alpha_samples", "gamma_samples"];
    let conv = Conv::read(record)?;
    let pads = conv.shape.pads();
    for (key, pair) in
        [("pad_top_bottom", [pads.top, pads.bottom]), ("pad_left_right", [pads.left, pads.right])]
    {
        record.check(key, pair.map(|n| n as f64).to_vec(), Precision::Exact)?;
    }
    let (c_in, c_out) = conv.widths();
    for (key, width) in KEYS.iter().zip([c_in, c_out]) {
        record.expect_shape(key, &[conv.e, conv.k, width])?;
    }
    let draws = [record.cube(KEYS[0])?, record.cube(KEYS[1])?];
    let clip = ClipBounds::REFERENCE;
    let [s, r] = [&draws[0], &draws[1]].map(|d| member_major(clip.forward(d.view()).view()));
    let (grad, mut gradients) = conv.check(record, &vec![(s, r)])?;
    let (s, r) = gradients.remove(0);
    for ((key, draws), gradient) in KEYS.iter().zip(&draws).zip([s, r]) {
        let example_first = member_major(gradient.view());
        grad.check(key, record.ok(clip.backward(draws.view(), example_first.view()))?, Precision::Double)?;
    }
    let factors = draws.each_ref().map(|d| BurnFactor::injected(d, Some(clip)));
    let [s, r] = factors;
    let burn = burn_conv::run(record, &conv, &[(s, r)])?;
    burn.check(record, &grad)?;
    for (key, got) in KEYS.iter().zip([&burn.noise[0].0, &burn.noise[0].1]) {
        let Some(rows) = got.clone() else {
            return grad.fault(key, "was not computed by the Burn layer");
        };
        let [_, width] = rows.dims();
        let example_first = rows.reshape([conv.k, conv.e, width]).swap_dims(0, 1);
        grad.check(key, example_first, Precision::Burn)?;
    }
    record.report.unread.borrow_mut().extend(grad.unread());
    Ok(Verdict::Compared)
}

/// Plain vectors per member; with `rank`, gradients are stacked along a leading axis of that length.
pub(crate) fn plain_factors(
    record: &Record<'_>,
    conv: &Conv,
    pairs: &[(Array2<f64>, Array2<f64>)],
    rank: Option<usize>,
) -> Outcome<Verdict> {
    let factors: Pairs = pairs.iter().map(|(s, r)| (per_member(s.view()), per_member(r.view()))).collect();
    let (grad, gradients) = conv.check(record, &factors)?;
    let (c_in, c_out) = conv.widths();
    let stacked = |parts: Vec<Vec<f64>>, width: usize| {
        let shape = [rank.into_iter().collect::<Vec<_>>(), vec![conv.k, width]].concat();
        Values::from(parts.concat()).reshaped(&shape)
    };
    let (s, r) =
        gradients.iter().map(|(s, r)| (s.iter().copied().collect(), r.iter().copied().collect())).unzip();
    grad.check("alpha", stacked(s, c_in), Precision::Double)?;
    grad.check("gamma", stacked(r, c_out), Precision::Double)?;
    let layers: Vec<_> = pairs.iter().map(|(s, r)| (BurnFactor::plain(s), BurnFactor::plain(r))).collect();
    let burn = burn_conv::run(record, conv, &layers)?;
    burn.check(record, &grad)?;
    let flat = |t: &burn::tensor::Tensor<2>| Values::from(t.clone()).data;
    let (s, r) = burn.location.iter().map(|(s, r)| (flat(s), flat(r))).unzip();
    grad.check("alpha", stacked(s, c_in), Precision::Burn)?;
    grad.check("gamma", stacked(r, c_out), Precision::Burn)?;
    record.report.unread.borrow_mut().extend(grad.unread());
    Ok(Verdict::Compared)
}
