//! Where networks are computed: on the processor, or on a device that Burn reaches.
//!
//! Opens devices and chooses engines; computes nothing. A device draws the same counter-based noise as the processor, so
//! that results differ by rounding only.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::engine::Engine;
use crate::engine::analytic::AnalyticEngine;
use crate::engine::autodiff::AutodiffEngine;
use crate::error::Error;
use crate::network::Network;
use crate::recipe::EngineKind;

/// A device as it is typed: `cpu`, `wgpu`, `cuda` or `cuda:1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceName {
    /// The processor.
    #[default]
    Cpu,
    /// The adapter that wgpu prefers: Vulkan, Metal or DirectX 12.
    Wgpu,
    /// A CUDA device by its number.
    Cuda(usize),
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Wgpu => f.write_str("wgpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::Device {
            device: text.to_owned(),
            reason: "expected cpu, wgpu, cuda or cuda:N (N counts from 0)".to_owned(),
        };
        match text {
            "cpu" => Ok(Self::Cpu),
            "wgpu" => Ok(Self::Wgpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let index = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                index.parse().map(Self::Cuda).map_err(|_| unknown())
            }
        }
    }
}

/// An opened device: makes the engines of networks.
#[derive(Debug, Clone, Default)]
pub struct Compute {
    /// None for the processor.
    device: Option<Device>,
    name: DeviceName,
    /// What the device calls itself.
    identity: Option<String>,
}

impl Compute {
    /// Opens a device.
    ///
    /// # Errors
    /// [`Error::Device`] where this build has no such runtime or the machine no such device.
    pub fn open(name: DeviceName) -> Result<Self, Error> {
        let device = match name {
            DeviceName::Cpu => return Ok(Self::default()),
            DeviceName::Wgpu => wgpu::open(),
            DeviceName::Cuda(index) => cuda::open(index),
        };
        let device = device.map_err(|reason| Error::Device { device: name.to_string(), reason })?;
        let identity = identity(&device);
        Ok(Self { device: Some(device), name, identity })
    }

    /// Makes an engine: on the processor the one that the recipe asks for, on a device the one on Burn.
    #[must_use]
    pub fn engine(&self, kind: EngineKind, network: &Network) -> Box<dyn Engine> {
        match (&self.device, kind) {
            (Some(device), _) => Box::new(AutodiffEngine::new(network.clone(), device.clone())),
            (None, EngineKind::Analytic) => Box::new(AnalyticEngine::<f32>::new(network.clone())),
            (None, EngineKind::Autodiff) => Box::new(AutodiffEngine::new(network.clone(), Device::flex())),
        }
    }

    /// The device of Burn's tensors; none for the processor, where engines need no tensors.
    #[must_use]
    pub fn burn_device(&self) -> Option<Device> {
        self.device.clone()
    }

    /// Whether networks are computed by the processor's own threads, several at a time.
    #[must_use]
    pub fn is_cpu(&self) -> bool {
        self.device.is_none()
    }

    /// The device as it was typed, and what it calls itself.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.identity {
            Some(identity) => format!("{} ({identity})", self.name),
            None => self.name.to_string(),
        }
    }
}

#[cfg(feature = "cube")]
fn identity(device: &Device) -> Option<String> {
    device.identity().map(|identity| identity.name)
}

#[cfg(not(feature = "cube"))]
fn identity(_: &Device) -> Option<String> {
    None
}

#[cfg(feature = "wgpu")]
mod wgpu {
    use std::sync::OnceLock;

    use burn::tensor::Device;

    /// A runtime is started once in a process; what came of it holds for all later calls.
    static STARTED: OnceLock<Result<Device, String>> = OnceLock::new();

    pub(super) fn open() -> Result<Device, String> {
        STARTED.get_or_init(|| Device::wgpu_options().init().map_err(|error| error.to_string())).clone()
    }
}

#[cfg(not(feature = "wgpu"))]
mod wgpu {
    use burn::tensor::Device;

    pub(super) fn open() -> Result<Device, String> {
        Err(super::not_built("wgpu"))
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use burn::tensor::{Device, DeviceType};

    pub(super) fn open(index: usize) -> Result<Device, String> {
        let found = Device::enumerate(DeviceType::Cuda).len();
        if index < found {
            return Ok(Device::cuda(index));
        }
        Err(format!("CUDA reports {found} devices, numbered from 0"))
    }
}

#[cfg(not(feature = "cuda"))]
mod cuda {
    use burn::tensor::Device;

    pub(super) fn open(_: usize) -> Result<Device, String> {
        Err(super::not_built("cuda"))
    }
}

#[cfg(not(all(feature = "wgpu", feature = "cuda")))]
fn not_built(feature: &str) -> String {
    let has = match (cfg!(feature = "wgpu"), cfg!(feature = "cuda")) {
        (true, _) => "`cpu` and `wgpu`",
        (_, true) => "`cpu` and `cuda`",
        _ => "`cpu`",
    };
    format!("this build computes on {has} only; build with `--features {feature}`")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (text, name) in [
            ("cpu", DeviceName::Cpu),
            ("wgpu", DeviceName::Wgpu),
            ("cuda:0", DeviceName::Cuda(0)),
            ("cuda:12", DeviceName::Cuda(12)),
        ] {
            assert_eq!(text.parse::<DeviceName>().unwrap(), name);
            assert_eq!(name.to_string(), text);
        }
        assert_eq!("cuda".parse::<DeviceName>().unwrap(), DeviceName::Cuda(0));
    }

    #[test]
    fn other_names_are_refused_with_those_that_there_are() {
        for text in ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x", "cpu:0"] {
            let error = text.parse::<DeviceName>().unwrap_err().to_string();
            assert!(error.contains("cpu, wgpu, cuda or cuda:N"), "{text}: {error}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_runtime_that_was_not_built_is_an_error_naming_its_feature() {
        let error = Compute::open(DeviceName::Cuda(1)).unwrap_err().to_string();
        assert!(error.contains("cuda:1") && error.contains("--features cuda"), "{error}");
    }
}
