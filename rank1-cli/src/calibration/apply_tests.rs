//! What a calibration makes of small predictions that are known by hand.
#![allow(clippy::unwrap_used)]

use ndarray::{Array4, Axis};
use rank1_core::conformal::normalized_scores;
use rank1_core::targets::Targets;

use super::*;
use crate::args::AdjustName;
use crate::calibration::{Conformal, InSample, Rows, RowsKind, Settings, fit};
use crate::json::cell;

fn artefact(names: &[&str], fitted: (Option<Adjustment>, Conformal, InSample)) -> Artefact {
    let (adjustment, conformal, in_sample) = fitted;
    let rows = Rows { kind: RowsKind::File, name: "new.csv".into(), n: 3, sha256: String::new() };
    Artefact {
        format: 2,
        program: String::new(),
        model: String::new(),
        rows,
        samples: 1,
        draws: "shared".into(),
        class_names: names.iter().map(ToString::to_string).collect(),
        adjustment,
        conformal,
        in_sample,
        stated_risk: None,
        referral: None,
    }
}

/// The cell of a row as a CSV file has it.
fn text(values: &Values, row: usize) -> String {
    match values {
        Values::Text(texts) => texts[row].clone(),
        Values::Number(numbers) => cell(numbers[row]),
        other => panic!("{other:?}"),
    }
}

fn settings(method: Method, adjust: AdjustName, coverages: &[f64]) -> Settings {
    Settings { coverages: coverages.to_vec(), method, adjust, per_class: false }
}

fn classes() -> (Predictive, Targets) {
    let probs =
        Array4::from_shape_vec((1, 1, 3, 3), vec![0.6, 0.3, 0.1, 0.2, 0.7, 0.1, 0.34, 0.33, 0.33]).unwrap();
    let targets = Targets::classes(array![0, 1, 2], 3).unwrap();
    (Predictive::Classes(ClassPredictive::from_probs(probs.view()).unwrap()), targets)
}

/// Two terms for each of 20 rows, and targets that lie wider than they say.
fn values() -> (Predictive, Targets) {
    let means = Array2::from_shape_fn((2, 20), |(m, n)| (n as f64 * 0.7).sin() + 0.2 * m as f64);
    let stds = Array2::from_shape_fn((2, 20), |(_, n)| 0.2 + 0.05 * (n % 5) as f64);
    let y = (0..20).map(|n| means[[0, n]] + 0.1 + (n as f64 * 1.7).cos()).collect();
    let mixture = GaussianMixturePredictive::new(means, stds).unwrap();
    (Predictive::Values { mixture, n_members: 2 }, Targets::values(y).unwrap())
}

#[test]
fn sets_name_their_classes_by_probability_and_may_be_empty() {
    let (predictive, targets) = classes();
    let names = ["a|b", "c\\d", "e"].map(String::from);
    // Scores 0.4, 0.3, 0.67 at the labels: thresholds of ranks 2 and 3.
    let wanted = settings(Method::Lac, AdjustName::None, &[0.5, 0.75]);
    let found = artefact(&["a|b", "c\\d", "e"], fit(&wanted, &predictive, &targets, &names).unwrap());
    let Block { adjusted, columns } = found.block(&predictive).unwrap();
    assert_eq!([&columns[0].0, &columns[1].0], ["set_50", "set_75"]);
    assert_eq!(columns[0].1, Values::Text(["a\\|b", "c\\\\d", ""].map(String::from).to_vec()));
    assert_eq!(text(&columns[1].1, 2), "a\\|b|c\\\\d|e");
    let columns = adjusted.columns(&names);
    assert_eq!((columns[0].0.as_str(), text(&columns[0].1, 0).as_str()), ("calibrated_p(a|b)", "0.6"));
}

