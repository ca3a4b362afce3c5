//! Numbers and categories of a table as vectors, and its codes as they are: the first operation of networks for tables.
//!
//! All members and samples read the same rows, so there is one for each example.

use std::ops::Range;

use rank1_core::Real;
use rank1_core::embedding::{Edges, Linear, Periodic, PiecewiseLinear, relu, relu_backward};
use rank1_priors::WeightInit;

use super::category::{self, CategoryPlan};
use super::{Back, Cost, Op, Operation, Plan, Reads};
use crate::engine::analytic::{Pass, resize};
use crate::error::Error;
use crate::init::Initializer;
use crate::network::{CategoryEmbedding, Network, NumberEmbedding, Origin, TableColumns, Volume};
use crate::params::{ParamGroup, ParamId};

/// Standard deviation of frequencies at the start, before they are cut.
const FREQUENCY_STD: f64 = 0.01;

/// How numbers enter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) embedding: NumberEmbedding,
    pub(crate) width: usize,
    pub(crate) frequencies: usize,
}

impl Numbers {
    pub(crate) const AS_THEY_ARE: Self = Self { embedding: NumberEmbedding::None, width: 1, frequencies: 0 };

    /// Values that a number becomes.
    pub(crate) fn written_width(self) -> usize {
        if self.embedding == NumberEmbedding::None { 1 } else { self.width }
    }
}

/// An embedding of the columns of a table: numbers, then codes, then the vectors of categories.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingPlan {
    /// Name in parameter names.
    pub name: String,
    /// Places of the numbers among the input columns, n of them.
    pub numbers: Vec<usize>,
    /// Places of the codes, which follow the embedded numbers.
    pub codes: Vec<usize>,
    /// Values that a number becomes, d.
    pub width: usize,
    /// How, with its parameters.
    pub kind: EmbeddingKind,
    /// Categories that become vectors.
    pub categories: Vec<CategoryPlan>,
}

/// Parameters of an embedding of numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum EmbeddingKind {
    /// Numbers as they are.
    Plain,
    /// Linear, then max(0, .).
    Linear {
        /// `[n, d]`.
        weight: ParamId,
        /// `[n, d]`.
        bias: ParamId,
    },
    /// Periodic, a layer for each feature or one for all, then max(0, .).
    Periodic {
        /// `[n, m]`.
        frequencies: ParamId,
        /// `[n 2 m, d]`, or `[2 m, d]` of one layer.
        weight: ParamId,
        /// `[n, d]`, or `[1, d]` of one layer.
        bias: ParamId,
    },
    /// Piecewise-linear plus linear.
    PiecewiseLinear {
        /// Bins of every number.
        edges: Edges,
        /// `[all bins, d]`.
        weight: ParamId,
        /// `[n, d]`.
        linear_weight: ParamId,
        /// `[n, d]`.
        linear_bias: ParamId,
    },
}

impl EmbeddingPlan {
    /// Number of values of a row.
    fn row(&self) -> usize {
        self.numbers.len() * self.width
            + self.codes.len()
            + self.categories.iter().map(|category| category.width).sum::<usize>()
    }

    /// Everything in the layout that is its own.
    pub(crate) fn parameters(&self) -> Vec<ParamId> {
        let mut all = self.of_numbers();
        all.extend(self.categories.iter().map(|category| category.weight));
        all
    }

    fn of_numbers(&self) -> Vec<ParamId> {
        match &self.kind {
            EmbeddingKind::Plain => Vec::new(),
            EmbeddingKind::Linear { weight, bias } => vec![*weight, *bias],
            EmbeddingKind::Periodic { frequencies, weight, bias } => vec![*frequencies, *weight, *bias],
            EmbeddingKind::PiecewiseLinear { weight, linear_weight, linear_bias, .. } => {
                vec![*weight, *linear_weight, *linear_bias]
            }
        }
    }
}

