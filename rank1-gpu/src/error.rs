//! What this crate refuses before a launch, and what a device reports after one.

use cubecl::device::DeviceUnavailable;
use cubecl::server::ServerError;
use thiserror::Error as ThisError;

/// A refused launch or a failed device.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A buffer does not hold what the shape asks for.
    #[error("{op}: `{argument}` holds {got} elements, expected {expected:?}")]
    ShapeMismatch {
        /// The refusing function.
        op: &'static str,
        /// The argument's name.
        argument: &'static str,
        /// The shape that was needed.
        expected: Vec<usize>,
        /// Number of elements that came.
        got: usize,
    },
    /// Members of a layer that are not as many for each sample.
    #[error("{op}: {n_members} members are not {n_samples} samples of as many members each")]
    SampleMismatch {
        /// The refusing function.
        op: &'static str,
        /// Members of the layer, those of all samples together.
        n_members: usize,
        /// Draws, one a sample.
        n_samples: usize,
    },
    /// An axis or a buffer of length zero: there is nothing to launch.
    #[error("{op}: `{axis}` is 0")]
    Empty {
        /// The refusing function.
        op: &'static str,
        /// The axis or the argument.
        axis: &'static str,
    },
    /// Clip bounds that are NaN or out of order.
    #[error("clip bounds must satisfy min <= max, got {min} and {max}")]
    InvalidClip {
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
    /// A combination of arguments that means nothing.
    #[error("{op}: {what} is not defined")]
    Undefined {
        /// The refusing function.
        op: &'static str,
        /// The combination.
        what: &'static str,
    },
    /// The device lacks something that the kernel needs.
    #[error("{op}: the runtime `{runtime}` does not support {feature}")]
    Unsupported {
        /// The refusing function.
        op: &'static str,
        /// What is missing.
        feature: &'static str,
        /// The runtime that was asked.
        runtime: &'static str,
    },
    /// The request exceeds a limit of the device or of the 32-bit addresses of the kernels.
    #[error("{op}: {requested} exceeds {limit}, which is {maximum}; use fewer members, examples or features")]
    OverLimit {
        /// The refusing function.
        op: &'static str,
        /// The limit's name.
        limit: &'static str,
        /// What was asked for.
        requested: u64,
        /// What is possible.
        maximum: u64,
    },
    /// The library of matrix products has no kernel for the shape on this device.
    #[error("{op}: the library of matrix products refused: {reason}")]
    Library {
        /// The refusing function.
        op: &'static str,
        /// The library's own words.
        reason: String,
    },
    /// A buffer that lives on another device than the client's.
    #[error("{op}: `{argument}` lives on another device than the client")]
    ForeignBuffer {
        /// The refusing function.
        op: &'static str,
        /// The argument's name.
        argument: &'static str,
    },
    /// The machine has no such device, or the build does not link its runtime.
    #[error(transparent)]
    NoDevice {
        /// Which of the two, and for which runtime.
        #[from]
        source: DeviceUnavailable,
    },
    /// The device failed after the launch: compilation, memory or execution.
    #[error("{op}: the device failed: {source}")]
    Device {
        /// The operation that learned of it.
        op: &'static str,
        /// The runtime's own report.
        source: Box<ServerError>,
    },
}
