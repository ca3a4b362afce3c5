//! The perturbed linear map on cubek-matmul, in every precision and on every engine that the device has.

use cubecl::client::Client;
use rank1_gpu::{
    Activation, Arithmetic, Engine, Error, FactorRows, LayerGrads, LinearShape, Perturbation, Precision,
    launch, transfer,
};

use super::layers::{Numbers, Variant, values};
use super::linear::{SMALL, n_rows, numbers, shape};
use super::oracle;
use super::{assert_close, skip};

const PRECISIONS: [Precision; 4] = [Precision::F32, Precision::Tf32, Precision::F16, Precision::Bf16];
const ENGINES: [Engine; 3] = [Engine::Units, Engine::TensorCores, Engine::TensorCoresDoubleBuffered];

/// Half the distance between neighbors, relative to the smaller.
fn unit_roundoff(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 2f64.powi(-24),
        Precision::Tf32 | Precision::F16 => 2f64.powi(-11),
        Precision::Bf16 => 2f64.powi(-8),
    }
}

pub(crate) fn is_half(precision: Precision) -> bool {
    precision.bytes() == 2
}

pub(crate) fn round(values: &[f32], precision: Precision) -> Vec<f32> {
    let round = |&value: &f32| match precision {
        Precision::F32 | Precision::Tf32 => value,
        Precision::F16 => half::f16::from_f32(value).to_f32(),
        Precision::Bf16 => half::bf16::from_f32(value).to_f32(),
    };
    values.iter().map(round).collect()
}

/// Every pair of a precision and an engine of the library that the device takes for a layer, of which `choose` tells the
/// engine; what it does not take it must name.
pub(crate) fn arithmetics(choose: impl Fn(Arithmetic) -> Result<Engine, Error>) -> Vec<Arithmetic> {
    let mut all = Vec::new();
    for precision in PRECISIONS {
        for engine in ENGINES {
            let arithmetic = Arithmetic { precision, engine: Some(engine) };
            match choose(arithmetic) {
                Ok(chosen) => {
                    assert_eq!(chosen, engine);
                    all.push(arithmetic);
                }
                Err(Error::Unsupported { feature, .. }) => skip(format!("{arithmetic:?}: no {feature}")),
                Err(Error::Undefined { .. }) => {}
                // Larger stages than the device has memory for.
                Err(Error::OverLimit { .. }) if engine != Engine::Units => {}
                Err(error) => panic!("{arithmetic:?}: {error}"),
            }
        }
    }
    assert!(all.contains(&Arithmetic { precision: Precision::F32, engine: Some(Engine::Units) }));
    all
}

/// 1e-5 (1 + |expected|) for sums in f32; one rounding more if the values were `stored` in the precision; and one rounding
/// of each of `depth` products of operands below `largest` on tensor cores.
pub(crate) struct Tolerance {
    arithmetic: Arithmetic,
    largest: f64,
}

/// Products in a sum, for each of the gradients that are sums of products.
pub(crate) struct Depths {
    pub(crate) x: usize,
    pub(crate) weight: usize,
    pub(crate) input_factor: usize,
    pub(crate) output_factor: usize,
}

impl Tolerance {
    pub(crate) fn new(arithmetic: Arithmetic, variant: &Variant) -> Self {
        // Entries of x, factors and gradients are below 1; a factor that adds makes operands of up to 2.
        let largest = if variant.perturbation == Perturbation::Additive { 2.0 } else { 1.0 };
        Self { arithmetic, largest }
    }

