//! Where networks are computed: on the processor, or on a device that Burn reaches.
//!
//! Opens devices and chooses engines; computes nothing. A device draws the same counter-based noise as the processor, so
//! that results differ by rounding only.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

#[cfg(feature = "burn")]
use burn::tensor::Device;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::engine::Engine;
use crate::engine::analytic::AnalyticEngine;
#[cfg(feature = "burn")]
use crate::engine::autodiff::AutodiffEngine;
use crate::engine::sharded::ShardedEngine;
use crate::error::Error;
use crate::network::Network;
use crate::ranks::Ranks;
use crate::recipe::EngineKind;

/// Without Burn there is no device beside the processor.
#[cfg(not(feature = "burn"))]
#[derive(Debug, Clone, Copy)]
enum Device {}

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

/// One device, or several CUDA devices of this machine that share the rows of every batch: `cuda:0,cuda:1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceNames(Vec<DeviceName>);

impl DeviceNames {
    /// The one that a rank takes, counted among the ranks of its machine: several are dealt in turn, one is everybody's.
    #[must_use]
    pub fn of_rank(&self, on_machine: usize) -> Self {
        self.0[on_machine % self.0.len()].into()
    }
}

impl Default for DeviceNames {
    fn default() -> Self {
        DeviceName::default().into()
    }
}

impl From<DeviceName> for DeviceNames {
    fn from(name: DeviceName) -> Self {
        Self(vec![name])
    }
}

impl fmt::Display for DeviceNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for DeviceNames {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let names = text.split(',').map(str::parse).collect::<Result<Vec<DeviceName>, _>>()?;
        let refused = |reason: &str| Error::Device { device: text.to_owned(), reason: reason.to_owned() };
        if names.len() > 1 && names.iter().any(|name| !matches!(name, DeviceName::Cuda(_))) {
            return Err(refused("several devices must be CUDA devices of this machine, as cuda:0,cuda:1"));
        }
        if (1..names.len()).any(|i| names[..i].contains(&names[i])) {
            return Err(refused("a device is named twice"));
        }
        Ok(Self(names))
    }
}

/// Opened devices: makes the engines of networks.
#[derive(Debug, Clone, Default)]
pub struct Compute {
    /// None for the processor.
    devices: Vec<Device>,
    names: DeviceNames,
    /// What the devices call themselves.
    identities: Vec<String>,
    /// One for each of several devices.
    threads: Option<Arc<ThreadPool>>,
    /// Processes that share the training; none where one trains alone.
    ranks: Option<Ranks>,
}

impl Compute {
    /// Opens one device or several.
    ///
    /// # Errors
    /// [`Error::Device`] where this build has no such runtime, the machine no such device or the system no threads.
    pub fn open(names: impl Into<DeviceNames>) -> Result<Self, Error> {
        let names = names.into();
        if names == DeviceNames::default() {
            return Ok(Self::default());
        }
        let open = |&name: &DeviceName| {
            let device = match name {
                DeviceName::Cpu => Err("the processor computes alone".to_owned()),
                DeviceName::Wgpu => wgpu::open(),
                DeviceName::Cuda(index) => cuda::open(index),
            };
            device.map_err(|reason| Error::Device { device: name.to_string(), reason })
        };
        let devices = names.0.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        Self::of(names, devices)
    }

    fn of(names: DeviceNames, devices: Vec<Device>) -> Result<Self, Error> {
        let threads = match devices.len() {
            1 => None,
            count => {
                Some(Arc::new(ThreadPoolBuilder::new().num_threads(count).build().map_err(|error| {
                    Error::Device { device: names.to_string(), reason: error.to_string() }
                })?))
            }
        };
        let identities = devices.iter().filter_map(identity).collect();
        Ok(Self { devices, names, identities, threads, ranks: None })
    }

    /// The same devices, as one of several ranks that train together.
    #[must_use]
    pub fn with_ranks(self, ranks: Option<Ranks>) -> Self {
        Self { ranks, ..self }
    }

    /// The ranks that train together; none where a process trains alone.
    #[must_use]
    pub fn ranks(&self) -> Option<&Ranks> {
        self.ranks.as_ref().filter(|ranks| ranks.size() > 1)
    }