impl Plan {
    /// Embeds numbers and categories of the network's input; its columns as they are where there is nothing to embed.
    pub(crate) fn table_embedding(
        &mut self,
        columns: &TableColumns,
        numbers: Numbers,
        categories: Option<CategoryEmbedding>,
    ) -> Result<Origin, Error> {
        let (places, codes) = (columns.number_places(), columns.code_places(categories));
        let vectors = columns.categories(categories);
        let (n, width, frequencies) = (places.len(), numbers.written_width(), numbers.frequencies);
        let plain = numbers.embedding == NumberEmbedding::None || n == 0;
        if plain && vectors.is_empty() {
            return Ok(Origin::Input);
        }
        let mut push = |part: &str, rows: usize, columns: usize| {
            self.layout.push(part.to_owned(), &[rows, columns], ParamGroup::Weight)
        };
        let kind = match numbers.embedding {
            _ if plain => EmbeddingKind::Plain,
            NumberEmbedding::None | NumberEmbedding::Linear => EmbeddingKind::Linear {
                weight: push("numbers.weight", n, width),
                bias: push("numbers.bias", n, width),
            },
            NumberEmbedding::Periodic | NumberEmbedding::PeriodicLite => {
                let layers = if numbers.embedding == NumberEmbedding::Periodic { n } else { 1 };
                EmbeddingKind::Periodic {
                    frequencies: push("numbers.frequencies", n, frequencies),
                    weight: push("numbers.weight", layers * 2 * frequencies, width),
                    bias: push("numbers.bias", layers, width),
                }
            }
            NumberEmbedding::PiecewiseLinear => {
                let edges = columns.edges()?;
                EmbeddingKind::PiecewiseLinear {
                    weight: push("numbers.weight", edges.n_bins(), width),
                    edges,
                    linear_weight: push("numbers.linear_weight", n, width),
                    linear_bias: push("numbers.linear_bias", n, width),
                }
            }
        };
        let category = |(index, (places, width)): (usize, (Range<usize>, usize))| CategoryPlan {
            weight: push(&format!("categories.{index}"), places.len(), width),
            places,
            width,
        };
        let categories = vectors.into_iter().enumerate().map(category).collect();
        let name = if plain { "categories" } else { "numbers" };
        let plan = EmbeddingPlan { name: name.to_owned(), numbers: places, codes, width, kind, categories };
        let volume = Volume::columns(plan.row());
        self.embeddings.push(plan);
        Ok(self.push(Op::Embedding(self.embeddings.len() - 1), Origin::Input, volume))
    }
}

/// Linear parts start within d^-1/2, layers of waves within (2 m)^-1/2, piecewise-linear parts at zero, as published.
pub(super) fn start(init: &mut Initializer<'_>, index: usize) -> Result<(), Error> {
    let plan = &init.network().embeddings[index];
    for vectors in &plan.categories {
        category::start(init, vectors)?;
    }
    let mut uniform = |id: ParamId, fan: usize| -> Result<(), Error> {
        let rng = &mut init.rng(id);
        Ok(WeightInit::FanInUniform.fill(init.slice(id), fan, 1, rng)?)
    };
    match &plan.kind {
        EmbeddingKind::Plain => Ok(()),
        EmbeddingKind::Linear { weight, bias } => {
            uniform(*weight, plan.width)?;
            uniform(*bias, plan.width)
        }
        EmbeddingKind::PiecewiseLinear { linear_weight, linear_bias, .. } => {
            uniform(*linear_weight, plan.width)?;
            uniform(*linear_bias, plan.width)
        }
        EmbeddingKind::Periodic { frequencies, weight, bias } => {
            let waves = 2 * init.network().layout.spec(*frequencies).shape[1];
            let mut uniform = |id: ParamId| -> Result<(), Error> {
                let rng = &mut init.rng(id);
                Ok(WeightInit::FanInUniform.fill(init.slice(id), waves, 1, rng)?)
            };
            uniform(*weight)?;
            uniform(*bias)?;
            // Cut at two standard deviations, where the published code cuts at three.
            let (law, rng) =
                (WeightInit::TruncatedNormal { std: FREQUENCY_STD }, &mut init.rng(*frequencies));
            Ok(law.fill(init.slice(*frequencies), 1, 1, rng)?)
        }
    }
}

pub(super) fn cost(network: &Network, index: usize) -> Cost {
    let plan = &network.embeddings[index];
    let own = plan.parameters().into_iter().map(|id| network.layout.spec(id).range.len());
    let values = (plan.numbers.len() * plan.width) as u64;
    let rows = plan.categories.iter().map(|category| category.width as u64).sum::<u64>();
    let (operation, per_value) = match &plan.kind {
        EmbeddingKind::Plain => ("embedding of categories", 0),
        EmbeddingKind::Linear { .. } => ("linear embedding", 1),
        EmbeddingKind::Periodic { frequencies, .. } => {
            ("periodic embedding", 2 * network.layout.spec(*frequencies).shape[1] as u64)
        }
        EmbeddingKind::PiecewiseLinear { .. } => ("piecewise-linear embedding", 2),
    };
    Cost {
        name: plan.name.clone(),
        operation: operation.into(),
        parameters: own.sum(),
        multiply_adds: values.saturating_mul(per_value).saturating_add(rows),
        ..Cost::default()
    }
}

/// The embedding of this index with the memory of its passes.
#[derive(Debug)]
pub(super) struct EmbeddingPasses<F> {
    index: usize,
    /// Numbers of the batch, `[B, n]`.
    numbers: Vec<F>,
    /// Embedded, `[B, n d]`.
    embedded: Vec<F>,
    gradient: Vec<F>,
    /// Gradients of up to three parameters.
    own: [Vec<F>; 3],
}

impl<F: Real> EmbeddingPasses<F> {
    pub(super) fn new(index: usize) -> Self {
        let own = std::array::from_fn(|_| Vec::new());
        Self { index, numbers: Vec::new(), embedded: Vec::new(), gradient: Vec::new(), own }
    }
}