#[test]
fn a_scaled_predictive_has_its_mean_and_the_same_normalized_interval() {
    let (predictive, targets) = values();
    let Predictive::Values { mixture, .. } = &predictive else { panic!() };
    let wanted = settings(Method::Normalized, AdjustName::Scale, &[0.5, 0.9]);
    let found = artefact(&[], fit(&wanted, &predictive, &targets, &[]).unwrap());
    let Block { adjusted, columns } = found.block(&predictive).unwrap();
    let names: Vec<&str> = columns.iter().map(|column| column.0.as_str()).collect();
    assert_eq!(names, ["lower_50", "upper_50", "lower_90", "upper_90"]);
    let Adjusted::Values { mixture: scaled, n_members: 2 } = &adjusted else { panic!("{adjusted:?}") };
    assert!((scaled.mean() - mixture.mean()).iter().all(|d| d.abs() < 1e-12));
    assert!(found.in_sample.nll[1] < found.in_sample.nll[0] - 0.1, "{:?}", found.in_sample);
    // Thresholds read the predictive before the map, and lose nothing by it.
    let Targets::Values(y) = &targets else { panic!() };
    let std = scaled.variance().mapv(f64::sqrt);
    let scores = normalized_scores(scaled.mean().view(), std.view(), y.view()).unwrap();
    let q = rank1_core::conformal::threshold(scores.view(), 0.9).unwrap();
    let after = normalized_interval(scaled.mean().view(), std.view(), q).unwrap();
    let Values::Number(upper) = &columns[3].1 else { panic!() };
    assert!(after.upper.iter().zip(upper).all(|(a, b)| (a - b).abs() < 1e-9));
    let [column] = &adjusted.columns(&[])[..] else { panic!() };
    assert_eq!((column.0.as_str(), text(&column.1, 3)), ("calibrated_std", cell(std[3])));
}

#[test]
fn blocks_of_a_prediction_have_the_columns_of_the_whole() {
    let (predictive, targets) = values();
    for method in [Method::Absolute, Method::Normalized, Method::Cqr] {
        let wanted = settings(method, AdjustName::Scale, &[0.8]);
        let found = artefact(&[], fit(&wanted, &predictive, &targets, &[]).unwrap());
        let whole = found.columns(&predictive).unwrap();
        let part = found.columns(&predictive.select(&[4, 7])).unwrap();
        for (whole, part) in whole.iter().zip(&part) {
            assert_eq!([text(&part.1, 0), text(&part.1, 1)], [text(&whole.1, 4), text(&whole.1, 7)]);
        }
        // The share of its own rows inside is that of the rank.
        let measured = found.measure(&predictive, &targets).unwrap();
        assert_eq!(measured.levels[0].observed, 17.0 / 20.0, "{method:?}");
    }
}

#[test]
fn predictions_of_the_other_kind_are_refused() {
    let ((classes, labels), (values, y)) = (classes(), values());
    let of_classes =
        fit(&settings(Method::Aps, AdjustName::Temperature, &[0.5]), &classes, &labels, &[]).unwrap();
    let found = artefact(&["a", "b", "c"], of_classes);
    assert!(
        found.adjust(&values).is_err()
            && found.columns(&values).is_err()
            && found.measure(&values, &y).is_err()
    );
    let of_values = fit(&settings(Method::Absolute, AdjustName::Scale, &[0.5]), &values, &y, &[]).unwrap();
    let found = artefact(&[], of_values);
    assert!(
        found.adjust(&classes).is_err()
            && found.columns(&classes).is_err()
            && found.measure(&classes, &labels).is_err()
    );
    assert!(fit(&settings(Method::Lac, AdjustName::None, &[0.5]), &classes, &y, &[]).is_err());
}

#[test]
fn every_map_of_classes_keeps_rows_that_sum_to_one() {
    let (predictive, targets) = classes();
    for adjust in [AdjustName::Temperature, AdjustName::Isotonic, AdjustName::None] {
        let found = artefact(
            &["a", "b", "c"],
            fit(&settings(Method::Lac, adjust, &[0.5]), &predictive, &targets, &[]).unwrap(),
        );
        let Adjusted::Classes { log_probs } = found.adjust(&predictive).unwrap() else { panic!() };
        assert!(
            log_probs.mapv(f64::exp).sum_axis(Axis(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-12),
            "{adjust:?}"
        );
    }
}