    #[track_caller]
    pub(crate) fn check(&self, got: &[f32], expected: &[f64], depth: usize, stored: bool, what: &str) {
        assert_eq!(got.len(), expected.len(), "{what}");
        let Arithmetic { precision, engine } = self.arithmetic;
        let roundoff = unit_roundoff(precision);
        // Rounding of both operands, of which the perturbed one alone was not in the precision before; tf32 rounds both.
        let products =
            if engine == Some(Engine::Units) { 0.0 } else { 2.0 * roundoff * depth as f64 * self.largest };
        let store = if stored && is_half(precision) { roundoff } else { 0.0 };
        for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
            let error = (f64::from(got) - expected).abs();
            // Below the smallest normal f16 a rounding is at most 2^-25.
            let allowed = 1e-5 * (1.0 + expected.abs()) + store * expected.abs() + products;
            assert!(
                error <= allowed,
                "{what}, entry {at}: {got} is not {expected}, off by {error}, not {allowed}"
            );
        }
    }

    #[track_caller]
    pub(crate) fn check_grads(
        &self,
        got: &LayerGrads<Vec<f32>>,
        expected: &LayerGrads<Vec<f64>>,
        depths: Depths,
        what: &str,
    ) {
        self.check(&got.x, &expected.x, depths.x, true, &format!("{what} x"));
        self.check(&got.weight, &expected.weight, depths.weight, false, &format!("{what} weight"));
        for (name, depth, got, expected) in [
            ("input_factor", depths.input_factor, &got.input_factor, &expected.input_factor),
            ("output_factor", depths.output_factor, &got.output_factor, &expected.output_factor),
            ("bias", 0, &got.bias, &expected.bias),
        ] {
            match (got, expected) {
                (Some(got), Some(expected)) => {
                    self.check(got, expected, depth, false, &format!("{what} {name}"))
                }
                (None, None) => {}
                (got, _) => panic!("{what} {name}: {got:?}"),
            }
        }
    }
}

/// The layer with the weight that the device stores.
fn rounded(variant: &Variant, shape: LinearShape, precision: Precision) -> Numbers {
    let exact = numbers(variant, shape);
    Numbers { weight: round(&exact.weight, precision), ..exact }
}

fn check_forward(client: &Client, arithmetic: Arithmetic, variant: &Variant, shape: LinearShape) {
    let precision = arithmetic.precision;
    let numbers = rounded(variant, shape, precision);
    let x = round(&values(n_rows(shape) * shape.d_in, 0.3), precision);
    let expected = oracle::perturbed_linear(shape, &variant.host(&numbers), &x);
    let x = transfer::upload_as(client, "x", &x, precision).unwrap();
    let y = variant.on_device_in(client, precision, &numbers, |layer| {
        launch::perturbed_linear_in(client, arithmetic, shape, layer, &x).unwrap()
    });
    let got = transfer::download_as(client, &y, precision).unwrap();
    let what = format!("{arithmetic:?} {variant:?} {shape:?}");
    Tolerance::new(arithmetic, variant).check(&got, &expected, shape.d_in, true, &what);
}

fn check_backward(client: &Client, arithmetic: Arithmetic, variant: &Variant, shape: LinearShape) {
    let precision = arithmetic.precision;
    let numbers = rounded(variant, shape, precision);
    let x = round(&values(n_rows(shape) * shape.d_in, 0.3), precision);
    let grad_y = round(&values(n_rows(shape) * shape.d_out, 0.7), precision);
    let expected = oracle::perturbed_linear_backward(shape, &variant.host(&numbers), &x, &grad_y);
    let x = transfer::upload_as(client, "x", &x, precision).unwrap();
    let grad_y = transfer::upload_as(client, "grad_y", &grad_y, precision).unwrap();
    let grads = variant.on_device_in(client, precision, &numbers, |layer| {
        let y = launch::perturbed_linear_in(client, arithmetic, shape, layer, &x).unwrap();
        launch::perturbed_linear_backward_in(client, arithmetic, shape, layer, &x, &y, &grad_y).unwrap()
    });
    let got = super::layers::download_grads_in(client, precision, &grads);
    let what = format!("{arithmetic:?} {variant:?} {shape:?}");
    let LinearShape { batch_size, d_in, d_out, .. } = shape;
    let (input_factor, output_factor) = (d_out * batch_size, d_in * batch_size);
    let depths = Depths { x: d_out, weight: n_rows(shape), input_factor, output_factor };
    Tolerance::new(arithmetic, variant).check_grads(&got, &expected, depths, &what);
}

