//! `rank1 calibrate`: labelled rows become maps and thresholds beside a run, whose posterior stays as it is.

use anyhow::{Result, bail};
use rank1_core::drift::NumberReference;
use rank1_data::Task;
use rank1_models::device::Compute;

use crate::args::{CalibrateArgs, SplitName};
use crate::calibration::{self, Adjusted, Artefact, ReferralSettings, Rows, RowsKind, Settings};
use crate::labelled::{self, LabelledFile};
use crate::model::Model;
use crate::part::Part;
use crate::{run_split, tables};

/// Predicts the rows, fits, writes `calibration.json` and prints what it holds.
///
/// # Errors
/// A damaged run, rows that do not fit or are too few for the coverage, a folder that cannot be written.
pub fn run(args: &CalibrateArgs) -> Result<()> {
    let mut model = Model::open(&args.run, &Compute::open(args.device.clone())?, args.draws)?;
    let settings = Settings::of(args, model.document.task == Task::Classification)?;
    let referral = ReferralSettings::of(args, &model.document.class_names)?;
    let (part, kind, name) = rows(args, &model)?;
    calibration::check_rows(&settings, part.len())?;
    kind.warning().into_iter().for_each(|warning| tables::note(&format!("note: {warning}")));
    let samples = model.n_samples(args.samples);
    let predictive = model.predict_part(&part, samples)?;
    let class_names = model.document.class_names.clone();
    let (adjustment, conformal, in_sample) =
        calibration::fit(&settings, &predictive, part.targets(), &class_names)?;
    conformal.notes().iter().for_each(|note| tables::note(&format!("note: {note}")));
    let adjusted = Adjusted::of(&predictive, adjustment.as_ref())?;
    let risks = NumberReference::of(adjusted.stated_risk().view())?;
    let referral = Some(referral.choose(&adjusted, part.targets(), &risks)?);
    let rows = Rows { kind, name, n: part.len(), sha256: labelled::digest(&part)? };
    let artefact = Artefact {
        samples,
        draws: model.draws().into(),
        class_names,
        adjustment,
        stated_risk: Some(risks),
        referral,
        ..Artefact::of_run(&args.run, rows, conformal, in_sample)?
    };
    artefact.write(&args.run)?;
    if args.json { tables::print_json(&artefact) } else { tables::print_calibration(&artefact, &args.run) }
}

/// The rows, what they are, and what they are called.
fn rows(args: &CalibrateArgs, model: &Model) -> Result<(Part, RowsKind, String)> {
    let (kind, split) = match args.data.to_str() {
        Some("test") => (RowsKind::Test, SplitName::Test),
        Some("validation") => (RowsKind::Validation, SplitName::Validation),
        _ => {
            if args.root.is_some() {
                bail!("--root: is for --data test or validation");
            }
            let also = LabelledFile {
                labels: args.labels.as_deref(),
                stays: args.stays,
                overrides: &args.overrides,
            };
            let part = labelled::read(model, "--data", &args.data, &also)?;
            let name = args.data.display().to_string();
            let set = args.stays.map(|letter| format!("{name} {}", SplitName::Set(letter)));
            return Ok((part, RowsKind::File, set.unwrap_or(name)));
        }
    };
    if args.labels.is_some() || args.stays.is_some() || !args.overrides.is_empty() {
        bail!(
            "--data {split}: the run's own rows are read as they were, without --labels, --stays and --set"
        );
    }
    let recipe = model.recipe.get();
    if kind == RowsKind::Validation && recipe.train.early_stopping.is_none() {
        bail!(
            "--data validation: without train.early_stopping the model was trained on these rows too; give rows that training never \
             saw with --data FILE"
        );
    }
    if let Some(scaler) = &model.document.scaler {
        let part = run_split::stays(args.root.as_deref(), split, recipe, scaler)?;
        return Ok((part, kind, format!("{} {split}", recipe.data.set)));
    }
    let source = run_split::open(model, &args.run, args.root.as_deref(), args.json)?;
    Ok((run_split::pick(split, &source, recipe)?, kind, format!("{} {split}", source.name)))
}
