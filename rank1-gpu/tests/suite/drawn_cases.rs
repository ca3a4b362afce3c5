//! Linear layers that draw their factors, with their numbers on the host and on a device, for the claims about them.

use cubecl::client::Client;
use cubecl::server::Handle;
use rank1_gpu::{
    Activation, Clip, Draw, DrawShape, DrawnFactor, DrawnLayer, Factor, FactorGradients, FactorRows,
    FactorSource, LayerGrads, LinearShape, NoiseKind, ParameterGradients, Parts, Perturbation,
    PerturbedLayer, launch, transfer,
};

use super::layers::values;
use super::linear::n_rows;
use super::oracle;
use super::{assert_close, draw, forms, samples_of};

use FactorRows::{PerExample, PerMember};

/// How a layer comes by a factor.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    Absent,
    Given(FactorRows),
    Drawn(FactorRows, Draw),
}

/// A layer apart from its sizes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) input: Source,
    pub(super) output: Source,
    pub(super) bias: bool,
    pub(super) perturbation: Perturbation,
    pub(super) activation: Activation,
}

impl Kind {
    /// Both factors drawn for each example.
    pub(super) fn full() -> Self {
        let drawn = Source::Drawn(PerExample, draw(NoiseKind::Normal, Some(Clip::REFERENCE)));
        let (perturbation, activation) = (Perturbation::Multiplicative, Activation::Relu);
        Self { input: drawn, output: drawn, bias: true, perturbation, activation }
    }

    /// Every source beside every other, both perturbations, every form of a draw.
    pub(super) fn all() -> Vec<Self> {
        use Activation::{Identity, Tanh};
        let [normal, raw, log_normal, clipped] = forms(NoiseKind::Normal);
        let full = Self::full();
        let additive = Self { perturbation: Perturbation::Additive, ..full };
        let drawn = |rows, draw| Source::Drawn(rows, draw);
        vec![
            full,
            additive,
            Self { input: drawn(PerMember, raw), output: drawn(PerExample, log_normal), ..full },
            Self { input: drawn(PerExample, clipped), output: drawn(PerMember, normal), ..full },
            Self { input: drawn(PerExample, normal), output: Source::Absent, bias: false, ..full },
            Self { input: Source::Absent, output: drawn(PerExample, raw), activation: Tanh, ..full },
            Self { input: Source::Given(PerExample), output: drawn(PerExample, raw), ..full },
            Self { input: drawn(PerExample, raw), output: Source::Given(PerMember), ..additive },
            Self { input: Source::Given(PerMember), output: Source::Given(PerExample), ..full },
            Self { input: Source::Absent, output: Source::Absent, activation: Identity, ..full },
        ]
    }
}

/// The numbers of a factor: values, or location and scale.
#[derive(Debug, Clone)]
pub(super) struct Numbers(pub(super) Vec<Vec<f32>>);

/// A layer with all its numbers and those of a pass through it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) kind: Kind,
    pub(super) shape: LinearShape,
    /// Samples of every factor that is drawn.
    pub(super) n_samples: usize,
    pub(super) weight: Vec<f32>,
    pub(super) input: Numbers,
    pub(super) output: Numbers,
    pub(super) bias: Vec<f32>,
    pub(super) x: Vec<f32>,
    pub(super) grad_y: Vec<f32>,
}

impl Case {
    pub(super) fn new(kind: Kind, shape: LinearShape) -> Self {
        Self::sampled(kind, shape, 1)
    }

    /// The members of `shape` are those of all samples.
    pub(super) fn sampled(kind: Kind, shape: LinearShape, n_samples: usize) -> Self {
        let LinearShape { n_members, batch_size, d_in, d_out } = shape;
        let factor = |source, width: usize, phase| match source {
            Source::Absent => Numbers(vec![]),
            Source::Given(PerMember) => Numbers(vec![values(n_members * width, phase)]),
            Source::Given(PerExample) => Numbers(vec![values(n_members * batch_size * width, phase)]),
            Source::Drawn(..) => {
                let n = n_members / n_samples * width;
                let location = values(n, phase).iter().map(|v| 0.9 + 0.4 * v).collect();
                let scale = values(n, phase + 0.2).iter().map(|v| 0.15 + 0.1 * v).collect();
                Numbers(vec![location, scale])
            }
        };
        Self {
            kind,
            shape,
            n_samples,
            weight: values(d_in * d_out, 0.1),
            input: factor(kind.input, d_in, 0.4),
            output: factor(kind.output, d_out, 0.5),
            bias: values(n_members * d_out, 0.2),
            x: values(n_rows(shape) * d_in, 0.3),
            grad_y: values(n_rows(shape) * d_out, 0.7),
        }
    }