/// Widths of whole vectors of 4 and 8, so that several entries are read and written at once, and ends inside a stage.
const WIDE: LinearShape = shape(17, 3, 40, 72);
/// Each axis of a product at 1, for each of which the library has tiles of its own.
const SIZES_OF_ONE: [LinearShape; 4] =
    [shape(1, 1, 1, 1), shape(1, 1, 7, 11), shape(3, 5, 1, 11), shape(3, 5, 7, 1)];

/// Few shapes and kinds of layer: a software adapter compiles each of these kernels for seconds.
pub(crate) fn library_maps_and_gradients_equal_the_host(client: &Client) {
    for shape in [SMALL, WIDE] {
        for arithmetic in arithmetics(|it| launch::engine(client, it, shape)) {
            // Odd widths in one precision and whole vectors in the other, unless the device is fast to compile.
            let is_card = client.properties().identity.physical.is_some();
            if is_card || is_half(arithmetic.precision) == (shape == WIDE) {
                // The rows of factors are no part of what is compiled.
                let shared = Some(FactorRows::PerMember);
                let shared = Variant { input_factor: shared, output_factor: shared, ..Variant::FULL };
                for variant in [Variant::FULL, shared] {
                    check_forward(client, arithmetic, &variant, shape);
                    check_backward(client, arithmetic, &variant, shape);
                }
            }
        }
    }
}

pub(crate) fn library_maps_whose_factors_add_equal_the_host(client: &Client) {
    let variant = Variant {
        perturbation: Perturbation::Additive,
        activation: Activation::Tanh,
        output_factor: Some(FactorRows::PerMember),
        ..Variant::FULL
    };
    for arithmetic in arithmetics(|it| launch::engine(client, it, WIDE)) {
        // The slope of a tanh comes from outputs that a half rounds: the bound would have to know each of them.
        if !is_half(arithmetic.precision) {
            check_forward(client, arithmetic, &variant, WIDE);
            check_backward(client, arithmetic, &variant, WIDE);
        }
    }
}

pub(crate) fn library_maps_with_axes_of_one_equal_the_host(client: &Client) {
    let f16 = Arithmetic { precision: Precision::F16, engine: Some(Engine::Units) };
    let f32 = Arithmetic { precision: Precision::F32, ..f16 };
    let arithmetic = if launch::engine(client, f16, SMALL).is_ok() { f16 } else { f32 };
    for shape in SIZES_OF_ONE {
        check_forward(client, arithmetic, &Variant::FULL, shape);
    }
}

/// Large enough for the library by default, unless the device has more multiprocessors than it has tiles there; too large for
/// the host's loops: the tiles, tested elsewhere, are the reference.
pub(crate) fn engines_agree_where_the_library_is_chosen(client: &Client) {
    let large = shape(4, 128, 512, 512);
    if client.properties().hardware.num_streaming_multiprocessors.is_none() {
        assert_eq!(launch::engine(client, Precision::F32, large).unwrap(), Engine::Units);
    }
    assert_eq!(launch::engine(client, Precision::F32, SMALL).unwrap(), Engine::Tiles);
    let variant = Variant { activation: Activation::Identity, ..Variant::FULL };
    let numbers = numbers(&variant, large);
    let x = transfer::upload(client, "x", &values(n_rows(large) * large.d_in, 0.3)).unwrap();
    let outputs = |arithmetic: Arithmetic| {
        let y = variant.on_device(client, &numbers, |layer| {
            launch::perturbed_linear_in(client, arithmetic, large, layer, &x).unwrap()
        });
        transfer::download(client, &y).unwrap()
    };
    let on = |engine| outputs(Arithmetic { precision: Precision::F32, engine: Some(engine) });
    let tiles = on(Engine::Tiles);
    let tiles: Vec<f64> = tiles.into_iter().map(f64::from).collect();
    assert!(tiles.iter().any(|y| y.abs() > 1.0));
    let units = on(Engine::Units);
    assert_close(&units, &tiles, "units against tiles");
    assert_eq!(units, on(Engine::Units), "two runs agree to the bit");
}

