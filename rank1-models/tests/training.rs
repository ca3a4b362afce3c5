//! Whole trainings on a noisy sine: they beat the constant predictor by a stated margin, resume to the same bits from
//! any step, agree between engines, and stop on numbers that are not finite.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{Array1, Array2, Axis};
use rank1_core::likelihood::Likelihood;
use rank1_core::noise::{At, NoiseStream};
use rank1_core::targets::Targets;
use rank1_models::Error;
use rank1_models::checkpoint::{FORMAT, Origin, Slot, read_sealed, write_sealed};
use rank1_models::device::Compute;
use rank1_models::fit::{FitOptions, Fitted, Progress, TrainingData, fit, fit_until};
use rank1_models::network::{Activation, Network, NetworkShape};
use rank1_models::predict::{Predictive, predict, predict_in_steps};
use rank1_models::recipe::{CheckedRecipe, EngineKind, Override, parse};
use rank1_models::train::{Observer, Rows, StepProgress, TrainState, TrainingSets, train};

const RECIPE: &str = r#"
name = "test/sine"
data = { set = "sine", validation = 0.0 }
model = { kind = "mlp", hidden = [17], activation = "tanh" }
method = { kind = "rank1", members = 3, prior = { family = "normal", mean = 1.0, std = 0.3 }, dropout_rate = 0.001, member_kl = "mean" }
predict = { samples = 8 }
[train]
epochs = 150
batch_size = 16
optimizer = { kind = "adam", learning_rate = 0.02 }
kl_annealing = 0.5
"#;

fn recipe(sets: &[&str]) -> CheckedRecipe {
    let sets: Vec<Override> = sets.iter().map(|s| s.parse().unwrap()).collect();
    parse(RECIPE, &sets).unwrap()
}

fn shape() -> NetworkShape {
    NetworkShape::mlp(1, vec![17], 2, Activation::Tanh, Likelihood::HeteroscedasticGaussian)
}

/// `n` rows of y = sin(3 x) + 0.1 noise on [-1, 1]; `site` picks the noise and the grid's offset.
fn rows(n: usize, site: u32) -> (Array2<f32>, Targets) {
    let mut noise = vec![0.0; n];
    NoiseStream::new(5, site, 0).fill_normal(At { step: 0, member: 0, example: 0 }, &mut noise);
    let x: Array1<f32> = (0..n).map(|i| -1.0 + 2.0 * (i as f32 + 0.3 * site as f32) / n as f32).collect();
    let y = x.iter().zip(&noise).map(|(x, e)| f64::from((3.0 * x).sin() + 0.1 * e)).collect();
    (x.insert_axis(Axis(1)), Targets::values(y).unwrap())
}

fn fitted(recipe: &CheckedRecipe) -> Fitted {
    let (inputs, targets) = rows(101, 1);
    let data = TrainingData {
        inputs: inputs.into(),
        targets,
        validation: (0..101).step_by(5).collect(),
        augmentation: None,
    };
    fit(
        recipe,
        &shape(),
        &data,
        FitOptions { threads: 1, compute: &Compute::default(), checkpoint: None, progress: &|_| {} },
    )
    .unwrap()
}

fn test_nll(fitted: &Fitted) -> f64 {
    let (inputs, targets) = rows(53, 2);
    let settings = fitted.chosen.get();
    let mut engines: Vec<_> = fitted
        .networks
        .iter()
        .map(|n| Compute::default().engine(settings.train.engine, &n.network))
        .collect();
    predict(&fitted.networks, &mut engines, inputs.view(), 8, 4096).unwrap().nll(&targets).unwrap()
}

#[test]
fn rank1_beats_the_constant_predictor_and_its_factors_learn() {
    let fitted = fitted(&recipe(&[]));
    // The constant Gaussian fits mean 0 and standard deviation 0.73: 1.10 nats; the noise alone allows -0.88.
    let nll = test_nll(&fitted);
    assert!((-1.0..-0.5).contains(&nll), "{nll}");
    let history = &fitted.histories[0];
    let (first, last) = (&history[0], &history[history.len() - 1]);
    assert!(last.kl < 0.5 * first.kl, "KL went from {} to {}", first.kl, last.kl);
    assert!(last.input_spread[1].unwrap() > 2.0 * first.input_spread[1].unwrap());
}

