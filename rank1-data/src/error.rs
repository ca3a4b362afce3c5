//! What the readers of this crate refuse; every message is one line with the file, the place, what was expected and what came.
//!
//! Not for refused table cells and columns; see [`TableError`].

use std::path::PathBuf;

use thiserror::Error as ThisError;

pub use crate::clinical::error::ClinicalError;
#[cfg(feature = "fetch")]
pub use crate::fetch::error::FetchError;
pub use crate::image::error::ImageError;
pub use crate::table::error::TableError;

/// A refused file, name or argument.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read a file or folder.
    #[error("cannot read {}: {source_shown}", path.display(), source_shown = short(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A compressed file or archive is truncated or corrupt.
    #[error("{}: truncated or corrupt {format} data: {source_shown}", path.display(), source_shown = short(source))]
    Compressed {
        /// The file.
        path: PathBuf,
        /// `gzip`, `xz` or `tar`.
        format: &'static str,
        /// The decoder's reason.
        source: std::io::Error,
    },
    /// No data set has this name.
    #[error("unknown data set `{name}`{}; known: {}", hint_text(hint), known.join(", "))]
    UnknownSet {
        /// The name that came.
        name: String,
        /// The nearest known name.
        hint: Option<String>,
        /// All accepted names.
        known: Vec<&'static str>,
    },
    /// The set is not embedded and no data folder was given.
    #[error("data set `{set}` is not embedded: give the data folder that holds {looked_for} (`--data DIR`)")]
    RootNeeded {
        /// The set.
        set: &'static str,
        /// The file or archive that would be used.
        looked_for: &'static str,
    },
    /// The data folder was given but the set's files are not in it.
    #[error("data set `{set}`: no {looked_for} in {}", root.display())]
    SetNotFound {
        /// The set.
        set: &'static str,
        /// The folder or archive that was searched.
        root: PathBuf,
        /// The missing file.
        looked_for: String,
    },
    /// The set has no split with this number.
    #[error(
        "data set `{set}` has {available} {kind} split(s), numbered from 0; split {split} does not exist"
    )]
    SplitOutOfRange {
        /// The set.
        set: &'static str,
        /// `standard` or `gap`.
        kind: &'static str,
        /// The number that came.
        split: usize,
        /// How many exist.
        available: usize,
    },
    /// An IDX file does not start with the two zero bytes of the format.
    #[error("{}: not an IDX file: magic bytes {got:02x?}, expected [00, 00, 08, {expected_axes:02x}]", path.display())]
    IdxMagic {
        /// The file.
        path: PathBuf,
        /// The number of axes that was expected.
        expected_axes: u8,
        /// The first four bytes.
        got: [u8; 4],
    },
    /// An IDX file holds another element type than unsigned bytes.
    #[error("{}: IDX element type 0x{got:02x}, expected 0x08 (unsigned byte)", path.display())]
    IdxType {
        /// The file.
        path: PathBuf,
        /// The type code that came.
        got: u8,
    },
    /// An IDX file has another number of axes.
    #[error("{}: IDX array with {got} axes, expected {expected}", path.display())]
    IdxAxes {
        /// The file.
        path: PathBuf,
        /// The number of axes that was expected.
        expected: u8,
        /// The number that came.
        got: u8,
    },
    /// The sizes in an IDX header are zero or too large to address.
    #[error("{}: IDX sizes {sizes:?} are empty or too large", path.display())]
    IdxSizes {
        /// The file.
        path: PathBuf,
        /// The sizes in the header.
        sizes: Vec<usize>,
    },
    /// An IDX file ends before its header or its data are complete.
    #[error("{}: truncated IDX file: expected {expected} bytes, got {got}", path.display())]
    IdxTruncated {
        /// The file.
        path: PathBuf,
        /// Bytes announced, header included.
        expected: u64,
        /// Bytes found, after decompression.
        got: u64,
    },
    /// An IDX file goes on after its data.
    #[error("{}: IDX file with trailing bytes: expected {expected} bytes, got {got}", path.display())]
    IdxTrailing {
        /// The file.
        path: PathBuf,
        /// Bytes announced, header included.
        expected: u64,
        /// Bytes found, after decompression.
        got: u64,
    },
    /// Image and label files do not belong together.
    #[error("{} holds {n_images} images but {} holds {n_labels} labels", images.display(), labels.display())]
    CountMismatch {
        /// The image file.
        images: PathBuf,
        /// The label file.
        labels: PathBuf,
        /// Number of images.
        n_images: usize,
        /// Number of labels.
        n_labels: usize,
    },
    /// The training and the test images differ in size.
    #[error("{}: images of {got:?} pixels, expected {expected:?} as in the training images", path.display())]
    ImageSize {
        /// The test image file.
        path: PathBuf,
        /// Height and width of the training images.
        expected: (usize, usize),
        /// Height and width that came.
        got: (usize, usize),
    },
    /// A label is not below the number of classes.
    #[error("{}: label {label} at position {position}, expected a label below {n_classes}", path.display())]
    LabelOutOfRange {
        /// The label file.
        path: PathBuf,
        /// 0-based position of the label.
        position: usize,
        /// The label.
        label: usize,
        /// The number of classes.
        n_classes: usize,
    },
    /// A field of a number file cannot be read.
    #[error("{}: row {row}, field {column}: `{value_shown}` is not {expected}", path.display(), value_shown = short(value))]
    Parse {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// 1-based field.
        column: usize,
        /// What stands there.
        value: String,
        /// What was expected, in words.
        expected: &'static str,
    },
    /// A line of a number file has another number of fields than the first.
    #[error("{}: row {row} has {got} fields, expected {expected}", path.display())]
    FieldCount {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// Number of fields of the first line.
        expected: usize,
        /// Number of fields that came.
        got: usize,
    },
    /// A required file of numbers holds none.
    #[error("{}: the file is empty", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// An index file points outside the table.
    #[error("{}: row {row}: index {index} is not below {limit}", path.display())]
    IndexOutOfRange {
        /// The index file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// The index.
        index: usize,
        /// Number of rows or columns of the table.
        limit: usize,
    },
    /// A row belongs to the training and to the test part, or twice to one of them.
    #[error("{}: table row {index} is already used by this split", path.display())]
    IndexRepeated {
        /// The index file.
        path: PathBuf,
        /// The repeated index.
        index: usize,
    },
    /// A table was refused.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A clinical file, record or argument was refused.
    #[error(transparent)]
    Clinical(#[from] ClinicalError),
    /// An image set was refused.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A download failed.
    #[cfg(feature = "fetch")]
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A corruption of images was refused.
    #[error(transparent)]
    Corrupt(#[from] crate::corrupt::CorruptError),
    /// An array entry is NaN or infinite.
    #[error("{op}: `{argument}` is not finite at row {row}, column {column}")]
    NotFinite {
        /// The refusing function.
        op: &'static str,
        /// The argument.
        argument: &'static str,
        /// 0-based row.
        row: usize,
        /// 0-based column.
        column: usize,
    },
    /// An array has the wrong number of columns.
    #[error("{op}: {got} columns, expected {expected}")]
    Width {
        /// The refusing function.
        op: &'static str,
        /// Expected number of columns.
        expected: usize,
        /// Number that came.
        got: usize,
    },
    /// A part of the data has no rows.
    #[error("{op}: no rows")]
    NoRows {
        /// The refusing function.
        op: &'static str,
    },
    /// Inputs and targets differ in length.
    #[error("{op}: {inputs} input rows but {targets} targets")]
    RowCount {
        /// The refusing function.
        op: &'static str,
        /// Number of input rows.
        inputs: usize,
        /// Number of targets.
        targets: usize,
    },
    /// A class label is not below the number of classes.
    #[error("{op}: label {label} at row {row} is not below the number of classes {n_classes}")]
    Label {
        /// The refusing function.
        op: &'static str,
        /// 0-based row.
        row: usize,
        /// The label.
        label: usize,
        /// The number of classes.
        n_classes: usize,
    },
    /// A fraction leaves one part of a split empty.
    #[error(
        "a fraction of {fraction} of {rows} rows leaves one part empty; expected a fraction between 0 and 1 that keeps a row on each side"
    )]
    Fraction {
        /// The fraction.
        fraction: f64,
        /// Number of rows.
        rows: usize,
    },
    /// A normalizer for regression was asked to treat classes, or the reverse.
    #[error("{op}: targets are {got}, expected {expected}")]
    TargetKind {
        /// The refusing function.
        op: &'static str,
        /// What was expected.
        expected: &'static str,
        /// What came.
        got: &'static str,
    },
    /// A shift is not written as `KIND:SEVERITY`, or its severity is impossible.
    #[error("shift `{text}`: {problem}; expected {expected}")]
    Shift {
        /// The text that came.
        text: String,
        /// What is wrong, in words.
        problem: &'static str,
        /// The accepted forms.
        expected: &'static str,
    },
    /// A shift of images was asked for a set without images.
    #[error("shift `{shift}` needs images, but the inputs are a table")]
    ShiftNeedsImages {
        /// The shift.
        shift: String,
    },
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// The tail of a message that proposes the nearest accepted word.
pub(crate) fn hint_text(hint: &Option<impl AsRef<str>>) -> String {
    hint.as_ref().map_or_else(String::new, |word| format!(" (did you mean `{}`?)", word.as_ref()))
}

