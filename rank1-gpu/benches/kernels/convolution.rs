//! The perturbed convolution of every precision, both passes, beside separate launches and the library's bare product.

use criterion::Criterion;
use cubecl::server::Handle;
use rank1_gpu::{
    Activation, Arithmetic, ConvShape, Factor, FactorRows, Pads, Perturbation, PerturbedLayer, Precision,
    launch,
};

use super::linear::{ARITHMETICS, has_product, note, product, waves_as};
use super::{Setting, unfused};

/// Layers of wide residual networks: padded 3x3 windows on square images.
fn shapes(setting: &Setting) -> Vec<ConvShape> {
    let chosen = setting.shapes(vec![(4, 2, 8, 16, 16)], vec![(4, 16, 32, 160, 160), (4, 16, 8, 640, 640)]);
    let shape = |(n_members, batch_size, side, c_in, c_out)| ConvShape {
        n_members,
        batch_size,
        height: side,
        width: side,
        c_in,
        c_out,
        kernel: (3, 3),
        stride: (1, 1),
        dilation: (1, 1),
        pads: Pads { top: 1, bottom: 1, left: 1, right: 1 },
    };
    chosen.into_iter().map(shape).collect()
}

/// Buffers of a case; factors have a row for each example.
struct Buffers {
    weight: Handle,
    input: Handle,
    output: Handle,
}

impl Buffers {
    fn layer(&self, with_factors: bool) -> PerturbedLayer<'_, Handle> {
        let factor = |values| with_factors.then_some(Factor { values, rows: FactorRows::PerExample });
        PerturbedLayer {
            weight: &self.weight,
            input_factor: factor(&self.input),
            output_factor: factor(&self.output),
            bias: None,
            perturbation: Perturbation::Multiplicative,
            activation: Activation::Identity,
        }
    }
}

/// The separate launches multiply images by factors; the bare product has the patches as a matrix that somebody stored. The
/// backward pass counts its three products: for the inputs, for the weight, and once more for the output factor.
pub(super) fn perturbed_convolution(setting: &Setting, c: &mut Criterion) {
    let client = &setting.client;
    for shape in shapes(setting) {
        let ConvShape { n_members, batch_size, height, width, c_in, c_out, kernel, .. } = shape;
        let (images, pixels) = (n_members * batch_size, height * width);
        let rows = images * pixels;
        let depth = kernel.0 * kernel.1 * c_in;
        let operations = 2 * rows * depth * c_out;
        for (name, precision, engine) in ARITHMETICS {
            let arithmetic = Arithmetic { precision, engine: Some(engine) };
            if let Err(missing) = launch::convolution_engine(client, arithmetic, shape) {
                note(name, &missing);
                continue;
            }
            let sizes = format!("k{n_members}/b{batch_size}/p{height}/i{c_in}/o{c_out}/{name}");
            let waves = |name, n| waves_as(setting, name, n, precision);
            let (x, grad) = (waves("x", rows * c_in), waves("gradient", rows * c_out));
            let buffers = Buffers {
                weight: waves("weight", depth * c_out),
                input: setting.waves("input factor", images * c_in),
                output: setting.waves("output factor", images * c_out),
            };
            let fused = buffers.layer(true);
            let map = |x: &Handle, layer: &PerturbedLayer<'_, Handle>| {
                launch::perturbed_convolution_in(client, arithmetic, shape, layer, x).expect("shapes fit")
            };
            let mut group = setting.group(c, "perturbed_convolution");
            setting.time_product(&mut group, sizes.clone(), operations, || map(&x, &fused));
            if precision == Precision::F32 {
                let bare = buffers.layer(false);
                setting.time_product(&mut group, format!("unfused/{sizes}"), operations, || {
                    let scaled = unfused::multiply_channels(client, &x, &buffers.input, (rows, pixels, c_in));
                    let sums = map(&scaled, &bare);
                    unfused::multiply_channels(client, &sums, &buffers.output, (rows, pixels, c_out))
                });
            }
            if has_product(arithmetic) {
                let patches = waves("patches", rows * depth);
                setting.time_product(&mut group, format!("product/{sizes}"), operations, || {
                    product(client, arithmetic, [rows, depth, c_out], &patches, &buffers.weight);
                });
            }
            group.finish();
            let mut group = setting.group(c, "perturbed_convolution_backward");
            setting.time_product(&mut group, sizes, 3 * operations, || {
                // Without an activation the outputs are not read.
                launch::perturbed_convolution_backward_in(client, arithmetic, shape, &fused, &x, &grad, &grad)
                    .expect("shapes fit")
            });
            group.finish();
        }
    }
}
