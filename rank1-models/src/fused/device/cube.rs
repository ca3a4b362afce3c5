//! The layer on devices: buffers of Burn's CubeCL tensors handed to the kernels of `rank1-gpu`.

use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::server::Handle;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use rank1_gpu::{Activation, Factor, FactorRows, LayerGrads, Perturbation, PerturbedLayer, launch};

use super::ops::{
    FactorArgument, FactorGradients, LayerArguments, LayerGradients, LayerShape, PerturbedLayerBackward,
    PerturbedLayerOps,
};

const CHECKED: &str = "the callers check shapes, precision and limits before they dispatch";

impl PerturbedLayerOps for CubeBackend {
    fn perturbed_layer(arguments: LayerArguments<Self>) -> CubeTensor {
        let buffers = Buffers::new(arguments);
        let (client, layer, x) = (&buffers.x.client, buffers.layer(), &buffers.x.handle);
        let y = match buffers.shape {
            LayerShape::Linear(shape) => launch::perturbed_linear(client, shape, &layer, x),
            LayerShape::Convolution(shape) => launch::perturbed_convolution(client, shape, &layer, x),
        };
        buffers.tensor(y.expect(CHECKED), output_shape(buffers.shape))
    }
}

impl PerturbedLayerBackward for CubeBackend {
    fn perturbed_layer_backward(
        arguments: LayerArguments<Self>,
        grad_output: CubeTensor,
    ) -> LayerGradients<Self> {
        let buffers = Buffers::new(arguments);
        let (client, layer, x) = (&buffers.x.client, buffers.layer(), &buffers.x.handle);
        let grad_y = into_contiguous(grad_output).handle;
        // Outputs are read where there is an activation only; a tensor operation of its own follows here.
        let gradients = match buffers.shape {
            LayerShape::Linear(shape) => {
                launch::perturbed_linear_backward(client, shape, &layer, x, &grad_y, &grad_y)
            }
            LayerShape::Convolution(shape) => {
                launch::perturbed_convolution_backward(client, shape, &layer, x, &grad_y, &grad_y)
            }
        };
        let LayerGrads { x, weight, input_factor, output_factor, bias } = gradients.expect(CHECKED);
        LayerGradients {
            x: buffers.like(x, &buffers.x),
            weight: buffers.like(weight, &buffers.weight),
            input_factor: buffers.factor_gradients(&buffers.input_factor, input_factor),
            output_factor: buffers.factor_gradients(&buffers.output_factor, output_factor),
            bias: bias.zip(buffers.bias.as_ref()).map(|(handle, bias)| buffers.like(handle, bias)),
        }
    }
}

fn output_shape(shape: LayerShape) -> Shape {
    match shape {
        LayerShape::Linear(shape) => Shape::new([shape.n_members * shape.batch_size, shape.d_out]),
        LayerShape::Convolution(shape) => {
            let (height, width) = shape.out_size();
            Shape::new([shape.n_members * shape.batch_size, height, width, shape.c_out])
        }
    }
}

/// The arguments in contiguous memory, factors drawn.
struct Buffers {
    shape: LayerShape,
    x: CubeTensor,
    weight: CubeTensor,
    input_factor: Option<Values>,
    output_factor: Option<Values>,
    bias: Option<CubeTensor>,
    perturbation: Perturbation,
}

/// The values of a factor and where they come from.
struct Values {
    handle: Handle,
    rows: FactorRows,
    source: FactorArgument<CubeBackend>,
}

impl Values {
    fn new(source: FactorArgument<CubeBackend>, client: &Client, n_members: usize) -> Option<Self> {
        // With one example a row for each example and one for each member are the same.
        let kind = |n_rows: usize| {
            if n_rows == n_members { FactorRows::PerMember } else { FactorRows::PerExample }
        };
        let (handle, rows, source) = match source {
            FactorArgument::Absent => return None,
            FactorArgument::Given(values) => {
                let values = into_contiguous(values);
                (values.handle.clone(), kind(values.meta.shape()[0]), FactorArgument::Given(values))
            }
            FactorArgument::Drawn { location, raw_scale, draw, shape } => {
                let (location, raw_scale) = (into_contiguous(location), into_contiguous(raw_scale));
                let drawn = launch::draw_factors(client, &draw, shape, &location.handle, &raw_scale.handle);
                let rows = kind(shape.n_members * shape.n_examples);
                (drawn.expect(CHECKED), rows, FactorArgument::Drawn { location, raw_scale, draw, shape })
            }
        };
        Some(Self { handle, rows, source })
    }

    fn factor(&self) -> Factor<'_, Handle> {
        Factor { values: &self.handle, rows: self.rows }
    }
}

impl Buffers {
    fn new(arguments: LayerArguments<CubeBackend>) -> Self {
        let LayerArguments { x, weight, input_factor, output_factor, bias, shape, perturbation } = arguments;
        let n_members = match shape {
            LayerShape::Linear(shape) => shape.n_members,
            LayerShape::Convolution(shape) => shape.n_members,
        };
        let x = into_contiguous(x);
        let factor = |source| Values::new(source, &x.client, n_members);
        let (input_factor, output_factor) = (factor(input_factor), factor(output_factor));
        Self {
            shape,
            x,
            weight: into_contiguous(weight),
            input_factor,
            output_factor,
            bias: bias.into_option().map(into_contiguous),
            perturbation,
        }
    }

    fn layer(&self) -> PerturbedLayer<'_, Handle> {
        PerturbedLayer {
            weight: &self.weight.handle,
            input_factor: self.input_factor.as_ref().map(Values::factor),
            output_factor: self.output_factor.as_ref().map(Values::factor),
            bias: self.bias.as_ref().map(|bias| &bias.handle),
            perturbation: self.perturbation,
            activation: Activation::Identity,
        }
    }

    /// Gradients of what a factor is made of, from those of its values.
    fn factor_gradients(
        &self,
        values: &Option<Values>,
        gradient: Option<Handle>,
    ) -> FactorGradients<CubeBackend> {
        let (Some(values), Some(gradient)) = (values, gradient) else { return [None, None] };
        match &values.source {
            FactorArgument::Absent => [None, None],
            FactorArgument::Given(tensor) => [Some(self.like(gradient, tensor)), None],
            FactorArgument::Drawn { location, raw_scale, draw, shape } => {
                let (client, at, scale) = (&self.x.client, &location.handle, &raw_scale.handle);
                let gradients =
                    launch::draw_factors_backward(client, draw, *shape, at, scale, &gradient).expect(CHECKED);
                [
                    Some(self.like(gradients.d_location, location)),
                    Some(self.like(gradients.d_scale, raw_scale)),
                ]
            }
        }
    }

    fn like(&self, handle: Handle, of: &CubeTensor) -> CubeTensor {
        self.tensor(handle, of.meta.shape().clone())
    }

    fn tensor(&self, handle: Handle, shape: Shape) -> CubeTensor {
        let (client, device) = (self.x.client.clone(), self.x.device.clone());
        CubeTensor::new_contiguous(client, device, shape, handle, DType::F32)
    }
}
