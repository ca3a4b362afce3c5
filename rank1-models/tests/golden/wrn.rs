//! `wrn{D}_{W}_rank1_K{N}.json`: a whole Wide ResNet, read from the graph and the parameters of the file.

mod burn;
mod double;

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, Array4, Ix2, Ix4};
use rank1_core::factor::{ClipBounds, per_member};
use rank1_core::layout::{member_major, tile};
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::{NllForm, nll_from_outputs};
use rank1_core::targets::Targets;
use rank1_priors::{PosteriorFamily, PriorSpec, kl_and_grad, raw_to_scale};

use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

const CLIP: ClipBounds = ClipBounds::REFERENCE;

/// What a node of the graph does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Input,
    /// With its stride.
    Conv(usize),
    BatchNorm,
    Relu,
    Add,
    AveragePool,
    Flatten,
    Dense,
}

#[derive(Debug, Clone)]
struct Node {
    name: String,
    op: Op,
    inputs: Vec<usize>,
    /// Height, width and channels; 1 where the file has no such axis.
    output: [usize; 3],
}

/// The network with its batch.
#[derive(Debug)]
struct Network {
    nodes: Vec<Node>,
    params: BTreeMap<String, Values>,
    k: usize,
    e: usize,
    /// Tiled over members, `[K*E, H, W, C]`.
    x: Array4<f64>,
    targets: Targets,
    epsilon: f64,
    momentum: f64,
}

/// Values of input and output factor of every layer, `[K, E or 1, C]`.
type Factors = BTreeMap<String, (Array3<f64>, Array3<f64>)>;

impl Network {
    fn read(root: &Record<'_>) -> Outcome<Self> {
        let (k, e) = (root.count("K")?, root.count("E")?);
        let mut nodes: Vec<Node> = Vec::new();
        for record in root.children("graph")? {
            let node = Self::node(&record, &nodes)?;
            root.report.unread.borrow_mut().extend(record.unread());
            nodes.push(node);
        }
        let stored = root.child("params")?;
        let mut params = BTreeMap::new();
        for name in root.texts("variable_order_all")? {
            params.insert(name.to_string(), stored.values(name)?);
        }
        root.report.unread.borrow_mut().extend(stored.unread());
        for name in root.texts("variable_order_trainable")? {
            if !params.contains_key(name) || name.contains("moving_") {
                return root.fault("variable_order_trainable", format!("has {name:?}, which is not trained"));
            }
        }
        let examples = root.block("x_examples")?;
        root.expect_shape("labels_examples", &[e])?;
        if examples.dim().0 != e {
            return root.fault("x_examples", "is not E examples");
        }
        let labels = root.labels("labels_examples")?;
        let n_classes = nodes.last().map_or(0, |node| node.output[2]);
        let x = tile(examples.view(), k);
        let targets = Targets::Classes { labels, n_classes };
        Ok(Self { nodes, params, k, e, x, targets, epsilon: 1e-5, momentum: 0.9 })
    }

    fn node(record: &Record<'_>, before: &[Node]) -> Outcome<Node> {
        let class = record.text("class")?;
        let op = match class {
            "InputLayer" => Op::Input,
            "Conv2DRank1" => {
                let strides = record.labels("strides")?;
                if strides.len() != 2 || strides[0] != strides[1] || record.text("padding")? != "same" {
                    return record.fault("strides", "or the padding is not as in a residual network");
                }
                // Both follow from the kernel.
                record.note(&["filters", "kernel_size"]);
                Op::Conv(strides[0])
            }
            "BatchNormalization" => Op::BatchNorm,
            "Activation" => Op::Relu,
            "Add" => Op::Add,
            "AveragePooling2D" => Op::AveragePool,
            "Flatten" => Op::Flatten,
            "DenseRank1" => Op::Dense,
            other => return record.fault("class", format!("is {other:?}, which is not known")),
        };
        let named = |name: &str| before.iter().position(|node| node.name == name);
        let inputs: Option<Vec<usize>> = record.texts("inputs")?.into_iter().map(named).collect();
        let Some(inputs) = inputs else { return record.fault("inputs", "names a later layer or none") };
        let needed = match op {
            Op::Input => 0,
            Op::Add => 2,
            _ => 1,
        };
        if inputs.len() != needed {
            return record.fault("inputs", format!("does not have {needed} entries"));
        }
        let sizes = record.get("output_shape")?.as_array().map(|list| {
            list.iter().skip(1).filter_map(|n| n.as_u64().map(|n| n as usize)).collect::<Vec<_>>()
        });
        let output = match sizes.as_deref() {
            Some([h, w, c]) => [*h, *w, *c],
            Some([c]) => [1, 1, *c],
            _ => return record.fault("output_shape", "is neither an image nor a vector"),
        };
        Ok(Node { name: record.text("name")?.to_string(), op, inputs, output })
    }

