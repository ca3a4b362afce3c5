//! Layers of numbers on the host and on a device, for the claims about linear maps and convolutions.

use cubecl::client::Client;
use cubecl::server::Handle;
use rank1_gpu::{
    Activation, Factor, FactorRows, LayerGrads, Perturbation, PerturbedLayer, Precision, transfer,
};

use super::assert_close;

/// What a layer has, apart from its sizes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) input_factor: Option<FactorRows>,
    pub(crate) output_factor: Option<FactorRows>,
    pub(crate) bias: bool,
    pub(crate) perturbation: Perturbation,
    pub(crate) activation: Activation,
}

/// The lengths that a variant needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    pub(crate) n_members: usize,
    pub(crate) batch_size: usize,
    pub(crate) c_in: usize,
    pub(crate) c_out: usize,
    pub(crate) weight: usize,
}

/// The buffers of a layer on the host.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    pub(crate) weight: Vec<f32>,
    pub(crate) input_factor: Vec<f32>,
    pub(crate) output_factor: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// Values in (-1, 1), no two alike.
pub(crate) fn values(n: usize, phase: f32) -> Vec<f32> {
    (0..n).map(|i| (1.7 * i as f32 + phase).sin()).collect()
}

impl Variant {
    pub(crate) const FULL: Self = Self {
        input_factor: Some(FactorRows::PerExample),
        output_factor: Some(FactorRows::PerExample),
        bias: true,
        perturbation: Perturbation::Multiplicative,
        activation: Activation::Relu,
    };

    /// Both perturbations, every activation, every mixture of factor rows, each part absent: few, because a device
    /// compiles each anew.
    pub(crate) fn all() -> [Self; 7] {
        use Activation::{Identity, Relu, Tanh};
        use Perturbation::{Additive, Multiplicative};
        let (member, example) = (Some(FactorRows::PerMember), Some(FactorRows::PerExample));
        [
            (Multiplicative, Identity, member, example, true),
            (Multiplicative, Relu, example, member, true),
            (Multiplicative, Tanh, example, None, false),
            (Multiplicative, Identity, None, example, false),
            (Additive, Relu, member, example, true),
            (Additive, Tanh, example, member, false),
            (Multiplicative, Identity, None, None, false),
        ]
        .map(|(perturbation, activation, input_factor, output_factor, bias)| Self {
            input_factor,
            output_factor,
            bias,
            perturbation,
            activation,
        })
    }

    pub(crate) fn numbers(&self, lengths: Lengths) -> Numbers {
        let Lengths { n_members, batch_size, c_in, c_out, weight } = lengths;
        let rows = |rows| match rows {
            None => 0,
            Some(FactorRows::PerMember) => n_members,
            Some(FactorRows::PerExample) => n_members * batch_size,
        };
        Numbers {
            weight: values(weight, 0.1),
            input_factor: values(rows(self.input_factor) * c_in, 0.4),
            output_factor: values(rows(self.output_factor) * c_out, 0.5),
            bias: values(n_members * c_out, 0.2),
        }
    }

    pub(crate) fn host<'a>(&self, numbers: &'a Numbers) -> PerturbedLayer<'a, [f32]> {
        PerturbedLayer {
            weight: &numbers.weight,
            input_factor: self.input_factor.map(|rows| Factor { values: &numbers.input_factor[..], rows }),
            output_factor: self.output_factor.map(|rows| Factor { values: &numbers.output_factor[..], rows }),
            bias: self.bias.then_some(&numbers.bias),
            perturbation: self.perturbation,
            activation: self.activation,
        }
    }

    /// Calls with the same layer on a device.
    pub(crate) fn on_device<R>(
        &self,
        client: &Client,
        numbers: &Numbers,
        call: impl FnOnce(&PerturbedLayer<'_, Handle>) -> R,
    ) -> R {
        self.on_device_in(client, Precision::F32, numbers, call)
    }

    /// The same with a weight in another precision.
    pub(crate) fn on_device_in<R>(
        &self,
        client: &Client,
        precision: Precision,
        numbers: &Numbers,
        call: impl FnOnce(&PerturbedLayer<'_, Handle>) -> R,
    ) -> R {
        let upload = |values: &[f32]| transfer::upload(client, "values", values).unwrap();
        let weight = transfer::upload_as(client, "weight", &numbers.weight, precision).unwrap();
        let bias = upload(&numbers.bias);
        let input = self.input_factor.map(|rows| (upload(&numbers.input_factor), rows));
        let output = self.output_factor.map(|rows| (upload(&numbers.output_factor), rows));
        fn factor(buffer: &Option<(Handle, FactorRows)>) -> Option<Factor<'_, Handle>> {
            buffer.as_ref().map(|(values, rows)| Factor { values, rows: *rows })
        }
        call(&PerturbedLayer {
            weight: &weight,
            input_factor: factor(&input),
            output_factor: factor(&output),
            bias: self.bias.then_some(&bias),
            perturbation: self.perturbation,
            activation: self.activation,
        })
    }
}

pub(crate) fn download_grads(client: &Client, grads: &LayerGrads<Handle>) -> LayerGrads<Vec<f32>> {
    download_grads_in(client, Precision::F32, grads)
}

/// Those of inputs are stored in the precision, all others in f32.
pub(crate) fn download_grads_in(
    client: &Client,
    precision: Precision,
    grads: &LayerGrads<Handle>,
) -> LayerGrads<Vec<f32>> {
    let download = |buffer: &Handle| transfer::download(client, buffer).unwrap();
    LayerGrads {
        x: transfer::download_as(client, &grads.x, precision).unwrap(),
        weight: download(&grads.weight),
        input_factor: grads.input_factor.as_ref().map(download),
        output_factor: grads.output_factor.as_ref().map(download),
        bias: grads.bias.as_ref().map(download),
    }
}

#[track_caller]
pub(crate) fn assert_grads_close(got: &LayerGrads<Vec<f32>>, expected: &LayerGrads<Vec<f64>>, what: &str) {
    assert_close(&got.x, &expected.x, &format!("{what} x"));
    assert_close(&got.weight, &expected.weight, &format!("{what} weight"));
    for (name, got, expected) in [
        ("input_factor", &got.input_factor, &expected.input_factor),
        ("output_factor", &got.output_factor, &expected.output_factor),
        ("bias", &got.bias, &expected.bias),
    ] {
        match (got, expected) {
            (Some(got), Some(expected)) => assert_close(got, expected, &format!("{what} {name}")),
            (None, None) => {}
            (got, _) => panic!("{what} {name}: {got:?}"),
        }
    }
}
