//! The `[data]` table of a recipe: which rows are meant and how they are read.
//!
//! Not for reading them; see the data crate and the command.

use serde::{Deserialize, Serialize};

use super::default_true;

/// Where the rows come from; read by the data crate, opaque to training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecipe {
    /// Name of a known set, or `csv` or `images`.
    pub set: String,
    /// Number of the published split.
    #[serde(default)]
    pub split: usize,
    /// Use the gap splits of a UCI set.
    #[serde(default)]
    pub gap: bool,
    /// Fraction of the training rows held out for early stopping and search.
    #[serde(default = "default_validation")]
    pub validation: f64,
    /// The user's table, for `csv`, or folder or archive, for `images`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Target column of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Of two classes, the one that AUROC and average precision are about; the rarer of the training rows if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Columns of the table to read as categories although they look numeric.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categorical: Vec<String>,
    /// What to do with missing cells: `refuse`, `mean`, `median`, or `indicator`: the median with a column that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Columns of the table to leave out, whatever they hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Whether columns of the table that count its rows, as pandas writes its index, are inputs; else they are left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_index: bool,
    /// Cells of the table that count as missing, in columns of numbers and of text; if absent the empty cell, `NA`, `NaN`, `nan`
    /// and `?` in columns of numbers, and the empty cell in columns of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_tokens: Option<Vec<String>>,
    /// What separates the cells of the table, one character; found out if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Decimal mark of the table, `.` or `,`; found out if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<String>,
    /// What prediction does with a level that training never saw; `refuse` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownLevel>,
    /// Most levels a column of text, and classes a target, may have; 128 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_levels: Option<usize>,
    /// Levels of a column of text with fewer training rows than this share a place with levels never seen; for
    /// `unknown = "own_level"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rare_below: Option<usize>,
    /// Whether columns of two words such as `yes` and `no` are one input instead of two.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub booleans: bool,
    /// What to do with columns of dates; `refuse` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<DateReading>,
    /// Columns of the table to read as dates although they look like numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub date_columns: Vec<String>,
    /// Whether dates such as 03/04/2021 begin with the day, where no cell tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_first: Option<bool>,
    /// Whether constant columns and identifiers are left out, and told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_out_useless: bool,
    /// Columns that are inputs although they look useless.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// How numbers of the table are scaled; all inputs alike by mean and deviation if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumberScale>,
    /// Column of dates or numbers by which the table is divided in time: the last rows test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// Column that names the group of each row; no group is in two parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
    /// Column that names the part of each row: `train`, `validation` or `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_column: Option<String>,
    /// JSON file with the rows of each part, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_file: Option<String>,
    /// Table with the validation rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_file: Option<String>,
    /// Table with the test rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_file: Option<String>,
    /// Fraction of the rows of a user's table or undivided images held out as the test split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// Random changes of training images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augment: Option<AugmentRecipe>,
    /// Use only this many training rows, the first of a seeded order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_rows: Option<usize>,
    /// Hours from admission to intensive care to the time of prediction, for `mimic3`; 48 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_hours: Option<u32>,
    /// Hours that make one step, for `mimic3`; 1 if absent, 24 for bags of a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bin_hours: Option<u32>,
    /// Side to which images are cropped while they are read from disk: for `imagenet`, 224 if absent, and `images`, whose images
    /// are taken as they are if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// What to do with files of `images` that are no usable images; `stop` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad_images: Option<BadImages>,
    /// Formats of `images` that are read beside JPEG and PNG; none if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<PictureFormat>,
}

/// Formats of picture files that are read on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureFormat {
    /// Files `.webp`.
    Webp,
    /// Files `.bmp`.
    Bmp,
    /// Files `.tif` and `.tiff`.
    Tiff,
}

/// What prediction does with a level of a column of text that training never saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownLevel {
    /// Refuse the table.
    Refuse,
    /// Read it as none of the known levels: zero in all columns of the feature.
    Missing,
    /// A place of their own, shared with rare levels.
    OwnLevel,
}

/// What to do with columns of dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateReading {
    /// Refuse the table.
    Refuse,
    /// Days since the first date, and the places of the date in its year, week and day.
    Parts,
}

/// How numbers of a table are scaled; codes stay zeros and ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberScale {
    /// By mean and standard deviation.
    Standard,
    /// By quantiles to a standard normal.
    Quantiles,
}

/// What to do with files in class folders that are no usable images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadImages {
    /// Refuse the set.
    Stop,
    /// Leave them out.
    Skip,
}

impl DataRecipe {
    /// Keys that say how a table is divided and are given.
    #[must_use]
    pub fn division(&self) -> Vec<&'static str> {
        let given = [
            ("data.time_column", self.time_column.is_some()),
            ("data.group_column", self.group_column.is_some()),
            ("data.part_column", self.part_column.is_some()),
            ("data.rows_file", self.rows_file.is_some()),
            (
                "data.test_file or data.validation_file",
                self.test_file.is_some() || self.validation_file.is_some(),
            ),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
    }

    /// The side to which images of this set are cropped while they are read; none for sets that are read as they are.
    #[must_use]
    pub fn cropped_size(&self) -> Option<usize> {
        self.image_size.or((self.set == "imagenet").then_some(IMAGENET_SIZE))
    }
}

/// Side of the images that networks for ImageNet read.
const IMAGENET_SIZE: usize = 224;

/// Random changes of training images: a shifted crop and a mirror image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentRecipe {
    /// Pixels added on every side before a crop of the old size.
    #[serde(default = "default_pad")]
    pub pad: usize,
    /// Whether half of the images are mirrored left to right.
    #[serde(default = "default_true")]
    pub flip: bool,
}

fn default_pad() -> usize {
    4
}

fn default_validation() -> f64 {
    0.1
}