    fn param(&self, layer: &str, name: &str) -> Outcome<&Values> {
        let key = format!("{layer}/{name}:0");
        let missing = || crate::json::Fault { path: format!("/params/{key}"), what: "is missing".into() };
        self.params.get(&key).ok_or_else(missing)
    }

    fn flat(&self, layer: &str, name: &str) -> Outcome<&[f64]> {
        Ok(&self.param(layer, name)?.data)
    }

    fn matrix(&self, layer: &str, name: &str) -> Outcome<Array2<f64>> {
        shaped::<Ix2>(layer, name, self.param(layer, name)?)
    }

    fn kernel(&self, layer: &str) -> Outcome<Array4<f64>> {
        shaped::<Ix4>(layer, "kernel", self.param(layer, "kernel")?)
    }

    /// Names of layers with factors, in the order of the graph.
    fn layers(&self) -> impl Iterator<Item = &str> {
        let perturbed = |node: &&Node| matches!(node.op, Op::Conv(_) | Op::Dense);
        self.nodes.iter().filter(perturbed).map(|node| node.name.as_str())
    }

    /// Locations as factors.
    fn plain_factors(&self) -> Outcome<Factors> {
        let clip = |a: Array2<f64>| per_member(CLIP.forward(a.view()).view());
        self.layers()
            .map(|layer| {
                let pair = (self.matrix(layer, "alpha/loc")?, self.matrix(layer, "gamma/loc")?);
                Ok((layer.to_string(), (clip(pair.0), clip(pair.1))))
            })
            .collect()
    }

    /// NLL of logits `[K*E, C]` with its gradient for them.
    fn nll(&self, record: &Record<'_>, logits: &Array2<f64>, form: NllForm) -> Outcome<(f64, Array2<f64>)> {
        let (rows, classes) = logits.dim();
        let shape = (1, self.k, self.e, classes);
        let outputs = record.ok(logits.to_shape(shape).map(|l| l.into_owned()))?;
        let nll = nll_from_outputs(Likelihood::Categorical, outputs.view(), &self.targets, None, form);
        let nll = record.ok(nll)?;
        let gradient = record.ok(nll.outputs.to_shape((rows, classes)).map(|g| g.into_owned()))?;
        Ok((nll.value, gradient))
    }
}

fn shaped<D: ndarray::Dimension>(
    layer: &str,
    name: &str,
    values: &Values,
) -> Outcome<ndarray::Array<f64, D>> {
    let array = ndarray::ArrayD::from_shape_vec(values.shape.clone(), values.data.clone());
    let array = array.and_then(|array| array.into_dimensionality::<D>());
    array.map_err(|e| crate::json::Fault { path: format!("/params/{layer}/{name}"), what: e.to_string() })
}

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    root.note(&["model"]);
    root.report.case(root, |root| {
        let network = Network::read(root)?;
        deterministic(root, &network)?;
        let normal = root.child("normal")?;
        gaussian(root, &normal, &network)?;
        root.report.unread.borrow_mut().extend(normal.unread());
        Ok(Verdict::Compared)
    });
    Ok(())
}

