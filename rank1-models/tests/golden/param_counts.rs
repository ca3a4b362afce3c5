//! Parameter counts of the published networks, from plans alone.
//!
//! A row is found by the text of its model: architecture, method, members, statistics of the normalizations, classes.

use rank1_core::likelihood::Likelihood;
use rank1_models::method::{BatchEnsemble, Method, Rank1};
use rank1_models::network::{Body, InputShape, NetworkShape, NormSharing};
use rank1_models::optimizer::OptimizerSpec;
use rank1_models::summary::Summary;
use rank1_priors::{PosteriorFamily, PriorSpec};

use crate::json::{Outcome, Record, Values};
use crate::report::{Precision, Verdict};

pub(crate) fn check(root: &Record<'_>) -> Outcome<()> {
    for row in root.children("rows")? {
        root.report.case(&row, run);
    }
    Ok(())
}

fn run(row: &Record<'_>) -> Outcome<Verdict> {
    // Names and the filter of the reference's optimizer; our groups are compared by kind.
    row.note(&["first_variable_names", "l2_selected_by_name_filter"]);
    let model = row.text("model")?;
    let Some((shape, method)) = network(model) else {
        return Ok(Verdict::NotImplemented(format!("model {model}")));
    };
    let optimizer = OptimizerSpec::Sgd { learning_rate: 0.1, momentum: 0.9, nesterov: true };
    let summary = row.ok(Summary::new(&shape, &method, &optimizer, 1, 1))?;
    let exact = |record: &Record<'_>, key: &str, got: usize| {
        record.check(key, Values::from(got as f64), Precision::Exact)
    };
    exact(row, "count_params", summary.total)?;
    exact(row, "trainable", summary.trainable)?;
    exact(row, "non_trainable", summary.counts.statistics)?;
    if row.has("pct_over_deterministic_trainable") {
        row.check(
            "pct_over_deterministic_trainable",
            Values::from(summary.percent_over_deterministic),
            Precision::Double,
        )?;
        let plain = row.ok(Summary::new(&shape, &Method::Deterministic, &optimizer, 1, 1))?;
        let percent = 100.0 * (summary.total as f64 / plain.total as f64 - 1.0);
        // The reference divides by a network whose statistics are shared.
        if !model.contains("per-member") && !model.contains("EnsembleSync") {
            row.check("pct_over_deterministic_total", Values::from(percent), Precision::Double)?;
        } else {
            let shared = plain.trainable + plain.counts.norms;
            let percent = 100.0 * (summary.total as f64 / shared as f64 - 1.0);
            row.check("pct_over_deterministic_total", Values::from(percent), Precision::Double)?;
        }
    }
    let kinds = row.child("by_kind")?;
    let counts = &summary.counts;
    for key in kinds.keys() {
        let got = match key {
            "kernel" => counts.weights,
            "bias" => counts.biases,
            "bn_affine" => counts.norms,
            "bn_moving" => counts.statistics,
            "factor_loc" | "factor_mean" | "factor_deterministic" => counts.factor_locations,
            "factor_stddev" | "factor_scale" => counts.factor_scales,
            _ => return kinds.fault(key, "is no known kind"),
        };
        exact(&kinds, key, got)?;
    }
    Ok(Verdict::Compared)
}

fn network(model: &str) -> Option<(NetworkShape, Method)> {
    let norm = if model.contains("per-member") || model.contains("EnsembleSync") {
        NormSharing::PerMember
    } else {
        NormSharing::Shared
    };
    let (body, side, outputs) = if model.starts_with("WRN-28-10") {
        let outputs = if model.contains("100 classes") { 100 } else { 10 };
        (Body::WideResnet { depth: 28, widen: 10, norm }, 32, outputs)
    } else if model.starts_with("ResNet-50") {
        (Body::ResNet50 { norm }, 224, 1000)
    } else {
        return None;
    };
    let members = model.split("K=").nth(1).and_then(|rest| {
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<usize>().ok()
    });
    let rank1 = |members, posterior| {
        let prior = match posterior {
            PosteriorFamily::Cauchy => PriorSpec::Cauchy { location: 1.0, scale: 0.1 },
            _ => PriorSpec::Normal { mean: 1.0, std: 0.1 },
        };
        Method::Rank1(Rank1 { members, posterior, prior, ..Rank1::default() })
    };
    let method = if model.contains("BatchEnsemble") {
        Method::BatchEnsemble(BatchEnsemble { members: members?, ..BatchEnsemble::default() })
    } else if model.contains("trainable_normal") {
        rank1(members?, PosteriorFamily::Normal)
    } else if model.contains("trainable_cauchy") {
        rank1(members?, PosteriorFamily::Cauchy)
    } else if model.contains("trainable_deterministic") {
        rank1(members?, PosteriorFamily::PointMass)
    } else if model.contains("deterministic") {
        Method::Deterministic
    } else {
        return None;
    };
    let input = InputShape::Image { height: side, width: side, channels: 3 };
    Some((NetworkShape { input, body, outputs, likelihood: Likelihood::Categorical }, method))
}
