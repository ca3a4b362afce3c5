//! Times the product of a dense layer and its two gradients on all threads. Cases are named `op/rows/d_in/d_out/dtype`;
//! elements are floating-point operations, so that Gelem/s reads as GFLOP/s.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rank1_core::kernels::dense::{self, DenseScratch, DenseShape, PackedWeight};
use rank1_core::noise::NoiseStream;

fn noise(len: usize, site: u32) -> Vec<f32> {
    let mut out = vec![0.0; len];
    NoiseStream::new(0, site, 0).fill_normal(Default::default(), &mut out);
    out
}

fn products(c: &mut Criterion) {
    // As in a training step: calls from outside the pool wake a thread of it up each time.
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global().expect("the first pool");
    for (rows, d_in, d_out) in
        [(128, 784, 512), (128, 512, 512), (32, 784, 512), (64, 128, 512), (509, 1021, 1031)]
    {
        let shape = DenseShape { d_in, d_out };
        let (x, weight) = (noise(rows * d_in, 0), noise(d_in * d_out, 1));
        let (mut out, mut d_x, mut d_weight) = (noise(rows * d_out, 2), x.clone(), weight.clone());
        let (mut scratch, mut packed) = (DenseScratch::default(), PackedWeight::default());
        let mut group = c.benchmark_group("dense");
        group.sample_size(20).throughput(Throughput::Elements(2 * (rows * d_in * d_out) as u64));
        let name = |op: &str| format!("{op}/{rows}/{d_in}/{d_out}/f32");
        group.bench_function(name("forward"), |t| {
            t.iter(|| dense::forward(shape, &x, &weight, &mut out, &mut scratch).expect("sized"));
        });
        group.bench_function(name("forward_packed"), |t| {
            t.iter(|| dense::forward_packed(shape, &x, &weight, &mut packed, &mut out).expect("sized"));
        });
        group.bench_function(name("input_gradient"), |t| {
            t.iter(|| dense::input_gradient(shape, &out, &weight, &mut d_x, &mut scratch).expect("sized"));
        });
        group.bench_function(name("weight_gradient"), |t| {
            t.iter(|| {
                dense::weight_gradient(shape, &x, &out, &mut d_weight, &mut scratch).expect("sized");
            });
        });
        group.finish();
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
