//! `rank1 predict`: rows or images in, a CSV of predictions with uncertainties out.

use std::path::Path;

use anyhow::{Result, bail};
use ndarray::{Array2, Axis};
use rank1_core::metrics::{decompose_predictive, decompose_variance, predicted_classes};
use rank1_core::predictive::{ClassPredictive, GaussianMixturePredictive};
use rank1_data::InputLayout;
use rank1_data::idx::read_idx;
use rank1_data::image::PICTURE_ENDINGS;
use rank1_models::device::Compute;
use rank1_models::inputs::{InputStream, Inputs};
use rank1_models::predict::{AdaptivePredictive, Predictive};

use crate::args::PredictArgs;
use crate::json::cell;
use crate::model::Model;
use crate::new_images::NewImages;
use crate::output::{DASH, Output};
use crate::own_table;
use crate::tables;

/// Predicts every row and writes the file in one piece.
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
    let output = Output::at(&args.output)?;
    let input = input_path(&args.input);
    output.differs_from(input)?;
    output.spares(&args.run)?;
    let mut model = Model::open(&args.run, &Compute::open(args.device.clone())?, args.draws)?;
    let most = model.n_samples(args.samples);
    let (drawn, names) = if let Some(found) = NewImages::find(&model, input, args.bad_images)? {
        for file in &found.files {
            output.differs_from(file)?;
        }
        let images = &found.images as &dyn InputStream;
        (draw(&mut model, images.into(), args.standard_error, most)?, RowNames::Files(found.names))
    } else {
        let inputs = read_inputs(&model, args, input)?;
        let drawn = draw(&mut model, inputs.view().into(), args.standard_error, most)?;
        (drawn, RowNames::Numbers(inputs.nrows()))
    };
    let samples = args.standard_error.map(|_| drawn.samples.clone());
    let more = Further {
        samples,
        members: if args.members { member_columns(&model, &drawn.predictive)? } else { Vec::new() },
    };
    let bytes = match &drawn.predictive {
        Predictive::Classes(p) => class_rows(&model, p, &names, &more)?,
        Predictive::Values { mixture, .. } => value_rows(mixture, args.interval, &more)?,
    };
    output.write(&bytes)?;
    let used = match args.standard_error {
        Some(_) => format!("{:.1} of {most} samples on average", drawn.mean_samples()),
        None => format!("{most} samples"),
    };
    let (rows, members) = (names.len(), model.n_members());
    tables::note(&format!("{rows} rows, {members} members x {used}: {output}"));
    Ok(())
}

/// The file of standard input for `-`.
fn input_path(typed: &Path) -> &Path {
    if typed.as_os_str() == DASH { Path::new("/dev/stdin") } else { typed }
}

fn draw(
    model: &mut Model,
    inputs: Inputs<'_>,
    standard_error: Option<f64>,
    most: usize,
) -> Result<AdaptivePredictive> {
    let Some(bound) = standard_error else {
        let samples = vec![most; inputs.n_rows()];
        return Ok(AdaptivePredictive { predictive: model.predict_normalized(inputs, most)?, samples });
    };
    model.predict_adaptively(inputs, bound, most)
}

/// What stands in the first column.
enum RowNames {
    /// So many rows, counted from 1.
    Numbers(usize),
    /// A file each.
    Files(Vec<String>),
}

impl RowNames {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(n) => *n,
            Self::Files(names) => names.len(),
        }
    }

    fn header(&self) -> &'static str {
        if matches!(self, Self::Files(_)) { "file" } else { "row" }
    }

    fn of(&self, row: usize) -> String {
        match self {
            Self::Numbers(_) => (row + 1).to_string(),
            Self::Files(names) => names[row].clone(),
        }
    }
}

/// Normalized rows of a table or of gray images.
fn read_inputs(model: &Model, args: &PredictArgs, path: &Path) -> Result<Array2<f32>> {
    let normalizer = &model.document.normalizer;
    if path.is_dir() {
        bail!("{}: is a folder; this model predicts rows of a file", path.display());
    }
    let Some((height, width)) = model.document.image else {
        if let InputLayout::Image { height, width, channels } = model.document.layout {
            bail!(
                "{}: expected an image file ({PICTURE_ENDINGS}) or a folder of them, the model reads images of {height}x{width}x{channels}",
                path.display()
            );
        }
        let Some(schema) = &model.document.schema else {
            bail!("the run's model.json has neither columns nor an image size");
        };
        let schema = schema.clone().with_reading(&own_table::changes(&args.overrides)?);
        let inputs = schema.read_inputs(path)?;
        inputs.notes.iter().for_each(|note| tables::note(&format!("note: {note}")));
        return Ok(normalizer.apply_inputs(inputs.values.view())?);
    };
    let images = read_idx(path, 3)?;
    let n = images.shape[0];
    if images.shape[1..] != [height, width] {
        bail!(
            "{}: images are {}x{}, the model was trained on {height}x{width}",
            path.display(),
            images.shape[1],
            images.shape[2]
        );
    }
    let pixels = images.data.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    Ok(normalizer.apply_inputs(Array2::from_shape_vec((n, height * width), pixels)?.view())?)
}

