//! Times a convolution and its two gradients on all threads. Cases are named `op/images/size/channels/dtype`; elements are
//! floating-point operations, so that Gelem/s reads as GFLOP/s.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rank1_core::conv::{ConvShape, Padding};
use rank1_core::kernels::conv::{self, ConvScratch};
use rank1_core::noise::NoiseStream;

fn noise(len: usize, site: u32) -> Vec<f32> {
    let mut out = vec![0.0; len];
    NoiseStream::new(0, site, 0).fill_normal(Default::default(), &mut out);
    out
}

fn convolutions(c: &mut Criterion) {
    for (images, size, channels, kernel, stride) in [
        (64, 32, 16, 3, 1),
        (64, 16, 32, 3, 1),
        (64, 8, 64, 3, 1),
        (8, 32, 160, 3, 1),
        (64, 32, 32, 3, 2),
        (64, 16, 64, 1, 1),
    ] {
        let shape = ConvShape {
            height: size,
            width: size,
            c_in: channels,
            c_out: channels,
            kernel: (kernel, kernel),
            stride: (stride, stride),
            dilation: (1, 1),
            padding: Padding::Same,
        };
        let (x, factor) = (noise(images * shape.in_len(), 0), noise(images * channels, 1));
        let weight = noise(shape.weight_len(), 2);
        let (mut out, mut d_x, mut d_weight) =
            (noise(images * shape.out_len(), 3), x.clone(), weight.clone());
        let mut scratch = ConvScratch::new();
        let mut group = c.benchmark_group("conv");
        group.sample_size(20).throughput(Throughput::Elements(2 * images as u64 * shape.multiply_adds()));
        let name = |op: &str| format!("{op}/{images}/{size}/{channels}/k{kernel}s{stride}/f32");
        group.bench_function(name("forward"), |t| {
            t.iter(|| conv::forward(&shape, &x, None, &weight, &mut out, &mut scratch).expect("sized"));
        });
        group.bench_function(name("forward_with_factor"), |t| {
            t.iter(|| {
                conv::forward(&shape, &x, Some(&factor), &weight, &mut out, &mut scratch).expect("sized")
            });
        });
        group.bench_function(name("input_gradient"), |t| {
            t.iter(|| conv::input_gradient(&shape, &out, &weight, &mut d_x, &mut scratch).expect("sized"));
        });
        group.bench_function(name("weight_gradient"), |t| {
            t.iter(|| {
                conv::weight_gradient(&shape, &x, Some(&factor), &out, &mut d_weight, &mut scratch)
                    .expect("sized");
            });
        });
        group.finish();
    }
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
