//! Embeddings of numbers in double precision: output, objective, and the gradient of everything that is read.
//!
//! Codes of bins and their edges are in [`crate::bins`]. The embeddings of Burn are compared as parts of whole networks, see
//! [`crate::tabm_model`].

use rank1_core::Error;
use rank1_core::embedding::{Linear, Periodic, PiecewiseLinear, relu, relu_backward};

use crate::bins::{self, Bins};
use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};
use crate::stored::{Order, Stored};

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    Ok(())
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    record.note(&["tag"]);
    match record.text("layer")? {
        "PiecewiseLinearEncoding" => bins::encoding(record),
        "compute_bins" => bins::quantiles(record),
        layer => {
            let params = record.child("params")?;
            let names = Names { activation: "activation", prefix: "" };
            let Some(embedding) = Embedding::read(record, &params, layer, names)? else {
                return Ok(Verdict::NotImplemented(format!("layer {layer}")));
            };
            record.report.unread.borrow_mut().extend(params.unread());
            compare(record, &embedding)
        }
    }
}

fn compare(record: &Record<'_>, embedding: &Embedding) -> Outcome<Verdict> {
    let (b, n, d) = (record.count("B")?, embedding.n, embedding.d);
    record.expect_shape("x", &[b, n])?;
    if let Kind::Bins { bins, .. } = &embedding.kind {
        bins.check_padding(record)?;
    }
    let x = record.values("x")?.data;
    let output = record.ok(embedding.forward(&x))?;
    record.check("output", Values::from(output.clone()).reshaped(&[b, n, d]), Precision::Double)?;
    if !record.has("grad") {
        return Ok(Verdict::Compared);
    }
    record.expect_shape("cotangent", &[b, n, d])?;
    let cotangent = record.values("cotangent")?.data;
    let objective: f64 = output.iter().zip(&cotangent).map(|(o, c)| o * c).sum();
    record.check("objective", objective, Precision::Double)?;
    let (d_x, gradients) = record.ok(embedding.backward(&x, &cotangent))?;
    let grad = record.child("grad")?;
    grad.check("x", Values::from(d_x).reshaped(&[b, n]), Precision::Double)?;
    for (parameter, gradient) in embedding.parameters.iter().zip(&gradients) {
        grad.check(&parameter.stored.key, parameter.stored.values(gradient), Precision::Double)?;
    }
    record.report.unread.borrow_mut().extend(grad.unread());
    Ok(Verdict::Compared)
}

/// What a file calls the settings of an embedding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    /// The flag that asks for max(0, .).
    pub(crate) activation: &'static str,
    /// Before the names of parameters.
    pub(crate) prefix: &'static str,
}

/// Which embedding, with what only it has.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Linear,
    Periodic {
        n_frequencies: usize,
        /// Whether all features share one layer.
        lite: bool,
    },
    Bins {
        bins: Bins,
        /// Whether a linear embedding is added after the nonlinearity (version B), else a bias before it (version A).
        plus_linear: bool,
    },
}

/// A parameter: its name in our networks, after that of the embedding, and how the file holds it.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) ours: &'static str,
    pub(crate) stored: Stored,
}

/// An embedding with the values of its parameters in our order.
#[derive(Debug, Clone)]
pub(crate) struct Embedding {
    pub(crate) kind: Kind,
    pub(crate) n: usize,
    pub(crate) d: usize,
    pub(crate) activation: bool,
    pub(crate) parameters: Vec<Parameter>,
    values: Vec<Vec<f64>>,
}

impl Embedding {
    /// The embedding of this name; nothing for a name that is unknown.
    pub(crate) fn read(
        record: &Record<'_>,
        params: &Record<'_>,
        layer: &str,
        names: Names,
    ) -> Outcome<Option<Self>> {
        let n = record.count(if record.has("n_features") { "n_features" } else { "n_num_features" })?;
        let d = record.count("d_embedding")?;
        let parameter = |ours, key: &str, shape: &[usize], order| Parameter {
            ours,
            stored: Stored::new(format!("{}{key}", names.prefix), shape, order),
        };
        let same = |ours, key: &str, shape: &[usize]| parameter(ours, key, shape, Order::Same);
        let activation = || record.flag(names.activation);
        let (kind, activation, parameters) = match layer {
            "LinearEmbeddings" => {
                let parameters = vec![same("weight", "weight", &[n, d]), same("bias", "bias", &[n, d])];
                (Kind::Linear, false, parameters)
            }
            "LinearReLUEmbeddings" => {
                let parameters =
                    vec![same("weight", "linear.weight", &[n, d]), same("bias", "linear.bias", &[n, d])];
                (Kind::Linear, true, parameters)
            }
            "PeriodicEmbeddings" => {
                let (m, lite) = (record.count("n_frequencies")?, record.flag("lite")?);
                let frequencies = same("frequencies", "periodic.weight", &[n, m]);
                let layer = if lite {
                    let weight = parameter("weight", "linear.weight", &[d, 2 * m], Order::Transposed);
                    [weight, same("bias", "linear.bias", &[d])]
                } else {
                    [same("weight", "linear.weight", &[n, 2 * m, d]), same("bias", "linear.bias", &[n, d])]
                };
                let parameters = [frequencies].into_iter().chain(layer).collect();
                (Kind::Periodic { n_frequencies: m, lite }, activation()?, parameters)
            }
            "PiecewiseLinearEmbeddings" => {
                let bins = Bins::read(record)?;
                if bins.edges.n_features() != n {
                    return record.fault("n_edges", "has another length than there are features");
                }
                let order = Order::Padded(bins.clone());
                let weight = parameter("weight", "linear.weight", &[n, bins.most, d], order);
                let (plus_linear, parameters) = match record.text("version")? {
                    "A" => (false, vec![weight, same("bias", "linear.bias", &[n, d])]),
                    "B" => {
                        let own = same("linear_weight", "linear0.weight", &[n, d]);
                        (true, vec![weight, own, same("linear_bias", "linear0.bias", &[n, d])])
                    }
                    other => return record.fault("version", format!("is {other}, neither A nor B")),
                };
                (Kind::Bins { bins, plus_linear }, activation()?, parameters)
            }
            _ => return Ok(None),
        };
        let values = parameters.iter().map(|p| p.stored.read(params)).collect::<Outcome<_>>()?;
        Ok(Some(Self { kind, n, d, activation, parameters, values }))
    }

