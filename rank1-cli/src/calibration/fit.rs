//! From predictions of labelled rows to a calibration.

use anyhow::{Result, bail};
use ndarray::Array1;
use rank1_core::calibration::{
    Isotonic, IsotonicClasses, SCALE_BRACKET, Scale, TEMPERATURE_BRACKET, Temperature,
};
use rank1_core::conformal::{class_thresholds, covered, label_scores, rank, rows_needed, threshold};
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive};
use rank1_core::targets::Targets;
use rank1_models::predict::Predictive;

use super::document::{Adjustment, ClassLevel, Conformal, InSample, IsotonicKnots, Level, Method};
use super::measure::{self, percent};
use crate::args::{AdjustName, CalibrateArgs, MethodName};

/// What is to be fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Coverages, ascending, each once.
    pub coverages: Vec<f64>,
    /// The score.
    pub method: Method,
    /// The map; none leaves the predictive as it is.
    pub adjust: AdjustName,
    /// Whether every class has its own threshold.
    pub per_class: bool,
}

impl Settings {
    /// What was asked for, or the defaults: a temperature and LAC sets, or a scale and normalized intervals.
    ///
    /// # Errors
    /// A coverage that is none, and what is for the other kind of target.
    pub fn of(args: &CalibrateArgs, classes: bool) -> Result<Self> {
        let mut coverages = args.coverages.clone();
        for coverage in &coverages {
            if rows_needed(*coverage).is_err() {
                bail!(
                    "--coverage: expected a number strictly between 0 and 1, of at most 12 decimals, got {coverage}"
                );
            }
        }
        coverages.sort_by(f64::total_cmp);
        coverages.dedup();
        let default = if classes { MethodName::Lac } else { MethodName::Normalized };
        let method = match args.method.unwrap_or(default) {
            MethodName::Normalized => Method::Normalized,
            MethodName::Absolute => Method::Absolute,
            MethodName::Cqr => Method::Cqr,
            MethodName::Lac => Method::Lac,
            MethodName::Aps => Method::Aps,
            MethodName::Raps => Method::Raps { penalty: args.raps_penalty, free: args.raps_free },
        };
        let (kind, methods, maps) = if classes {
            ("classes", "lac, aps or raps", "temperature, isotonic or none")
        } else {
            ("values", "normalized, absolute or cqr", "scale or none")
        };
        if method.class_score().is_some() != classes {
            bail!("--method {}: the run predicts {kind}, expected {methods}", method.name());
        }
        if let Method::Raps { penalty, .. } = method
            && !(penalty >= 0.0 && penalty.is_finite())
        {
            bail!("--raps-penalty: expected a number of at least 0, got {penalty}");
        }
        if args.per_class && !classes {
            bail!("--per-class: the run predicts values, which have no classes");
        }
        let adjust = args.adjust.unwrap_or(if classes { AdjustName::Temperature } else { AdjustName::Scale });
        let fits = match adjust {
            AdjustName::Temperature | AdjustName::Isotonic => classes,
            AdjustName::Scale => !classes,
            AdjustName::None => true,
        };
        if !fits {
            let name = format!("{adjust:?}").to_lowercase();
            bail!("--adjust {name}: the run predicts {kind}, expected {maps}");
        }
        Ok(Self { coverages, method, adjust, per_class: args.per_class })
    }
}

/// Refuses fewer rows than the highest coverage needs, before anything is predicted.
///
/// # Errors
/// The number of rows that are needed, or the highest coverage that the rows allow.
pub fn check_rows(settings: &Settings, n: usize) -> Result<()> {
    for &coverage in &settings.coverages {
        let needed = rows_needed(coverage)?;
        if n < needed {
            bail!(
                "coverage {coverage} needs at least {needed} rows, got {n}; give more, or --coverage of at most {}",
                floor(n as f64 / (n as f64 + 1.0))
            );
        }
    }
    Ok(())
}

/// Rounded down to three decimals.
fn floor(value: f64) -> f64 {
    (value * 1000.0).floor() / 1000.0
}

