//! What a network is built from: the shape of an input row, the architecture, the outputs.
//!
//! Plain data of recipes and checkpoints; plans are made of it by [`super::Network::new`].

use ndarray::ArrayView2;
use rank1_core::likelihood::Likelihood;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::category::CategoryEmbedding;
use super::table::{NumberEmbedding, TableColumns, TabmForm};
use crate::error::Error;
use crate::recipe::{ModelRecipe, hex};

/// The nonlinearity between layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(0, z).
    Relu,
    /// min(max(0, z), 6).
    Relu6,
    /// Hyperbolic tangent.
    Tanh,
    /// z / (1 + exp(-z)).
    Silu,
    /// ln(1 + exp(z)).
    Softplus,
    /// z.
    Linear,
}

/// The meaning of the columns of an input row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InputShape {
    /// Columns without an order.
    Columns {
        /// Their number.
        width: usize,
    },
    /// An image, rows first, then columns, then channels.
    Image {
        /// Rows of pixels.
        height: usize,
        /// Pixels per row.
        width: usize,
        /// Values per pixel.
        channels: usize,
    },
    /// Steps of a sequence, then values of the whole example, then (when ragged) the number of steps present.
    Sequence {
        /// Most steps.
        steps: usize,
        /// Values per step.
        features: usize,
        /// Values of the whole example.
        context: usize,
        /// Whether the last column is the number of steps present.
        ragged: bool,
    },
}

impl InputShape {
    /// Number of columns of a row.
    #[must_use]
    pub fn width(&self) -> usize {
        match *self {
            Self::Columns { width } => width,
            Self::Image { height, width, channels } => height * width * channels,
            Self::Sequence { steps, features, context, ragged } => {
                steps * features + context + usize::from(ragged)
            }
        }
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Columns { .. } => "columns",
            Self::Image { .. } => "images",
            Self::Sequence { .. } => "sequences",
        }
    }
}

/// Whose examples the statistics of a batch normalization are taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormSharing {
    /// Of all members together: one set of statistics, scales and shifts.
    #[default]
    Shared,
    /// Of each member: one set per member.
    PerMember,
}

/// Where MC dropout acts in a network that has blocks; a perceptron drops the inputs of its layers either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropoutPlacement {
    /// The usual one: single units, between the two convolutions of a residual block.
    #[default]
    Blocks,
    /// The "improved" one: whole feature maps, at the inputs of every layer.
    Filters,
}

/// An architecture, as the `kind` of a recipe's `[model]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// Multilayer perceptron.
    Mlp {
        /// Widths of the hidden layers; empty for a linear model.
        hidden: Vec<usize>,
        /// Nonlinearity after each hidden layer.
        #[serde(default = "relu")]
        activation: Activation,
        /// Which categories of a table become trained vectors; none if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        category_embedding: Option<CategoryEmbedding>,
        /// What the columns are, where categories are embedded; learned from data, not set in recipes.
        #[serde(default, skip_serializing_if = "TableColumns::is_empty")]
        columns: TableColumns,
    },
    /// LeNet-5: two 5x5 convolutions with pooling, three dense layers.
    #[serde(rename = "lenet5")]
    LeNet5 {
        /// Nonlinearity after each layer.
        #[serde(default = "relu")]
        activation: Activation,
    },
    /// Residual network for small images (He et al. 2015, section 4.2), identity shortcuts with padded channels replaced by 1x1 convolutions.
    #[serde(rename = "resnet")]
    ResNet {
        /// Number of weight layers, 6 n + 2: 8, 14, 20, 32, 44, 56.
        depth: usize,
        /// Channels of the first group.
        #[serde(default = "sixteen")]
        width: usize,
        /// Statistics of the normalizations.
        #[serde(default)]
        norm: NormSharing,
    },
    /// Wide residual network (Zagoruyko & Komodakis 2016), as the paper's reference code builds it.
    WideResnet {
        /// Number of weight layers, 6 n + 4.
        depth: usize,
        /// Widening factor k.
        widen: usize,
        /// Statistics of the normalizations.
        #[serde(default)]
        norm: NormSharing,
    },
    /// ResNet-50 v1.5.
    #[serde(rename = "resnet50")]
    ResNet50 {
        /// Statistics of the normalizations.
        #[serde(default)]
        norm: NormSharing,
    },
    /// The clinical network: a recurrent layer, then dense layers on its last state and the context.
    Lstm {
        /// Width of the recurrent state.
        units: usize,
        /// Width of a mean-field embedding of every step; 0 for none.
        #[serde(default)]
        embedding: usize,
        /// Widths of the dense hidden layers.
        #[serde(default)]
        hidden: Vec<usize>,
        /// Nonlinearity after each dense hidden layer.
        #[serde(default = "relu6")]
        activation: Activation,
    },
    /// Members with shared weights for tables (Gorishniy et al. 2025); as many as the method has.
    Tabm {
        /// How members share weights.
        #[serde(default)]
        form: TabmForm,
        /// Width of the hidden layers.
        #[serde(default = "tabm_width")]
        width: usize,
        /// Number of hidden layers.
        #[serde(default = "tabm_blocks")]
        blocks: usize,
        /// Probability of dropping a unit in training; never in prediction.
        #[serde(default = "tabm_dropout")]
        dropout: f64,
        /// How numbers enter.
        #[serde(default)]
        embedding: NumberEmbedding,
        /// Values that a number becomes.
        #[serde(default = "sixteen")]
        embedding_width: usize,
        /// Most bins of a number, for piecewise-linear embeddings.
        #[serde(default = "forty_eight")]
        bins: usize,
        /// Frequencies of a number, for periodic embeddings.
        #[serde(default = "forty_eight")]
        frequencies: usize,
        /// Which categories become trained vectors; none if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        category_embedding: Option<CategoryEmbedding>,
        /// What the columns are; learned from data, not set in recipes. If empty, all are numbers.
        #[serde(default, skip_serializing_if = "TableColumns::is_empty")]
        columns: TableColumns,
    },
}

