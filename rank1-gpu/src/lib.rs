//! CubeCL kernels for batched rank-1 perturbed layers: factor draws on the device, and draw-and-scale without storing them.
//!
//! Not for training loops, tensors or autodiff: buffers of `f32` go in and out, the caller owns the client.
//!
//! A factor entry is `location + scale * noise`, cut to a [`Clip`] if there is one. The noise is a pure function of a
//! key and of (step, member, example, index), so that the device, this crate's [`host`] twin and every other
//! implementation of the same stream agree, and so that a backward pass can draw again instead of storing.
//!
//! | module | holds |
//! | --- | --- |
//! | [`launch`] | the functions to call: they check shapes and limits, then launch |
//! | [`draw`] | what to draw: [`Draw`], [`NoiseKind`], [`Clip`] |
//! | [`outputs`] | [`OutputShape`], [`Likelihood`] and [`NllForm`] of a network's outputs |
//! | [`shape`] | [`DrawShape`] and the launch grid |
//! | [`transfer`] | copies to and from a device |
//! | [`philox`] | the integer generator, on the host and as a device function |
//! | [`host`] | the same draws in plain `f64` Rust, the reference of the tests |
//!
//! ```no_run
//! use cubecl::Device;
//! use cubecl::device::WgpuDeviceKind;
//! use rank1_gpu::{Clip, Draw, DrawShape, NoiseKind, launch, philox, transfer};
//!
//! # fn main() -> Result<(), rank1_gpu::Error> {
//! // An error, not a panic, where the feature `wgpu` is off or the machine has no adapter.
//! let client = Device::wgpu(WgpuDeviceKind::DefaultDevice)?.client();
//! let shape = DrawShape { n_members: 2, n_examples: 3, width: 5 };
//! let draw = Draw {
//!     kind: NoiseKind::Normal,
//!     key: philox::stream_key(2020, 0, 0),
//!     step: 0,
//!     clip: Some(Clip::REFERENCE),
//! };
//! let location = transfer::upload(&client, "location", &[1.0; 10])?;
//! let scale = transfer::upload(&client, "scale", &[0.1; 10])?;
//! let factors = launch::draw_factors(&client, &draw, shape, &location, &scale)?;
//! assert_eq!(transfer::download(&client, &factors)?.len(), 2 * 3 * 5);
//! # Ok(())
//! # }
//! ```

pub mod draw;
mod error;
pub mod host;
mod kernels;
pub mod launch;
pub mod outputs;
pub mod philox;
pub mod shape;
pub mod transfer;

pub use draw::{Clip, Draw, NoiseKind};
pub use error::Error;
pub use outputs::{Likelihood, NllForm, OutputShape};
pub use shape::DrawShape;
