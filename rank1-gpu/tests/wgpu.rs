//! The suite on wgpu: any Vulkan, Metal, DirectX 12 or OpenGL adapter, software ones included; skipped aloud without one.
#![cfg(feature = "wgpu")]
#![allow(clippy::unwrap_used)]

mod suite;

use cubecl::Device;
use cubecl::device::WgpuDeviceKind;
use rank1_gpu::{Error, NoiseKind, launch, transfer};

on_runtime!(Device::wgpu(WgpuDeviceKind::DefaultDevice));

/// Two graphics interfaces of one adapter are two devices, so one machine can hold a foreign buffer.
#[test]
fn a_buffer_of_another_device_is_refused_by_name() {
    suite::with_device(Device::wgpu(WgpuDeviceKind::DefaultDevice), |client| {
        let Ok(other) = Device::gl(WgpuDeviceKind::DefaultDevice) else {
            return suite::skip("this claim needs a second device, OpenGL beside the default");
        };
        let foreign = transfer::upload(&other.client(), "foreign", &[1.0; 21]).unwrap();
        let own = transfer::upload(client, "own", &[1.0; 21]).unwrap();
        let draw = suite::draw(NoiseKind::Normal, None);
        let got = launch::draw_factors(client, &draw, suite::shape((3, 5, 7)), &own, &foreign);
        assert!(matches!(got, Err(Error::ForeignBuffer { argument: "scale", .. })), "{got:?}");
        suite::foreign_outputs_are_refused_by_name(client, &foreign);
    });
}
