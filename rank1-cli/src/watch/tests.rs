//! Columns and errors by hand, and how often rows of one distribution raise an alarm.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use ndarray::{Array1, Array2, Array4, Axis, array, stack};
use rank1_core::noise::NoiseStream;
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive};
use rank1_data::{CsvOptions, CsvSchema, Dates, Missing, Split, UnknownLevels, permutation};

use super::*;
use crate::reference::{ColumnValues, ScoreReference, column_references};

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * b.abs().max(1.0)
}

/// Two draws whose spread and distance follow the first two inputs.
fn predictive(split: &Split) -> Predictive {
    let inputs = split.inputs_f64();
    let (first, second) = (inputs.column(0).to_owned(), inputs.column(1).to_owned());
    let std = first.mapv(|v| 0.1 + v.abs());
    let means = stack(Axis(0), &[first.view(), (&first + &second).view()]).unwrap();
    let stds = stack(Axis(0), &[std.view(), std.view()]).unwrap();
    Predictive::Values { mixture: GaussianMixturePredictive::new(means, stds).unwrap(), n_members: 2 }
}

fn reference(schema: &CsvSchema, fitted: &Split, held_out: &Split) -> Reference {
    let rows: Vec<usize> = (0..fitted.len()).collect();
    let scores = Scores::of(&predictive(held_out), 2);
    Reference {
        format: 0,
        program: String::new(),
        model: String::new(),
        rows: rows.len(),
        columns: column_references(fitted, &rows, schema).unwrap(),
        scores: ScoreReference::of(&scores, ScoreRows::Validation, 1, "shared").unwrap(),
    }
}

fn findings(reference: &Reference, split: Split, alpha: f64) -> Findings {
    let predictive = predictive(&split);
    let rows = NewRows { name: "new".into(), part: split.into(), labelled: true, unseen: Vec::new() };
    Findings::of(reference, &rows, &predictive, 2, (alpha, &[])).unwrap()
}

/// Numbers, one of them skewed and one of whole values, codes of several levels, truth values; a target.
fn synthetic(n: usize, seed: u64) -> String {
    let mut noise = vec![0.0_f32; 5 * n];
    NoiseStream::new(seed, 0, 0).fill_normal(Default::default(), &mut noise);
    let mut text = String::from("a,b,count,color,answer,y\n");
    for row in noise.chunks(5) {
        let [a, b, c, d, e] = row else { panic!("five of each") };
        let color = ["red", "green", "blue", "rare"][(d.abs() * 1.4).floor().min(3.0) as usize];
        let answer = if *e > 0.5 { "yes" } else { "no" };
        writeln!(text, "{a},{},{},{color},{answer},{}", (a + b).exp(), (c * 2.0).round(), a + b).unwrap();
    }
    text
}

fn fitted(text: &str, options: &CsvOptions) -> (CsvSchema, Split) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, text).unwrap();
    let schema = CsvSchema::fit(&path, "y", options).unwrap();
    let split = schema.read(&path).unwrap();
    (schema, split)
}

#[test]
fn random_halves_of_held_out_rows_raise_few_alarms_and_moved_columns_many() {
    let options = CsvOptions { booleans: true, ..CsvOptions::default() };
    let (schema, all) = fitted(&synthetic(2_400, 11), &options);
    let rows = |range: std::ops::Range<usize>| all.select(&range.collect::<Vec<_>>());
    let reference = reference(&schema, &rows(0..1_400), &rows(1_400..1_800));
    let held_out = rows(1_800..2_400);
    let half = |seed| held_out.select(&permutation(600, seed)[..300]);
    let alarms = |alpha| {
        let alarm = |&seed: &u64| !findings(&reference, half(seed), alpha).shifted.is_empty();
        (0..200).filter(alarm).count()
    };
    // At most 5 % of 200, with the default and with 5 %.
    let (usual, wide) = (alarms(0.01), alarms(0.05));
    assert!(usual <= 10 && wide <= 10, "{usual} {wide}");
    let moved = |seed| {
        let mut split = half(seed);
        split.inputs.column_mut(2).mapv_inplace(|count| count + 2.0);
        findings(&reference, split, 0.01)
    };
    for seed in 0..20 {
        let found = moved(seed);
        assert_eq!(found.columns[0].name, "count");
        assert!(found.columns[0].shifted && found.columns[0].distance > 0.2, "{found:?}");
        // The predictions do not read this column.
        assert_eq!(found.shifted, ["count"]);
    }
}

