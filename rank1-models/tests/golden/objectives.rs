//! `objectives.json`: NLL forms with gradients, predictive probabilities, schedules and the L2 penalty.

use ndarray::{Array1, Array2, Array4, Axis};
use rank1_core::likelihood::Likelihood;
use rank1_core::metrics;
use rank1_core::objective::{
    KlAnnealing, NllForm, l2_penalty, log_likelihoods, nll_from_log_likelihoods, nll_from_outputs,
};
use rank1_core::predictive::ClassPredictive;
use rank1_core::targets::Targets;
use rank1_models::schedule::Schedule;

use crate::json::{Outcome, Record};
use crate::report::{Precision, Verdict};

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for case in root.children("cases")? {
        root.report.case(&case, run);
    }
    if root.has("schedule") {
        root.report.case(&root.child("schedule")?, schedule);
    }
    if root.has("l2") {
        root.report.case(&root.child("l2")?, l2);
    }
    Ok(())
}

fn run(record: &Record<'_>) -> Outcome<Verdict> {
    record.note(&["tag"]);
    let logits = record.block("logits")?;
    let (s, k, b, c) = logits.dim();
    for (key, size) in [("S", s), ("K", k), ("B", b), ("C", c)] {
        if record.count(key)? != size {
            return record.fault(key, format!("is not the axis of `logits`, {size}"));
        }
    }
    let labels = record.labels("labels")?;
    let targets = Targets::Classes { labels: labels.clone(), n_classes: c };
    losses(record, &logits, &targets)?;
    per_term(record, &logits, &targets)?;
    predictive(record, &logits, &labels)?;
    Ok(Verdict::Compared)
}

fn losses(record: &Record<'_>, logits: &Array4<f64>, targets: &Targets) -> Outcome<()> {
    let loss =
        |form| record.ok(nll_from_outputs(Likelihood::Categorical, logits.view(), targets, None, form));
    let mixture = loss(NllForm::MixtureNll)?;
    let average = loss(NllForm::AverageNll)?;
    let marginalized = loss(NllForm::MarginalizedProbabilities)?;
    // The reference rounds ln(S K) to f32 before it adds it.
    let terms = (logits.dim().0 * logits.dim().1) as f64;
    let rounding = f64::from(terms.ln() as f32) - terms.ln();
    record.check("log_mixture_nll", mixture.value + rounding, Precision::DoubleWithSingleConstant)?;
    record.check("log_mixture_nll_f64_exact", mixture.value, Precision::Double)?;
    record.check("log_mixture_nll_f64_exact", marginalized.value, Precision::Double)?;
    record.check("grad_log_mixture_nll", mixture.outputs, Precision::Double)?;
    record.check("average_component_nll", average.value, Precision::Double)?;
    record.check("grad_average_component_nll", average.outputs, Precision::Double)
}

fn per_term(record: &Record<'_>, logits: &Array4<f64>, targets: &Targets) -> Outcome<()> {
    let values = record.ok(log_likelihoods(Likelihood::Categorical, logits.view(), targets, None))?;
    let (s, k, b) = values.dim();
    let mut per_example = Array1::zeros(b);
    for (index, slot) in per_example.iter_mut().enumerate() {
        let one = values.slice_axis(Axis(2), (index..index + 1).into());
        *slot = record.ok(nll_from_log_likelihoods(one, NllForm::MixtureNll))?.0;
    }
    record.check("log_mixture_nll_per_example_f64_exact", per_example, Precision::Double)?;
    let mut per_component = Array2::zeros((s, k));
    for ((i, j), slot) in per_component.indexed_iter_mut() {
        let one = values.slice(ndarray::s![i..=i, j..=j, ..]);
        *slot = record.ok(nll_from_log_likelihoods(one, NllForm::AverageNll))?.0;
    }
    record.check("per_component_nll_f64_exact", per_component, Precision::Double)
}

fn predictive(record: &Record<'_>, logits: &Array4<f64>, labels: &Array1<usize>) -> Outcome<()> {
    let predictive = record.ok(ClassPredictive::from_logits(logits.view()))?;
    let gibbs = record.ok(metrics::gibbs_nll_of_predictive(&predictive, labels.view()))?;
    record.check("gibbs_cross_entropy_rm", gibbs, Precision::Double)?;
    record.check("mean_probs", predictive.probs(), Precision::Double)?;
    let member_probs = predictive.member_log_probs.mapv(f64::exp);
    let mut member_nll = Vec::new();
    for member in member_probs.outer_iter() {
        member_nll.push(record.ok(metrics::nll_clipped(member, labels.view(), 1e-7))?);
    }
    record.check("member_nll_from_probs_clipped", member_nll, Precision::Double)?;
    record.check("member_probs", member_probs, Precision::Double)
}

/// Rows of the learning rate (computed in f32 by the reference) and of the KL weight.
fn schedule(record: &Record<'_>) -> Outcome<Verdict> {
    record.note(&["batch_size_per_step"]);
    let steps_per_epoch = record.count("steps_per_epoch")?;
    let epochs = record.count("train_epochs")?;
    let annealing = KlAnnealing { steps: (steps_per_epoch * record.count("kl_annealing_epochs")?) as u64 };
    let schedule = Schedule::Steps {
        warmup_epochs: record.number("warmup_epochs")?,
        warmup_steps: 0,
        epochs: record.vector("decay_epochs")?.to_vec(),
        steps: Vec::new(),
        ratio: record.number("decay_ratio")?,
    };
    let base = record.number("base_lr")?;
    for row in record.children("rows")? {
        let step = row.count("iteration")? as u64;
        let rate = base * schedule.factor(step, steps_per_epoch as u64, (steps_per_epoch * epochs) as u64);
        row.check("lr_f32", rate, Precision::SingleStored)?;
        row.check("kl_scale", annealing.kl_weight(step), Precision::Double)?;
        record.report.unread.borrow_mut().extend(row.unread());
    }
    Ok(Verdict::Compared)
}

fn l2(record: &Record<'_>) -> Outcome<Verdict> {
    record.note(&["formula"]);
    let penalty = l2_penalty(record.number("l2")?, record.vector("vector")?.view());
    record.check("value", penalty, Precision::Double)?;
    Ok(Verdict::Compared)
}
