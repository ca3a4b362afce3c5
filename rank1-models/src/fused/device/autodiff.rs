//! The hand-written backward pass of a layer: one node of the graph, which keeps arguments and no draw.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients as Graph;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::ops::{FactorArgument, LayerArguments, PerturbedLayerBackward, PerturbedLayerOps};
use crate::fused::Optional;

#[derive(Debug)]
struct Step;

impl<B: PerturbedLayerBackward> Backward<B, 7> for Step {
    type State = LayerArguments<B>;

    fn backward(self, ops: Ops<LayerArguments<B>, 7>, grads: &mut Graph, _: &mut Checkpointer) {
        let grad_output = grads.consume::<B>(&ops.node);
        let gradients = B::perturbed_layer_backward(ops.state, grad_output);
        let ([input_0, input_1], [output_0, output_1]) = (gradients.input_factor, gradients.output_factor);
        let values =
            [Some(gradients.x), Some(gradients.weight), input_0, input_1, output_0, output_1, gradients.bias];
        for (parent, value) in ops.parents.into_iter().zip(values) {
            if let (Some(parent), Some(value)) = (parent, value) {
                grads.register::<B>(parent.id, value);
            }
        }
    }
}

impl<B: PerturbedLayerBackward, C: CheckpointStrategy> PerturbedLayerOps for Autodiff<B, C> {
    fn perturbed_layer(arguments: LayerArguments<Self>) -> FloatTensor<Self> {
        let x = || arguments.x.node();
        // The step has seven parents; `x` stands in for an absent one and gets no gradient from its place.
        let of_factor = |factor: &FactorArgument<Self>| match factor {
            FactorArgument::Absent => [x(), x()],
            FactorArgument::Given(values) => [values.node(), x()],
            FactorArgument::Drawn { location, raw_scale, .. } => [location.node(), raw_scale.node()],
        };
        let [input_0, input_1] = of_factor(&arguments.input_factor);
        let [output_0, output_1] = of_factor(&arguments.output_factor);
        let bias = match &arguments.bias {
            Optional::Present(bias) => bias.node(),
            Optional::Absent => x(),
        };
        let nodes = [x(), arguments.weight.node(), input_0, input_1, output_0, output_1, bias];
        let inner = inner(arguments);
        match Step.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = B::perturbed_layer(inner.clone());
                prep.finish(inner, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::perturbed_layer(inner)),
        }
    }
}

fn inner<B: PerturbedLayerBackward, C: CheckpointStrategy>(
    arguments: LayerArguments<Autodiff<B, C>>,
) -> LayerArguments<B> {
    let factor = |factor: FactorArgument<Autodiff<B, C>>| match factor {
        FactorArgument::Absent => FactorArgument::Absent,
        FactorArgument::Given(values) => FactorArgument::Given(values.into_primitive()),
        FactorArgument::Drawn { location, raw_scale, draws, shape } => FactorArgument::Drawn {
            location: location.into_primitive(),
            raw_scale: raw_scale.into_primitive(),
            draws,
            shape,
        },
    };
    LayerArguments {
        x: arguments.x.into_primitive(),
        weight: arguments.weight.into_primitive(),
        input_factor: factor(arguments.input_factor),
        output_factor: factor(arguments.output_factor),
        bias: arguments.bias.into_option().map(|bias| bias.into_primitive()).into(),
        shape: arguments.shape,
        perturbation: arguments.perturbation,
    }
}
