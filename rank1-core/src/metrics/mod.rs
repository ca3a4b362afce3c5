//! Every metric on predictives, computed once, in f64; nothing here averages logits.
//!
//! NLL and uncertainties read log-probabilities; calibration, the Brier score and the ranking areas read
//! probabilities ([`crate::predictive::ClassPredictive::probs`]), because their bins and thresholds are in
//! probability.
//!
//! | metric | definition | file |
//! |---|---|---|
//! | [`accuracy`] | first largest class is the label | [`classification`] |
//! | [`nll`], [`gibbs_nll`] | `-ln mean p`, `mean -ln p` at the label | [`classification`] |
//! | [`nll_clipped`] | the reference's clipped, normalized NLL | [`classification`] |
//! | [`brier`] | squared distance to one-hot, summed over classes | [`classification`] |
//! | [`ece`], [`mce`], [`classwise_ece`] | gaps of equal-width bins `[lo, hi)` | [`calibration`] |
//! | [`adaptive_ece`] | gaps of equal-mass bins | [`calibration`] |
//! | [`reliability_bins`] | counts behind a reliability diagram | [`calibration`] |
//! | [`general_calibration_error`] | ACE, TACE, SCE, RMS with numpy's edges | [`general_calibration`] |
//! | [`quantile_calibration()`] | fraction of targets below each stated quantile | [`quantile_calibration`](mod@quantile_calibration) |
//! | [`auroc`], [`roc_curve`] | ranking of positives over negatives, ties half | [`ranking`] |
//! | [`average_precision`], [`auc_pr_trapezoid`] | step and trapezoid PR area | [`ranking`] |
//! | [`fpr95`], [`fpr_at_tpr`] | false positives at a true positive rate | [`ranking`] |
//! | [`keras_auc_roc`], [`keras_auc_pr`] | areas over 200 thresholds | [`threshold_auc`] |
//! | [`rmse`], [`mae`] | errors of point predictions | [`regression`] |
//! | [`density_nll`], [`gibbs_density_nll`] | mixture and average log density | [`regression`] |
//! | [`crps`] | closed form for Gaussian mixtures | [`regression`] |
//! | [`coverage`], [`mean_width`], [`interval_score`] | PICP, MPIW, Winkler score | [`regression`] |
//! | [`pinball()`] | loss of stated quantiles | [`pinball`](mod@pinball) |
//! | [`crps_weighted_gaussians`], [`crps_weighted_samples`] | CRPS of weighted predictives | [`sample_crps`] |
//! | [`crps_above_threshold`] | CRPS of values above a threshold | [`sample_crps`] |
//! | [`equal_mass_bins`] | what happened among examples of similar statement | [`equal_mass`] |
//! | [`entropy`], [`decompose`] | total, aleatoric, epistemic, in nats | [`uncertainty`] |
//! | [`decompose_variance`] | the same as variances | [`uncertainty`] |
//! | [`ood_metrics`] | AUROC, AUPR in and out, FPR95 | [`ood`] |
//! | [`risk_coverage`] | curve with AURC, E-AURC, AUGRC, coverage at risk | [`selective`] |
//! | [`mean_corruption_error`], [`mean_corrupted`] | mCE and means over corruptions | [`corruption`] |
//! | [`mean_per_severity`], [`median_per_severity`] | over types at each severity | [`corruption`] |
//! | [`diversity`](crate::diversity::diversity()) | disagreement, pairwise KL, cosine, KL variance | [`crate::diversity`] |

pub mod calibration;
pub(crate) mod checks;
pub mod classification;
pub mod corruption;
pub mod equal_mass;
pub mod general_calibration;
pub mod ood;
pub mod pinball;
pub mod quantile_calibration;
pub mod ranking;
pub mod regression;
pub mod sample_crps;
pub mod selective;
pub mod threshold_auc;
pub mod uncertainty;

pub use calibration::{
    DEFAULT_BINS, ReliabilityBin, adaptive_ece, classwise_ece, ece, ece_of_bins, mce, reliability_bins,
};
pub use classification::{
    accuracy, brier, gibbs_nll, gibbs_nll_of_predictive, nll, nll_clipped, predicted_classes,
};
pub use corruption::{
    corruption_errors, mean_corrupted, mean_corruption_error, mean_per_severity, median_per_severity,
};
pub use equal_mass::{MassBin, equal_mass_bins};
pub use general_calibration::{CalibrationFamily, general_calibration_error};
pub use ood::{OodMetrics, OodScore, ood_metrics};
pub use pinball::pinball;
pub use quantile_calibration::{QuantilePoint, quantile_calibration, quantile_calibration_error};
pub use ranking::{
    PrecisionRecallCurve, RocCurve, auc_pr_trapezoid, auroc, average_precision, fpr_at_tpr, fpr95,
    precision_recall_curve, roc_curve,
};
pub use regression::{
    coverage, crps, density_nll, gibbs_density_nll, interval_score, interval_scores, mae, mean_width, rmse,
};
pub use sample_crps::{crps_above_threshold, crps_weighted_gaussians, crps_weighted_samples};
pub use selective::{RiskCoverage, risk_coverage};
pub use threshold_auc::{KERAS_THRESHOLDS, keras_auc_pr, keras_auc_roc};
pub use uncertainty::{Uncertainty, decompose, decompose_predictive, decompose_variance, entropy};