/// Point-mass factors: logits of both modes, the loss, moving statistics and gradients.
fn deterministic(root: &Record<'_>, network: &Network) -> Outcome<()> {
    let counts = root.child("count_params")?;
    let count = |what: &str| -> f64 {
        network.params.iter().filter(|(name, _)| name.contains(what)).map(|(_, v)| v.data.len() as f64).sum()
    };
    counts.check("deterministic_factors", count(""), Precision::Exact)?;
    counts.check("normal_factors", count("") + count("/loc"), Precision::Exact)?;
    root.report.unread.borrow_mut().extend(counts.unread());

    let factors = network.plain_factors()?;
    let evaluation = double::forward(root, network, &factors, false)?;
    root.check("logits_inference_deterministic", evaluation.logits.clone(), Precision::Double)?;
    let training = double::forward(root, network, &factors, true)?;
    root.check("logits_training_bn_deterministic", training.logits.clone(), Precision::Double)?;
    let (loss, d_logits) = network.nll(root, &training.logits, NllForm::AverageNll)?;
    root.check("train_loss_deterministic", loss, Precision::Double)?;
    let moving = root.child("moving_stats_after_one_training_forward")?;
    for (name, value) in training.moved(network)? {
        moving.check(&name, value, Precision::Double)?;
    }
    let gradients = double::backward(root, network, &factors, &training, &d_logits)?;
    let stored = root.child("grad_train_loss")?;
    for name in root.texts("variable_order_trainable")? {
        let Some(gradient) = gradients.get(name) else { return stored.fault(name, "was not computed") };
        summary(&stored.child(name)?, gradient, None)?;
    }

    let burn = burn::Model::new(root, network)?;
    root.check("logits_inference_deterministic", burn.logits(root, network, false)?, Precision::Burn)?;
    let step = burn.train(root, network)?;
    root.check("logits_training_bn_deterministic", step.logits, Precision::Burn)?;
    root.check("train_loss_deterministic", step.loss, Precision::Burn)?;
    for (name, value) in step.moving {
        moving.check(&name, value, Precision::Burn)?;
    }
    for name in root.texts("variable_order_trainable")? {
        let (Some(got), Some(exact)) = (step.gradients.get(name), gradients.get(name)) else {
            return stored.fault(name, "was not computed by the Burn layers");
        };
        summary(&stored.child(name)?, got, Some(exact))?;
    }
    root.report.unread.borrow_mut().extend(moving.unread());
    root.report.unread.borrow_mut().extend(stored.unread());
    Ok(())
}

/// A stored gradient's norm, sum and entries; those of the Burn layers are measured against the exact ones' magnitudes.
fn summary(stored: &Record<'_>, got: &Values, exact: Option<&Values>) -> Outcome<()> {
    let norm = |v: &Values| v.data.iter().map(|g| g * g).sum::<f64>().sqrt();
    // A sum may cancel to nothing: its error is measured against the magnitudes of its terms.
    let magnitude: f64 = exact.unwrap_or(got).data.iter().map(|g| g.abs()).sum();
    let (precision, sum) = match exact {
        None => (Precision::Double, Precision::Within(1e-11 * magnitude)),
        Some(_) => (Precision::Burn, Precision::Within(1e-5 * magnitude)),
    };
    stored.check("l2_norm", norm(got), precision)?;
    stored.check("sum", got.data.iter().sum::<f64>(), sum)?;
    if stored.has("full") {
        stored.check("full", got.clone(), precision)?;
    }
    if stored.has("first8") {
        let first = Values::from(got.data.iter().take(8).copied().collect::<Vec<_>>());
        match exact {
            None => stored.check("first8", first, precision)?,
            // Eight entries of a kernel may all be small beside the rest of it.
            Some(exact) => {
                let largest = exact.data.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
                stored.check("first8", first, Precision::Within(1e-5 * largest))?;
            }
        }
    }
    stored.report.unread.borrow_mut().extend(stored.unread());
    Ok(())
}

