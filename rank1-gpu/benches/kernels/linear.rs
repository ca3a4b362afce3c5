//! The perturbed linear map beside its three separate launches and beside the bare product of the same kernel.

use criterion::Criterion;
use cubecl::server::Handle;
use rank1_gpu::{Activation, Factor, FactorRows, LinearShape, Perturbation, PerturbedLayer, launch};

use super::{Setting, unfused};

/// `[K, B, D_in, D_out]`.
fn shapes(setting: &Setting) -> Vec<LinearShape> {
    let chosen = setting.shapes(vec![(3, 17, 65, 33)], vec![(4, 512, 1024, 1024), (4, 512, 4096, 4096)]);
    let shape = |(n_members, batch_size, d_in, d_out)| LinearShape { n_members, batch_size, d_in, d_out };
    chosen.into_iter().map(shape).collect()
}

fn layer<'a>(weight: &'a Handle, factors: Option<(&'a Handle, &'a Handle)>) -> PerturbedLayer<'a, Handle> {
    let factor = |values| Factor { values, rows: FactorRows::PerExample };
    PerturbedLayer {
        weight,
        input_factor: factors.map(|(input, _)| factor(input)),
        output_factor: factors.map(|(_, output)| factor(output)),
        bias: None,
        perturbation: Perturbation::Multiplicative,
        activation: Activation::Identity,
    }
}

pub(super) fn perturbed_linear(setting: &Setting, c: &mut Criterion) {
    let client = &setting.client;
    let mut group = setting.group(c, "perturbed_linear");
    for shape in shapes(setting) {
        let LinearShape { n_members, batch_size, d_in, d_out } = shape;
        let rows = n_members * batch_size;
        let (n_in, n_out) = (rows * d_in, rows * d_out);
        let (x, weight) = (setting.waves("x", n_in), setting.waves("weight", d_in * d_out));
        let (input, output) = (setting.waves("input factor", n_in), setting.waves("output factor", n_out));
        let operations = 2 * rows * d_in * d_out;
        let sizes = format!("k{n_members}/b{batch_size}/i{d_in}/o{d_out}/f32");
        let map = |x: &Handle, layer: &PerturbedLayer<'_, Handle>| {
            launch::perturbed_linear(client, shape, layer, x).expect("shapes fit")
        };
        let (fused, bare) = (layer(&weight, Some((&input, &output))), layer(&weight, None));
        setting.time_product(&mut group, sizes.clone(), operations, || map(&x, &fused));
        setting.time_product(&mut group, format!("unfused/{sizes}"), operations, || {
            let scaled = unfused::multiply(client, &x, &input, n_in);
            unfused::multiply(client, &map(&scaled, &bare), &output, n_out)
        });
        setting.time_product(&mut group, format!("product/{sizes}"), operations, || map(&x, &bare));
    }
    group.finish();
}
