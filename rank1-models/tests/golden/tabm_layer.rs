//! The layers of TabM, each member with rows of its own: in double precision by the functions of `rank1-core`, and as Burn layers.
//!
//! Where a layer is one of our networks by itself, both engines give its outputs too. Engines give all members the same rows, so
//! they compute every member on the rows of all members, and of each member its own rows are taken.

use burn::tensor::{Device, Tensor};
use ndarray::{Array2, Array3, s};
use rank1_core::factor::per_member;
use rank1_core::layout::{join_members, member_major};
use rank1_core::likelihood::Likelihood;
use rank1_core::perturb::Perturbation;
use rank1_models::engine::analytic::AnalyticEngine;
use rank1_models::engine::autodiff::AutodiffEngine;
use rank1_models::engine::{DrawKey, Engine};
use rank1_models::method::{BatchEnsemble, Method};
use rank1_models::network::{Activation, Body, InputShape, Network, NetworkShape};

use crate::activation::Activation as LayerActivation;
use crate::burn_dense::{self, BurnFactor, check_objective};
use crate::dense::Dense;
use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};
use crate::stored::{Order, Stored};
use crate::{tabm_parameters, tabm_start};

/// No draw is random in these networks, so that no key matters.
const KEY: DrawKey = DrawKey { seed: 1, step: DrawKey::PREDICTION, first_sample: 0, first_example: 0 };

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    Ok(())
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    match record.text("layer")? {
        "LinearBatchEnsemble" => batch_ensemble(record),
        "LinearEnsemble" => ensemble(record),
        "ElementwiseAffine" => affine(record),
        "LinearBatchEnsemble initialisation" => tabm_start::batch_ensemble(record),
        "LinearEnsemble initialisation" => tabm_start::ensemble(record),
        other => Ok(Verdict::NotImplemented(format!("layer {other}"))),
    }
}

/// Sizes and rows, which all layers have.
struct Rows {
    k: usize,
    b: usize,
    d_in: usize,
    d_out: usize,
    /// `[K*B, D_in]`.
    x: Array2<f64>,
    /// `[K*B, D_out]`.
    cotangent: Array2<f64>,
    /// `[K, D_out]`.
    bias: Option<Array2<f64>>,
}

impl Rows {
    fn read(record: &Record<'_>) -> Outcome<Self> {
        let (k, b) = (record.count("k")?, record.count("B")?);
        let (d_in, d_out) = (record.count("in")?, record.count("out")?);
        record.expect_shape("x", &[b, k, d_in])?;
        record.expect_shape("cotangent", &[b, k, d_out])?;
        let rows = |array: Array3<f64>| join_members(member_major(array.view()).view());
        let bias = if record.flag("use_bias")? {
            record.expect_shape("bias", &[k, d_out])?;
            Some(record.matrix("bias")?)
        } else {
            None
        };
        let (x, cotangent) = (rows(record.cube("x")?), rows(record.cube("cotangent")?));
        Ok(Self { k, b, d_in, d_out, x, cotangent, bias })
    }

    /// All members around one matrix.
    fn dense(&self, kernel: Array2<f64>) -> Dense {
        Dense {
            k: self.k,
            e: self.b,
            x: self.x.clone(),
            kernel,
            bias: self.bias.clone(),
            cotangent: self.cotangent.clone(),
            activation: LayerActivation::Linear,
            perturbation: Perturbation::Multiplicative,
        }
    }

    /// One member around a matrix of its own.
    fn dense_of(&self, member: usize, kernel: Array2<f64>) -> Dense {
        let rows = member * self.b..(member + 1) * self.b;
        let bias = self.bias.as_ref().map(|bias| bias.slice(s![member..=member, ..]).to_owned());
        Dense {
            k: 1,
            x: self.x.slice(s![rows.clone(), ..]).to_owned(),
            cotangent: self.cotangent.slice(s![rows, ..]).to_owned(),
            bias,
            ..self.dense(kernel)
        }
    }

    /// Member-major rows as the file has them, `[B, K, D]`.
    fn example_major(&self, rows: &[f64], width: usize) -> Values {
        let members = Array3::from_shape_vec((self.k, self.b, width), rows.to_vec());
        members.expect("as many rows as members and examples").permuted_axes([1, 0, 2]).into()
    }
}

/// Outputs and gradients, member-major; those of several members one after the other.
#[derive(Default)]
struct Found {
    output: Vec<f64>,
    objective: f64,
    x: Vec<f64>,
    kernel: Vec<f64>,
    bias: Vec<f64>,
    input_factor: Vec<f64>,
    output_factor: Vec<f64>,
}