#[test]
fn kinds_of_columns_are_told_apart_and_rows_outside_are_counted_once() {
    let options = CsvOptions {
        missing: Missing::Indicator,
        dates: Dates::CalendarParts,
        unknown_levels: UnknownLevels::AllZero,
        ..CsvOptions::default()
    };
    let mut text = String::from("a,b,color,day,y\n");
    for row in 0..40 {
        let cell = if row % 10 == 3 { String::new() } else { row.to_string() };
        let color = ["red", "green", "blue"][row % 3];
        writeln!(text, "{cell},{},{color},2024-01-{:02},1.5", row % 7, row % 28 + 1).unwrap();
    }
    let (schema, split) = fitted(&text, &options);
    let reference = reference(&schema, &split, &split);
    let names: Vec<&str> = reference.columns.iter().map(|own| own.name.as_str()).collect();
    let of_date =
        ["day: days", "day: sine of year", "day: cosine of year", "day: sine of week", "day: cosine of week"];
    assert_eq!(names, [&["a", "a is missing", "b", "color"][..], &of_date].concat());
    let ColumnValues::Levels { names, shared: None, .. } = &reference.columns[3].values else {
        panic!("{:?}", reference.columns[3]);
    };
    assert_eq!(names, &["color=blue", "color=green", "color=red", "none of these"]);

    let same = findings(&reference, split.clone(), 0.01);
    assert_eq!((same.outside, same.shifted.len()), (Some(Share::of(0, 40)), 0));
    assert!(same.columns.iter().all(|found| found.distance == 0.0 && found.p_value == 1.0));
    // Row 5 is outside twice, row 6 once.
    let mut moved = split;
    moved.inputs[[5, 0]] = 400.0;
    moved.inputs.row_mut(5).iter_mut().skip(3).take(3).for_each(|code| *code = 0.0);
    moved.inputs[[6, 2]] = -1.0;
    let found = findings(&reference, moved, 0.01);
    assert_eq!(found.outside, Some(Share::of(2, 40)));
    let of = |name: &str| found.columns.iter().find(|found| found.name == name).unwrap();
    assert_eq!((of("a").outside.unwrap().rows, of("b").outside.unwrap().rows), (1, 1));
    assert_eq!(of("color").first_unseen.as_deref(), Some("none of these"));
    assert_eq!(of("day: sine of week").outside, None);
    assert!(close(of("color").distance, 1.0 / 40.0), "{:?}", of("color"));
}

#[test]
fn errors_of_classes_are_those_by_hand() {
    let probs = Array4::from_shape_fn((1, 1, 20, 2), |(.., class)| if class == 0 { 0.9 } else { 0.1 });
    let p = Predictive::Classes(ClassPredictive::from_probs(probs.view()).unwrap());
    let of = |wrong: usize| {
        let labels = (0..20).map(|row| usize::from(row < wrong)).collect();
        Errors::of(&p, &Targets::classes(labels, 2).unwrap()).unwrap()
    };
    let found = of(2);
    assert!(close(found.nll, -(18.0 * 0.9_f64.ln() + 2.0 * 0.1_f64.ln()) / 20.0));
    let check = &found.checks[0];
    assert!(close(check.expected, 0.1) && close(check.observed, 0.1) && !check.differs);
    assert!(close(check.standard_error, (20.0_f64 * 0.09).sqrt() / 20.0));
    // 0.3 is less, 0.35 more than three standard errors away.
    assert!(!of(6).checks[0].differs && of(7).checks[0].differs);
}

#[test]
fn errors_of_values_are_those_by_hand() {
    let n = 24;
    let (means, stds) = (Array2::zeros((1, n)), Array2::ones((1, n)));
    let p =
        Predictive::Values { mixture: GaussianMixturePredictive::new(means, stds).unwrap(), n_members: 1 };
    let of = |scale: f64| {
        let values = Array1::from_iter((0..n).map(|row| [1.0, -1.0, 0.5, -2.0][row % 4] * scale));
        Errors::of(&p, &Targets::Values(values)).unwrap()
    };
    let (found, wide) = (of(1.0), of(9.0));
    let [squares, covered] = &found.checks[..] else { panic!("{found:?}") };
    assert!(close(squares.expected, 1.0) && close(squares.observed, 6.25 / 4.0) && !squares.differs);
    let differences = array![0.0, 0.0, -0.75, 3.0].mapv(|v: f64| (v - 0.5625).powi(2)).sum() * 6.0;
    assert!(close(squares.standard_error, (differences / 23.0 / 24.0).sqrt()));
    // One of four lies beyond 1.645.
    assert!(close(covered.observed, 0.75) && close(covered.standard_error, (0.09_f64 / 24.0).sqrt()));
    assert!(wide.checks.iter().all(|check| check.differs), "{wide:?}");
    let classes = Targets::classes(array![0, 1], 2).unwrap();
    assert!(Errors::of(&p, &classes).is_err());
}

#[test]
fn one_draw_has_no_epistemic_uncertainty() {
    let (_, split) = fitted(&synthetic(30, 3), &CsvOptions::default());
    let p = predictive(&split);
    assert!(Scores::of(&p, 1).epistemic.is_none());
    let both = Scores::of(&p, 2);
    // Means a and a + b: a variance of b squared over four.
    let b = split.inputs_f64()[[4, 1]];
    assert!((both.epistemic.unwrap()[4] / (b * b / 4.0) - 1.0).abs() < 1e-9);
}
