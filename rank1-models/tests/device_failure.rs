//! A wgpu device whose memory does not hold a step says so in an error, and nothing hangs.
//!
//! Needs a device with small buffers, as software adapters have. Without any the test says that it skipped, or fails where
//! `RANK1_REQUIRE_DEVICE` is set.
#![cfg(feature = "wgpu")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use burn::backend::DispatchDevice;
use ndarray::Array2;
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::NllForm;
use rank1_core::targets::Targets;
use rank1_models::device::{Compute, DeviceName};
use rank1_models::engine::{Batch, DrawKey, NllRequest};
use rank1_models::error::Error;
use rank1_models::init::initialize;
use rank1_models::method::{Method, Rank1};
use rank1_models::network::{Activation, Network, NetworkShape};

const MEMBERS: usize = 4;
const BATCH: usize = 512;

#[test]
fn a_step_that_memory_does_not_hold_is_an_error() {
    let compute = match Compute::open(DeviceName::Wgpu) {
        Ok(compute) => compute,
        Err(error) if std::env::var_os("RANK1_REQUIRE_DEVICE").is_some() => panic!("{error}"),
        Err(error) => return eprintln!("SKIPPED, nothing was tested: {error}"),
    };
    let device = compute.burn_device().unwrap();
    let DispatchDevice::Cube(cube) = device.as_dispatch() else { panic!("not a CubeCL device") };
    let largest = cube.client().properties().memory.max_page_size as usize;
    if largest > 1 << 28 {
        return eprintln!("SKIPPED, nothing was tested: a buffer may have {largest} bytes, too many to try");
    }
    let hidden = largest / (4 * MEMBERS * BATCH) + 1;
    let shape = NetworkShape::mlp(3, vec![hidden], 2, Activation::Relu, Likelihood::Categorical);
    let network =
        Network::new(shape, &Method::Rank1(Rank1 { members: MEMBERS, ..Rank1::default() })).unwrap();
    let parameters = initialize(&network, 1).unwrap();
    let mut gradient = vec![0.0; parameters.len()];
    let inputs = Array2::from_elem((BATCH, 3), 0.5);
    let targets = Targets::Classes { labels: vec![1; BATCH].into(), n_classes: 2 };
    let key = DrawKey { seed: 1, step: 0, first_sample: 0, first_example: 0 };
    let mut engine = compute.engine(Default::default(), &network);
    let batch = Batch { inputs: inputs.view(), targets: &targets };
    let request = NllRequest { n_samples: 1, form: NllForm::AverageNll };
    let error = engine.nll(&parameters, &mut gradient, batch, key, request).unwrap_err();
    assert!(matches!(error, Error::DeviceFailed { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("allocate") && text.contains("train.batch_size"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}