#[test]
fn predictives_of_fewer_samples_on_the_way_are_those_of_predictions_with_fewer_samples() {
    let fitted = fitted(&recipe(&["train.epochs=2"]));
    let (inputs, _) = rows(53, 2);
    let engines = || -> Vec<_> {
        fitted.networks.iter().map(|n| Compute::default().engine(EngineKind::Analytic, &n.network)).collect()
    };
    let steps = [1, 2, 4, 5, 8];
    // Chunks of 7 rows of three members.
    let mut parts: Vec<Vec<Predictive>> = vec![Vec::new(); steps.len()];
    let mut end = 0;
    let whole = predict_in_steps(
        &fitted.networks,
        &mut engines(),
        inputs.view(),
        5,
        21,
        &steps,
        &mut |rows, samples, predictive| {
            end = rows.end;
            parts[steps.iter().position(|&step| step == samples).unwrap()].push(predictive);
            Ok(())
        },
    )
    .unwrap();
    assert_eq!(end, 53);
    assert_eq!(whole, predict(&fitted.networks, &mut engines(), inputs.view(), 5, 21).unwrap());
    for (samples, parts) in steps.into_iter().zip(parts) {
        if samples >= 5 {
            assert!(parts.is_empty(), "{samples} samples are not below 5");
            continue;
        }
        let fewer = predict(&fitted.networks, &mut engines(), inputs.view(), samples, 21).unwrap();
        assert_eq!(Predictive::concatenate(parts).unwrap(), fewer, "{samples}");
    }
}

#[cfg(feature = "burn")]
#[test]
fn the_two_engines_train_to_the_same_network() {
    let short = ["train.epochs=4"];
    let analytic = fitted(&recipe(&short));
    let autodiff = fitted(&recipe(&[short[0], "train.engine=autodiff"]));
    let pairs = analytic.networks[0].parameters.iter().zip(autodiff.networks[0].parameters.iter());
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // 28 steps of Adam at rate 0.02 move a parameter by up to 0.56; rounding is amplified by its division.
    assert!(worst < 2e-3, "{worst}");
    assert!((test_nll(&analytic) - test_nll(&autodiff)).abs() < 1e-3);
}

#[test]
fn early_stopping_keeps_the_best_epoch_and_stops() {
    let stopped = fitted(&recipe(&[
        "train.early_stopping={ patience = 5, every = 1 }",
        "data.validation=0.2",
        "train.kl_annealing=0.0",
        "train.epochs=2000",
        "train.schedule={ kind = \"constant\" }",
    ]));
    let nlls: Vec<f64> = stopped.histories[0].iter().map(|r| r.valid_nll.unwrap()).collect();
    let best = nlls.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    assert!(nlls.len() < 2000);
    assert_eq!(nlls.len() - 1 - best, 5);
}

#[test]
fn a_search_chooses_the_trial_with_the_best_validation_and_trains_it_on_all_rows() {
    let found = fitted(&recipe(&["data.validation=0.2", "search={ \"train.epochs\" = [2, 150] }"]));
    assert_eq!(found.trials.len(), 2);
    assert!(found.trials[1].nll < found.trials[0].nll);
    assert_eq!(found.chosen.get().train.epochs, Some(150));
    // 80 rows in batches of 16 are 5 steps, and as many steps were judged, though all 101 rows take 7.
    assert_eq!(found.histories[0].last().unwrap().step, 150 * 5);
}

/// With a warm-up and an annealing that are longer than the best run, each in epochs of the judged rows.
#[test]
fn what_is_trained_again_is_what_was_judged() {
    let found = fitted(&recipe(&[
        "data.validation=0.2",
        "train.epochs=400",
        "train.early_stopping={ patience = 3 }",
        "train.schedule={ kind = \"cosine\", warmup_epochs = 30.0 }",
        "train.kl_annealing={ steps = 60 }",
        "search={ \"train.l2\" = [0.0, 0.1] }",
    ]));
    let train = &found.chosen.get().train;
    let best = found.trials.iter().min_by(|a, b| a.nll.total_cmp(&b.nll)).unwrap();
    assert_eq!(train.stop_step, Some(best.step));
    assert!(best.step < 400 * 5);
    let judged = recipe(&["train.epochs=400", "train.schedule={ kind = \"cosine\", warmup_epochs = 30.0 }"]);
    let last = found.histories[0].last().unwrap();
    assert_eq!(last.step, best.step);
    let factor = judged.get().train.schedule.factor(best.step - 1, 5, 400 * 5);
    let rate = judged.get().train.optimizer.learning_rate() * factor;
    assert!((last.learning_rate - rate).abs() < 1e-12, "{} {rate}", last.learning_rate);
    assert!(best.step >= 60, "judged before the KL had its full weight");
    assert_eq!(last.kl_weight, 1.0);
}

