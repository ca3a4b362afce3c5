//! Times kernels on the default wgpu adapter (on CUDA device 0 with the feature `cuda`), each beside the same work in separate
//! launches and beside a plain copy.
//!
//! `cargo bench -p rank1-gpu --features wgpu` ends with a sentence on standard error where there is no adapter. Cases
//! are named `op/[unfused|copy|product/]sizes/type`. `RANK1_BENCH_SIZE=small` or `large` chooses the shapes; unset, adapters
//! that are no card (software ones) get the small ones, which say nothing about speed.
//!
//! The throughput of all cases of an op is that of the bytes which the fused kernel must move, so that a share of the
//! copy's throughput is the share of the roofline; for products it is floating-point operations. One iteration is a few
//! launches (one of a small shape) and one synchronization.

#[path = "kernels/convolution.rs"]
mod convolution;
#[path = "kernels/draws.rs"]
mod draws;
#[path = "kernels/linear.rs"]
mod linear;
#[path = "kernels/losses.rs"]
mod losses;
#[path = "kernels/unfused.rs"]
mod unfused;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use cubecl::Device;
use cubecl::client::Client;
use cubecl::device::WgpuDeviceKind;
use cubecl::server::Handle;
use rank1_gpu::transfer;

/// Launches of one iteration of a large shape, so that the wait for the device weighs little.
const LAUNCHES: u64 = 8;

/// What every case needs.
struct Setting {
    client: Client,
    small: bool,
}

impl Setting {
    /// The small shapes or the large ones.
    fn shapes<T>(&self, small: Vec<T>, large: Vec<T>) -> Vec<T> {
        if self.small { small } else { large }
    }

    fn group<'a>(&self, c: &'a mut Criterion, op: &str) -> BenchmarkGroup<'a, WallTime> {
        let mut group = c.benchmark_group(op);
        let (samples, warm_up, measured) = if self.small { (10, 100, 300) } else { (30, 1000, 3000) };
        group.sample_size(samples);
        // The same number of iterations in every sample: the default grows them, which takes minutes on a slow adapter.
        group.sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_millis(warm_up));
        group.measurement_time(Duration::from_millis(measured));
        group
    }

    /// Times launches that should move `bytes` each.
    fn time<R>(
        &self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: String,
        bytes: usize,
        launch: impl FnMut() -> R,
    ) {
        group.throughput(Throughput::Bytes(bytes as u64 * self.launches()));
        self.time_launches(group, name, launch);
    }

    /// Times launches of `operations` floating-point operations each.
    fn time_product<R>(
        &self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: String,
        operations: usize,
        launch: impl FnMut() -> R,
    ) {
        group.throughput(Throughput::Elements(operations as u64 * self.launches()));
        self.time_launches(group, name, launch);
    }

    fn launches(&self) -> u64 {
        if self.small { 1 } else { LAUNCHES }
    }

    /// The first launch runs before, for it compiles.
    fn time_launches<R>(
        &self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: String,
        mut launch: impl FnMut() -> R,
    ) {
        launch();
        self.wait();
        group.bench_function(name, |timer| {
            timer.iter(|| {
                for _ in 0..self.launches() {
                    launch();
                }
                self.wait();
            });
        });
    }

    /// A copy that reads and writes `bytes` in sum.
    fn time_copy(&self, group: &mut BenchmarkGroup<'_, WallTime>, sizes: &str, bytes: usize) {
        let n = bytes / 8;
        let from = self.waves("from", n);
        self.time(group, format!("copy/{sizes}"), bytes, || unfused::copy(&self.client, &from, n));
    }

    fn wait(&self) {
        cubecl::future::block_on(self.client.sync()).expect("the device runs the kernels");
    }

    /// Values of both signs, no two alike.
    fn waves(&self, name: &'static str, n: usize) -> Handle {
        let values: Vec<f32> = (0..n).map(|i| (1.7 * (i % 65_521) as f32).sin()).collect();
        transfer::upload(&self.client, name, &values).expect("a buffer that fits the device")
    }
}

fn main() {
    let Some(setting) = setting() else { return };
    let mut c = Criterion::default().configure_from_args();
    draws::draw_factors(&setting, &mut c);
    linear::perturbed_linear(&setting, &mut c);
    convolution::perturbed_convolution(&setting, &mut c);
    losses::nll_with_gradient(&setting, &mut c);
    c.final_summary();
}

#[allow(clippy::print_stderr)]
fn setting() -> Option<Setting> {
    let device =
        if cfg!(feature = "cuda") { Device::cuda(0) } else { Device::wgpu(WgpuDeviceKind::DefaultDevice) };
    let client = match device {
        Ok(device) => device.client(),
        Err(missing) => {
            eprintln!("SKIPPED every case, no kernel was timed: {missing}");
            return None;
        }
    };
    let identity = &client.properties().identity;
    let small = match std::env::var("RANK1_BENCH_SIZE").as_deref() {
        Ok("small") => true,
        Ok("large") => false,
        _ => identity.physical.is_none(),
    };
    let size = if small { "small" } else { "large" };
    eprintln!("device: {} through {}, {size} shapes", identity.name, client.name());
    Some(Setting { client, small })
}
