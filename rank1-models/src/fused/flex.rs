//! The fused operation on Burn's CPU back end: views of its tensors handed to `rank1-core`.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use ndarray::{Array, Array2, Array3, ArrayView2, ArrayView3, Dimension};
use rank1_core::perturb::PerturbedLinear;

use super::ops::{Arguments, Gradients, Optional, PerturbedLinearBackward, PerturbedLinearOps};

const CHECKED: &str = "`perturbed_linear` checks shapes and precision before it dispatches";

impl PerturbedLinearOps for Flex {
    fn perturbed_linear(arguments: Arguments<Self>) -> FlexTensor {
        let arguments = contiguous(arguments);
        tensor(linear(&arguments).forward(matrix(&arguments.x)).expect(CHECKED))
    }
}

impl PerturbedLinearBackward for Flex {
    fn perturbed_linear_backward(arguments: Arguments<Self>, grad_output: FlexTensor) -> Gradients<Self> {
        let arguments = contiguous(arguments);
        let grad_output = grad_output.to_contiguous();
        let grads = linear(&arguments).backward(matrix(&arguments.x), matrix(&grad_output)).expect(CHECKED);
        Gradients {
            x: tensor(grads.x),
            weight: tensor(grads.weight),
            input_factor: grads.input_factor.map(rows),
            output_factor: grads.output_factor.map(rows),
            bias: grads.bias.map(tensor),
        }
    }
}

fn linear(arguments: &Arguments<Flex>) -> PerturbedLinear<'_, f32> {
    let n_members = arguments.n_members;
    PerturbedLinear {
        weight: matrix(&arguments.weight),
        input_factor: present(&arguments.input_factor).map(|t| by_member(t, n_members)),
        output_factor: present(&arguments.output_factor).map(|t| by_member(t, n_members)),
        bias: present(&arguments.bias).map(matrix),
        perturbation: arguments.perturbation,
        n_members,
    }
}

fn present(tensor: &Optional<Flex>) -> Option<&FlexTensor> {
    match tensor {
        Optional::Present(tensor) => Some(tensor),
        Optional::Absent => None,
    }
}

fn contiguous(arguments: Arguments<Flex>) -> Arguments<Flex> {
    let optional = |tensor: Optional<Flex>| tensor.into_option().map(|t| t.to_contiguous()).into();
    Arguments {
        x: arguments.x.to_contiguous(),
        weight: arguments.weight.to_contiguous(),
        input_factor: optional(arguments.input_factor),
        output_factor: optional(arguments.output_factor),
        bias: optional(arguments.bias),
        ..arguments
    }
}

fn dims(tensor: &FlexTensor) -> (usize, usize) {
    let shape = tensor.layout().shape();
    (shape[0], shape[1])
}

fn matrix(tensor: &FlexTensor) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape(dims(tensor), tensor.as_slice::<f32>().expect(CHECKED)).expect(CHECKED)
}

/// `[K*B, D]` as `[K, B, D]`, `[K, D]` as `[K, 1, D]`.
fn by_member(tensor: &FlexTensor, n_members: usize) -> ArrayView3<'_, f32> {
    let (rows, width) = dims(tensor);
    let shape = (n_members, rows / n_members, width);
    ArrayView3::from_shape(shape, tensor.as_slice::<f32>().expect(CHECKED)).expect(CHECKED)
}

fn rows(array: Array3<f32>) -> FlexTensor {
    let (members, rows, width) = array.dim();
    into_tensor(array, [members * rows, width])
}

fn tensor(array: Array2<f32>) -> FlexTensor {
    let (rows, width) = array.dim();
    into_tensor(array, [rows, width])
}

fn into_tensor<D: Dimension>(array: Array<f32, D>, shape: [usize; 2]) -> FlexTensor {
    let len = array.len();
    let values = if array.is_standard_layout() {
        let (mut values, offset) = array.into_raw_vec_and_offset();
        values.drain(..offset.unwrap_or(0));
        values.truncate(len);
        values
    } else {
        array.iter().copied().collect()
    };
    FlexTensor::from_data(TensorData::new(values, shape))
}
