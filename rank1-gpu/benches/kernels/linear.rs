//! The perturbed linear map of every precision beside its three separate launches and beside the library's bare product.

use criterion::Criterion;
use cubecl::ir::ElemType;
use cubecl::prelude::*;
use cubecl::server::Handle;
use cubek_matmul::definition::{MatmulElems, MatmulGlobalElems};
use cubek_matmul::{launch as library, multi_level};
use cubek_std::InputBinding;
use rank1_gpu::{
    Activation, Arithmetic, Engine, Factor, FactorRows, LinearShape, Perturbation, PerturbedLayer, Precision,
    launch, transfer,
};

use super::{Setting, unfused};

/// `[K, B, D_in, D_out]`.
fn shapes(setting: &Setting) -> Vec<LinearShape> {
    let chosen = setting.shapes(vec![(4, 16, 64, 64)], vec![(4, 512, 1024, 1024), (4, 512, 4096, 4096)]);
    let shape = |(n_members, batch_size, d_in, d_out)| LinearShape { n_members, batch_size, d_in, d_out };
    chosen.into_iter().map(shape).collect()
}

/// Every precision and engine that may be asked for, by the last part of a case's name; f32 on both engines, since the
/// choice between them depends on the shape.
pub(super) const ARITHMETICS: [(&str, Precision, Engine); 8] = [
    ("f32-tiles", Precision::F32, Engine::Tiles),
    ("f32", Precision::F32, Engine::Units),
    ("tf32", Precision::Tf32, Engine::TensorCores),
    ("tf32-double", Precision::Tf32, Engine::TensorCoresDoubleBuffered),
    ("f16", Precision::F16, Engine::TensorCores),
    ("bf16", Precision::Bf16, Engine::TensorCores),
    ("bf16-double", Precision::Bf16, Engine::TensorCoresDoubleBuffered),
    ("f16-units", Precision::F16, Engine::Units),
];

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
        let (input, output) = (setting.waves("input factor", n_in), setting.waves("output factor", n_out));
        let operations = 2 * rows * d_in * d_out;
        for (name, precision, engine) in ARITHMETICS {
            let arithmetic = Arithmetic { precision, engine: Some(engine) };
            if let Err(missing) = launch::engine(client, arithmetic, shape) {
                note(name, &missing);
                continue;
            }
            let (x, weight) = (
                waves_as(setting, "x", n_in, precision),
                waves_as(setting, "weight", d_in * d_out, precision),
            );
            let sizes = format!("k{n_members}/b{batch_size}/i{d_in}/o{d_out}/{name}");
            let map = |x: &Handle, layer: &PerturbedLayer<'_, Handle>| {
                launch::perturbed_linear_in(client, arithmetic, shape, layer, x).expect("shapes fit")
            };
            let fused = layer(&weight, Some((&input, &output)));
            setting.time_product(&mut group, sizes.clone(), operations, || map(&x, &fused));
            if precision == Precision::F32 {
                let bare = layer(&weight, None);
                setting.time_product(&mut group, format!("unfused/{sizes}"), operations, || {
                    let scaled = unfused::multiply(client, &x, &input, n_in);
                    unfused::multiply(client, &map(&scaled, &bare), &output, n_out)
                });
            }
            if has_product(arithmetic) {
                setting.time_product(&mut group, format!("product/{sizes}"), operations, || {
                    product(client, arithmetic, [rows, d_in, d_out], &x, &weight);
                });
            }
        }
    }
    group.finish();
}

#[allow(clippy::print_stderr)]
pub(super) fn note(name: &str, missing: &rank1_gpu::Error) {
    eprintln!("no case of {name}: {missing}");
}

pub(super) fn waves_as(setting: &Setting, name: &'static str, n: usize, precision: Precision) -> Handle {
    let values: Vec<f32> = (0..n).map(|i| (1.7 * (i % 65_521) as f32).sin()).collect();
    transfer::upload_as(&setting.client, name, &values, precision).expect("a buffer that fits the device")
}

/// Whether [`product`] is worth its compilation: CUDA's compiler takes minutes over the library's halves without tensor cores.
pub(super) fn has_product(Arithmetic { precision, engine }: Arithmetic) -> bool {
    precision.bytes() == 4 || engine != Some(Engine::Units)
}

/// The library's own product with its own arguments, on the routine that the fused map is built on.
///
/// Its result has the operands' type. For halves with at least four times as many rows as columns its own tiling keeps sums in
/// memory on tensor cores, where the fused map has another (`src/launch/library.rs`): a share above 1 there is no merit.
pub(super) fn product(
    client: &Client,
    arithmetic: Arithmetic,
    [rows, depth, columns]: [usize; 3],
    x: &Handle,
    weight: &Handle,
) {
    let Arithmetic { precision, engine } = arithmetic;
    let stored = match precision {
        Precision::F32 | Precision::Tf32 => f32::elem_type_native(),
        Precision::F16 => half::f16::elem_type_native(),
        Precision::Bf16 => half::bf16::elem_type_native(),
    };
    let out = client.empty(precision.bytes() * rows * columns);
    let matrix = |buffer: &Handle, rows: usize, columns: usize| {
        // SAFETY: callers pass buffers of `rows * columns` entries of the stored type; `out` was made with as many.
        unsafe { TensorBinding::from_raw_parts(buffer.clone(), [columns, 1].into(), [rows, columns].into()) }
    };
    let operand =
        |buffer, rows, columns, ty: ElemType| InputBinding::Normal(matrix(buffer, rows, columns), ty);
    let routine = match engine {
        Some(Engine::TensorCores) => multi_level::Strategy::SimpleCyclicCmma(Default::default()),
        Some(Engine::TensorCoresDoubleBuffered) => {
            multi_level::Strategy::DoubleCyclicCmma(Default::default())
        }
        _ => multi_level::Strategy::SimpleUnit(Default::default()),
    };
    library::launch_ref(
        &routine.into(),
        client,
        operand(x, rows, depth, stored),
        operand(weight, depth, columns, stored),
        matrix(&out, rows, columns),
        &mut MatmulElems::from_globals(&MatmulGlobalElems { lhs: stored, rhs: stored, out: stored }),
    )
    .expect("the library takes what the fused map takes");
}