impl Found {
    /// By `rank1-core`, with one vector for each member on both sides.
    fn add_double(&mut self, record: &Record<'_>, dense: &Dense, factors: [&Array2<f64>; 2]) -> Outcome<()> {
        let [input, output] = factors.map(|factor| per_member(factor.view()));
        let run = dense.run(record, &[(input, output)])?;
        let [(input, output)] = &run.factors[..] else {
            return record.fault("grad", "was computed for another number of factors");
        };
        self.input_factor.extend(input);
        self.output_factor.extend(output);
        self.output.extend(&run.output);
        self.objective += run.objective;
        self.x.extend(&run.x);
        self.kernel.extend(&run.kernel);
        self.bias.extend(run.bias.iter().flatten());
        Ok(())
    }

    /// The same by the Burn layer.
    fn add_burn(&mut self, record: &Record<'_>, dense: &Dense, factors: [&Array2<f64>; 2]) -> Outcome<()> {
        let [input, output] = factors.map(BurnFactor::plain);
        let run = burn_dense::run(record, dense, &[(input, output)])?;
        let flat = |tensor: &Tensor<2>| Values::from(tensor.clone()).data;
        let [(input, output)] = &run.location[..] else {
            return record.fault("grad", "was computed for another number of factors");
        };
        self.input_factor.extend(flat(input));
        self.output_factor.extend(flat(output));
        self.output.extend(flat(&run.output));
        self.objective += run.objective;
        self.x.extend(flat(&run.x));
        self.kernel.extend(flat(&run.kernel));
        self.bias.extend(run.bias.iter().flat_map(flat));
        Ok(())
    }

    /// Compares all but what only some layers have, which are the gradients in `own`.
    fn check<'a>(
        &self,
        record: &Record<'_>,
        grad: &Record<'_>,
        rows: &Rows,
        own: impl IntoIterator<Item = (&'a str, Values)>,
        precision: Precision,
    ) -> Outcome<()> {
        record.check("output", rows.example_major(&self.output, rows.d_out), precision)?;
        match precision {
            Precision::Burn => check_objective(record, self.objective)?,
            _ => record.check("objective", self.objective, precision)?,
        }
        grad.check("x", rows.example_major(&self.x, rows.d_in), precision)?;
        if rows.bias.is_some() {
            let bias = Values::from(self.bias.clone()).reshaped(&[rows.k, rows.d_out]);
            grad.check("bias", bias, precision)?;
        }
        own.into_iter().try_for_each(|(key, values)| grad.check(key, values, precision))
    }
}

