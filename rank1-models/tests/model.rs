//! Arrays in, predictions out: the facade on values, classes and images, folders that open again, and rows that are refused.
#![allow(clippy::unwrap_used)]

use ndarray::{Array1, Array2, Axis, array};
use rank1_core::targets::Targets;
use rank1_models::checkpoint::read_sealed;
use rank1_models::device::Compute;
use rank1_models::error::{CheckpointFault, DataFault};
use rank1_models::fit::{FitOptions, TrainingData, fit, load};
use rank1_models::network::{Activation, Body, InputShape, NetworkShape};
use rank1_models::predict::Predictive;
use rank1_models::recipe::{CheckedRecipe, Recipe, RecipeBuilder};
use rank1_models::{Error, Model, Setup};

/// `y = 1000 + 50 sin(x) `, with x in seconds since 1970.
fn rows() -> (Array2<f64>, Targets) {
    let x = Array1::from_iter((0..120).map(|i| f64::from(i) / 20.0));
    let y = x.mapv(|x| 1000.0 + 50.0 * x.sin());
    (x.mapv(|x| 1.7e9 + x).insert_axis(Axis(1)), Targets::values(y).unwrap())
}

fn recipe() -> RecipeBuilder {
    Recipe::mlp([24]).rank1(2).normal_prior(1.0, 0.3).adam(0.01).steps(2000).batch_size(32).samples(8)
}

fn fitted(recipe: RecipeBuilder) -> Model {
    let (x, y) = rows();
    Model::fit(x.view(), &y, &recipe.check().unwrap()).unwrap()
}

#[test]
fn predictions_are_in_the_targets_unit_and_large_inputs_keep_their_differences() {
    let (x, y) = rows();
    let Targets::Values(y) = y else { panic!() };
    let Predictive::Values { mixture, n_members: 2 } = fitted(recipe()).predict(x.view()).unwrap() else {
        panic!()
    };
    let error = (&mixture.mean() - &y).mapv(|d| d * d).mean().unwrap().sqrt();
    // The targets' own deviation is 34.
    assert!(error < 5.0, "{error}");
}

#[test]
fn a_saved_model_opens_and_predicts_the_same() {
    let (x, _) = rows();
    let folder = tempfile::tempdir().unwrap();
    let mut model = fitted(recipe().set("method.kind", "rank1").steps(50));
    let before = model.predict(x.view()).unwrap();
    model.save(folder.path()).unwrap();
    assert_eq!(Model::open(folder.path()).unwrap().predict(x.view()).unwrap(), before);
    // A second save replaces the first.
    let mut other = fitted(recipe().steps(50).seed(9));
    other.save(folder.path()).unwrap();
    assert_eq!(
        Model::open(folder.path()).unwrap().predict(x.view()).unwrap(),
        other.predict(x.view()).unwrap()
    );
    let document: serde_json::Value = read_sealed(&folder.path().join("model.json")).unwrap();
    assert_eq!(document["normalizer"]["inputs"]["kind"], "per_column");
    std::fs::remove_file(folder.path().join("network0/manifest.json")).unwrap();
    assert!(matches!(Model::open(folder.path()), Err(Error::Io { .. })));
}

#[test]
fn a_save_that_fails_leaves_no_model_of_old_scaling_and_new_networks() {
    let folder = tempfile::tempdir().unwrap();
    let model = fitted(recipe().steps(5));
    model.save(folder.path()).unwrap();
    std::fs::remove_dir_all(folder.path().join("network0")).unwrap();
    std::fs::write(folder.path().join("network0"), "in the way").unwrap();
    assert!(matches!(model.save(folder.path()), Err(Error::Io { .. })));
    assert!(!folder.path().join("model.json").exists());
}

#[test]
fn classes_and_images_have_their_shapes_and_scales() {
    let x = Array2::from_shape_fn((40, 8 * 8), |(i, j)| if (i + j / 32) % 2 == 0 { 200.0_f32 } else { 10.0 });
    let labels = Targets::classes((0..40).map(|i| i % 2).collect(), 2).unwrap();
    let recipe = Recipe::network("resnet").set("model.depth", 8).adam(0.01).steps(10).check().unwrap();
    let progress = &|_: rank1_models::fit::Progress<'_>| {};
    let compute = Compute::default();
    let setup = || Setup {
        input: Some(InputShape::Image { height: 8, width: 8, channels: 1 }),
        validation: None,
        compute: &compute,
        threads: 1,
        progress,
    };
    let mut model = Model::fit_with(x.view(), &labels, &recipe, setup()).unwrap();
    let Predictive::Classes(classes) = model.predict(x.view()).unwrap() else { panic!() };
    assert_eq!(classes.probs().dim(), (40, 2));
    let narrow = x.slice(ndarray::s![.., ..63]);
    let got = Model::fit_with(narrow, &labels, &recipe, setup()).unwrap_err();
    assert!(matches!(got, Error::Mismatch { expected: 64, got: 63, .. }), "{got}");
    // An image network without its shape.
    assert!(matches!(Model::fit(x.view(), &labels, &recipe), Err(Error::Architecture { .. })));
}