/// `row` or `file`, `prediction, p(<class>)..., total, aleatoric, epistemic`, and further columns; uncertainties in nats.
fn class_rows(model: &Model, p: &ClassPredictive, rows: &RowNames, more: &Further) -> Result<Vec<u8>> {
    let names = class_names(model, p);
    let probs = p.probs();
    let uncertainty = decompose_predictive(p);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header = vec![rows.header().to_string(), "prediction".into()];
    header.extend(names.iter().map(|name| format!("p({name})")));
    header.extend(["total", "aleatoric", "epistemic"].map(String::from));
    header.extend(more.header());
    writer.write_record(&header)?;
    for (row, class) in predicted_classes(probs.view())?.into_iter().enumerate() {
        let mut fields = vec![rows.of(row), names[class].clone()];
        fields.extend(probs.index_axis(Axis(0), row).iter().map(|p| cell(*p)));
        for values in [&uncertainty.total, &uncertainty.aleatoric, &uncertainty.epistemic] {
            fields.push(cell(values[row]));
        }
        fields.extend(more.fields(row));
        writer.write_record(&fields)?;
    }
    Ok(writer.into_inner()?)
}

/// Names of the classes, or their numbers.
fn class_names(model: &Model, p: &ClassPredictive) -> Vec<String> {
    if model.document.class_names.is_empty() {
        return (0..p.n_classes()).map(|c| c.to_string()).collect();
    }
    model.document.class_names.clone()
}

/// Columns behind those that every prediction has.
struct Further {
    /// Samples of each row.
    samples: Option<Vec<usize>>,
    /// What the members predict: a name and a number for each row.
    members: Vec<(String, Vec<f64>)>,
}

impl Further {
    fn header(&self) -> impl Iterator<Item = String> {
        let members = self.members.iter().map(|(name, _)| name.clone());
        self.samples.iter().map(|_| "samples".to_owned()).chain(members)
    }

    fn fields(&self, row: usize) -> impl Iterator<Item = String> {
        let members = self.members.iter().map(move |(_, values)| cell(values[row]));
        self.samples.iter().map(move |samples| samples[row].to_string()).chain(members)
    }
}

/// `m1_p(<class>)...` or `m1_mean, m1_std`, for every member.
fn member_columns(model: &Model, predictive: &Predictive) -> Result<Vec<(String, Vec<f64>)>> {
    let mut columns = Vec::new();
    match predictive {
        Predictive::Classes(p) => {
            let names = class_names(model, p);
            for (member, log_probs) in p.member_log_probs.axis_iter(Axis(0)).enumerate() {
                for (name, class) in names.iter().zip(log_probs.axis_iter(Axis(1))) {
                    let probs = class.iter().map(|log_prob| log_prob.exp()).collect();
                    columns.push((format!("m{}_p({name})", member + 1), probs));
                }
            }
        }
        Predictive::Values { mixture, n_members } => {
            for member in 0..*n_members {
                let one = mixture.member(member, *n_members)?;
                columns.push((format!("m{}_mean", member + 1), one.mean().to_vec()));
                columns.push((format!("m{}_std", member + 1), one.variance().mapv(f64::sqrt).to_vec()));
            }
        }
    }
    Ok(columns)
}

/// `row, mean, std, total, aleatoric, epistemic, lower, upper`, and further columns; total, aleatoric and epistemic are
/// variances.
fn value_rows(mixture: &GaussianMixturePredictive, level: f64, more: &Further) -> Result<Vec<u8>> {
    let (mean, uncertainty) = (mixture.mean(), decompose_variance(mixture));
    let interval = mixture.central_interval(level)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = ["row", "mean", "std", "total", "aleatoric", "epistemic", "lower", "upper"].map(String::from);
    writer.write_record(names.into_iter().chain(more.header()))?;
    for row in 0..mean.len() {
        let numbers = [
            mean[row],
            uncertainty.total[row].sqrt(),
            uncertainty.total[row],
            uncertainty.aleatoric[row],
            uncertainty.epistemic[row],
            interval.lower[row],
            interval.upper[row],
        ];
        let mut fields = vec![(row + 1).to_string()];
        fields.extend(numbers.into_iter().map(cell));
        fields.extend(more.fields(row));
        writer.write_record(&fields)?;
    }
    Ok(writer.into_inner()?)
}
