//! Which engine computes a layer, and the way there: our own tiles or cubek-matmul.
//!
//! Not for the order of preference, which [`crate::strategy`] has.

use cubecl::prelude::*;
use cubecl::server::Handle;

use super::layer::{self, Geometry, Layer};
use super::layer_library::{self, Map, Run};
use crate::arithmetic::{Arithmetic, Engine, Precision};
use crate::linear::LayerGrads;
use crate::{ConvShape, Error, LinearShape, strategy};

/// The engine that [`crate::launch::perturbed_linear_in`] and its backward pass use on this device at this shape.
///
/// # Shapes
/// None.
///
/// # Errors
/// As [`crate::launch::perturbed_linear_in`], where no engine takes the precision.
///
/// # Source
/// `src/strategy.rs`: by shape, precision and what the device reports, never by timing.
pub fn engine(
    client: &Client,
    arithmetic: impl Into<Arithmetic>,
    shape: LinearShape,
) -> Result<Engine, Error> {
    let op = "engine";
    shape.check(op)?;
    choose(op, client, arithmetic.into(), Map::Linear(shape)).map(Chosen::engine)
}

/// The engine that [`crate::launch::perturbed_convolution_in`] and its backward pass use on this device at this shape.
///
/// # Shapes
/// None.
///
/// # Errors
/// As [`crate::launch::perturbed_convolution_in`], where no engine takes the precision.
///
/// # Source
/// As [`engine`].
pub fn convolution_engine(
    client: &Client,
    arithmetic: impl Into<Arithmetic>,
    shape: ConvShape,
) -> Result<Engine, Error> {
    let op = "convolution_engine";
    shape.check(op)?;
    choose(op, client, arithmetic.into(), Map::Convolution(shape)).map(Chosen::engine)
}

/// Outputs of a layer whose shape was checked, on the engine of the strategy, in `out` if it is given.
pub(super) fn forward<G: Geometry>(
    op: &'static str,
    client: &Client,
    arithmetic: Arithmetic,
    map: Map,
    tiles: &G,
    layer: &Layer<'_>,
    (x, out): (&Handle, Option<Handle>),
) -> Result<Handle, Error> {
    match choose(op, client, arithmetic, map)? {
        Chosen::Tiles => layer::forward(op, client, tiles, layer, x, out),
        Chosen::Library(run) => layer_library::forward(run, layer, x, out),
    }
}

/// Gradients of the same.
pub(super) fn backward<G: Geometry>(
    op: &'static str,
    client: &Client,
    arithmetic: Arithmetic,
    map: Map,
    tiles: &G,
    layer: &Layer<'_>,
    (x, y, grad_y): (&Handle, &Handle, &Handle),
) -> Result<LayerGrads<Handle>, Error> {
    match choose(op, client, arithmetic, map)? {
        Chosen::Tiles => layer::backward(op, client, tiles, layer, x, y, grad_y),
        Chosen::Library(run) => layer_library::backward(run, layer, x, y, grad_y),
    }
}

/// Whose kernels compute a layer.
pub(super) enum Chosen<'a> {
    Tiles,
    Library(Run<'a>),
}

impl Chosen<'_> {
    fn engine(self) -> Engine {
        match self {
            Self::Tiles => Engine::Tiles,
            Self::Library(run) => run.engine,
        }
    }
}

/// The first engine of the strategy that the device takes, or why it does not take the last.
pub(super) fn choose<'a>(
    op: &'static str,
    client: &'a Client,
    arithmetic: Arithmetic,
    map: Map,
) -> Result<Chosen<'a>, Error> {
    let precision = arithmetic.precision;
    let take = |engine| match (engine, precision) {
        (Engine::Tiles, Precision::F32) => Ok(Chosen::Tiles),
        (Engine::Tiles, _) => {
            Err(Error::Undefined { op, what: "a precision other than f32 on our own tiles" })
        }
        (engine, _) => {
            let run = Run { op, client, map, engine, precision, aligned: true };
            let cubes = layer_library::least_cubes(run)?;
            let multiprocessors = client.properties().hardware.num_streaming_multiprocessors;
            // Its tiles are its own affair, and there may be fewer than the strategy counts on. Our own come next.
            if arithmetic == Arithmetic::default() && multiprocessors.is_some_and(|n| cubes < u64::from(n)) {
                let what = "a layer with fewer tiles of the library than multiprocessors";
                return Err(Error::Undefined { op, what });
            }
            Ok(Chosen::Library(run))
        }
    };
    let mut chosen = Err(Error::Undefined { op, what: "a map without an engine" });
    for engine in strategy::engines(arithmetic, &map.sizes()) {
        chosen = take(engine);
        if chosen.is_ok() {
            break;
        }
    }
    chosen
}