fn relu() -> Activation {
    Activation::Relu
}
fn relu6() -> Activation {
    Activation::Relu6
}
fn sixteen() -> usize {
    16
}
fn forty_eight() -> usize {
    48
}
fn tabm_width() -> usize {
    256
}
fn tabm_blocks() -> usize {
    2
}
fn tabm_dropout() -> f64 {
    0.1
}

impl Body {
    /// A perceptron that takes its inputs as they are.
    #[must_use]
    pub fn mlp(hidden: Vec<usize>, activation: Activation) -> Self {
        Self::Mlp { hidden, activation, category_embedding: None, columns: TableColumns::default() }
    }

    /// The value of `kind` in a recipe.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mlp { .. } => "mlp",
            Self::LeNet5 { .. } => "lenet5",
            Self::ResNet { .. } => "resnet",
            Self::WideResnet { .. } => "wide_resnet",
            Self::ResNet50 { .. } => "resnet50",
            Self::Lstm { .. } => "lstm",
            Self::Tabm { .. } => "tabm",
        }
    }

    /// Without what is learned from data.
    pub(crate) fn as_in_recipes(&self) -> Self {
        let mut body = self.clone();
        if let Self::Tabm { columns, .. } | Self::Mlp { columns, .. } = &mut body {
            *columns = TableColumns::default();
        }
        body
    }

    /// Whether it reads rows of this shape.
    #[must_use]
    pub fn reads(&self, input: &InputShape) -> bool {
        match self {
            Self::Mlp { .. } => true,
            Self::Lstm { .. } => matches!(input, InputShape::Sequence { .. }),
            Self::Tabm { .. } => matches!(input, InputShape::Columns { .. }),
            _ => matches!(input, InputShape::Image { .. }),
        }
    }
}

/// Input, architecture, outputs and likelihood of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkShape {
    /// What a row of inputs is.
    pub input: InputShape,
    /// The architecture.
    pub body: Body,
    /// Number of outputs.
    pub outputs: usize,
    /// What the outputs parameterize.
    pub likelihood: Likelihood,
}

impl NetworkShape {
    /// The shape of a perceptron on plain columns.
    #[must_use]
    pub fn mlp(
        inputs: usize,
        hidden: Vec<usize>,
        outputs: usize,
        activation: Activation,
        likelihood: Likelihood,
    ) -> Self {
        let input = InputShape::Columns { width: inputs };
        Self { input, body: Body::mlp(hidden, activation), outputs, likelihood }
    }

    /// The shape that a recipe's model has for rows of this input and, for class targets, so many classes.
    ///
    /// # Errors
    /// [`Error::Architecture`] for a likelihood that does not fit the targets.
    pub fn of(model: &ModelRecipe, input: InputShape, n_classes: Option<usize>) -> Result<Self, Error> {
        let default =
            if n_classes.is_some() { Likelihood::Categorical } else { Likelihood::HeteroscedasticGaussian };
        let likelihood = model.likelihood.unwrap_or(default);
        let refuse = |expected, got| Err(Error::Architecture { kind: model.body.kind(), expected, got });
        let outputs = match (likelihood, n_classes) {
            (Likelihood::Categorical, Some(classes)) => classes,
            (Likelihood::Bernoulli, Some(2)) | (Likelihood::Gaussian, None) => 1,
            (Likelihood::HeteroscedasticGaussian, None) => 2,
            (Likelihood::Bernoulli, Some(classes)) => {
                return refuse("two classes for `likelihood = \"bernoulli\"`", format!("{classes}"));
            }
            (Likelihood::Categorical, None) => {
                return refuse("classes for `likelihood = \"categorical\"`", "real values".into());
            }
            (_, Some(classes)) => {
                return refuse("real values for a Gaussian likelihood", format!("{classes} classes"));
            }
            (Likelihood::Bernoulli, None) => {
                return refuse("two classes for `likelihood = \"bernoulli\"`", "real values".into());
            }
        };
        Ok(Self { input, body: model.body.clone(), outputs, likelihood })
    }

    /// The same shape for a table with these features, whose bins are learned from scaled training rows; other architectures
    /// take columns as they are.
    ///
    /// # Shapes
    /// `x`: `[N, D]`.
    ///
    /// # Errors
    /// As [`TableColumns::learn`].
    pub fn with_columns(mut self, features: TableColumns, x: ArrayView2<'_, f32>) -> Result<Self, Error> {
        match &mut self.body {
            Body::Tabm { columns, bins, embedding, .. } => {
                *columns = match embedding {
                    NumberEmbedding::PiecewiseLinear => features.learn(x, *bins)?,
                    _ => features,
                };
            }
            Body::Mlp { columns, category_embedding: Some(_), .. } => *columns = features,
            _ => {}
        }
        Ok(self)
    }

    /// The same shape with as many bins as numbers can have, where none are learned yet: for what a network costs.
    #[must_use]
    pub fn with_most_bins(&self) -> Self {
        let (mut shape, width) = (self.clone(), self.inputs());
        if let Body::Tabm { columns, bins, embedding: NumberEmbedding::PiecewiseLinear, .. } = &mut shape.body
        {
            if columns.is_empty() {
                *columns = TableColumns::numbers(width);
            }
            columns.fill_bins(*bins);
        }
        shape
    }

    /// SHA-256 of the shape.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(serde_json::to_string(self).expect("every field has a JSON form")))
    }

    /// Number of columns of an input row.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.input.width()
    }
}
