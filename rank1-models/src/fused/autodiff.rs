//! The hand-written backward pass of the fused operation, for any back end that has the two kernels.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients as Graph;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, TensorMetadata};

use super::ops::{Arguments, Optional, PerturbedLinearBackward, PerturbedLinearOps};

#[derive(Debug)]
struct Step;

impl<B: PerturbedLinearBackward> Backward<B, 5> for Step {
    type State = Arguments<B>;

    fn backward(self, ops: Ops<Arguments<B>, 5>, grads: &mut Graph, _: &mut Checkpointer) {
        let grad_output = grads.consume::<B>(&ops.node);
        let gradients = B::perturbed_linear_backward(ops.state, grad_output);
        let values = [
            Some(gradients.x),
            Some(gradients.weight),
            gradients.input_factor,
            gradients.output_factor,
            gradients.bias,
        ];
        for (parent, value) in ops.parents.into_iter().zip(values) {
            if let (Some(parent), Some(value)) = (parent, value) {
                grads.register::<B>(parent.id, value);
            }
        }
    }
}

impl<B: PerturbedLinearBackward, C: CheckpointStrategy> PerturbedLinearOps for Autodiff<B, C> {
    fn perturbed_linear(arguments: Arguments<Self>) -> FloatTensor<Self> {
        let device = arguments.x.device();
        let dtype = arguments.x.dtype();
        // The graph step has five parents; an absent argument is an untracked scalar in its place.
        let node = |tensor: &Optional<Self>| match tensor {
            Optional::Present(tensor) => tensor.node(),
            Optional::Absent => Self::from_inner(B::float_zeros([1].into(), &device, dtype.into())).node(),
        };
        let nodes = [
            arguments.x.node(),
            arguments.weight.node(),
            node(&arguments.input_factor),
            node(&arguments.output_factor),
            node(&arguments.bias),
        ];
        let inner = inner(arguments);
        match Step.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = B::perturbed_linear(inner.clone());
                prep.finish(inner, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::perturbed_linear(inner)),
        }
    }
}

fn inner<B: PerturbedLinearBackward, C: CheckpointStrategy>(
    arguments: Arguments<Autodiff<B, C>>,
) -> Arguments<B> {
    let optional = |tensor: Optional<Autodiff<B, C>>| match tensor {
        Optional::Present(tensor) => Optional::Present(tensor.into_primitive()),
        Optional::Absent => Optional::Absent,
    };
    Arguments {
        x: arguments.x.into_primitive(),
        weight: arguments.weight.into_primitive(),
        input_factor: optional(arguments.input_factor),
        output_factor: optional(arguments.output_factor),
        bias: optional(arguments.bias),
        n_members: arguments.n_members,
        perturbation: arguments.perturbation,
    }
}
