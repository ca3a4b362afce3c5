//! Times the perturbed linear map and the noise fill, one core. Cases are named `op/K/B/D_in/D_out/dtype`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array2, Array3};
use rank1_core::noise::{NoiseKind, NoiseStream, Rows};
use rank1_core::perturb::{Perturbation, PerturbedLinear};

fn noise(shape: &[usize], site: u32) -> Vec<f32> {
    let mut out = vec![0.0; shape.iter().product()];
    NoiseStream::new(0, site, 0).fill_normal(Default::default(), &mut out);
    out
}

fn perturb(c: &mut Criterion) {
    for (k, b, d_in, d_out) in [(4, 32, 13, 50), (4, 128, 50, 50), (4, 32, 784, 512)] {
        let x = Array2::from_shape_vec((k * b, d_in), noise(&[k * b, d_in], 0)).expect("sized");
        let weight = Array2::from_shape_vec((d_in, d_out), noise(&[d_in, d_out], 1)).expect("sized");
        let input = Array3::from_shape_vec((k, b, d_in), noise(&[k, b, d_in], 2)).expect("sized");
        let output = Array3::from_shape_vec((k, b, d_out), noise(&[k, b, d_out], 3)).expect("sized");
        let bias = Array2::from_shape_vec((k, d_out), noise(&[k, d_out], 4)).expect("sized");
        let layer = PerturbedLinear {
            weight: weight.view(),
            input_factor: Some(input.view()),
            output_factor: Some(output.view()),
            bias: Some(bias.view()),
            perturbation: Perturbation::Multiplicative,
            n_members: k,
        };
        let name = |op: &str| format!("{op}/{k}/{b}/{d_in}/{d_out}/f32");
        let mut group = c.benchmark_group("perturbed_linear");
        group.bench_function(name("matmul_only"), |t| t.iter(|| black_box(x.dot(&weight))));
        group.bench_function(name("forward"), |t| t.iter(|| layer.forward(x.view()).expect("shapes fit")));
        let (y, product) = layer.forward_with_product(x.view()).expect("shapes fit");
        group.bench_function(name("backward"), |t| {
            t.iter(|| layer.backward(x.view(), y.view()).expect("shapes fit"));
        });
        group.bench_function(name("backward_from_product"), |t| {
            t.iter(|| layer.backward_from_product(x.view(), y.view(), product.view()).expect("shapes fit"));
        });
        group.finish();
    }
}

fn fill(c: &mut Criterion) {
    let kinds = [NoiseKind::Uniform, NoiseKind::Normal, NoiseKind::Cauchy, NoiseKind::Sign];
    for width in [13, 50, 784] {
        let rows = Rows { step: 1, first_member: 0, n_members: 4, first_example: 0, n_examples: 32 };
        let n = 4 * 32 * width;
        let mut group = c.benchmark_group("noise_fill");
        group.throughput(Throughput::Elements(n as u64));
        for kind in kinds {
            let name = format!("{kind:?}/4/32/{width}/f32").to_lowercase();
            group.bench_function(name, |t| {
                t.iter_batched_ref(
                    || vec![0.0_f32; n],
                    |out| NoiseStream::new(7, 0, 0).fill_rows(kind, rows, width, out).expect("sized"),
                    BatchSize::LargeInput,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, perturb, fill);
criterion_main!(benches);