#[test]
fn a_gradient_that_overflows_ends_the_run_with_step_and_quantity() {
    let (inputs, targets) = rows(31, 1);
    let data = TrainingData { inputs: inputs.into(), targets, validation: Vec::new(), augmentation: None };
    let wild = recipe(&["train.optimizer={ kind = \"sgd\", learning_rate = 1e30 }"]);
    let options =
        FitOptions { threads: 1, compute: &Compute::default(), checkpoint: None, progress: &|_| {} };
    let error = fit(&wild, &shape(), &data, options).unwrap_err();
    assert!(error.is_divergence(), "{error}");
}

#[test]
fn an_input_that_is_not_finite_is_refused_before_the_first_step() {
    let (mut inputs, targets) = rows(31, 1);
    inputs[[7, 0]] = f32::NAN;
    let data = TrainingData { inputs: inputs.into(), targets, validation: Vec::new(), augmentation: None };
    let options =
        FitOptions { threads: 1, compute: &Compute::default(), checkpoint: None, progress: &|_| {} };
    let error = fit(&recipe(&[]), &shape(), &data, options).unwrap_err();
    assert!(error.to_string().contains("[7, 0]"), "{error}");
}

/// Stores the state after a step and stops, as a run that is asked to.
struct Keeper {
    slot: Slot,
    network: Network,
    stop_after: u64,
}

impl Observer for Keeper {
    fn step(&mut self, state: &TrainState, progress: StepProgress) -> Result<(), Error> {
        if progress.step == self.stop_after {
            self.slot.save(&self.network, state)?;
            return Err(Error::Interrupted);
        }
        Ok(())
    }

    fn event(&mut self, _: &TrainState, _: bool) -> Result<(), Error> {
        Ok(())
    }
}

/// Whole passes of 37 rows in batches of 7 and intervals that end within them.
#[test]
fn a_run_stopped_after_any_step_resumes_to_the_same_bits() {
    let lengths = |method: &str| {
        [
            recipe(&[method, "train.epochs=5"]),
            recipe(&[
                method,
                "train.epochs=4",
                "train.checkpoint_every={ steps = 5 }",
                "train.average_from=0.4",
            ]),
            recipe(&[method, "train.epochs=10", "train.stop_step=19", "train.epoch_steps=4"]),
        ]
    };
    for method in [
        "method={ kind = \"rank1\", members = 2, posterior = \"cauchy\", prior = { family = \"cauchy\", location = 1.0, scale = 0.1 } }",
        "method={ kind = \"mean_field\", estimator = \"flipout\" }",
        "method={ kind = \"mc_dropout\", rate = 0.1 }",
    ] {
        for recipe in lengths(method) {
            let network = Network::new(shape(), &recipe.get().method).unwrap();
            let (inputs, targets) = rows(37, 1);
            let sets = TrainingSets {
                train: Rows { inputs: inputs.view().into(), targets: &targets },
                validation: None,
                augmentation: None,
            };
            let start = TrainState::start(&network, recipe.get(), 9).unwrap();
            let whole = train(
                &network,
                recipe.get(),
                &Compute::default(),
                sets,
                start.clone(),
                &mut rank1_models::train::Silent,
            )
            .unwrap();
            for stop_after in 1..whole.step() {
                let folder = tempfile::tempdir().unwrap();
                let slot = Slot::new(folder.path(), 0, Origin { recipe: recipe.hash(), ..Origin::default() });
                let mut keeper = Keeper { slot: slot.clone(), network: network.clone(), stop_after };
                train(&network, recipe.get(), &Compute::default(), sets, start.clone(), &mut keeper)
                    .unwrap_err();
                let saved = slot.load(&network, recipe.get()).unwrap().unwrap();
                assert_eq!(saved.step(), stop_after);
                let resumed = train(
                    &network,
                    recipe.get(),
                    &Compute::default(),
                    sets,
                    saved,
                    &mut rank1_models::train::Silent,
                )
                .unwrap();
                assert_eq!(resumed, whole, "{method} stopped after step {stop_after}");
            }
        }
    }
}