    /// The shape of one sample.
    fn draw_shape(&self, rows: FactorRows, width: usize) -> DrawShape {
        let n_examples = if rows == PerMember { 1 } else { self.shape.batch_size };
        DrawShape { n_members: self.shape.n_members / self.n_samples, n_examples, width }
    }

    /// Outputs and gradients by the host: draws first, then the layer, then the gradients of the draws.
    fn on_host(&self) -> (Vec<f64>, Gradients<f64>) {
        let LinearShape { d_in, d_out, .. } = self.shape;
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let factor = |source, numbers: &Numbers, width| match source {
            Source::Absent => None,
            Source::Given(rows) => Some((wide(&numbers.0[0]), rows)),
            Source::Drawn(rows, draw) => {
                let shape = self.draw_shape(rows, width);
                let of_sample = |draw| oracle::draw_factors(&draw, shape, &numbers.0[0], &numbers.0[1]);
                Some((samples_of(draw, self.n_samples).into_iter().flat_map(of_sample).collect(), rows))
            }
        };
        let input = factor(self.kind.input, &self.input, d_in);
        let output = factor(self.kind.output, &self.output, d_out);
        let (weight, bias) = (wide(&self.weight), wide(&self.bias));
        let layer = PerturbedLayer {
            weight: &weight[..],
            input_factor: input.as_ref().map(|(values, rows)| Factor { values: &values[..], rows: *rows }),
            output_factor: output.as_ref().map(|(values, rows)| Factor { values: &values[..], rows: *rows }),
            bias: self.kind.bias.then_some(&bias[..]),
            perturbation: self.kind.perturbation,
            activation: self.kind.activation,
        };
        let x = wide(&self.x);
        let y = oracle::perturbed_linear(self.shape, &layer, &x);
        let grads = oracle::perturbed_linear_backward(self.shape, &layer, &x, &wide(&self.grad_y));
        let through = |source, numbers: &Numbers, width, gradient: Option<Vec<f64>>| match source {
            Source::Absent => vec![],
            Source::Given(_) => vec![gradient.unwrap()],
            Source::Drawn(rows, draw) => {
                let (shape, [at, scale]) = (self.draw_shape(rows, width), [&numbers.0[0], &numbers.0[1]]);
                let gradient: Vec<f32> = gradient.unwrap().iter().map(|v| *v as f32).collect();
                let draws = samples_of(draw, self.n_samples);
                let of_samples = gradient.chunks(gradient.len() / self.n_samples).zip(&draws);
                of_samples.fold(vec![vec![0.0; at.len()]; 2], |mut sums, (gradient, draw)| {
                    let got = oracle::draw_factors_backward(draw, shape, at, scale, gradient);
                    for (sum, of) in sums.iter_mut().zip([got.d_location, got.d_scale]) {
                        sum.iter_mut().zip(of).for_each(|(sum, of)| *sum += of);
                    }
                    sums
                })
            }
        };
        let gradients = Gradients {
            x: grads.x,
            weight: grads.weight,
            input: through(self.kind.input, &self.input, d_in, grads.input_factor),
            output: through(self.kind.output, &self.output, d_out, grads.output_factor),
            bias: grads.bias,
        };
        (y, gradients)
    }