/// Gaussian factors around the same locations, with the noise and the scales that the notes define.
fn gaussian(root: &Record<'_>, normal: &Record<'_>, network: &Network) -> Outcome<()> {
    let order = network.layers().flat_map(|layer| [(layer, "alpha"), (layer, "gamma")]);
    let order: Vec<(&str, &str)> = order.collect();
    let named = order.iter().map(|(layer, side)| serde_json::json!([layer, side])).collect::<Vec<_>>();
    if *normal.get("draw_order")? != serde_json::Value::from(named) {
        return normal.fault("draw_order", "is not the order of the graph");
    }
    let raw = |n: usize| (0..n).map(|j| ((-2.0 + 0.5 * (0.7 * j as f64).cos()) * 1e3).round() / 1e3);
    let first = normal.child("raw_stddev_first4")?;
    let prior = PriorSpec::Normal { mean: 1.0, std: 0.1 };
    let (mut draws, mut zero_noise, mut divergences, mut shapes) =
        (BTreeMap::new(), BTreeMap::new(), Vec::new(), Vec::new());
    for (c, (layer, side)) in order.iter().enumerate() {
        let location = network.matrix(layer, &format!("{side}/loc"))?;
        let raw: Vec<f64> = raw(location.len()).collect();
        first.check(
            &format!("{layer}/{side}/stddev:0"),
            raw[..4.min(raw.len())].to_vec(),
            Precision::Double,
        )?;
        let scales: Vec<f64> = raw.iter().map(|&raw| raw_to_scale(raw)).collect();
        let locations: Vec<f64> = location.iter().copied().collect();
        let kl = kl_and_grad(PosteriorFamily::Normal, prior, &locations, &scales, None);
        divergences.push(normal.ok(kl)?.value);
        let (k, width) = location.dim();
        shapes.push(serde_json::json!([network.e, k, width]));
        let draw = |spread: f64| {
            let sample = Array3::from_shape_fn((network.e, k, width), |(e, k, i)| {
                let at = k * width + i;
                let phase = 1.3 * (c + 1) as f64 + 0.37 * (e * location.len() + at) as f64;
                locations[at] + spread * scales[at] * 1.2 * phase.sin()
            });
            member_major(CLIP.forward(sample.view()).view())
        };
        draws.insert(format!("{layer}/{side}"), draw(1.0));
        zero_noise.insert(format!("{layer}/{side}"), draw(0.0));
    }
    if *normal.get("draw_shapes_EKd")? != serde_json::Value::from(shapes) {
        return normal.fault("draw_shapes_EKd", "are not [E, K, width]");
    }
    normal.check("kl_sum", divergences.iter().sum::<f64>(), Precision::Double)?;
    normal.check("kl_losses_order_is_model.losses", divergences, Precision::Double)?;

    let factors = |mut values: BTreeMap<String, Array3<f64>>| -> Factors {
        let mut side =
            |layer: &str, side: &str| values.remove(&format!("{layer}/{side}")).unwrap_or_default();
        network.layers().map(|l| (l.to_string(), (side(l, "alpha"), side(l, "gamma")))).collect()
    };
    let (draws, zero_noise) = (factors(draws), factors(zero_noise));
    let logits = double::forward(normal, network, &draws, false)?.logits;
    normal.check("logits_inference", logits.clone(), Precision::Double)?;
    let mixture = network.nll(normal, &logits, NllForm::MixtureNll)?.0;
    normal.check("log_mixture_nll", mixture, Precision::DoubleWithSingleConstant)?;
    let still = double::forward(normal, network, &zero_noise, false)?.logits;
    let expected = root.matrix("logits_inference_deterministic")?;
    let equal = still.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs().max(1e-6));
    normal.check_flag("logits_zero_noise_equal_deterministic", equal)?;

    let model = burn::Model::new(normal, network)?;
    let got = model.drawn(normal, network, &draws)?;
    normal.check("logits_inference", got, Precision::Burn)?;
    root.report.unread.borrow_mut().extend(first.unread());
    Ok(())
}