#[test]
fn a_manifest_whose_digest_is_no_digest_is_refused_in_a_short_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    write_sealed(&path, &serde_json::json!({ "format": FORMAT })).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let at = text.find("\"sha256\": \"").unwrap() + "\"sha256\": \"".len();
    std::fs::write(&path, format!("{}{}{}", &text[..at], "x".repeat(5000), &text[at + 64..])).unwrap();
    let error = read_sealed::<serde_json::Value>(&path).unwrap_err().to_string();
    assert!(error.contains("the manifest says none") && error.len() < 400, "{error}");
}

/// The mean over the steps after the first 60 %, here of parameters that a hook of every step has seen.
#[test]
fn averaged_parameters_are_the_mean_over_the_last_steps() {
    struct Watch(Vec<Vec<f32>>);
    impl Observer for Watch {
        fn step(&mut self, state: &TrainState, _: StepProgress) -> Result<(), Error> {
            self.0.push(state.parameters.clone());
            Ok(())
        }
        fn event(&mut self, _: &TrainState, _: bool) -> Result<(), Error> {
            Ok(())
        }
    }
    let recipe = recipe(&["train.epochs=5", "train.average_from=0.6"]);
    let network = Network::new(shape(), &recipe.get().method).unwrap();
    let (inputs, targets) = rows(37, 1);
    let rows = Rows { inputs: inputs.view().into(), targets: &targets };
    let sets = TrainingSets { train: rows, validation: None, augmentation: None };
    let start = TrainState::start(&network, recipe.get(), 9).unwrap();
    let mut watch = Watch(Vec::new());
    let end = train(&network, recipe.get(), &Compute::default(), sets, start, &mut watch).unwrap();
    let skipped = (0.6 * watch.0.len() as f64).round() as usize;
    let last = &watch.0[skipped..];
    assert!(last.len() > 1 && end.average.as_ref().unwrap().steps == last.len() as u64);
    for (i, &mean) in end.selected().iter().enumerate() {
        let expected = last.iter().map(|p| f64::from(p[i])).sum::<f64>() / last.len() as f64;
        assert!((f64::from(mean) - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{i}: {mean} {expected}");
    }
    assert_ne!(end.selected(), end.parameters);
}

#[test]
fn a_fit_that_is_asked_to_stop_saves_and_goes_on_to_the_same_bits() {
    let (inputs, targets) = rows(31, 1);
    let data = TrainingData { inputs: inputs.into(), targets, validation: Vec::new(), augmentation: None };
    let short = recipe(&["train.epochs=9", "train.checkpoint_every=9"]);
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let compute = Compute::default();
    let after_third = |progress: Progress<'_>| {
        if let Progress::Event { record, .. } = progress
            && record.epoch == 3.0
        {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let options =
        FitOptions { threads: 1, compute: &compute, checkpoint: Some(folder.path()), progress: &after_third };
    let error = fit_until(&short, &shape(), &data, options, &stop).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    let network = Network::new(shape(), &short.get().method).unwrap();
    let saved = Slot::new(folder.path(), 0, Origin { recipe: short.hash(), ..Origin::default() })
        .load(&network, short.get())
        .unwrap()
        .unwrap();
    assert_eq!((saved.step(), saved.finished), (6, false), "three epochs of two steps");
    // Nothing is trained while the request stands.
    let error = fit_until(&short, &shape(), &data, options, &stop).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    let resumed = fit(&short, &shape(), &data, FitOptions { progress: &|_| {}, ..options }).unwrap();
    let whole =
        fit(&short, &shape(), &data, FitOptions { progress: &|_| {}, checkpoint: None, ..options }).unwrap();
    assert_eq!(resumed.networks, whole.networks);
    assert_eq!(resumed.histories, whole.histories);
}
