//! CubeCL kernels for batched rank-1 perturbed layers: draws, perturbed maps and losses.
//!
//! Not for training loops, tensors or autodiff: buffers go in and out, the caller owns the client. They are `f32`; inputs,
//! outputs and their gradients may also be f16 or bf16 where a function has a twin `…_in` that takes a [`Precision`].
//!
//! A factor entry is `location + scale * noise` or its exponential, cut to a [`Clip`] if there is one. The noise is a pure
//! function of a key and of (step, member, example, index), so that the device and `rank1-core`
//! agree, and so that a backward pass can draw again instead of storing.
//!
//! | module | holds |
//! | --- | --- |
//! | [`launch`] | the functions to call: they check shapes and limits, then launch |
//! | [`draw`] | what to draw: [`Draw`], [`NoiseKind`], [`Family`], [`ScaleParameter`], [`Clip`] |
//! | [`linear`], [`convolution`] | arguments and shapes of perturbed layers: [`PerturbedLayer`], [`LinearShape`], [`ConvShape`] |
//! | [`drawn`] | linear layers that draw their factors, [`DrawnLayer`], and their [`Parts`] |
//! | [`Arithmetic`] | [`Precision`] of large buffers and the [`Engine`] of a layer's products |
//! | [`outputs`] | [`OutputShape`] of a network's outputs |
//! | [`gradients`] | what backward passes of draws return |
//! | [`shape`] | [`DrawShape`] and the launch grid |
//! | [`transfer`] | copies to and from a device |
//!
//! ```no_run
//! use cubecl::Device;
//! use cubecl::device::WgpuDeviceKind;
//! use rank1_core::noise::NoiseStream;
//! use rank1_gpu::{Clip, Draw, DrawShape, NoiseKind, launch, transfer};
//!
//! # fn main() -> Result<(), rank1_gpu::Error> {
//! // An error, not a panic, where the feature `wgpu` is off or the machine has no adapter.
//! let client = Device::wgpu(WgpuDeviceKind::DefaultDevice)?.client();
//! let shape = DrawShape { n_members: 2, n_examples: 3, width: 5 };
//! let draw = Draw::new(NoiseKind::Normal, NoiseStream::new(2020, 0, 0).key(), 0);
//! let draw = Draw { clip: Some(Clip::REFERENCE), ..draw };
//! let location = transfer::upload(&client, "location", &[1.0; 10])?;
//! let scale = transfer::upload(&client, "scale", &[0.1; 10])?;
//! let factors = launch::draw_factors(&client, &draw, shape, &location, &scale)?;
//! assert_eq!(transfer::download(&client, &factors)?.len(), 2 * 3 * 5);
//! # Ok(())
//! # }
//! ```

mod arithmetic;
pub mod convolution;
pub mod draw;
pub mod drawn;
mod error;
pub mod gradients;
mod kernels;
pub mod launch;
pub mod linear;
pub mod outputs;
pub mod shape;
mod strategy;
pub mod transfer;

pub use arithmetic::{Arithmetic, Engine, Precision};
pub use convolution::ConvShape;
pub use draw::{Clip, Draw, Family, NoiseKind, ScaleParameter};
pub use drawn::{DrawnFactor, DrawnLayer, FactorGradients, FactorSource, Parts};
pub use error::Error;
pub use gradients::ParameterGradients;
pub use linear::{Activation, Factor, FactorRows, LayerGrads, LinearShape, PerturbedLayer};
pub use outputs::OutputShape;
pub use rank1_core::conv::Pads;
pub use rank1_core::likelihood::Likelihood;
pub use rank1_core::objective::NllForm;
pub use rank1_core::perturb::Perturbation;
pub use shape::DrawShape;
