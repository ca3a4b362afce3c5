//! The mean negative log-likelihood of a batch on CubeCL devices as one operation, whose gradient comes with its value.
//!
//! Answers `None` where the kernels do not reach, like the layers of [`super`].

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients as Graph;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, DispatchDevice, ExtensionType, TensorMetadata, backend_extension};
use burn::tensor::{DType, Int, Shape, Tensor, TensorData};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use rank1_core::likelihood::Likelihood;
use rank1_core::objective::NllForm;
use rank1_core::targets::Targets;
use rank1_gpu::{OutputShape, launch};

use crate::fused::Optional;

/// Targets of a batch.
#[derive(Debug, Clone, ExtensionType)]
pub enum LossTargets<B: Backend> {
    /// Class labels, `[B]`, 32 bits each.
    Labels(IntTensor<B>),
    /// Real values, `[B]`.
    Values(FloatTensor<B>),
}

/// Arguments of the loss, checked already.
#[derive(Debug, Clone, ExtensionType)]
pub struct LossArguments<B: Backend> {
    /// `[S*K*B, C]`, sample-major, then member-major.
    pub outputs: FloatTensor<B>,
    /// Of B examples.
    #[extension_type]
    pub targets: LossTargets<B>,
    /// Unconstrained noise scales, `[K]` in any shape; for [`Likelihood::Gaussian`] alone.
    #[extension_type]
    pub raw_noise: Optional<B>,
    /// S, K, B and C.
    pub shape: OutputShape,
    /// Distribution of a target.
    pub likelihood: Likelihood,
    /// Reduction over samples and members.
    pub form: NllForm,
}

/// The loss with its gradients.
#[derive(Debug, Clone)]
pub struct Loss<B: Backend> {
    /// Mean over the batch in nats, `[1]`.
    pub value: FloatTensor<B>,
    /// For the outputs, in their shape.
    pub outputs: FloatTensor<B>,
    /// For the noise, in its shape.
    pub raw_noise: Option<FloatTensor<B>>,
}

