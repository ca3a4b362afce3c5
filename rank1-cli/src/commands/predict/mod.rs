//! `rank1 predict`: rows or images in, predictions with uncertainties out, a block of rows at a time.

pub mod columns;
mod decide;
mod rows;
pub mod writer;

use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use rank1_models::device::Compute;
use rank1_models::inputs::Inputs;
use rank1_models::predict::AdaptivePredictive;

use crate::args::PredictArgs;
use crate::model::Model;
use crate::output::{DASH, Output};
use crate::{progress, tables};

use columns::{Shown, prediction_columns};
use decide::Further;
use rows::Source;

/// Predicts one block of rows after the other; a file gets its name when all of them are there.
///
/// # Errors
/// A damaged run, rows that do not have the training table's columns, a file that cannot be written.
pub fn run(args: &PredictArgs) -> Result<()> {
    if !(args.interval > 0.0 && args.interval < 1.0) {
        bail!("--interval: expected a probability between 0 and 1, got {}", args.interval);
    }
    if let Some(bound) = args.standard_error.filter(|bound| !(bound.is_finite() && *bound > 0.0)) {
        bail!("--standard-error: expected a number above 0, got {bound}");
    }
    if let Some((_, name)) = args.keep.iter().enumerate().find(|(i, name)| args.keep[..*i].contains(name)) {
        bail!("--keep {name}: the column is named twice");
    }
    let format = writer::format(args.format, &args.output);
    writer::check_built(format)?;
    let output = Output::at(&args.output)?;
    let input = input_path(&args.input);
    if let Some(shard) = args.shard {
        shard.check_counted(input)?;
    }
    output.differs_from(input)?;
    output.spares(&args.run)?;
    let mut model = Model::open(&args.run, &Compute::open(args.device.clone())?, args.draws)?;
    let most = model.n_samples(args.samples);
    let further = Further::open(args, &model, most)?;
    let mut source = Source::open(&model, args, input, &output)?;
    let shown =
        Shown { interval: args.interval, samples: args.standard_error.is_some(), members: args.members };
    let part = source.n_rows().map(|rows| args.shard.map_or(rows, |shard| shard.rows(rows).len()));
    let bar = progress::rows(part, output.is_terminal());
    let (mut rows, mut samples) = (0, 0);
    let mut opened = None;
    while let Some(block) = source.next(&model, args.rows_per_block())? {
        let inputs = source.inputs(&block)?;
        let drawn = draw(&mut model, inputs, block.before, args.standard_error, most)?;
        let mut columns = block.names;
        prediction_columns(&mut columns, &model, &drawn, shown)?;
        further.columns(&mut columns, &model, &drawn.predictive)?;
        if part == Some(0) {
            columns = columns.emptied();
        }
        let (writer, closed) = match &mut opened {
            Some(opened) => opened,
            None => {
                columns.check_names(&args.keep)?;
                let stream = output.begin()?;
                let closed = stream.closed();
                let writer = writer::open(format, stream, &columns).with_context(|| output.cannot_write())?;
                opened.insert((writer, closed))
            }
        };
        writer.write(&columns).with_context(|| output.cannot_write())?;
        rows += columns.n_rows();
        samples += drawn.samples.iter().take(columns.n_rows()).sum::<usize>();
        bar.set_position(rows as u64);
        if closed.load(Ordering::Relaxed) {
            break;
        }
    }
    bar.finish_and_clear();
    if let Some((writer, _)) = opened {
        let written = writer.finish().and_then(|stream| Ok(stream.commit()?));
        written.with_context(|| output.cannot_write())?;
    }
    source.tell();
    let used = match args.standard_error {
        Some(_) => format!("{:.1} of {most} samples on average", samples as f64 / rows.max(1) as f64),
        None => format!("{most} samples"),
    };
    let of = args.shard.map(|shard| format!(" of part {shard}")).unwrap_or_default();
    tables::note(&format!("{rows} rows{of}, {} members x {used}: {output}", model.n_members()));
    Ok(())
}

/// The file of standard input for `-`.
fn input_path(typed: &Path) -> &Path {
    if typed.as_os_str() == DASH { Path::new("/dev/stdin") } else { typed }
}

fn draw(
    model: &mut Model,
    inputs: Inputs<'_>,
    before: usize,
    standard_error: Option<f64>,
    most: usize,
) -> Result<AdaptivePredictive> {
    let Some(bound) = standard_error else {
        let samples = vec![most; inputs.n_rows()];
        return Ok(AdaptivePredictive { predictive: model.predict_block(inputs, before, most)?, samples });
    };
    model.predict_block_adaptively(inputs, before, bound, most)
}
