//! The fused operation on devices: buffers of Burn's CubeCL tensors handed to the kernels of `rank1-gpu`.

use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::server::Handle;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeBackend, CubeDevice};
use rank1_core::perturb::Perturbation;
use rank1_gpu::{Activation, Factor, FactorRows, LinearShape, PerturbedLayer, launch};

use super::ops::{Arguments, Gradients, Optional, PerturbedLinearBackward, PerturbedLinearOps};

const CHECKED: &str = "`perturbed_linear` checks shapes, precision and limits before it dispatches";

/// Whether the device takes both passes of the kernels.
pub(super) fn fits(
    device: &CubeDevice,
    [rows, d_in, d_out]: [usize; 3],
    n_members: usize,
    factor_rows: [Option<usize>; 2],
    bias: bool,
) -> bool {
    let shape = LinearShape { n_members, batch_size: rows / n_members, d_in, d_out };
    let [input, output] = factor_rows.map(|rows| rows.map(|rows| kind_of_rows(rows, n_members)));
    launch::linear_fits(&device.client(), shape, input, output, bias).is_ok()
}

/// A row for each example, or one for each member; with one example they are the same.
fn kind_of_rows(rows: usize, n_members: usize) -> FactorRows {
    if rows == n_members { FactorRows::PerMember } else { FactorRows::PerExample }
}

impl PerturbedLinearOps for CubeBackend {
    fn perturbed_linear(arguments: Arguments<Self>) -> CubeTensor {
        let buffers = Buffers::new(arguments);
        let (client, shape) = (&buffers.x.client, buffers.shape);
        let y = launch::perturbed_linear(client, shape, &buffers.layer(), &buffers.x.handle).expect(CHECKED);
        buffers.tensor(y, [shape.n_members * shape.batch_size, shape.d_out])
    }
}

impl PerturbedLinearBackward for CubeBackend {
    fn perturbed_linear_backward(arguments: Arguments<Self>, grad_output: CubeTensor) -> Gradients<Self> {
        let buffers = Buffers::new(arguments);
        let (client, shape, x) = (&buffers.x.client, buffers.shape, &buffers.x.handle);
        let grad_y = into_contiguous(grad_output).handle;
        // Outputs are read where there is an activation only; a tensor operation of its own follows here.
        let gradients =
            launch::perturbed_linear_backward(client, shape, &buffers.layer(), x, &grad_y, &grad_y)
                .expect(CHECKED);
        let rows = shape.n_members * shape.batch_size;
        let like = |of: &Option<CubeTensor>, width: usize| {
            of.as_ref().map_or([rows, width], |tensor| [tensor.meta.shape()[0], width])
        };
        let (input, output) =
            (like(&buffers.input_factor, shape.d_in), like(&buffers.output_factor, shape.d_out));
        Gradients {
            x: buffers.tensor(gradients.x, [rows, shape.d_in]),
            weight: buffers.tensor(gradients.weight, [shape.d_in, shape.d_out]),
            input_factor: gradients.input_factor.map(|handle| buffers.tensor(handle, input)),
            output_factor: gradients.output_factor.map(|handle| buffers.tensor(handle, output)),
            bias: gradients.bias.map(|handle| buffers.tensor(handle, [shape.n_members, shape.d_out])),
        }
    }
}

/// The arguments in contiguous memory, and their shape.
struct Buffers {
    shape: LinearShape,
    x: CubeTensor,
    weight: CubeTensor,
    input_factor: Option<CubeTensor>,
    output_factor: Option<CubeTensor>,
    bias: Option<CubeTensor>,
    perturbation: Perturbation,
}

impl Buffers {
    fn new(arguments: Arguments<CubeBackend>) -> Self {
        let optional = |tensor: Optional<CubeBackend>| tensor.into_option().map(into_contiguous);
        let (x, weight) = (into_contiguous(arguments.x), into_contiguous(arguments.weight));
        let (rows, n_members) = (x.meta.shape()[0], arguments.n_members);
        let [d_in, d_out] = [weight.meta.shape()[0], weight.meta.shape()[1]];
        Self {
            shape: LinearShape { n_members, batch_size: rows / n_members, d_in, d_out },
            x,
            weight,
            input_factor: optional(arguments.input_factor),
            output_factor: optional(arguments.output_factor),
            bias: optional(arguments.bias),
            perturbation: arguments.perturbation,
        }
    }

    fn layer(&self) -> PerturbedLayer<'_, Handle> {
        PerturbedLayer {
            weight: &self.weight.handle,
            input_factor: self.factor(&self.input_factor),
            output_factor: self.factor(&self.output_factor),
            bias: self.bias.as_ref().map(|bias| &bias.handle),
            perturbation: match self.perturbation {
                Perturbation::Multiplicative => rank1_gpu::Perturbation::Multiplicative,
                Perturbation::Additive => rank1_gpu::Perturbation::Additive,
            },
            activation: Activation::Identity,
        }
    }

    fn factor<'a>(&self, tensor: &'a Option<CubeTensor>) -> Option<Factor<'a, Handle>> {
        tensor.as_ref().map(|tensor| Factor {
            values: &tensor.handle,
            rows: kind_of_rows(tensor.meta.shape()[0], self.shape.n_members),
        })
    }

    fn tensor(&self, handle: Handle, shape: [usize; 2]) -> CubeTensor {
        let (client, device) = (self.x.client.clone(), self.x.device.clone());
        CubeTensor::new_contiguous(client, device, Shape::new(shape), handle, DType::F32)
    }
}
