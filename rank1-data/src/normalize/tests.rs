//! Scaling fits the training rows, goes back and forth, and loses nothing that double precision holds.

use approx::assert_relative_eq;
use ndarray::array;
use proptest::prelude::*;

use super::*;

fn table(inputs: Array2<f32>, targets: Vec<f64>) -> Split {
    Split { inputs, remainder: None, targets: Targets::Values(targets.into()) }
}

#[test]
fn columns_get_zero_mean_and_unit_population_variance() {
    let train = table(array![[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]], vec![10.0, 20.0, 60.0]);
    let normalizer = Normalizer::fit(&train, InputLayout::Columns).unwrap();
    let InputScaling::PerColumn { columns } = normalizer.inputs() else {
        panic!("a table is scaled by column")
    };
    assert_relative_eq!(columns[0].mean, 3.0);
    assert_relative_eq!(columns[0].std, (14.0_f64 / 3.0).sqrt());
    let got = normalizer.apply(&train).unwrap();
    assert_relative_eq!(got.inputs.column(0).mapv(|x| x * x).sum(), 3.0, max_relative = 1e-6);
    assert_eq!(got.inputs.column(1).to_vec(), [0.0; 3]);
}

#[test]
fn large_numbers_that_differ_little_stay_different() {
    let inputs = Array2::from_shape_fn((59, 1), |(row, _)| 1_700_000_001.0 + row as f64);
    let train = Split::from_f64(inputs.clone(), Targets::Values(vec![0.0; 59].into())).unwrap();
    let normalizer = Normalizer::fit(&train, InputLayout::Columns).unwrap();
    let got = normalizer.apply(&train).unwrap().inputs;
    let std = (58.0_f64 * 60.0 / 12.0).sqrt();
    for (row, &value) in got.iter().enumerate() {
        assert_relative_eq!(f64::from(value), (row as f64 - 29.0) / std, epsilon = 1e-6);
    }
    assert_eq!(normalizer.apply_inputs(inputs.view()).unwrap(), got);
}

#[test]
fn a_constant_column_that_rounds_badly_still_counts_as_constant() {
    let train = table(Array2::from_elem((7, 1), 0.1), vec![0.1; 7]);
    let normalizer = Normalizer::fit(&train, InputLayout::Columns).unwrap();
    assert_eq!(normalizer.target(), Some(Standard { mean: 0.1, std: 1.0 }));
    let moved = normalizer.apply_inputs(array![[1.1_f32]].view()).unwrap();
    assert_relative_eq!(moved[[0, 0]], 1.0, max_relative = 1e-6);
}

#[test]
fn images_share_one_scale() {
    let train = Split {
        inputs: array![[0.0, 1.0], [0.0, 3.0]],
        remainder: None,
        targets: Targets::Classes { labels: array![0, 1], n_classes: 2 },
    };
    let layout = InputLayout::Image { height: 1, width: 2, channels: 1 };
    let normalizer = Normalizer::fit(&train, layout).unwrap();
    let channels = vec![Standard { mean: 1.0, std: 1.5_f64.sqrt() }];
    assert_eq!(normalizer.inputs(), &InputScaling::PerChannel { channels, n_columns: 2 });
    assert_eq!((normalizer.target(), normalizer.log_density_offset()), (None, 0.0));
    assert_eq!(normalizer.denormalize_mean(0.25), 0.25);
}

#[test]
fn each_channel_of_a_color_image_has_its_own_scale_and_black() {
    let train = Split {
        inputs: array![[0.0, 5.0, 2.0, 5.0], [4.0, 5.0, 2.0, 5.0]],
        remainder: None,
        targets: Targets::Classes { labels: array![0, 1], n_classes: 2 },
    };
    let layout = InputLayout::Image { height: 1, width: 2, channels: 2 };
    let normalizer = Normalizer::fit(&train, layout).unwrap();
    let got = normalizer.apply_inputs(train.inputs.view()).unwrap();
    let unit = 1.0 / 2f32.sqrt();
    let expected = [-2.0 * unit, 0.0, 0.0, 0.0, 2.0 * unit, 0.0, 0.0, 0.0];
    got.iter().zip(expected).for_each(|(&got, expected)| assert_relative_eq!(got, expected));
    assert_relative_eq!(normalizer.black()[0], -2.0 * unit);
    assert_eq!(normalizer.black()[1], -5.0);
    let wrong = InputLayout::Image { height: 3, width: 2, channels: 2 };
    assert!(matches!(Normalizer::fit(&train, wrong), Err(Error::Width { expected: 12, got: 4, .. })));
}