/// The loss of a back end.
#[backend_extension(Autodiff, Cube)]
pub trait MeanNllOps: Backend {
    /// Mean negative log-likelihood in nats, `[1]`.
    fn mean_nll(#[extension_type] arguments: LossArguments<Self>) -> FloatTensor<Self>;
}

/// The loss of a back end with its gradients; autodiff of [`MeanNllOps`] is built on it.
pub trait MeanNllWithGradient: MeanNllOps {
    /// Value and gradients.
    fn mean_nll_with_gradient(arguments: LossArguments<Self>) -> Loss<Self>;
}

impl MeanNllOps for CubeBackend {
    fn mean_nll(arguments: LossArguments<Self>) -> CubeTensor {
        Self::mean_nll_with_gradient(arguments).value
    }
}

impl MeanNllWithGradient for CubeBackend {
    fn mean_nll_with_gradient(arguments: LossArguments<Self>) -> Loss<Self> {
        let LossArguments { outputs, targets, raw_noise, shape, likelihood, form } = arguments;
        let outputs = into_contiguous(outputs);
        let targets = into_contiguous(match targets {
            LossTargets::Labels(targets) | LossTargets::Values(targets) => targets,
        });
        let raw_noise = raw_noise.into_option().map(into_contiguous);
        let noise = raw_noise.as_ref().map(|noise| &noise.handle);
        let (client, logits, targets) = (&outputs.client, &outputs.handle, &targets.handle);
        let loss = launch::nll_with_gradient(client, likelihood, form, shape, logits, targets, noise)
            .expect("`mean_nll` checks shapes, precision and limits before it dispatches");
        let tensor = |handle, shape: Shape| {
            CubeTensor::new_contiguous(client.clone(), outputs.device.clone(), shape, handle, DType::F32)
        };
        Loss {
            value: Self::float_mean(tensor(loss.values, Shape::new([shape.n_examples]))),
            outputs: tensor(loss.outputs, outputs.shape()),
            raw_noise: loss.raw_noise.zip(raw_noise.as_ref()).map(|(d, noise)| tensor(d, noise.shape())),
        }
    }
}

#[derive(Debug)]
struct Step;

impl<B: MeanNllWithGradient> Backward<B, 2> for Step {
    /// Gradients of the loss for the outputs and for the noise.
    type State = (FloatTensor<B>, Option<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Graph, _: &mut Checkpointer) {
        let grad_loss = grads.consume::<B>(&ops.node);
        let scaled = |gradient: FloatTensor<B>| {
            let ones = Shape::from(vec![1; gradient.shape().num_dims()]);
            B::float_mul(gradient, B::float_reshape(grad_loss.clone(), ones))
        };
        let [outputs, raw_noise] = ops.parents;
        if let Some(parent) = outputs {
            grads.register::<B>(parent.id, scaled(ops.state.0));
        }
        if let (Some(parent), Some(gradient)) = (raw_noise, ops.state.1) {
            grads.register::<B>(parent.id, scaled(gradient));
        }
    }
}

impl<B: MeanNllWithGradient, C: CheckpointStrategy> MeanNllOps for Autodiff<B, C> {
    fn mean_nll(arguments: LossArguments<Self>) -> FloatTensor<Self> {
        let outputs = || arguments.outputs.node();
        // The step has two parents; the outputs stand in for an absent noise and get no gradient from its place.
        let raw_noise = match &arguments.raw_noise {
            Optional::Present(noise) => noise.node(),
            Optional::Absent => outputs(),
        };
        let prep = Step.prepare::<C>([outputs(), raw_noise]).compute_bound().stateful();
        let loss = B::mean_nll_with_gradient(LossArguments {
            outputs: arguments.outputs.into_primitive(),
            targets: match arguments.targets {
                LossTargets::Labels(labels) => LossTargets::Labels(labels),
                LossTargets::Values(values) => LossTargets::Values(values.into_primitive()),
            },
            raw_noise: arguments.raw_noise.into_option().map(|noise| noise.into_primitive()).into(),
            shape: arguments.shape,
            likelihood: arguments.likelihood,
            form: arguments.form,
        });
        match prep {
            OpsKind::Tracked(prep) => prep.finish((loss.outputs, loss.raw_noise), loss.value),
            OpsKind::UnTracked(prep) => prep.finish(loss.value),
        }
    }
}

/// Mean negative log-likelihood `[1]` of outputs `[S*K*B, C]`; none where the kernels do not reach.
///
/// `raw_noise` has K entries. Averaged logits are outputs of one sample of one member.
pub(crate) fn mean_nll(
    likelihood: Likelihood,
    form: NllForm,
    outputs: &Tensor<2>,
    targets: &Targets,
    raw_noise: Option<&Tensor<2>>,
    n_samples: usize,
) -> Option<Tensor<1>> {
    let DispatchDevice::Cube(device) = outputs.device().without_autodiff().as_dispatch().clone() else {
        return None;
    };
    let [rows, n_outputs] = outputs.dims();
    let (n_examples, n_samples) = (targets.len(), n_samples.max(1));
    let n_members = rows.checked_div(n_samples.checked_mul(n_examples)?)?;
    let shape = OutputShape { n_samples, n_members, n_examples, n_outputs };
    let n_classes = match (likelihood, targets) {
        (Likelihood::Categorical, Targets::Classes { n_classes, .. }) => *n_classes,
        (Likelihood::Bernoulli, Targets::Classes { n_classes: 2, .. }) => 2,
        (Likelihood::Gaussian | Likelihood::HeteroscedasticGaussian, Targets::Values(_)) => 0,
        _ => return None,
    };
    // Of one term the average is the likelihood itself.
    let form = if form == NllForm::MarginalizedLogits { NllForm::AverageNll } else { form };
    let noise_fits = match raw_noise {
        Some(noise) => likelihood == Likelihood::Gaussian && noise.shape().num_elements() == n_members,
        None => likelihood != Likelihood::Gaussian,
    };
    let f32_alone = outputs.dtype() == DType::F32 && raw_noise.is_none_or(|n| n.dtype() == DType::F32);
    let fits = n_samples * n_members * n_examples == rows
        && n_outputs == likelihood.n_outputs(n_classes)
        && noise_fits
        && f32_alone
        && launch::nll_fits(&device.client(), shape).is_ok();
    if !fits {
        return None;
    }
    let device = outputs.device();
    let targets = match targets {
        Targets::Classes { labels, .. } => {
            let labels =
                labels.iter().map(|&label| i32::try_from(label)).collect::<Result<Vec<_>, _>>().ok()?;
            let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [n_examples]), &device);
            if ![DType::I32, DType::U32].contains(&labels.dtype()) {
                return None;
            }
            LossTargets::Labels(labels.into_dispatch())
        }
        Targets::Values(values) => {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            let values = Tensor::<1>::from_data(TensorData::new(values, [n_examples]), &device);
            LossTargets::Values(values.into_dispatch())
        }
    };
    let loss = <Dispatch as MeanNllOps>::mean_nll(LossArguments {
        outputs: outputs.clone().into_dispatch(),
        targets,
        raw_noise: raw_noise.cloned().map(Tensor::into_dispatch).into(),
        shape,
        likelihood,
        form,
    });
    Some(Tensor::from_dispatch(loss))
}

#[cfg(test)]
#[path = "loss_tests.rs"]
mod tests;