/// Fits the map and the thresholds, both to the predictive as it is.
///
/// # Errors
/// Targets of the other kind, or predictions that are no numbers.
pub fn fit(
    settings: &Settings,
    predictive: &Predictive,
    targets: &Targets,
    class_names: &[String],
) -> Result<(Option<Adjustment>, Conformal, InSample)> {
    let adjustment = adjustment(settings.adjust, predictive, targets)?;
    let levels = settings.coverages.iter().map(|&coverage| match (predictive, targets) {
        (Predictive::Classes(p), Targets::Classes { labels, .. }) => {
            class_level(settings, p, labels, class_names, coverage)
        }
        (Predictive::Values { mixture, .. }, Targets::Values(values)) => {
            value_level(settings.method, mixture, values, coverage)
        }
        _ => bail!("the model predicts the other kind of target (classes or values)"),
    });
    let levels = levels.collect::<Result<_>>()?;
    let conformal = Conformal { method: settings.method, per_class: settings.per_class, levels };
    let in_sample = measure::in_sample(predictive, adjustment.as_ref(), targets)?;
    Ok((adjustment, conformal, in_sample))
}

fn adjustment(adjust: AdjustName, predictive: &Predictive, targets: &Targets) -> Result<Option<Adjustment>> {
    Ok(match (adjust, predictive, targets) {
        (AdjustName::Temperature, Predictive::Classes(p), Targets::Classes { labels, .. }) => {
            let found = Temperature::fit(p.log_probs.view(), labels.view(), TEMPERATURE_BRACKET)?;
            Some(Adjustment::Temperature { temperature: found.temperature, interior: found.interior })
        }
        (AdjustName::Isotonic, Predictive::Classes(p), Targets::Classes { labels, .. }) => {
            let found = IsotonicClasses::fit(p.probs().view(), labels.view())?;
            let knots =
                |f: &Isotonic| IsotonicKnots { knots: f.knots().to_vec(), values: f.values().to_vec() };
            Some(Adjustment::Isotonic { functions: found.functions().iter().map(knots).collect() })
        }
        (AdjustName::Scale, Predictive::Values { mixture, .. }, Targets::Values(values)) => {
            let found = Scale::fit(mixture, values.view(), SCALE_BRACKET)?;
            Some(Adjustment::Scale { scale: found.scale, interior: found.interior })
        }
        _ => None,
    })
}

fn value_level(
    method: Method,
    mixture: &GaussianMixturePredictive,
    values: &Array1<f64>,
    coverage: f64,
) -> Result<Level> {
    let scores = measure::value_scores(method, mixture, values, coverage)?;
    let found = threshold(scores.view(), coverage)?;
    let covered = covered(scores.view(), found).iter().filter(|covered| **covered).count();
    let level = Level {
        coverage,
        rank: Some(rank(scores.len(), coverage)?),
        threshold: Some(found),
        classes: Vec::new(),
        in_sample_coverage: covered as f64 / scores.len() as f64,
        in_sample_size: 0.0,
    };
    let summary = measure::interval_summary(method, &level, mixture)?;
    Ok(Level { in_sample_size: summary.mean_width, ..level })
}

fn class_level(
    settings: &Settings,
    p: &ClassPredictive,
    labels: &Array1<usize>,
    class_names: &[String],
    coverage: f64,
) -> Result<Level> {
    let scores = measure::class_scores(settings.method, p)?;
    let own = label_scores(scores.view(), labels.view())?;
    let mut level = Level {
        coverage,
        rank: None,
        threshold: None,
        classes: Vec::new(),
        in_sample_coverage: 0.0,
        in_sample_size: 0.0,
    };
    if settings.per_class {
        let found = class_thresholds(own.view(), labels.view(), p.n_classes(), coverage)?;
        let class = |class: usize| ClassLevel {
            class: class_names.get(class).cloned().unwrap_or_else(|| class.to_string()),
            rows: found.counts[class],
            rank: found.ranks[class],
            threshold: Some(found.thresholds[class]).filter(|threshold| threshold.is_finite()),
        };
        level.classes = (0..p.n_classes()).map(class).collect();
    } else {
        level.rank = Some(rank(own.len(), coverage)?);
        level.threshold = Some(threshold(own.view(), coverage)?);
    }
    let summary = measure::set_summary(&level, &scores, labels)?;
    Ok(Level { in_sample_coverage: summary.coverage, in_sample_size: summary.mean_size, ..level })
}

impl Conformal {
    /// One line for each class that is in every set for want of rows.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for level in &self.levels {
            for class in level.classes.iter().filter(|class| class.threshold.is_none()) {
                let needed = rows_needed(level.coverage).unwrap_or(usize::MAX);
                lines.push(format!(
                    "class `{}` has {} rows, coverage of {} % needs {needed}: it is in every set",
                    class.class,
                    class.rows,
                    percent(level.coverage)
                ));
            }
        }
        lines
    }
}