#[test]
fn a_recipe_without_a_length_stops_on_rows_it_held_out() {
    let (x, y) = rows();
    let recipe = Recipe::mlp([8]).set("data.validation", 0.25).check().unwrap();
    assert!(recipe.get().train.early_stopping.is_some());
    let setup = Setup {
        input: None,
        validation: Some(vec![]),
        compute: &Compute::default(),
        threads: 1,
        progress: &|_| {},
    };
    let got = Model::fit_with(x.view(), &y, &recipe, setup).unwrap_err();
    assert!(matches!(got, Error::Data(DataFault::NoValidation { key: "train.early_stopping" })), "{got}");
    let short = recipe.with(&["train.steps=200".parse().unwrap()]).unwrap();
    Model::fit(x.view(), &y, &short).unwrap();
}

#[test]
fn rows_that_do_not_fit_are_refused_by_name() {
    let (x, y) = rows();
    let recipe = recipe().steps(5).check().unwrap();
    let got = Model::fit(x.slice(ndarray::s![..119, ..]), &y, &recipe).unwrap_err();
    assert!(matches!(got, Error::Data(DataFault::Targets { rows: 119, targets: 120 })), "{got}");
    let mut bad = x.clone();
    bad[(7, 0)] = f64::NAN;
    let got = Model::fit(bad.view(), &y, &recipe).unwrap_err();
    assert!(got.to_string().contains("[7, 0]"), "{got}");
    let bernoulli = recipe.with(&["model.likelihood=bernoulli".parse().unwrap()]).unwrap();
    let got = Model::fit(x.view(), &y, &bernoulli).unwrap_err();
    assert!(got.to_string().contains("two classes"), "{got}");
    let mut model = Model::fit(x.view(), &y, &recipe).unwrap();
    let got = model.predict(array![[1.0, 2.0]].view()).unwrap_err();
    assert!(matches!(got, Error::Core(rank1_core::Error::ShapeMismatch { .. })), "{got}");
}

/// Two hundred rows of one column in a folder of a checkpoint.
fn fit_in(
    folder: &std::path::Path,
    recipe: &CheckedRecipe,
    shape: &NetworkShape,
    change: impl FnOnce(&mut TrainingData),
) -> Result<(), Error> {
    let x = Array2::from_shape_fn((50, 1), |(i, _)| i as f32 / 50.0);
    let targets = Targets::Values(x.index_axis(Axis(1), 0).mapv(f64::from));
    let mut data = TrainingData { inputs: x.into(), targets, validation: vec![], augmentation: None };
    change(&mut data);
    let compute = &Compute::default();
    let options = FitOptions { threads: 1, compute, checkpoint: Some(folder), progress: &|_| {} };
    fit(recipe, shape, &data, options).map(|_| ())
}

#[test]
fn a_folder_of_other_rows_or_another_shape_is_refused() {
    let recipe = Recipe::mlp([5]).steps(3).check().unwrap();
    let shape = NetworkShape::of(&recipe.get().model, InputShape::Columns { width: 1 }, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fit_in(folder.path(), &recipe, &shape, |_| {}).unwrap();
    fit_in(folder.path(), &recipe, &shape, |_| {}).unwrap();
    let moved = |data: &mut TrainingData| data.targets = Targets::Values(Array1::zeros(50));
    let got = fit_in(folder.path(), &recipe, &shape, moved).unwrap_err();
    assert!(matches!(got, Error::Checkpoint { reason: CheckpointFault::Data, .. }), "{got}");
    let got = fit_in(folder.path(), &recipe, &shape, |data| data.validation = vec![3]).unwrap_err();
    assert!(matches!(got, Error::Checkpoint { reason: CheckpointFault::Data, .. }), "{got}");
    let tanh = Body::mlp(vec![5], Activation::Tanh);
    let other = NetworkShape { body: tanh, ..shape.clone() };
    let got = load(recipe.get(), &recipe.hash(), &other, folder.path()).unwrap_err();
    assert!(matches!(got, Error::Checkpoint { reason: CheckpointFault::Shape, .. }), "{got}");
    load(recipe.get(), &recipe.hash(), &shape, folder.path()).unwrap();
    let got = fit_in(folder.path(), &recipe, &other, |_| {}).unwrap_err();
    assert!(matches!(got, Error::Data(DataFault::Shape { what: "architecture" })), "{got}");
    let got = fit_in(folder.path(), &recipe, &shape, |data| data.validation = vec![1000]).unwrap_err();
    assert!(matches!(got, Error::Data(DataFault::ValidationIndex { index: 1000, rows: 50 })), "{got}");
    let all = |data: &mut TrainingData| data.validation = (0..50).collect();
    let got = fit_in(folder.path(), &recipe, &shape, all).unwrap_err();
    assert!(matches!(got, Error::Data(DataFault::NothingToTrainOn { rows: 50 })), "{got}");
}
