//! Data sets for uncertainty benchmarks: files in, checked arrays out.
//!
//! Not for training, metrics or anything random beyond seeded splits and shifts; no tensor framework.
//!
//! | module | what it does |
//! |---|---|
//! | [`dataset`] | the plain data: [`Dataset`], [`Split`], [`OodSet`] |
//! | [`layout`] | what the columns of a row are: [`InputLayout`] |
//! | [`load`](mod@load) | named sets: [`load()`], [`load_ood`] |
//! | [`catalogue`](mod@catalogue) | what there is: sizes, sources, licences |
//! | [`uci`] | the UCI regression sets with their published splits |
//! | [`mnist`] | `mnist10k`, the full `mnist`, the glyphs |
//! | [`idx`] | the IDX format, plain or gzipped |
//! | [`image`] | CIFAR, CIFAR-C, image folders, ImageNet; augmentation and a prefetching loader |
//! | [`clinical`] | intensive-care time series: [`Physionet2012`], [`MimicSet`] |
//! | [`table`] | a user's own table: [`CsvSchema`], [`load_table`] |
//! | [`normalize`] | standardization fitted on the training part: [`Normalizer`] |
//! | [`shift`] | rotated images and Gaussian noise: [`Shift`] |
//! | [`corrupt`] | the nineteen image corruptions at five severities: [`Corruption`] |
//! | [`split`] | seeded permutations and validation parts |
//! | [`inspect`](mod@inspect) | per-column statistics |
//! | `fetch` (feature `fetch`) | downloads of published sets, continued after a break and checked |
//! | [`error`] | everything that is refused, with file, row and column |
//!
//! ```
//! use rank1_data::{LoadOptions, Normalizer, Shift, load, validation_split};
//!
//! let set = load("mnist10k", &LoadOptions::default())?;
//! let (train, valid) = validation_split(&set.train, 0.1, 1)?;
//! let rotated = "rotation:30".parse::<Shift>()?.apply(&set.test, set.image, 0)?;
//! let normalizer = Normalizer::fit(&train, set.layout)?;
//! let inputs = normalizer.apply_inputs(rotated.inputs.view())?;
//! assert_eq!((train.len(), valid.len(), inputs.dim()), (7_200, 800, (2_000, 784)));
//! # Ok::<(), rank1_data::Error>(())
//! ```
#![forbid(unsafe_code)]

mod archive;
pub mod catalogue;
pub mod clinical;
pub mod corrupt;
mod costs;
pub mod dataset;
mod embedded;
pub mod error;
#[cfg(feature = "fetch")]
pub mod fetch;
mod hash;
pub mod idx;
pub mod image;
pub mod inspect;
pub mod layout;
pub mod load;
pub mod mnist;
mod nearest;
pub mod normalize;
pub mod shift;
pub mod split;
pub mod table;
pub mod uci;

pub use catalogue::{Role, SetInfo, benchmark, catalogue};
pub use clinical::{
    ClinicalError, MimicOptions, MimicSet, Physionet2012, PhysionetScaler, load_physionet2012,
    physionet2012_layout,
};
pub use corrupt::{CorruptError, Corruption, CorruptionKind, ImageKey, corrupt_row, corrupt_split};
pub use costs::{CostError, CostMatrix, read_costs};
pub use dataset::{Dataset, LoadOptions, OodSet, Split, Task};
pub use error::{Error, ImageError, TableError};
#[cfg(feature = "fetch")]
pub use fetch::FetchError;
pub use image::{ImageSet, Images};
pub use inspect::{ColumnStats, Inspection, TargetStats, inspect};
pub use layout::InputLayout;
pub use load::{load, load_ood};
pub use normalize::{
    ColumnScaling, InputScaling, Normalizer, NumberScaling, QuantileNormal, Standard, TargetTransform,
};
pub use shift::{Shift, ShiftKind, gaussian_noise, rotate};
pub use split::{holdout_indices, permutation, stratified_holdout, validation_split};
pub use table::{
    Column, ColumnKind, ColumnSummary, CsvOptions, CsvSchema, DateColumn, DateFormat, Dates, InputBlock,
    InputBlocks, InputGroup, InputKind, LoadedParts, LoadedTable, MISSING_TOKENS, Missing, MissingPlace,
    ParquetError, PartError, PartRows, Places, ReadingChanges, RowPlace, Shares, TableInputs, TableNote,
    TableParts, TargetKind, TestPart, TruthColumn, UnknownLevels, load_parts, load_table,
};
pub use uci::UciSet;