/// Longest text of a file or decoder that a message repeats, in characters.
const LONGEST: usize = 300;

/// What stands in a file, or a decoder's words about it, on one line and shortened.
pub(crate) fn short(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    let mut short = escaped(text.chars().take(LONGEST));
    if text.chars().nth(LONGEST).is_some() {
        short.push_str("...");
    }
    short
}

/// A path on one line, whole: names of files and of members of archives may hold any character.
pub(crate) fn on_one_line(path: &std::path::Path) -> String {
    escaped(path.to_string_lossy().chars())
}

fn escaped(characters: impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    for character in characters {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_file_is_told_on_one_line() {
        let source = std::io::Error::other("not a number: 1\n\u{1b}2\0");
        let got = Error::Compressed { path: "a.tar".into(), format: "tar", source }.to_string();
        assert_eq!(got, "a.tar: truncated or corrupt tar data: not a number: 1\\n\\u{1b}2\\u{0}");
        let problem = "x\r\n".repeat(500);
        let got = ImageError::NpyHeader { path: "a.npy".into(), problem }.to_string();
        assert!(
            got.starts_with("a.npy: NumPy header: x\\r\\nx") && got.ends_with("...") && got.len() < 900,
            "{got}"
        );
        let got = vec!["a\rb".to_owned(); 500];
        let got = ClinicalError::Column { file: "t.csv".into(), column: "HADM_ID", got }.to_string();
        assert!(got.starts_with("t.csv: no column `HADM_ID` among [\"a\\rb\", ") && got.len() < 900, "{got}");
        let got = ClinicalError::RecordId { file: "3.txt".into(), row: 2, expected: 3, got: "4\n".into() };
        assert_eq!(got.to_string(), "3.txt: row 2: RecordID 4\\n, expected 3 as in the file's name");
        let (value, expected) = ("1\n2".to_owned(), "a number".to_owned());
        let got = ImageError::LabelLine { path: "l.txt".into(), row: 3, value, expected }.to_string();
        assert_eq!(got, "l.txt: row 3: `1\\n2` is not a number");
    }
}
