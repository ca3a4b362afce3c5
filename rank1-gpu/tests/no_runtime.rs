//! What a build without a runtime says when a device is asked for.
#![cfg(not(feature = "wgpu"))]

use cubecl::Device;
use cubecl::device::{DeviceUnavailable, WgpuDeviceKind};
use rank1_gpu::Error;

#[test]
fn a_device_of_a_runtime_that_is_not_linked_is_a_typed_error() {
    let error = Device::wgpu(WgpuDeviceKind::DefaultDevice).map_err(Error::from).err();
    assert!(matches!(error, Some(Error::NoDevice { source: DeviceUnavailable::NotLinked(_) })), "{error:?}");
}
