//! Whole TabM networks, with and without embeddings of numbers, by both engines: outputs, losses and all gradients.
//!
//! Engines give all members the same rows. Where the members of a case read rows of their own, each is a network of one member
//! here, and gradients of what members share are means over them. The squared error of the files is a Gaussian likelihood whose
//! noise makes its negative logarithm that error plus a known number. The engines compute no gradients of inputs: those of the
//! files are held against central differences of the loss in double precision, to 1e-6 of the largest of them.

use burn::tensor::Device;
use ndarray::{Array2, Array4, ArrayView2, Axis, concatenate};
use rank1_core::likelihood::{Likelihood, NOISE_FLOOR};
use rank1_core::numeric::inverse_softplus;
use rank1_core::objective::{NllForm, log_likelihoods};
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive};
use rank1_core::targets::Targets;
use rank1_models::engine::analytic::AnalyticEngine;
use rank1_models::engine::autodiff::AutodiffEngine;
use rank1_models::engine::{Batch, DrawKey, Engine, NllRequest};
use rank1_models::network::Network;

use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};
use crate::stored::Stored;
use crate::table::Table;
use crate::tabm_parameters::{self, Architecture};

/// No draw is random in these networks, so that no key matters.
const KEY: DrawKey = DrawKey { seed: 1, step: 0, first_sample: 0, first_example: 0 };
const REQUEST: NllRequest = NllRequest { n_samples: 1, form: NllForm::AverageNll };
/// Distance of the two points of a difference, on each side: the loss is computed to 1e-15 of itself.
const STEP: f64 = 1e-6;

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    Ok(())
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    record.note(&["tag", "dropout"]);
    let params = record.child("params")?;
    let table = Table::read(record, &params)?;
    let Some(architecture) = Architecture::read(record, &table)? else {
        return Ok(Verdict::NotImplemented("this embedding or activation in a network".into()));
    };
    let whole = architecture.network(record, &table, table.k)?;
    let parameters = architecture.parameters(&table, &whole);
    let case = Case {
        one: if table.per_member { architecture.network(record, &table, 1)? } else { whole.clone() },
        flat: tabm_parameters::flat(record, &params, &whole, &parameters, raw_noise())?,
        table: &table,
        whole: &whole,
    };
    record.report.unread.borrow_mut().extend(params.unread());
    record.check("d_features", architecture.chunks(record, &table)?, Precision::Exact)?;
    record.check("features", record.ok(table.features())?, Precision::Double)?;
    let grad = record.child("grad")?;
    let mut double = AnalyticEngine::<f64>::new(case.one.clone());
    case.run(record, |flat, inputs, targets| by_hand(&mut double, flat, inputs, targets))?.check(
        record,
        &grad,
        &case,
        &parameters,
        Precision::Double,
    )?;
    let mut burn = AutodiffEngine::new(case.one.clone(), Device::flex());
    case.run(record, |flat, inputs, targets| by_tensors(&mut burn, flat, inputs, targets))?.check(
        record,
        &grad,
        &case,
        &parameters,
        Precision::Burn,
    )?;
    if table.n_numbers > 0 {
        let (gradient, loss) = case.number_gradient(record, &mut double)?;
        let stored = grad.values("x_num")?.data.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let precision = Precision::Within(1e-6 * stored.max(1e-2 * loss));
        grad.check("x_num", gradient, precision)?;
    }
    record.report.unread.borrow_mut().extend(grad.unread());
    Ok(Verdict::Compared)
}

/// The unconstrained noise whose density is `-(y - f)^2 - ln(pi) / 2`: a standard deviation of 1/2^(1/2).
fn raw_noise() -> f64 {
    inverse_softplus(std::f64::consts::FRAC_1_SQRT_2 - NOISE_FLOOR)
}

/// What the negative log-likelihood has beside the loss of the files.
fn offset(likelihood: Likelihood) -> f64 {
    if likelihood.is_classification() { 0.0 } else { 0.5 * std::f64::consts::PI.ln() }
}

/// Outputs `[1, K, B, C]`, negative log-likelihood and its gradient.
type Pass = (Array4<f64>, f64, Vec<f64>);

fn by_hand(
    engine: &mut AnalyticEngine<f64>,
    flat: &[f64],
    inputs: ArrayView2<'_, f64>,
    targets: &Targets,
) -> Result<Pass, rank1_models::Error> {
    let mut gradient = vec![0.0; flat.len()];
    let nll = engine.nll_and_gradient(flat, &mut gradient, Batch { inputs, targets }, KEY, REQUEST)?;
    Ok((engine.sample_outputs(flat, inputs, KEY, 1)?, nll, gradient))
}

fn by_tensors(
    engine: &mut AutodiffEngine,
    flat: &[f64],
    inputs: ArrayView2<'_, f64>,
    targets: &Targets,
) -> Result<Pass, rank1_models::Error> {
    let flat: Vec<f32> = flat.iter().map(|&v| v as f32).collect();
    let inputs = inputs.mapv(|v| v as f32);
    let mut gradient = vec![0.0; flat.len()];
    let batch = Batch { inputs: inputs.view(), targets };
    let nll = engine.nll(&flat, &mut gradient, batch, KEY, REQUEST)?;
    let outputs = engine.outputs(&flat.into(), inputs.view(), KEY, 1)?.mapv(f64::from);
    Ok((outputs, nll, gradient.into_iter().map(f64::from).collect()))
}

/// A network with the parameters of the file.
struct Case<'a> {
    table: &'a Table,
    /// Of all members.
    whole: &'a Network,
    /// What reads one group of examples: all members, or one.
    one: Network,
    /// Parameters of all members.
    flat: Vec<f64>,
}