impl<F: Real> Operation<F> for EmbeddingPasses<F> {
    fn forward(
        &mut self,
        pass: Pass<'_, F>,
        _place: usize,
        reads: Reads<'_, F>,
        out: &mut Vec<F>,
    ) -> Result<(), Error> {
        let plan = &pass.network.embeddings[self.index];
        let of = |id: ParamId| pass.network.layout.slice(pass.parameters, id);
        self.numbers.clear();
        for row in reads.inputs.rows() {
            self.numbers.extend(plan.numbers.iter().map(|&place| row[place]));
        }
        self.embedded.clear();
        self.embedded.resize(self.numbers.len() * plan.width, F::zero());
        let (x, embedded, width) = (&self.numbers[..], &mut self.embedded[..], plan.width);
        match &plan.kind {
            EmbeddingKind::Plain => embedded.copy_from_slice(x),
            EmbeddingKind::Linear { weight, bias } => {
                Linear { weight: of(*weight), bias: of(*bias), width }.add(x, embedded)?;
                relu(embedded);
            }
            EmbeddingKind::Periodic { frequencies, weight, bias } => {
                let n_frequencies = pass.network.layout.spec(*frequencies).shape[1];
                let (frequencies, weight, bias) = (of(*frequencies), of(*weight), of(*bias));
                Periodic { frequencies, weight, bias, n_frequencies, width }.add(x, embedded)?;
                relu(embedded);
            }
            EmbeddingKind::PiecewiseLinear { edges, weight, linear_weight, linear_bias } => {
                PiecewiseLinear { edges, weight: of(*weight), width }.add(x, embedded)?;
                Linear { weight: of(*linear_weight), bias: of(*linear_bias), width }.add(x, embedded)?;
            }
        }
        resize(out, reads.inputs.nrows() * plan.row());
        let of_numbers = plan.numbers.len() * width;
        for (index, (out, inputs)) in out.chunks_exact_mut(plan.row()).zip(reads.inputs.rows()).enumerate() {
            let (numbers, rest) = out.split_at_mut(of_numbers);
            numbers.copy_from_slice(&self.embedded[index * of_numbers..][..of_numbers]);
            let (codes, vectors) = rest.split_at_mut(plan.codes.len());
            codes.iter_mut().zip(&plan.codes).for_each(|(out, &place)| *out = inputs[place]);
            category::forward(&plan.categories, pass, inputs, vectors)?;
        }
        Ok(())
    }

    fn backward(
        &mut self,
        pass: Pass<'_, F>,
        _place: usize,
        reads: Reads<'_, F>,
        _out: &[F],
        back: Back<'_, F>,
    ) -> Result<(), Error> {
        let (network, plan) = (pass.network, &pass.network.embeddings[self.index]);
        let of = |id: ParamId| network.layout.slice(pass.parameters, id);
        self.gradient.clear();
        for (row, inputs) in back.own.chunks_exact(plan.row()).zip(reads.inputs.rows()) {
            let (numbers, rest) = row.split_at(plan.numbers.len() * plan.width);
            self.gradient.extend_from_slice(numbers);
            category::backward(&plan.categories, pass, inputs, &rest[plan.codes.len()..], back.parameters)?;
        }
        let ids = plan.of_numbers();
        for (own, &id) in self.own.iter_mut().zip(&ids) {
            own.clear();
            own.resize(network.layout.spec(id).range.len(), F::zero());
        }
        let [first, second, third] = &mut self.own;
        let (x, gradient, width) = (&self.numbers[..], &mut self.gradient[..], plan.width);
        match &plan.kind {
            EmbeddingKind::Plain => {}
            EmbeddingKind::Linear { weight, bias } => {
                relu_backward(&self.embedded, gradient);
                let layer = Linear { weight: of(*weight), bias: of(*bias), width };
                layer.backward(x, gradient, (first, second), None)?;
            }
            EmbeddingKind::Periodic { frequencies, weight, bias } => {
                relu_backward(&self.embedded, gradient);
                let n_frequencies = network.layout.spec(*frequencies).shape[1];
                let (frequencies, weight, bias) = (of(*frequencies), of(*weight), of(*bias));
                let layer = Periodic { frequencies, weight, bias, n_frequencies, width };
                layer.backward(x, gradient, (first, second, third), None)?;
            }
            EmbeddingKind::PiecewiseLinear { edges, weight, linear_weight, linear_bias } => {
                let layer = PiecewiseLinear { edges, weight: of(*weight), width };
                layer.backward(x, gradient, first, None)?;
                let layer = Linear { weight: of(*linear_weight), bias: of(*linear_bias), width };
                layer.backward(x, gradient, (second, third), None)?;
            }
        }
        for (own, &id) in self.own.iter().zip(&ids) {
            let sink = network.layout.slice_mut(back.parameters, id);
            sink.iter_mut().zip(own).for_each(|(sink, &own)| *sink += own);
        }
        Ok(())
    }
}
