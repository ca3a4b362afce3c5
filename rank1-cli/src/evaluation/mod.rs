//! From a predictive to the numbers and curves of `evaluation.json`; every metric comes from rank1-core.

mod classes;
mod published;
mod table;
mod values;

pub use published::evaluate_published;

use anyhow::{Context, Result, bail};
use rank1_core::metrics::{OodScore, ood_metrics};
use rank1_core::targets::Targets;
use rank1_data::{OodSet, Task, load_ood};
use rank1_models::predict::Predictive;
use rank1_models::recipe::Recipe;

use crate::baseline::LinearBaseline;
use crate::calibration::Artefact;
use crate::labelled;
use crate::model::Model;
use crate::part::Part;
use crate::report::input::{EntropyHistogram, Evaluation, Metrics, ShiftPoint};
use crate::report::table_document::{BaselineDocument, CalibratedDocument};
use crate::shift::{InputShift, Rows};
use crate::source::Source;

/// Numbers of samples at which the NLL is measured, up to the recipe's.
const SAMPLE_STEPS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Bins of the entropy histogram.
const ENTROPY_BINS: usize = 20;

/// What to measure.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// Name of the set.
    pub set: &'a str,
    /// Name of the split.
    pub split: &'a str,
    /// Shift applied to the rows before they came here.
    pub shift: Option<String>,
    /// Samples per member.
    pub samples: usize,
    /// Shifts to measure in addition, `kind:severity`.
    pub shifts: &'a [String],
    /// Rows, evenly spaced, that each of them is measured on.
    pub shift_rows: Option<usize>,
    /// Set that counts as out of distribution.
    pub ood: Option<&'a str>,
    /// Also measure the NLL at fewer samples.
    pub curves: bool,
    /// Also look at the rows and columns of a table.
    pub table: bool,
    /// The class that areas are about, instead of the model's.
    pub event: Option<usize>,
    /// Seed of random shifts.
    pub seed: u64,
    /// The run's calibration, measured beside the predictive as it is.
    pub calibration: Option<&'a Artefact>,
}

/// Refuses what a recipe wants measured and the rows do not allow, before anything is trained.
///
/// # Errors
/// An event that is not one of two classes, shifts that do not parse or apply, an unknown out-of-distribution set or one of other inputs.
pub fn check(recipe: &Recipe, source: &Source) -> Result<()> {
    if let Some(event) = &recipe.data.event {
        event_class(event, &source.class_names).context("data.event")?;
    }
    let one_row = source.test.select(&[0]);
    for text in &recipe.evaluate.shifts {
        one_row.shifted(text.parse::<InputShift>()?, source.rows(), recipe.seed)?;
    }
    let Some(name) = &recipe.evaluate.ood else { return Ok(()) };
    let ood = load_ood(name)?;
    if source.task != Task::Classification || ood.image != source.image {
        bail!("`{name}` holds images for a classifier of images of their size, {} does not", source.name);
    }
    Ok(())
}

/// The number of the class that is named as the event.
///
/// # Errors
/// A target that has not two classes, or not this one.
pub fn event_class(name: &str, class_names: &[String]) -> Result<usize> {
    let [first, second] = class_names else {
        bail!(
            "an event is one of two classes, the target has {}",
            match class_names.len() {
                0 => "none".into(),
                n => n.to_string(),
            }
        );
    };
    let found = class_names.iter().position(|class| class == name);
    found.with_context(|| format!("expected `{first}` or `{second}`, got `{name}`"))
}

/// Measures a model on one part of a data set.
///
/// # Errors
/// Rows that do not fit, shifts that do not apply, metrics that are not defined.
pub fn evaluate(model: &mut Model, part: &Part, request: &Request<'_>) -> Result<Evaluation> {
    let rows = Rows { image: model.document.image, layout: model.document.layout };
    let steps = if request.curves { &SAMPLE_STEPS[..] } else { &[] };
    let (predictive, by_samples) = model.predict_part_in_steps(part, request.samples, steps)?;
    let mut evaluation = Evaluation {
        set: request.set.into(),
        split: request.split.into(),
        shift: request.shift.clone(),
        n: part.len(),
        members: model.n_members(),
        samples: request.samples,
        shift_rows: request.shift_rows.filter(|&rows| rows < part.len()),
        ..Evaluation::default()
    };
    let event = request.event.or_else(|| model.event());
    measure(&predictive, part.targets(), event, &mut evaluation)?;
    if let Some(points) = model.predict_part_at_locations(part)? {
        evaluation.metrics.insert("nll_at_locations".into(), points.nll(part.targets())?);
    }
    evaluation.event = event.and_then(|class| model.document.class_names.get(class).cloned());
    evaluation.constant = metrics(&model.document.constant.predictive(part.len())?, part.targets(), event)?;
    evaluation.baselines.extend(baseline(model, part, event)?);
    if let Some(calibration) = request.calibration {
        let found = calibration.measure(&predictive, part.targets())?;
        let in_sample = part.len() == found.n_rows && labelled::digest(part)? == calibration.rows.sha256;
        evaluation.calibrated = Some(CalibratedDocument { in_sample, ..found });
    }
    if request.table {
        evaluation.table = table::describe(model, part, &predictive, request)?;
    }
    if request.curves {
        evaluation.nll_by_samples = by_samples;
        evaluation.nll_by_samples.push([request.samples as f64, predictive.nll(part.targets())?]);
    }
    let mut corrupted = Vec::new();
    let spaced = evaluation.shift_rows.map(|n| part.select(&evenly_spaced(n, part.len())));
    let part = spaced.as_ref().unwrap_or(part);
    for text in request.shifts {
        let shift: InputShift = text.parse()?;
        let shifted = part.shifted(shift, rows, request.seed)?;
        let metrics = metrics(&model.predict_part(&shifted, request.samples)?, shifted.targets(), event)?;
        if let InputShift::Corruption(_) = shift {
            corrupted.push(metrics.clone());
        }
        evaluation.shifts.push(ShiftPoint { kind: shift.kind(), severity: shift.severity(), metrics });
    }
    mean_corruption(&corrupted, &mut evaluation.metrics);
    if let Some(name) = request.ood {
        let ood = load_ood(name)?;
        measure_ood(model, &predictive, &ood, request.samples, &mut evaluation)?;
    }
    Ok(evaluation)
}

