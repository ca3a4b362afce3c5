//! Prints which device draws, and the first factors of two members beside the host's.
//!
//! `cargo run -p rank1-gpu --features wgpu --example draw_factors`

#![allow(clippy::print_stdout)]

use cubecl::Device;
use cubecl::device::{DeviceUnavailable, WgpuDeviceKind};
use rank1_core::noise::{NoiseKind as Kind, NoiseStream, Rows};
use rank1_gpu::{Clip, Draw, DrawShape, Error, NoiseKind, launch, transfer};

fn main() -> Result<(), Error> {
    let device = match Device::wgpu(WgpuDeviceKind::DefaultDevice) {
        Ok(device) => device,
        Err(DeviceUnavailable::NotLinked(_)) => {
            println!(
                "No runtime in this build. Enable one: cargo run -p rank1-gpu --features wgpu --example draw_factors"
            );
            return Ok(());
        }
        Err(missing) => {
            println!("No adapter: {missing}. On Debian, mesa-vulkan-drivers brings a software one.");
            return Ok(());
        }
    };
    let client = device.client();
    println!("device: {} through {}", client.properties().identity.name, client.name());

    let (n_members, batch_size, width) = (2, 3, 5);
    let shape = DrawShape { n_members, n_examples: batch_size, width };
    let stream = NoiseStream::new(2020, 0, 0);
    let draw = Draw::new(NoiseKind::Normal, stream.key(), 0);
    let draw = Draw { clip: Some(Clip::REFERENCE), ..draw };
    let (location, scale) = (vec![1.0; n_members * width], vec![0.1; n_members * width]);
    let rows = Rows { step: 0, first_member: 0, n_members, first_example: 0, n_examples: batch_size };
    let mut expected = vec![0.0; n_members * batch_size * width];
    stream.fill_rows(Kind::Normal, rows, width, &mut expected).expect("as many entries as rows times width");
    expected.iter_mut().for_each(|noise| *noise = 1.0 + 0.1 * *noise);

    let location = transfer::upload(&client, "location", &location)?;
    let scale = transfer::upload(&client, "scale", &scale)?;
    let factors = launch::draw_factors(&client, &draw, shape, &location, &scale)?;
    let factors = transfer::download(&client, &factors)?;
    println!("factors [K={n_members}, B={batch_size}, D={width}]: device | host");
    for (row, (device, host)) in factors.chunks(width).zip(expected.chunks(width)).enumerate() {
        println!("  k={} b={}  {device:.4?} | {host:.4?}", row / batch_size, row % batch_size);
    }
    Ok(())
}
