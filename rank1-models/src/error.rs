//! What training, prediction and checkpoints refuse or report.

use std::path::PathBuf;

use thiserror::Error as ThisError;

use crate::recipe::Problem;

/// A refused recipe, a diverged run, a damaged checkpoint, or an error of the crates below.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The recipe has problems; all of them are listed.
    #[error("{}", list(.0))]
    Recipe(Vec<Problem>),
    /// A quantity became NaN or infinite while training.
    #[error(
        "diverged at step {step} (epoch {epoch}): {quantity} is {value}; lower `train.optimizer.learning_rate` or set `train.clip_norm`"
    )]
    Diverged {
        /// Optimizer step, from 0.
        step: u64,
        /// Epoch, from 0.
        epoch: usize,
        /// What diverged.
        quantity: &'static str,
        /// The offending value.
        value: f64,
    },
    /// Training was asked to stop, and what was being trained is saved.
    #[error("training was stopped")]
    Interrupted,
    /// A batch or data set does not fit the network.
    #[error("{what}: expected {expected}, got {got}")]
    Mismatch {
        /// What was compared.
        what: &'static str,
        /// What the network needs.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// An architecture that cannot be built for these inputs or of this size.
    #[error("model `{kind}`: expected {expected}, got {got}")]
    Architecture {
        /// The value of `model.kind`.
        kind: &'static str,
        /// What it needs.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// Rows that cannot be trained on as the recipe says.
    #[error("training rows: {0}")]
    Data(DataFault),
    /// A checkpoint cannot be used.
    #[error("checkpoint {}: {reason}", path.display())]
    Checkpoint {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: CheckpointFault,
    },
    /// A network whose training has not ended.
    #[error("training stopped after step {step}; finish it before it is opened")]
    Unfinished {
        /// Steps done.
        step: u64,
    },
    /// A file could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A device that is not there, or that this build cannot reach.
    #[error("device `{device}`: {reason}")]
    Device {
        /// The device as it was typed.
        device: String,
        /// What is missing.
        reason: String,
    },
    /// A device that failed while it computed: memory, compilation or execution.
    #[error(
        "the device failed: {reason}; if its memory ran out, fewer rows (`train.batch_size`), members or samples need less"
    )]
    DeviceFailed {
        /// The last cause in its own words.
        reason: String,
    },
    /// Processes that train one network together cannot go on.
    #[error("ranks: {reason}")]
    Ranks {
        /// What differs, or who is gone.
        reason: String,
    },
    /// Two layers of a network would draw equal noise.
    #[error(
        "two layers draw from noise stream {stream}, so that their noise is equal; make all layers of a network by one `LayerStreams`, \
         and list each once"
    )]
    SharedStream {
        /// Number of the stream.
        stream: usize,
    },
    /// A stream of rows could not go on.
    #[error(transparent)]
    Stream(Box<dyn std::error::Error + Send + Sync>),
    /// An error of the factor math or the metrics.
    #[error(transparent)]
    Core(#[from] rank1_core::Error),
    /// An error of the distributions.
    #[error(transparent)]
    Priors(#[from] rank1_priors::Error),
}

impl Error {
    /// Whether the error is a divergence of the optimization, not a fault of the input.
    #[must_use]
    pub fn is_divergence(&self) -> bool {
        matches!(self, Self::Diverged { .. })
    }

    /// A network whose outputs are no longer numbers has diverged: such an error as [`Error::Diverged`], every
    /// other error as it is.
    #[must_use]
    pub fn of_training(self, step: u64, epoch: usize) -> Self {
        match self {
            Self::Core(rank1_core::Error::NotFinite { .. }) => {
                Self::Diverged { step, epoch, quantity: "a prediction", value: f64::NAN }
            }
            other => other,
        }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// Why training rows were refused.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum DataFault {
    /// Not one target for each row.
    #[error("expected a target for each of {rows} rows, got {targets}")]
    Targets {
        /// Rows of the inputs.
        rows: usize,
        /// Number of targets.
        targets: usize,
    },
    /// A held-out row that is not there.
    #[error("row {index} is held out for validation, but there are {rows} rows (counted from 0)")]
    ValidationIndex {
        /// The index.
        index: usize,
        /// Rows of the inputs.
        rows: usize,
    },
    /// Every row is held out.
    #[error("all {rows} rows are held out for validation, none is left to train on; hold out fewer")]
    NothingToTrainOn {
        /// Rows of the inputs.
        rows: usize,
    },
    /// No row is held out, and something is to be judged.
    #[error(
        "`{key}` judges held-out rows, and none is held out; hold some out (`data.validation`) or leave the key out"
    )]
    NoValidation {
        /// The key that asks for them.
        key: &'static str,
    },
    /// The network's shape is not the recipe's.
    #[error("the {what} of the network's shape is not that of the recipe's `model`")]
    Shape {
        /// What differs.
        what: &'static str,
    },
}

/// Why a checkpoint was refused.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum CheckpointFault {
    /// A JSON document does not parse or is not as it was written.
    #[error("the document is damaged: {0}")]
    Manifest(String),
    /// The document has the form of another version of the program.
    #[error(
        "was written by rank1 {program} in format {format}; this is rank1 {own}, which reads format {reads}: use that version, or train again",
        own = env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// Version of the program that wrote it, or `of an unknown version`.
        program: String,
        /// Format of the document.
        format: u64,
        /// The format that is read here.
        reads: u32,
    },
    /// A file's SHA-256 differs from the manifest's.
    #[error("`{file}` has SHA-256 {got}, the manifest says {expected}: the file was damaged or replaced")]
    Hash {
        /// File name.
        file: String,
        /// The manifest's hash.
        expected: String,
        /// The file's hash.
        got: String,
    },
    /// A tensor is missing or has another shape or dtype.
    #[error("tensor `{tensor}`: expected {expected}, got {got}")]
    Tensor {
        /// Name of the tensor.
        tensor: String,
        /// What the recipe's network needs.
        expected: String,
        /// What the file holds.
        got: String,
    },
    /// The checkpoint belongs to another recipe.
    #[error(
        "was written for another recipe or seed (recipe hash {got}, now {expected}); start a new run folder or drop --resume"
    )]
    Recipe {
        /// Hash of the recipe at hand.
        expected: String,
        /// Hash in the manifest.
        got: String,
    },
    /// The checkpoint belongs to a network of another shape.
    #[error("was written for a network of another shape (inputs, architecture, outputs or likelihood)")]
    Shape,
    /// The checkpoint belongs to other rows.
    #[error("was written for other training or validation rows; start a new folder")]
    Data,
    /// The tensor file does not parse.
    #[error("`{file}` is not a valid safetensors file: {cause}")]
    Format {
        /// File name.
        file: String,
        /// The parser's message.
        cause: String,
    },
}

/// One problem is one line; several are counted and follow on a line each.
fn list(problems: &[Problem]) -> String {
    match problems {
        [one] => one.to_string(),
        many => {
            let lines: String = many.iter().map(|p| format!("\n  {p}")).collect();
            format!("{} problems in the recipe{lines}", many.len())
        }
    }
}