/// Both implementations, compared.
fn compare(
    record: &Record<'_>,
    rows: &Rows,
    dense: &[Dense],
    factors: [&Array2<f64>; 2],
    own: impl Fn(&Found) -> Vec<(&'static str, Values)>,
) -> Outcome<Verdict> {
    let (mut double, mut burn) = (Found::default(), Found::default());
    for dense in dense {
        double.add_double(record, dense, factors)?;
        burn.add_burn(record, dense, factors)?;
    }
    let grad = record.child("grad")?;
    double.check(record, &grad, rows, own(&double), Precision::Double)?;
    burn.check(record, &grad, rows, own(&burn), Precision::Burn)?;
    record.report.unread.borrow_mut().extend(grad.unread());
    Ok(Verdict::Compared)
}

/// A shared matrix between two vectors of each member.
fn batch_ensemble(record: &Record<'_>) -> Outcome<Verdict> {
    let rows = Rows::read(record)?;
    let &Rows { k, d_in, d_out, .. } = &rows;
    record.expect_shape("r", &[k, d_in])?;
    record.expect_shape("s", &[k, d_out])?;
    let weight = Stored::new("weight", &[d_out, d_in], Order::Transposed);
    let kernel = matrix(d_in, d_out, weight.read(record)?);
    let (input, output) = (record.matrix("r")?, record.matrix("s")?);
    let own = |found: &Found| {
        let r = Values::from(found.input_factor.clone()).reshaped(&[k, d_in]);
        let s = Values::from(found.output_factor.clone()).reshaped(&[k, d_out]);
        vec![("weight", weight.values(&found.kernel)), ("r", r), ("s", s)]
    };
    let network = network(record, &rows, Body::mlp(Vec::new(), Activation::Linear))?;
    let parts =
        [kernel.iter().copied().collect(), input.iter().copied().collect(), output.iter().copied().collect()];
    check_networks(record, &rows, &network, parts)?;
    compare(record, &rows, &[rows.dense(kernel)], [&input, &output], own)
}

/// A matrix for each member.
fn ensemble(record: &Record<'_>) -> Outcome<Verdict> {
    let rows = Rows::read(record)?;
    let &Rows { k, d_in, d_out, .. } = &rows;
    let weight = Stored::new("weight", &[k, d_in, d_out], Order::Same);
    let kernels = weight.read(record)?;
    let dense: Vec<Dense> = kernels
        .chunks_exact(d_in * d_out)
        .enumerate()
        .map(|(member, kernel)| rows.dense_of(member, matrix(d_in, d_out, kernel.to_vec())))
        .collect();
    let network = network(record, &rows, tabm_parameters::heads_only(d_in))?;
    check_networks(record, &rows, &network, [kernels, Vec::new(), Vec::new()])?;
    let (input, output) = (Array2::ones((1, d_in)), Array2::ones((1, d_out)));
    compare(record, &rows, &dense, [&input, &output], |found| vec![("weight", weight.values(&found.kernel))])
}

/// A vector for each member: a factor on the inputs of a matrix that changes nothing.
fn affine(record: &Record<'_>) -> Outcome<Verdict> {
    let rows = Rows::read(record)?;
    let &Rows { k, d_in, d_out, .. } = &rows;
    if d_in != d_out {
        return record.fault("out", "is not `in`");
    }
    record.expect_shape("weight", &[k, d_in])?;
    let (input, output) = (record.matrix("weight")?, Array2::ones((k, d_out)));
    compare(record, &rows, &[rows.dense(Array2::eye(d_in))], [&input, &output], |found| {
        vec![("weight", Values::from(found.input_factor.clone()).reshaped(&[k, d_in]))]
    })
}

fn matrix(rows: usize, columns: usize, entries: Vec<f64>) -> Array2<f64> {
    Array2::from_shape_vec((rows, columns), entries).expect("its shape was compared")
}

/// A network of one layer with as many inputs, outputs and members.
fn network(record: &Record<'_>, rows: &Rows, body: Body) -> Outcome<Network> {
    let shape = NetworkShape {
        input: InputShape::Columns { width: rows.d_in },
        body,
        outputs: rows.d_out,
        likelihood: Likelihood::Categorical,
    };
    let method = Method::BatchEnsemble(BatchEnsemble { members: rows.k, sign_init: 1.0 });
    record.ok(Network::new(shape, &method))
}

/// Compares the outputs of both engines; `parts` are the weight and the factors of the only layer.
fn check_networks(record: &Record<'_>, rows: &Rows, network: &Network, parts: [Vec<f64>; 3]) -> Outcome<()> {
    let [layer] = &network.layers[..] else { return record.fault("layer", "is no network of one layer") };
    let location = |factor: &rank1_models::network::FactorPlan| factor.trained().map(|f| f.location);
    let ids = [Some(layer.weight), location(&layer.input_factor), location(&layer.output_factor)];
    let mut flat = vec![0.0; network.layout.len()];
    for (id, part) in ids.into_iter().zip(parts) {
        if let Some(id) = id {
            network.layout.slice_mut(&mut flat, id).copy_from_slice(&part);
        }
    }
    if let (Some(id), Some(bias)) = (layer.bias, &rows.bias) {
        network.layout.slice_mut(&mut flat, id).iter_mut().zip(bias).for_each(|(slot, &b)| *slot = b);
    }
    let own = |outputs: ndarray::Array4<f64>| {
        let of = |member: usize| {
            let own = outputs.slice(s![0, member, member * rows.b..(member + 1) * rows.b, ..]);
            own.iter().copied().collect::<Vec<f64>>()
        };
        rows.example_major(&(0..rows.k).flat_map(of).collect::<Vec<_>>(), rows.d_out)
    };
    let mut double = AnalyticEngine::<f64>::new(network.clone());
    let outputs = record.ok(double.sample_outputs(&flat, rows.x.view(), KEY, 1))?;
    record.check("output", own(outputs), Precision::Double)?;
    let mut burn = AutodiffEngine::new(network.clone(), Device::flex());
    let (flat, x) = (flat.iter().map(|&v| v as f32).collect(), rows.x.mapv(|v| v as f32));
    let outputs = record.ok(burn.outputs(&flat, x.view(), KEY, 1))?;
    record.check("output", own(outputs.mapv(f64::from)), Precision::Burn)
}