impl Case<'_> {
    /// The parameters that the network of a group reads, as places among those of all members.
    fn places(&self, group: usize) -> Vec<usize> {
        tabm_parameters::member_places(self.whole, &self.one, group)
    }

    /// One pass for each group of examples, put together.
    fn run(
        &self,
        record: &Record<'_>,
        mut pass: impl FnMut(&[f64], ArrayView2<'_, f64>, &Targets) -> Result<Pass, rank1_models::Error>,
    ) -> Outcome<Found> {
        let groups = self.table.groups.len() as f64;
        let mut outputs = Vec::new();
        let (mut loss, mut member_losses) = (0.0, Vec::new());
        let mut gradient = vec![0.0; self.flat.len()];
        for (index, group) in self.table.groups.iter().enumerate() {
            let places = self.places(index);
            let flat: Vec<f64> = places.iter().map(|&place| self.flat[place]).collect();
            let (own, nll, d_flat) = record.ok(pass(&flat, group.inputs.view(), &group.targets))?;
            loss += (nll - offset(self.table.likelihood)) / groups;
            places.into_iter().zip(d_flat).for_each(|(place, g)| gradient[place] += g / groups);
            member_losses.extend(self.member_losses(record, &own, &group.targets)?);
            outputs.push(own);
        }
        let views: Vec<_> = outputs.iter().map(|outputs| outputs.view()).collect();
        let outputs = concatenate(Axis(1), &views).expect("all groups have as many examples");
        Ok(Found { outputs, loss, member_losses, gradient })
    }

    fn member_losses(
        &self,
        record: &Record<'_>,
        outputs: &Array4<f64>,
        targets: &Targets,
    ) -> Outcome<Vec<f64>> {
        let likelihood = self.table.likelihood;
        let noise = self.one.noise.map(|_| ndarray::Array1::from_elem(outputs.dim().1, raw_noise()));
        let noise = noise.as_ref().map(|noise| noise.view());
        let values = record.ok(log_likelihoods(likelihood, outputs.view(), targets, noise))?;
        let of =
            |member: ndarray::ArrayView2<'_, f64>| -member.sum() / member.len() as f64 - offset(likelihood);
        Ok(values.axis_iter(Axis(1)).map(of).collect())
    }

    /// Central differences of the loss in every number, as the file has them, and the loss.
    fn number_gradient(
        &self,
        record: &Record<'_>,
        engine: &mut AnalyticEngine<f64>,
    ) -> Outcome<(Values, f64)> {
        let table = self.table;
        let n_groups = table.groups.len();
        let mut gradient = vec![0.0; table.b * n_groups * table.n_numbers];
        let mut loss = 0.0;
        for (index, group) in table.groups.iter().enumerate() {
            let flat: Vec<f64> = self.places(index).into_iter().map(|place| self.flat[place]).collect();
            let mut sink = vec![0.0; flat.len()];
            let mut value = |inputs: &Array2<f64>| {
                let batch = Batch { inputs: inputs.view(), targets: &group.targets };
                record.ok(engine.nll_and_gradient(&flat, &mut sink, batch, KEY, REQUEST))
            };
            loss += value(&group.inputs)?.abs() / n_groups as f64;
            let mut inputs = group.inputs.clone();
            for example in 0..table.b {
                for feature in 0..table.n_numbers {
                    let before = inputs[[example, feature]];
                    inputs[[example, feature]] = before + STEP;
                    let above = value(&inputs)?;
                    inputs[[example, feature]] = before - STEP;
                    let below = value(&inputs)?;
                    inputs[[example, feature]] = before;
                    let place = (example * n_groups + index) * table.n_numbers + feature;
                    gradient[place] = (above - below) / (2.0 * STEP) / n_groups as f64;
                }
            }
        }
        Ok((Values::from(gradient).reshaped(&table.example_major(table.n_numbers)), loss))
    }
}

/// What all members gave.
struct Found {
    /// `[1, K, B, C]`.
    outputs: Array4<f64>,
    loss: f64,
    member_losses: Vec<f64>,
    /// Of the parameters of all members.
    gradient: Vec<f64>,
}

impl Found {
    fn check(
        self,
        record: &Record<'_>,
        grad: &Record<'_>,
        case: &Case<'_>,
        parameters: &[(String, Stored)],
        precision: Precision,
    ) -> Outcome<()> {
        let members = self.outputs.index_axis(Axis(0), 0);
        record.check("output", members.permuted_axes([1, 0, 2]).to_owned(), precision)?;
        record.check("loss", self.loss, precision)?;
        record.check("member_losses", self.member_losses, precision)?;
        if case.table.likelihood.is_classification() {
            let predictive = record.ok(ClassPredictive::from_logits(self.outputs.view()))?;
            record.check("ensemble_probabilities", predictive.probs(), precision)?;
        } else {
            let means = members.index_axis(Axis(2), 0).to_owned();
            let deviations = Array2::from_elem(means.dim(), std::f64::consts::FRAC_1_SQRT_2);
            let mixture = record.ok(GaussianMixturePredictive::new(means, deviations))?;
            record.check("ensemble_prediction", mixture.mean().insert_axis(Axis(1)), precision)?;
        }
        for (name, stored) in parameters {
            let spec = case.whole.layout.specs().iter().find(|spec| &spec.name == name);
            let Some(spec) = spec else { return grad.fault(&stored.key, "is no parameter of ours") };
            grad.check(&stored.key, stored.values(&self.gradient[spec.range.clone()]), precision)?;
        }
        Ok(())
    }
}
