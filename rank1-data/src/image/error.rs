//! What the image readers refuse: one line with the file, the place in it, what was expected and what came.
//!
//! Not for missing files of named sets and truncated archives; see [`crate::Error`].

use std::path::PathBuf;

use thiserror::Error as ThisError;

use crate::error::on_one_line;

/// A refused image, image file or argument of the image readers.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum ImageError {
    /// A buffer has another length than its sizes say.
    #[error("{op}: `{argument}` holds {got} values, expected {expected}")]
    Length {
        /// The refusing function.
        op: &'static str,
        /// The argument.
        argument: &'static str,
        /// Expected number of values.
        expected: usize,
        /// Number that came.
        got: usize,
    },
    /// A size or setting is zero or too large.
    #[error("{op}: `{argument}` is {got}, expected {expected}")]
    Setting {
        /// The refusing function.
        op: &'static str,
        /// The argument.
        argument: &'static str,
        /// What was expected, in words.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// A file is not as long as its format says.
    #[error("{}: {got} bytes, expected {expected}", on_one_line(path))]
    FileSize {
        /// The file.
        path: PathBuf,
        /// The accepted sizes, in words.
        expected: String,
        /// Bytes found.
        got: u64,
    },
    /// A label is not below the number of classes.
    #[error("{}: label {label} at position {position}, expected a label from 0 to {}", on_one_line(path), n_classes - 1)]
    LabelOutOfRange {
        /// The label file.
        path: PathBuf,
        /// 0-based position of the label.
        position: usize,
        /// The label.
        label: i64,
        /// The number of classes.
        n_classes: usize,
    },
    /// Images and labels differ in number.
    #[error("{}: {n_labels} labels for {n_images} images", on_one_line(path))]
    LabelCount {
        /// The label file.
        path: PathBuf,
        /// Number of images.
        n_images: usize,
        /// Number of labels.
        n_labels: usize,
    },
    /// A list of class names has another length than the format says.
    #[error("{}: {got} class names, expected {expected}", on_one_line(path))]
    ClassNames {
        /// The file.
        path: PathBuf,
        /// Number of classes.
        expected: usize,
        /// Number of names.
        got: usize,
    },
    /// A pickle says that it follows another protocol.
    #[error("{}: pickle protocol {got}, expected 2, 3 or 4", on_one_line(path))]
    PickleProtocol {
        /// The file.
        path: PathBuf,
        /// The number in the file.
        got: u8,
    },
    /// A pickle holds an opcode that data sets do not need; nothing is ever executed.
    #[error("{}: byte {offset}: pickle opcode 0x{opcode:02x} is not accepted here", on_one_line(path))]
    PickleOpcode {
        /// The file.
        path: PathBuf,
        /// 0-based position of the opcode.
        offset: usize,
        /// The opcode.
        opcode: u8,
    },
    /// A pickle is truncated or holds something else than arrays, lists and texts.
    #[error("{}: byte {offset}: {problem_shown}", on_one_line(path), problem_shown = crate::error::short(problem))]
    Pickle {
        /// The file.
        path: PathBuf,
        /// 0-based position.
        offset: usize,
        /// What is wrong, in words.
        problem: String,
    },
    /// A pickle lacks an entry or has it in another form.
    #[error("{}: entry `{key_shown}`: {problem_shown}", on_one_line(path), problem_shown = crate::error::short(problem), key_shown = crate::error::short(key))]
    PickleEntry {
        /// The file.
        path: PathBuf,
        /// The key in the dictionary.
        key: &'static str,
        /// What is wrong, in words.
        problem: String,
    },
    /// The header of a NumPy file is not accepted.
    #[error("{}: NumPy header: {problem_shown}", on_one_line(path), problem_shown = crate::error::short(problem))]
    NpyHeader {
        /// The file.
        path: PathBuf,
        /// What is wrong, in words.
        problem: String,
    },
    /// A NumPy array has another element type or shape.
    #[error("{}: array of {got}, expected {expected}", on_one_line(path))]
    NpyArray {
        /// The file.
        path: PathBuf,
        /// The expected type and shape.
        expected: String,
        /// The type and shape that came.
        got: String,
    },
    /// It is not clear, or not consistent, which severities the files of a corrupted copy hold.
    #[error("{}: {problem_shown}", on_one_line(path), problem_shown = crate::error::short(problem))]
    Severities {
        /// The file.
        path: PathBuf,
        /// What is wrong, in words.
        problem: String,
    },
    /// An image file cannot be decoded or converted.
    #[error("{}: {problem_shown}", on_one_line(path), problem_shown = crate::error::short(problem))]
    BadImage {
        /// The file; `archive:member` for members of archives.
        path: PathBuf,
        /// What is wrong, in words.
        problem: String,
    },
    /// Two images of one set differ in height or width.
    #[error(
        "{}: image of {} x {} pixels (height x width), but {} has {} x {}; a set needs one size",
        on_one_line(path), got.0, got.1, on_one_line(first), expected.0, expected.1
    )]
    MixedSizes {
        /// The first image of the set.
        first: PathBuf,
        /// Its height and width.
        expected: (usize, usize),
        /// The first image of another size.
        path: PathBuf,
        /// Its height and width.
        got: (usize, usize),
    },
    /// A class folder holds no usable image.
    #[error("{}: no image of class `{class_shown}`", on_one_line(path), class_shown = crate::error::short(class))]
    EmptyClass {
        /// The folder, or `archive:folder`.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// A folder in the place of a class holds pictures in its sub-folders alone.
    #[error(
        "{}: pictures lie deeper than `<class>/<image>`: `{example_shown}`; give the folder that holds the class folders, call parts `train` and `test` or `val`, or move the pictures up",
        on_one_line(path), example_shown = crate::error::short(example))]
    NestedImages {
        /// The folder, or `archive:folder`.
        path: PathBuf,
        /// One of the pictures.
        example: String,
    },
    /// An archive is of a kind that is not read.
    #[error("{}: {kind}; unpack it, or pack it as .tar, .tar.gz or .tar.xz", on_one_line(path))]
    ArchiveKind {
        /// The file.
        path: PathBuf,
        /// What it is, in words.
        kind: &'static str,
    },
    /// The test part has a class that the training part lacks.
    #[error("{}: class `{class_shown}` does not occur in the training part", on_one_line(path), class_shown = crate::error::short(class))]
    UnknownClass {
        /// The folder or archive.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// A folder or archive lacks what was looked for.
    #[error("{}: no {looked_for_shown}", on_one_line(path), looked_for_shown = crate::error::short(looked_for))]
    NotFound {
        /// The folder or archive.
        path: PathBuf,
        /// What was looked for, in words.
        looked_for: String,
    },
    /// An archive cannot be read in place because it is compressed.
    #[error(
        "{}: a compressed archive cannot be read in place; unpack it or store it as a plain .tar",
        on_one_line(path)
    )]
    CompressedArchive {
        /// The archive.
        path: PathBuf,
    },
    /// A tar archive ends too early.
    #[error("{}: truncated tar archive: {problem_shown}", on_one_line(path), problem_shown = crate::error::short(problem))]
    TruncatedTar {
        /// The archive.
        path: PathBuf,
        /// What is missing, in words.
        problem: String,
    },
    /// The set has no corruption of this name.
    #[error("{}: no corruption `{name}`{}; there are: {}", on_one_line(path), crate::error::hint_text(hint), known.join(", "))]
    UnknownCorruption {
        /// The folder or archive.
        path: PathBuf,
        /// The name that came.
        name: String,
        /// The nearest known name.
        hint: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// A list of labels has an unreadable or unknown line.
    #[error("{}: row {row}: `{value_shown}` is not {expected}", on_one_line(path), value_shown = crate::error::short(value))]
    LabelLine {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        row: usize,
        /// What stands there.
        value: String,
        /// What was expected, in words.
        expected: String,
    },
    /// A worker of the prefetching loader panicked.
    #[error("batch {batch}: the source of the examples panicked")]
    WorkerPanicked {
        /// 0-based number of the batch.
        batch: usize,
    },
}