    fn linear(&self, weight: usize, bias: usize) -> Linear<'_, f64> {
        Linear { weight: &self.values[weight], bias: &self.values[bias], width: self.d }
    }

    fn periodic(&self, n_frequencies: usize) -> Periodic<'_, f64> {
        let [frequencies, weight, bias] = &self.values[..] else {
            unreachable!("read with three parameters")
        };
        Periodic { frequencies, weight, bias, n_frequencies, width: self.d }
    }

    fn piecewise<'a>(&'a self, bins: &'a Bins) -> PiecewiseLinear<'a, f64> {
        PiecewiseLinear { edges: &bins.edges, weight: &self.values[0], width: self.d }
    }

    /// What the nonlinearity acts on, after it where there is one; `[B, n, d]`.
    fn activated(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        let mut out = vec![0.0; x.len() * self.d];
        match &self.kind {
            Kind::Linear => self.linear(0, 1).add(x, &mut out)?,
            Kind::Periodic { n_frequencies, .. } => self.periodic(*n_frequencies).add(x, &mut out)?,
            Kind::Bins { bins, plus_linear } => {
                self.piecewise(bins).add(x, &mut out)?;
                if !plus_linear {
                    let weight = vec![0.0; self.n * self.d];
                    Linear { weight: &weight, bias: &self.values[1], width: self.d }.add(x, &mut out)?;
                }
            }
        }
        if self.activation {
            relu(&mut out);
        }
        Ok(out)
    }

    /// The embedded numbers: `[B, n]` give `[B, n, d]`.
    pub(crate) fn forward(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        let mut out = self.activated(x)?;
        if let Kind::Bins { plus_linear: true, .. } = self.kind {
            self.linear(1, 2).add(x, &mut out)?;
        }
        Ok(out)
    }

    /// Gradients of the numbers and of every parameter.
    fn backward(&self, x: &[f64], cotangent: &[f64]) -> Result<(Vec<f64>, Vec<Vec<f64>>), Error> {
        let mut inner = cotangent.to_vec();
        if self.activation {
            relu_backward(&self.activated(x)?, &mut inner);
        }
        let mut d_x = vec![0.0; x.len()];
        let mut gradients: Vec<Vec<f64>> = self.values.iter().map(|v| vec![0.0; v.len()]).collect();
        match (&self.kind, &mut gradients[..]) {
            (Kind::Linear, [weight, bias]) => {
                self.linear(0, 1).backward(x, &inner, (weight, bias), Some(&mut d_x))?;
            }
            (Kind::Periodic { n_frequencies, .. }, [frequencies, weight, bias]) => {
                let sinks = (&mut frequencies[..], &mut weight[..], &mut bias[..]);
                self.periodic(*n_frequencies).backward(x, &inner, sinks, Some(&mut d_x))?;
            }
            (Kind::Bins { bins, .. }, [weight, rest @ ..]) => {
                self.piecewise(bins).backward(x, &inner, weight, Some(&mut d_x))?;
                match rest {
                    [bias] => {
                        let zeros = vec![0.0; bias.len()];
                        let constant = Linear { weight: &zeros, bias: &self.values[1], width: self.d };
                        constant.backward(x, &inner, (&mut zeros.clone(), bias), None)?;
                    }
                    [weight, bias] => {
                        self.linear(1, 2).backward(x, cotangent, (weight, bias), Some(&mut d_x))?;
                    }
                    _ => unreachable!("read with two or three parameters"),
                }
            }
            _ => unreachable!("read with as many parameters as the kind has"),
        }
        Ok((d_x, gradients))
    }
}
