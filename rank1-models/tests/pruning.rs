//! Members dropped after training: what stays predicts as it did among all, is chosen on validation rows, and is all that is kept.
#![allow(clippy::unwrap_used)]

use ndarray::{Array2, Axis};
use rank1_core::targets::Targets;
use rank1_models::device::Compute;
use rank1_models::fit::Progress;
use rank1_models::predict::Predictive;
use rank1_models::recipe::{Recipe, RecipeBuilder};
use rank1_models::{Error, Model, Setup};
use tempfile::TempDir;

const MEMBERS: usize = 5;

/// Two classes that half of the first column tells.
fn rows(n: usize) -> (Array2<f64>, Targets) {
    let x = Array2::from_shape_fn((n, 3), |(i, j)| (0.37 * i as f64 + 1.3 * j as f64 * i as f64).sin());
    let labels = x.outer_iter().zip(0_usize..).map(|(x, i)| usize::from(x[0] + 0.4 * (i as f64).cos() > 0.0));
    (x.clone(), Targets::classes(labels.collect(), 2).unwrap())
}

fn recipe(kind: &str, method: &str) -> RecipeBuilder {
    let recipe = if kind == "mlp" { Recipe::mlp([7]) } else { Recipe::network(kind).set("model.width", 8) };
    recipe
        .set("method.kind", method)
        .set("method.members", MEMBERS as i64)
        .set("train.steps", 60)
        .set("train.batch_size", 32)
        .set("train.early_stopping.patience", 5)
        .set("predict.samples", 3)
}

fn trained(recipe: RecipeBuilder) -> Model {
    fitted(&recipe, None).unwrap()
}

fn fitted(recipe: &RecipeBuilder, validation: Option<Vec<usize>>) -> Result<Model, Error> {
    let (x, y) = rows(160);
    let (compute, progress) = (&Compute::default(), &|_: Progress<'_>| {});
    let setup = Setup { input: None, validation, compute, threads: 1, progress };
    Model::fit_with(x.view(), &y, &recipe.clone().check().unwrap(), setup)
}

fn of_members(model: &mut Model) -> ndarray::Array3<f64> {
    match model.predict(rows(40).0.view()).unwrap() {
        Predictive::Classes(p) => p.member_log_probs,
        Predictive::Values { .. } => panic!("classes were trained"),
    }
}

#[test]
fn kept_members_predict_as_they_did_among_all() {
    for kind in ["mlp", "tabm"] {
        let mut all = trained(recipe(kind, "batch_ensemble"));
        let mut some = trained(recipe(kind, "batch_ensemble").set("train.prune_members", 2));
        let kept = some.networks()[0].kept.clone().unwrap();
        assert_eq!(kept.len(), 2);
        assert_eq!(of_members(&mut all).select(Axis(0), &kept), of_members(&mut some), "{kind}");
    }
}

#[test]
fn what_is_kept_is_the_same_each_time_and_after_it_was_saved() {
    for (kind, method) in [("mlp", "rank1"), ("tabm", "rank1"), ("tabm", "batch_ensemble")] {
        let pruned = || trained(recipe(kind, method).set("train.prune_members", 3));
        let (mut first, second) = (pruned(), pruned());
        assert_eq!(first.networks(), second.networks());
        let all = trained(recipe(kind, method));
        let network = &first.networks()[0];
        assert_eq!(network.network.n_members, 3);
        assert!(network.parameters.len() < all.networks()[0].parameters.len());
        let folder = TempDir::new().unwrap();
        first.save(folder.path()).unwrap();
        let mut opened = Model::open(folder.path()).unwrap();
        assert_eq!(opened.networks(), first.networks());
        assert_eq!(of_members(&mut opened), of_members(&mut first), "{kind} {method}");
    }
}

#[test]
fn as_many_as_validation_rows_ask_for_are_not_worse_there() {
    let nll = |recipe: RecipeBuilder| {
        let (x, y) = rows(160);
        let held: Vec<usize> = (0..160).step_by(4).collect();
        let mut model = fitted(&recipe, Some(held.clone())).unwrap();
        let predicted = model.predict(x.select(Axis(0), &held).view()).unwrap();
        (predicted.nll(&y.select(&held)).unwrap(), model.networks()[0].network.n_members)
    };
    let (of_all, members) = nll(recipe("tabm", "batch_ensemble"));
    let (of_some, kept) = nll(recipe("tabm", "batch_ensemble").set("train.prune_members", "auto"));
    assert_eq!(members, MEMBERS);
    assert!(kept <= MEMBERS && of_some <= of_all + 1e-6, "{kept}: {of_some} {of_all}");
    assert!(kept == MEMBERS || of_some < of_all);
}

#[test]
fn networks_of_an_ensemble_keep_members_of_their_own() {
    let recipe = recipe("mlp", "batch_ensemble").set("train.prune_members", 2);
    let of = toml::Value::Table("kind = \"batch_ensemble\"\nmembers = 5".parse().unwrap());
    let method: toml::Table = [("kind", "ensemble".into()), ("networks", 2.into()), ("of", of)]
        .map(|(key, value): (&str, toml::Value)| (key.to_owned(), value))
        .into_iter()
        .collect();
    let mut model = trained(recipe.set("method", method));
    assert_eq!(model.networks().len(), 2);
    assert!(model.networks().iter().all(|network| network.network.n_members == 2));
    assert_eq!(of_members(&mut model).len_of(Axis(0)), 4);
}

#[test]
fn without_validation_rows_there_is_nothing_to_choose_by() {
    let refused =
        |recipe: RecipeBuilder| recipe.set("train.prune_members", 2).check().unwrap_err().to_string();
    let told = refused(recipe("mlp", "rank1").set("data.validation", 0.0));
    assert!(told.contains("data.validation"), "{told}");
    let told = refused(Recipe::mlp([7]).rank1(5).steps(9));
    assert!(told.contains("train.prune_members: expected train.early_stopping"), "{told}");
    let recipe = recipe("mlp", "rank1").set("train.prune_members", 2);
    let refused = fitted(&recipe, Some(Vec::new())).unwrap_err();
    assert!(matches!(refused, Error::Data(_)), "{refused}");
}