#[test]
fn imagenet_has_its_published_channels() {
    let mut row: Vec<f32> = (0..12).map(|i| i as f32 / 11.0).collect();
    let inputs = Array2::from_shape_vec((1, 12), row.clone()).unwrap();
    let got = Normalizer::imagenet(12).apply_inputs(inputs.view()).unwrap();
    crate::image::standardize_imagenet(&mut row).unwrap();
    got.iter().zip(row).for_each(|(&got, expected)| {
        assert_relative_eq!(got, expected, max_relative = 1e-5, epsilon = 1e-6);
    });
}

#[test]
fn a_sequence_passes_as_it_is() {
    let train = table(array![[1.0, 2.0], [5.0, 6.0]], vec![0.0, 1.0]);
    let layout = InputLayout::Sequence { steps: 1, features: 1, context: 1, ragged: false };
    let normalizer = Normalizer::fit(&train, layout).unwrap();
    assert_eq!(normalizer.apply_inputs(train.inputs.view()).unwrap(), train.inputs);
}

#[test]
fn nan_infinity_and_wrong_widths_are_refused() {
    let good = table(array![[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], vec![0.0, 1.0]);
    let normalizer = Normalizer::fit(&good, InputLayout::Columns).unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        let inputs = array![[1.0, 2.0, 3.0], [2.0, bad, 4.0]];
        let expected = |got: Error| matches!(got, Error::NotFinite { row: 1, column: 1, .. });
        assert!(expected(normalizer.apply_inputs(inputs.view()).unwrap_err()));
        assert!(expected(Normalizer::fit(&table(inputs, vec![0.0, 1.0]), InputLayout::Columns).unwrap_err()));
        let targets = vec![f64::from(bad), 1.0];
        let got = Normalizer::fit(&table(good.inputs.clone(), targets.clone()), InputLayout::Columns);
        assert!(matches!(got, Err(Error::NotFinite { argument: "targets", row: 0, .. })));
        assert!(normalizer.apply_targets(&Targets::Values(targets.into())).is_err());
    }
    let got = normalizer.apply_inputs(array![[1.0_f32, 2.0]].view());
    assert!(matches!(got, Err(Error::Width { expected: 3, got: 2, .. })));
    let classes = Targets::Classes { labels: array![0, 1], n_classes: 2 };
    assert!(matches!(normalizer.apply_targets(&classes), Err(Error::TargetKind { .. })));
}

#[test]
fn test_rows_do_not_change_the_fit() {
    let set = crate::load("boston", &crate::LoadOptions::default()).unwrap();
    let fitted = Normalizer::fit(&set.train, InputLayout::Columns).unwrap();
    let mut changed = set.clone();
    changed.test.inputs.fill(1e6);
    assert_eq!(Normalizer::fit(&changed.train, InputLayout::Columns).unwrap(), fitted);
    let moved = fitted.apply_dataset(&changed).unwrap();
    assert_eq!(moved.train, fitted.apply(&set.train).unwrap());
    assert!(moved.test.inputs.iter().all(|x| *x > 100.0));
}

proptest! {
    #[test]
    fn denormalizing_undoes_normalizing(
        values in prop::collection::vec(-1e6_f64..1e6, 2..50), spread in 0.0_f64..1e3,
    ) {
        let train = table(Array2::zeros((values.len(), 1)), values.clone());
        let normalizer = Normalizer::fit(&train, InputLayout::Columns).unwrap();
        let Targets::Values(scaled) = normalizer.apply_targets(&train.targets).unwrap() else {
            return Err(TestCaseError::fail("values stay values"));
        };
        for (back, value) in scaled.iter().map(|&z| normalizer.denormalize_mean(z)).zip(&values) {
            prop_assert!((back - value).abs() <= 1e-9 * 1e6);
        }
        let upper = normalizer.denormalize_mean(spread) - normalizer.denormalize_mean(0.0);
        prop_assert!((normalizer.denormalize_scale(spread) - upper).abs() <= 1e-6 * (1.0 + upper.abs()));
        let back: Normalizer = serde_json::from_str(&serde_json::to_string(&normalizer).unwrap()).unwrap();
        prop_assert_eq!(back, normalizer);
    }
}
