//! Claims about the engine's memory that its results do not show.

#![allow(clippy::unwrap_used)]

use ndarray::Array2;
use rank1_core::objective::NllForm;

use super::*;
use crate::init::initialize;
use crate::method::{Method, Rank1};
use crate::network::{Activation, Body, InputShape, NetworkShape};

/// Number of buffers in the pool, and the values they have room for.
fn pool(engine: &AnalyticEngine<f32>) -> (usize, usize) {
    (engine.free.len(), engine.free.iter().map(Vec::capacity).sum())
}

#[test]
fn the_pool_of_gradients_does_not_grow_from_step_to_step() {
    // Joined columns, whose gradient is divided between two readers, and plain layers.
    let shape = NetworkShape {
        input: InputShape::Sequence { steps: 3, features: 2, context: 2, ragged: false },
        body: Body::Lstm { units: 5, embedding: 4, hidden: vec![3], activation: Activation::Relu6 },
        outputs: 1,
        likelihood: Likelihood::Bernoulli,
    };
    let network = Network::new(shape, &Method::Rank1(Rank1::default())).unwrap();
    assert!(network.nodes.iter().any(|node| matches!(node.op, Op::Concat(_))));
    let parameters = initialize(&network, 3).unwrap();
    let mut engine = AnalyticEngine::<f32>::new(network);
    let inputs = Array2::from_shape_fn((4, 8), |(i, j)| (i + j) as f32 / 7.0);
    let targets = Targets::Classes { labels: vec![0, 1, 1, 0].into(), n_classes: 2 };
    let mut step = |number: u32| {
        let batch = Batch { inputs: inputs.view(), targets: &targets };
        let key = DrawKey { seed: 1, step: number, first_sample: 0, first_example: 0 };
        let request = NllRequest { n_samples: 1, form: NllForm::AverageNll };
        let mut gradient = vec![0.0; parameters.len()];
        engine.nll_and_gradient(&parameters, &mut gradient, batch, key, request).unwrap();
        pool(&engine)
    };
    let early = (0..20).map(&mut step).last();
    let late = (20..60).map(&mut step).last();
    assert_eq!(early, late);
}

#[test]
fn predictions_follow_the_parameters_they_are_asked_with() {
    let shape = NetworkShape::mlp(7, vec![40], 3, Activation::Relu, Likelihood::Categorical);
    let network = Network::new(shape, &Method::Rank1(Rank1::default())).unwrap();
    let mut parameters = initialize(&network, 3).unwrap();
    let inputs = Array2::from_shape_fn((5, 7), |(i, j)| (i * 3 + j) as f32 / 7.0);
    let key = DrawKey { seed: 1, step: DrawKey::PREDICTION, first_sample: 0, first_example: 0 };
    let fresh = |parameters: &[f32]| {
        let mut engine = AnalyticEngine::<f32>::new(network.clone());
        engine.sample_outputs(parameters, inputs.view(), key, 2).unwrap()
    };
    let mut engine = AnalyticEngine::<f32>::new(network.clone());
    let mut kept = |parameters: &Arc<[f32]>| engine.outputs(parameters, inputs.view(), key, 2).unwrap();
    let first: Arc<[f32]> = parameters.as_slice().into();
    assert_eq!(kept(&first), fresh(&parameters));
    assert_eq!(kept(&first), fresh(&parameters));
    parameters.iter_mut().for_each(|p| *p *= 1.25);
    let second: Arc<[f32]> = parameters.as_slice().into();
    assert_eq!(kept(&second), fresh(&parameters));
    assert_eq!(kept(&first), fresh(&first));
    drop((first, second));
    // Memory that was given back may be handed out again at the same place.
    for factor in [0.5, 2.0, 3.0] {
        let next: Arc<[f32]> = parameters.iter().map(|p| p * factor).collect();
        assert_eq!(kept(&next), fresh(&next));
    }
}