/// `n` of `of` rows at equal distances, so that rows sorted by class keep their shares.
pub(crate) fn evenly_spaced(n: usize, of: usize) -> Vec<usize> {
    (0..n).map(|row| row * of / n).collect()
}

/// The linear model beside a model of a table.
fn baseline(model: &Model, part: &Part, event: Option<usize>) -> Result<Option<BaselineDocument>> {
    let document = &model.document;
    let (Some(linear), Part::Stored(split)) = (&document.linear, part) else { return Ok(None) };
    let name = linear.name(document.task == Task::Regression).to_owned();
    if let LinearBaseline::LeftOut { reason } = linear {
        let left_out = Some(reason.to_string());
        return Ok(Some(BaselineDocument { name, left_out, ..BaselineDocument::default() }));
    }
    let inputs = document.normalizer.apply_split_inputs(split)?;
    let Some(predictive) = linear.predictive(inputs.view(), document.normalizer.target())? else {
        return Ok(None);
    };
    let metrics = metrics(&predictive, part.targets(), event)?;
    Ok(Some(BaselineDocument { name, strength: linear.strength(), metrics, left_out: None }))
}

fn measure(
    predictive: &Predictive,
    targets: &Targets,
    event: Option<usize>,
    out: &mut Evaluation,
) -> Result<()> {
    match (predictive, targets) {
        (Predictive::Classes(p), Targets::Classes { labels, .. }) => {
            classes::measure(p, labels.view(), event, out)
        }
        (Predictive::Values { mixture, n_members }, Targets::Values(values)) => {
            values::measure(mixture, *n_members, values.view(), out)
        }
        _ => bail!("the model predicts the other kind of target (classes or values)"),
    }
}

fn metrics(predictive: &Predictive, targets: &Targets, event: Option<usize>) -> Result<Metrics> {
    let mut out = Evaluation::default();
    measure(predictive, targets, event, &mut out)?;
    Ok(out.metrics)
}

/// Means over all measured corruptions, each severity of each kind with equal weight.
fn mean_corruption(corrupted: &[Metrics], out: &mut Metrics) {
    for key in ["nll", "accuracy", "ece"] {
        let values: Option<Vec<f64>> = corrupted.iter().map(|metrics| metrics.get(key).copied()).collect();
        if let Some(values) = values.filter(|values| !values.is_empty()) {
            out.insert(format!("corrupted_{key}"), values.iter().sum::<f64>() / values.len() as f64);
        }
    }
}

fn measure_ood(
    model: &mut Model,
    inside: &Predictive,
    ood: &OodSet,
    samples: usize,
    out: &mut Evaluation,
) -> Result<()> {
    let outside = model.predict(ood.split.inputs.view(), samples)?;
    let (Predictive::Classes(inside), Predictive::Classes(outside)) = (inside, &outside) else {
        bail!("evaluate.ood: out-of-distribution scores are defined for classification");
    };
    for (score, prefix) in [
        (OodScore::Entropy, "ood"),
        (OodScore::MutualInformation, "ood_epistemic"),
        (OodScore::MaxProbability, "ood_msp"),
    ] {
        let found = ood_metrics(score.of(inside).view(), score.of(outside).view())?;
        out.metrics.insert(format!("{prefix}_auroc"), found.auroc);
        out.metrics.insert(format!("{prefix}_aupr_out"), found.aupr_out);
        out.metrics.insert(format!("{prefix}_aupr_in"), found.aupr_in);
        out.metrics.insert(format!("{prefix}_fpr95"), found.fpr95);
    }
    let top = (inside.n_classes() as f64).ln();
    let edges: Vec<f64> = (0..=ENTROPY_BINS).map(|i| top * i as f64 / ENTROPY_BINS as f64).collect();
    let share = |entropy: ndarray::Array1<f64>| -> Vec<f64> {
        let mut bins = vec![0.0; ENTROPY_BINS];
        for e in &entropy {
            let bin = (e / top * ENTROPY_BINS as f64).floor().clamp(0.0, ENTROPY_BINS as f64 - 1.0);
            bins[bin as usize] += 1.0 / entropy.len() as f64;
        }
        bins
    };
    out.entropy = Some(EntropyHistogram {
        in_distribution: share(OodScore::Entropy.of(inside)),
        ood: Some(share(OodScore::Entropy.of(outside))),
        ood_set: Some(ood.name.clone()),
        edges,
    });
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_of_two_classes() {
        let names = ["no", "yes"].map(String::from);
        assert_eq!(event_class("yes", &names).unwrap(), 1);
        let refused = event_class("Yes", &names).unwrap_err().to_string();
        assert_eq!(refused, "expected `no` or `yes`, got `Yes`");
        let refused = event_class("a", &["a", "b", "c"].map(String::from)).unwrap_err().to_string();
        assert_eq!(refused, "an event is one of two classes, the target has 3");
        assert!(event_class("a", &[]).unwrap_err().to_string().ends_with("has none"));
    }
}
