//! The layer on devices: buffers of Burn's CubeCL tensors handed to the kernels of `rank1-gpu`.

use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::server::Handle;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use rank1_gpu::{
    Activation, DrawnFactor, DrawnLayer, Factor, FactorRows, FactorSource, LayerGrads, Parts, Perturbation,
    PerturbedLayer, launch,
};

use super::ops::{
    FactorArgument, FactorGradients, LayerArguments, LayerGradients, LayerShape, PerturbedLayerBackward,
    PerturbedLayerOps,
};

const CHECKED: &str = "the callers check shapes, precision and limits before they dispatch";

impl PerturbedLayerOps for CubeBackend {
    fn perturbed_layer(arguments: LayerArguments<Self>) -> CubeTensor {
        let buffers = Buffers::new(arguments);
        let (client, x) = (&buffers.x.client, &buffers.x.handle);
        let y = match buffers.shape {
            LayerShape::Linear(shape) => {
                launch::drawn_linear(client, Parts::Auto, shape, &buffers.drawn_layer(), x)
            }
            LayerShape::Convolution(shape) => {
                let values = buffers.draw();
                launch::perturbed_convolution(client, shape, &buffers.layer(&values), x)
            }
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
        let (client, x) = (&buffers.x.client, &buffers.x.handle);
        let grad_y = into_contiguous(grad_output).handle;
        // Outputs are read where there is an activation only; a tensor operation of its own follows here.
        let gradients = match buffers.shape {
            LayerShape::Linear(shape) => {
                let layer = buffers.drawn_layer();
                launch::drawn_linear_backward(client, Parts::Auto, shape, &layer, x, &grad_y, &grad_y)
            }
            LayerShape::Convolution(shape) => {
                let values = buffers.draw();
                let layer = buffers.layer(&values);
                launch::perturbed_convolution_backward(client, shape, &layer, x, &grad_y, &grad_y)
                    .map(|gradients| buffers.through_draws(gradients))
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

/// The arguments in contiguous memory.
struct Buffers {
    shape: LayerShape,
    n_members: usize,
    x: CubeTensor,
    weight: CubeTensor,
    input_factor: FactorArgument<CubeBackend>,
    output_factor: FactorArgument<CubeBackend>,
    bias: Option<CubeTensor>,
    perturbation: Perturbation,
}

/// Values of the input factor and of the output factor.
type Values = [Option<Handle>; 2];

impl Buffers {
    fn new(arguments: LayerArguments<CubeBackend>) -> Self {
        let LayerArguments { x, weight, input_factor, output_factor, bias, shape, perturbation } = arguments;
        let factor = |source| match source {
            FactorArgument::Absent => FactorArgument::Absent,
            FactorArgument::Given(values) => FactorArgument::Given(into_contiguous(values)),
            FactorArgument::Drawn { location, raw_scale, draws, shape } => {
                let (location, raw_scale) = (into_contiguous(location), into_contiguous(raw_scale));
                FactorArgument::Drawn { location, raw_scale, draws, shape }
            }
        };
        Self {
            shape,
            n_members: match shape {
                LayerShape::Linear(shape) => shape.n_members,
                LayerShape::Convolution(shape) => shape.n_members,
            },
            x: into_contiguous(x),
            weight: into_contiguous(weight),
            input_factor: factor(input_factor),
            output_factor: factor(output_factor),
            bias: bias.into_option().map(into_contiguous),
            perturbation,
        }
    }

    /// With one example a row for each example and one for each member are the same.
    fn rows(&self, n_rows: usize) -> FactorRows {
        if n_rows == self.n_members { FactorRows::PerMember } else { FactorRows::PerExample }
    }

    /// The layer whose factors are drawn while it is computed.
    fn drawn_layer(&self) -> DrawnLayer<'_, Handle> {
        DrawnLayer {
            weight: &self.weight.handle,
            input_factor: self.source(&self.input_factor),
            output_factor: self.source(&self.output_factor),
            bias: self.bias.as_ref().map(|bias| &bias.handle),
            perturbation: self.perturbation,
            activation: Activation::Identity,
        }
    }

    fn source<'a>(&self, factor: &'a FactorArgument<CubeBackend>) -> Option<FactorSource<'a, Handle>> {
        match factor {
            FactorArgument::Absent => None,
            FactorArgument::Given(values) => {
                let rows = self.rows(values.meta.shape()[0]);
                Some(FactorSource::Given(Factor { values: &values.handle, rows }))
            }
            FactorArgument::Drawn { location, raw_scale, draws, shape } => {
                let rows = self.rows(draws.len() * shape.n_members * shape.n_examples);
                let (location, scale) = (&location.handle, &raw_scale.handle);
                Some(FactorSource::Drawn(DrawnFactor { location, scale, draws, rows }))
            }
        }
    }

    /// The values of both factors, drawn at once where they are not given.
    fn draw(&self) -> Values {
        [&self.input_factor, &self.output_factor].map(|factor| match factor {
            FactorArgument::Absent => None,
            FactorArgument::Given(values) => Some(values.handle.clone()),
            FactorArgument::Drawn { location, raw_scale, draws, shape } => {
                let (client, at, scale) = (&self.x.client, &location.handle, &raw_scale.handle);
                Some(launch::draw_samples(client, draws, *shape, at, scale).expect(CHECKED))
            }
        })
    }

    /// The layer under factors that were drawn before.
    fn layer<'a>(&'a self, [input_factor, output_factor]: &'a Values) -> PerturbedLayer<'a, Handle> {
        let factor = |values: &'a Option<Handle>, source| {
            values
                .as_ref()
                .zip(self.source(source))
                .map(|(values, source)| Factor { values, rows: source.rows() })
        };
        PerturbedLayer {
            weight: &self.weight.handle,
            input_factor: factor(input_factor, &self.input_factor),
            output_factor: factor(output_factor, &self.output_factor),
            bias: self.bias.as_ref().map(|bias| &bias.handle),
            perturbation: self.perturbation,
            activation: Activation::Identity,
        }
    }

    /// Gradients of what the factors are made of, from those of their values.
    fn through_draws(
        &self,
        gradients: LayerGrads<Handle>,
    ) -> LayerGrads<Handle, rank1_gpu::FactorGradients<Handle>> {
        let through = |source: &FactorArgument<CubeBackend>, gradient: Handle| match source {
            FactorArgument::Drawn { location, raw_scale, draws, shape } => {
                let (client, at, scale) = (&self.x.client, &location.handle, &raw_scale.handle);
                let parameters = launch::draw_samples_backward(client, draws, *shape, at, scale, &gradient);
                rank1_gpu::FactorGradients::Parameters(parameters.expect(CHECKED))
            }
            FactorArgument::Absent | FactorArgument::Given(_) => rank1_gpu::FactorGradients::Values(gradient),
        };
        let LayerGrads { x, weight, input_factor, output_factor, bias } = gradients;
        LayerGrads {
            x,
            weight,
            input_factor: input_factor.map(|gradient| through(&self.input_factor, gradient)),
            output_factor: output_factor.map(|gradient| through(&self.output_factor, gradient)),
            bias,
        }
    }

    fn factor_gradients(
        &self,
        source: &FactorArgument<CubeBackend>,
        gradients: Option<rank1_gpu::FactorGradients<Handle>>,
    ) -> FactorGradients<CubeBackend> {
        match (source, gradients) {
            (FactorArgument::Given(tensor), Some(rank1_gpu::FactorGradients::Values(gradient))) => {
                [Some(self.like(gradient, tensor)), None]
            }
            (
                FactorArgument::Drawn { location, raw_scale, .. },
                Some(rank1_gpu::FactorGradients::Parameters(gradients)),
            ) => [
                Some(self.like(gradients.d_location, location)),
                Some(self.like(gradients.d_scale, raw_scale)),
            ],
            _ => [None, None],
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