    /// Calls with the layer on a device, its inputs and the gradient of its outputs.
    pub(super) fn with<R>(
        &self,
        client: &Client,
        call: impl FnOnce(&DrawnLayer<'_, Handle>, &Handle, &Handle) -> R,
    ) -> R {
        let upload = |values: &[f32]| transfer::upload(client, "values", values).unwrap();
        let factor = |numbers: &Numbers| numbers.0.iter().map(|of| upload(of)).collect::<Vec<_>>();
        let draws = |source| match source {
            Source::Drawn(_, draw) => samples_of(draw, self.n_samples),
            Source::Absent | Source::Given(_) => vec![],
        };
        fn source<'a>(
            source: Source,
            buffers: &'a [Handle],
            draws: &'a [Draw],
        ) -> Option<FactorSource<'a, Handle>> {
            match (source, buffers) {
                (Source::Given(rows), [values]) => Some(FactorSource::Given(Factor { values, rows })),
                (Source::Drawn(rows, _), [location, scale]) => {
                    Some(FactorSource::Drawn(DrawnFactor { location, scale, draws, rows }))
                }
                _ => None,
            }
        }
        let (weight, bias) = (upload(&self.weight), upload(&self.bias));
        let (input, output) = (factor(&self.input), factor(&self.output));
        let [input_draws, output_draws] = [self.kind.input, self.kind.output].map(draws);
        let layer = DrawnLayer {
            weight: &weight,
            input_factor: source(self.kind.input, &input, &input_draws),
            output_factor: source(self.kind.output, &output, &output_draws),
            bias: self.kind.bias.then_some(&bias),
            perturbation: self.kind.perturbation,
            activation: self.kind.activation,
        };
        call(&layer, &upload(&self.x), &upload(&self.grad_y))
    }

    pub(super) fn on_device(&self, client: &Client, parts: Parts) -> (Vec<f32>, Gradients<f32>) {
        let (y, grads) = self.with(client, |layer, x, grad_y| {
            let y = launch::drawn_linear(client, parts, self.shape, layer, x).unwrap();
            let grads =
                launch::drawn_linear_backward(client, parts, self.shape, layer, x, &y, grad_y).unwrap();
            (y, grads)
        });
        (transfer::download(client, &y).unwrap(), Gradients::download(client, &grads))
    }

    #[track_caller]
    pub(super) fn check(&self, client: &Client, parts: Parts) {
        let (expected_y, expected) = self.on_host();
        let (y, grads) = self.on_device(client, parts);
        let what = format!("{:?} {:?} {parts:?}", self.kind, self.shape);
        assert_close(&y, &expected_y, &what);
        grads.assert_close(&expected, &what);
    }
}

/// Every gradient; of a factor that of its values, or of location and scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gradients<T> {
    pub(super) x: Vec<T>,
    pub(super) weight: Vec<T>,
    pub(super) input: Vec<Vec<T>>,
    pub(super) output: Vec<Vec<T>>,
    pub(super) bias: Option<Vec<T>>,
}

impl Gradients<f32> {
    fn download(client: &Client, grads: &LayerGrads<Handle, FactorGradients<Handle>>) -> Self {
        let download = |buffer: &Handle| transfer::download(client, buffer).unwrap();
        let factor = |gradients: &Option<FactorGradients<Handle>>| match gradients {
            None => vec![],
            Some(FactorGradients::Values(values)) => vec![download(values)],
            Some(FactorGradients::Parameters(ParameterGradients { d_location, d_scale })) => {
                vec![download(d_location), download(d_scale)]
            }
        };
        Self {
            x: download(&grads.x),
            weight: download(&grads.weight),
            input: factor(&grads.input_factor),
            output: factor(&grads.output_factor),
            bias: grads.bias.as_ref().map(download),
        }
    }

    pub(super) fn bits(&self) -> Vec<u32> {
        let factors = self.input.iter().chain(&self.output);
        let all = [&self.x, &self.weight].into_iter().chain(factors).chain(&self.bias);
        all.flatten().map(|v| v.to_bits()).collect()
    }

    pub(super) fn widened(&self) -> Gradients<f64> {
        let wide = |values: &Vec<f32>| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        Gradients {
            x: wide(&self.x),
            weight: wide(&self.weight),
            input: self.input.iter().map(wide).collect(),
            output: self.output.iter().map(wide).collect(),
            bias: self.bias.as_ref().map(wide),
        }
    }

    #[track_caller]
    pub(super) fn assert_close(&self, expected: &Gradients<f64>, what: &str) {
        assert_close(&self.x, &expected.x, &format!("{what} x"));
        assert_close(&self.weight, &expected.weight, &format!("{what} weight"));
        let factors = [("input", &self.input, &expected.input), ("output", &self.output, &expected.output)];
        for (name, got, expected) in factors {
            assert_eq!(got.len(), expected.len(), "{what} {name}");
            for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
                assert_close(got, expected, &format!("{what} {name} factor {i}"));
            }
        }
        match (&self.bias, &expected.bias) {
            (Some(got), Some(expected)) => assert_close(got, expected, &format!("{what} bias")),
            (None, None) => {}
            (got, _) => panic!("{what} bias: {got:?}"),
        }
    }
}
