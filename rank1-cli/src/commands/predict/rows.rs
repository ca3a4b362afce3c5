//! The rows that are predicted, a block at a time: a table, gray images of an IDX file, or image files.
//!
//! Not for what is predicted of them; see [`super::columns`].

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, bail};
use ndarray::Array2;
use rank1_data::idx::IdxArray;
use rank1_data::image::PICTURE_ENDINGS;
use rank1_data::{InputBlocks, InputLayout};
use rank1_models::inputs::{InputStream, Inputs};

use super::columns::{Columns, Values};
use crate::args::PredictArgs;
use crate::labelled;
use crate::model::Model;
use crate::new_images::NewImages;
use crate::output::Output;
use crate::own_table;
use crate::shard::Shard;
use crate::tables;

/// Where rows come from.
pub(super) enum Source {
    Table {
        blocks: Box<InputBlocks>,
        kept: Vec<String>,
        /// Number of rows of the file, where they were counted.
        counted: Option<usize>,
    },
    /// Gray images in memory, as bytes; those that are left.
    Gray { images: IdxArray, left: Range<usize> },
    /// The images that are left.
    Files { found: Box<NewImages>, left: Range<usize> },
}

/// Rows that are predicted together.
pub(super) struct Block {
    /// Rows before these.
    pub(super) before: usize,
    /// What names the rows: the first columns of the output.
    pub(super) names: Columns,
    rows: Rows,
}

enum Rows {
    /// Normalized, `[N, D]`.
    Stored(Array2<f32>),
    /// Numbers of image files.
    Files(Vec<usize>),
}

impl Source {
    /// Opens what is at `path`.
    ///
    /// # Errors
    /// What the model cannot predict, columns that do not fit, and an output that is one of the inputs.
    pub(super) fn open(model: &Model, args: &PredictArgs, path: &Path, output: &Output) -> Result<Self> {
        let source = Self::of(model, args, path)?;
        if let Self::Files { found, .. } = &source {
            for file in &found.files {
                output.differs_from(file)?;
            }
        }
        match (&source, args.keep.first()) {
            (Self::Gray { .. } | Self::Files { .. }, Some(column)) => {
                bail!("--keep {column}: {} is no table; images have no columns", path.display())
            }
            _ => Ok(source),
        }
    }

    fn of(model: &Model, args: &PredictArgs, path: &Path) -> Result<Self> {
        if let Some(found) = NewImages::find(model, path, args.bad_images)? {
            let left = part(args.shard, found.names.len());
            return Ok(Self::Files { found: Box::new(found), left });
        }
        if path.is_dir() {
            bail!("{}: is a folder; this model predicts rows of a file", path.display());
        }
        if model.document.image.is_some() {
            let images = labelled::gray_bytes(model, path)?;
            let left = part(args.shard, images.shape[0]);
            return Ok(Self::Gray { images, left });
        }
        if let InputLayout::Image { height, width, channels } = model.document.layout {
            bail!(
                "{}: expected an image file ({PICTURE_ENDINGS}) or a folder of them, the model reads images of {height}x{width}x{channels}",
                path.display()
            );
        }
        let Some(schema) = &model.document.schema else {
            bail!("the run's model.json has neither columns nor an image size");
        };
        let schema = own_table::later(schema, &args.overrides)?;
        let mut blocks = schema.input_blocks(path, &args.keep, args.rows_per_block())?;
        let mut counted = None;
        if let Some(shard) = args.shard {
            // Opened before it is counted: a file that changes meanwhile is found out behind the last row.
            let n_rows = schema.count_rows(path)?;
            let rows = part(Some(shard), n_rows);
            counted = Some(n_rows);
            // Without a row, reading says what is missing.
            blocks = if n_rows > 0 { blocks.between(rows)? } else { blocks };
        }
        Ok(Self::Table { blocks: Box::new(blocks), kept: args.keep.clone(), counted })
    }

    /// Number of rows of all parts together, where it is known before they are read.
    pub(super) fn n_rows(&self) -> Option<usize> {
        match self {
            Self::Table { counted, .. } => *counted,
            Self::Gray { images, .. } => Some(images.shape[0]),
            Self::Files { found, .. } => Some(found.names.len()),
        }
    }

    /// The next rows, at most `most`.
    ///
    /// # Errors
    /// Rows that cannot be read.
    pub(super) fn next(&mut self, model: &Model, most: usize) -> Result<Option<Block>> {
        let normalizer = &model.document.normalizer;
        let mut names = Columns::default();
        match self {
            Self::Table { blocks, kept, .. } => {
                let Some(block) = blocks.next().transpose()? else { return Ok(None) };
                names.push("row", numbers(block.before, block.values.nrows()))?;
                for (name, cells) in kept.iter().zip(block.kept) {
                    names.push(name, Values::Text(cells))?;
                }
                let rows = Rows::Stored(normalizer.apply_inputs(block.values.view())?);
                Ok(Some(Block { before: block.before, names, rows }))
            }
            Self::Gray { images, left } => {
                let (before, n) = (left.start, most.min(left.len()));
                if n == 0 {
                    return Ok(None);
                }
                left.start += n;
                let width: usize = images.shape[1..].iter().product();
                let bytes = &images.data[before * width..(before + n) * width];
                let pixels = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
                let pixels = Array2::from_shape_vec((n, width), pixels)?;
                names.push("row", numbers(before, n))?;
                let rows = Rows::Stored(normalizer.apply_inputs(pixels.view())?);
                Ok(Some(Block { before, names, rows }))
            }
            Self::Files { found, left } => {
                let (before, n) = (left.start, most.min(left.len()));
                if n == 0 {
                    return Ok(None);
                }
                left.start += n;
                names.push("file", Values::Text(found.names[before..before + n].to_vec()))?;
                Ok(Some(Block { before, names, rows: Rows::Files((before..before + n).collect()) }))
            }
        }
    }

    /// The inputs of a block, as prediction takes them.
    pub(super) fn inputs<'a>(&'a self, block: &'a Block) -> Result<Inputs<'a>> {
        Ok(match (self, &block.rows) {
            (_, Rows::Stored(rows)) => rows.view().into(),
            (Self::Files { found, .. }, Rows::Files(rows)) => {
                let stream = &found.images as &dyn InputStream;
                Inputs::Streamed { stream, rows: Some(rows) }
            }
            _ => bail!("rows of another source"),
        })
    }

    /// Tells what was guessed and filled.
    pub(super) fn tell(self) {
        if let Self::Table { blocks, .. } = self {
            blocks.notes().iter().for_each(|note| tables::note(&format!("note: {note}")));
        }
    }
}

/// The rows of a part, all of them without one; of a part without rows the first row, whose columns name the output.
fn part(shard: Option<Shard>, rows: usize) -> Range<usize> {
    let part = shard.map_or(0..rows, |shard| shard.rows(rows));
    if part.is_empty() { 0..rows.min(1) } else { part }
}

fn numbers(before: usize, n: usize) -> Values {
    Values::Integer((before..before + n).map(|row| row as u64 + 1).collect())
}
