//! Claims about adaptive sampling: each example is what a fixed number of samples gives it, and the bound decides that number.

#![allow(clippy::unwrap_used)]

use rank1_core::noise::NoiseStream;

use super::*;
use crate::device::Compute;
use crate::init::initialize;
use crate::method::{Method, Rank1};
use crate::network::{Activation, Network, NetworkShape};
use crate::predict::{predict, predict_block};
use crate::recipe::EngineKind;

const MOST: usize = 32;

fn setting(
    likelihood: Likelihood,
    kind: EngineKind,
) -> (Vec<TrainedNetwork>, Vec<Box<dyn Engine>>, Array2<f32>) {
    let outputs = match likelihood {
        Likelihood::Categorical => 3,
        Likelihood::HeteroscedasticGaussian => 2,
        _ => 1,
    };
    let shape = NetworkShape::mlp(5, vec![17], outputs, Activation::Relu, likelihood);
    let network =
        Network::new(shape, &Method::Rank1(Rank1 { members: 3, dropout_rate: 0.3, ..Rank1::default() }))
            .unwrap();
    let networks: Vec<TrainedNetwork> = (1..3)
        .map(|seed| TrainedNetwork {
            network: network.clone(),
            parameters: initialize(&network, seed).unwrap().into(),
            seed,
            kept: None,
        })
        .collect();
    let mut inputs = Array2::zeros((23, 5));
    NoiseStream::new(4, 0, 0).fill_normal(Default::default(), inputs.as_slice_mut().unwrap());
    // Rows far out have wide predictives, rows near zero narrow ones.
    for (i, mut row) in inputs.outer_iter_mut().enumerate() {
        row *= 0.05 * i as f32;
    }
    let engines = (0..2).map(|_| Compute::default().engine(kind, &network)).collect();
    (networks, engines, inputs)
}

const LIKELIHOODS: [Likelihood; 4] = [
    Likelihood::Categorical,
    Likelihood::Bernoulli,
    Likelihood::Gaussian,
    Likelihood::HeteroscedasticGaussian,
];

#[test]
fn every_example_is_what_its_own_number_of_samples_gives() {
    for kind in [EngineKind::Analytic, EngineKind::Autodiff] {
        for likelihood in LIKELIHOODS {
            let (networks, mut engines, inputs) = setting(likelihood, kind);
            let sampling = AdaptiveSampling { standard_error: 0.01, most: MOST };
            let found = predict_adaptively(&networks, &mut engines, inputs.view(), sampling, 64).unwrap();
            let kinds: std::collections::BTreeSet<usize> = found.samples.iter().copied().collect();
            assert!(kinds.len() > 1, "{likelihood:?}: the bound tells no example from another, {kinds:?}");
            assert!(found.mean_samples() < MOST as f64);
            for samples in kinds {
                let fixed = predict(&networks, &mut engines, inputs.view(), samples, 64).unwrap();
                let rows: Vec<usize> = (0..23).filter(|&i| found.samples[i] == samples).collect();
                match (found.predictive.select(&rows), fixed.select(&rows)) {
                    (Predictive::Classes(a), Predictive::Classes(b)) => {
                        assert_eq!(a.member_log_probs, b.member_log_probs);
                        assert_eq!(a.expected_entropy, b.expected_entropy);
                    }
                    (
                        Predictive::Values { mixture: a, n_members: 6 },
                        Predictive::Values { mixture: b, n_members: 6 },
                    ) => {
                        assert_eq!(a.n_terms(), 6 * MOST);
                        let off = (&a.mean() - &b.mean()).mapv(f64::abs).fold(0.0, |x: f64, &y| x.max(y));
                        assert!(off < 1e-12, "{likelihood:?}: {off}");
                        assert!((&a.variance() - &b.variance()).iter().all(|d| d.abs() < 1e-12));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn chunks_change_nothing_and_a_wide_or_narrow_bound_means_few_or_all_samples() {
    let (networks, mut engines, inputs) = setting(Likelihood::Categorical, EngineKind::Analytic);
    let mut run = |standard_error: f64, chunk: usize| {
        let sampling = AdaptiveSampling { standard_error, most: MOST };
        predict_adaptively(&networks, &mut engines, inputs.view(), sampling, chunk).unwrap()
    };
    assert_eq!(run(0.01, 6), run(0.01, 4096));
    assert!(run(1.0, 64).samples.iter().all(|&s| s == 4));
    // A row of zeros has no factors to draw but the biases' layer: it may be done early even here.
    assert!(run(1e-12, 64).samples[1..].iter().all(|&s| s == MOST));
}

#[test]
fn a_block_draws_as_its_rows_do_among_all() {
    for likelihood in LIKELIHOODS {
        let (networks, mut engines, inputs) = setting(likelihood, EngineKind::Analytic);
        let sampling = AdaptiveSampling { standard_error: 0.01, most: MOST };
        let whole = predict(&networks, &mut engines, inputs.view(), MOST, 64).unwrap();
        let adaptive = predict_adaptively(&networks, &mut engines, inputs.view(), sampling, 64).unwrap();
        for size in [1, 4, 10] {
            let (mut parts, mut samples) = (Vec::new(), Vec::new());
            let mut own = Vec::new();
            for (i, block) in inputs.axis_chunks_iter(Axis(0), size).enumerate() {
                own.push(predict_block(&networks, &mut engines, block, i * size, MOST, 64).unwrap());
                let block =
                    predict_block_adaptively(&networks, &mut engines, block, i * size, sampling, 64).unwrap();
                parts.push(block.predictive);
                samples.extend(block.samples);
            }
            assert_eq!(Predictive::concatenate(own).unwrap(), whole, "{likelihood:?} by {size}");
            assert_eq!(samples, adaptive.samples, "{likelihood:?} by {size}");
            assert_eq!(
                Predictive::concatenate(parts).unwrap(),
                adaptive.predictive,
                "{likelihood:?} by {size}"
            );
        }
    }
}

#[test]
fn an_impossible_bound_and_no_sample_are_refused() {
    let (networks, mut engines, inputs) = setting(Likelihood::Bernoulli, EngineKind::Analytic);
    for (standard_error, most) in [(0.0, 8), (f64::NAN, 8), (0.1, 0)] {
        let sampling = AdaptiveSampling { standard_error, most };
        assert!(predict_adaptively(&networks, &mut engines, inputs.view(), sampling, 64).is_err());
    }
}