pub(crate) fn nan_stays_in_its_row_on_the_library(client: &Client) {
    for arithmetic in arithmetics(|it| launch::engine(client, it, WIDE)) {
        let precision = arithmetic.precision;
        // Of the kernels that another claim compiles already.
        if !is_half(precision) {
            continue;
        }
        let variant = Variant::FULL;
        let numbers = rounded(&variant, WIDE, precision);
        let mut x = values(n_rows(WIDE) * WIDE.d_in, 0.3);
        x[4 * WIDE.d_in + 3] = f32::NAN;
        let x = transfer::upload_as(client, "x", &x, precision).unwrap();
        let y = variant.on_device_in(client, precision, &numbers, |layer| {
            launch::perturbed_linear_in(client, arithmetic, WIDE, layer, &x).unwrap()
        });
        let y = transfer::download_as(client, &y, precision).unwrap();
        for (row, y) in y.chunks(WIDE.d_out).enumerate() {
            assert!(y.iter().all(|y| y.is_nan() == (row == 4)), "{arithmetic:?} {row}: {y:?}");
        }
    }
}

pub(crate) fn precisions_and_engines_that_do_not_exist_are_refused(client: &Client) {
    for (precision, engine) in [
        (Precision::F32, Engine::TensorCores),
        (Precision::F16, Engine::Tiles),
        (Precision::Bf16, Engine::Tiles),
        (Precision::Tf32, Engine::Tiles),
    ] {
        let got = launch::engine(client, Arithmetic { precision, engine: Some(engine) }, SMALL);
        assert!(matches!(got, Err(Error::Undefined { .. })), "{precision:?} {engine:?}: {got:?}");
    }
    // What a device has no type for it refuses by the name of the type, and else finds an engine.
    for (precision, name) in [(Precision::F16, "f16"), (Precision::Bf16, "bf16"), (Precision::Tf32, "tf32")] {
        match launch::engine(client, precision, SMALL) {
            Ok(engine) => assert_ne!(engine, Engine::Tiles, "{precision:?}"),
            Err(Error::Unsupported { feature, .. }) => assert!(feature.contains(name), "{feature}"),
            Err(error) => panic!("{precision:?}: {error}"),
        }
    }
}

pub(crate) fn buffers_of_another_precision_are_refused_by_name(client: &Client) {
    let arithmetic = Arithmetic { precision: Precision::F16, engine: Some(Engine::Units) };
    if let Err(missing) = launch::engine(client, arithmetic, SMALL) {
        return skip(missing);
    }
    let variant = Variant::FULL;
    let numbers = numbers(&variant, SMALL);
    let half = |n: usize| transfer::upload_as(client, "values", &vec![1.0; n], Precision::F16).unwrap();
    let full = |n: usize| transfer::upload(client, "values", &vec![1.0; n]).unwrap();
    let (n_in, n_out) = (n_rows(SMALL) * SMALL.d_in, n_rows(SMALL) * SMALL.d_out);
    let (x, y) = (half(n_in), half(n_out));
    let (full_x, full_y) = (full(n_in), full(n_out));
    let forward = |x, precision| {
        variant.on_device_in(client, precision, &numbers, |layer| {
            launch::perturbed_linear_in(client, arithmetic, SMALL, layer, x)
        })
    };
    let got = forward(&full_x, Precision::F16);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "x", got: 210, .. })), "{got:?}");
    let got = forward(&x, Precision::F32);
    assert!(matches!(got, Err(Error::ShapeMismatch { argument: "weight", .. })), "{got:?}");
    variant.on_device_in(client, Precision::F16, &numbers, |layer| {
        let backward =
            |y, grad_y| launch::perturbed_linear_backward_in(client, arithmetic, SMALL, layer, &x, y, grad_y);
        let got = backward(&full_y, &y);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "y", .. })), "{got:?}");
        let got = backward(&y, &full_y);
        assert!(matches!(got, Err(Error::ShapeMismatch { argument: "grad_y", .. })), "{got:?}");
    });
}