    /// Whether this build can train with an engine.
    ///
    /// # Errors
    /// [`Error::Device`] for Burn's autodiff in a build without it.
    pub fn supports(kind: EngineKind) -> Result<(), Error> {
        match kind {
            EngineKind::Autodiff if cfg!(not(feature = "burn")) => Err(Error::Device {
                device: "cpu".to_owned(),
                reason: "train.engine = \"autodiff\" needs a build with `--features rank1-cli/burn`"
                    .to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Makes an engine: on the processor the one that the recipe asks for, on a device the one on Burn, on several devices one
    /// for each and the rows shared among them.
    #[must_use]
    pub fn engine(&self, kind: EngineKind, network: &Network) -> Box<dyn Engine> {
        let on = |device: &Device| on_tensors(network, device);
        match (&self.devices[..], &self.threads, kind) {
            ([], _, EngineKind::Analytic) => Box::new(AnalyticEngine::<f32>::new(network.clone())),
            #[cfg(feature = "burn")]
            ([], _, EngineKind::Autodiff) => on(&Device::flex()),
            #[cfg(not(feature = "burn"))]
            // Predictions of a run that was trained with it; training is refused by `supports`.
            ([], _, EngineKind::Autodiff) => Box::new(AnalyticEngine::<f32>::new(network.clone())),
            (devices, Some(threads), _) => {
                let engines = devices.iter().map(on).collect();
                Box::new(ShardedEngine::new(engines, threads.clone()).expect("`open` made a thread for each"))
            }
            ([first, ..], None, _) => on(first),
        }
    }

    /// The device of Burn's tensors, the first of several; none for the processor, where engines need no tensors.
    #[cfg(feature = "burn")]
    #[must_use]
    pub fn burn_device(&self) -> Option<Device> {
        self.devices.first().cloned()
    }

    /// Whether networks are computed by the processor's own threads, several at a time.
    #[must_use]
    pub fn is_cpu(&self) -> bool {
        self.devices.is_empty()
    }

    /// The devices as they were typed, and what they call themselves.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.identities[..] {
            [] => self.names.to_string(),
            identities => format!("{} ({})", self.names, identities.join(", ")),
        }
    }
}

#[cfg(feature = "burn")]
fn on_tensors(network: &Network, device: &Device) -> Box<dyn Engine> {
    Box::new(AutodiffEngine::new(network.clone(), device.clone()))
}

#[cfg(not(feature = "burn"))]
fn on_tensors(_: &Network, device: &Device) -> Box<dyn Engine> {
    match *device {}
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
    use super::Device;

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
    use super::Device;

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
    format!("this build computes on {has} only; build with `--features rank1-cli/{feature}`")
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

    #[test]
    fn several_devices_are_cuda_devices_and_each_is_named_once() {
        let names: DeviceNames = "cuda,cuda:3".parse().unwrap();
        assert_eq!(names.to_string(), "cuda:0,cuda:3");
        assert_eq!("wgpu".parse::<DeviceNames>().unwrap(), DeviceName::Wgpu.into());
        let of_ranks: Vec<String> = (0..3).map(|rank| names.of_rank(rank).to_string()).collect();
        assert_eq!(of_ranks, ["cuda:0", "cuda:3", "cuda:0"]);
        for (text, reason) in [
            ("cuda:0,wgpu", "must be CUDA devices"),
            ("cpu,cuda:0", "must be CUDA devices"),
            ("cuda:0,cuda:1,cuda", "named twice"),
            ("cuda:0,", "expected cpu, wgpu, cuda or cuda:N"),
        ] {
            let error = text.parse::<DeviceNames>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[cfg(feature = "burn")]
    #[test]
    fn several_devices_make_one_engine() {
        use ndarray::Array2;
        use rank1_core::likelihood::Likelihood;
        use rank1_core::objective::NllForm;
        use rank1_core::targets::Targets;

        use crate::engine::{Batch, DrawKey, NllRequest};
        use crate::method::{Method, Rank1};
        use crate::network::{Activation, NetworkShape};

        let shape = NetworkShape::mlp(7, vec![11], 5, Activation::Relu, Likelihood::Categorical);
        let network = Network::new(shape, &Method::Rank1(Rank1 { members: 3, ..Rank1::default() })).unwrap();
        let parameters = crate::init::initialize(&network, 1).unwrap();
        let inputs = Array2::from_shape_fn((5, 7), |(i, j)| (0.7 * i as f32 + 1.3 * j as f32).sin());
        let targets = Targets::Classes { labels: (0..5).collect(), n_classes: 5 };
        let nll = |compute: &Compute| {
            let mut gradient = vec![0.0; parameters.len()];
            let key = DrawKey { seed: 5, step: 3, first_sample: 0, first_example: 0 };
            let request = NllRequest { n_samples: 1, form: NllForm::AverageNll };
            let batch = Batch { inputs: inputs.view(), targets: &targets };
            let mut engine = compute.engine(EngineKind::Analytic, &network);
            let nll = engine.nll(&parameters, &mut gradient, batch, key, request).unwrap();
            (nll, gradient)
        };
        // No two devices are at hand: Burn's tensors on the processor stand in for each.
        let names = DeviceNames(vec![DeviceName::Cuda(0), DeviceName::Cuda(1)]);
        let two = Compute::of(names, vec![Device::flex(), Device::flex()]).unwrap();
        let ((expected, slopes), (got, gradient)) = (nll(&Compute::default()), nll(&two));
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        let worst = gradient.iter().zip(&slopes).map(|(g, e)| (g - e).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6, "{worst}");
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_runtime_that_was_not_built_is_an_error_naming_its_feature() {
        let error = Compute::open(DeviceName::Cuda(1)).unwrap_err().to_string();
        assert!(error.contains("cuda:1") && error.contains("--features rank1-cli/cuda"), "{error}");
    }
}
