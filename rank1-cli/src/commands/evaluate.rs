//! `rank1 evaluate`: a finished run measured on a split, optionally under a shift.

use anyhow::{Result, bail};
use rank1_data::{Shift, Split};

use crate::args::{EvaluateArgs, SplitName};
use crate::evaluation::{self, Request};
use crate::model::Model;
use crate::{run_folder, source, tables};

/// Evaluates and prints; the plain evaluation of the test split is also stored in the run folder.
///
/// # Errors
/// A damaged run, data errors, a shift that does not apply.
pub fn run(args: &EvaluateArgs) -> Result<()> {
    let mut model = Model::open(&args.run)?;
    let recipe = model.recipe.get().clone();
    let source = source::open(&recipe, args.data.as_deref())?;
    if source.schema != model.document.schema {
        bail!(
            "{}: {} has other columns, levels or values than when the model was trained",
            args.run.display(),
            recipe.data.file.as_deref().unwrap_or(&recipe.data.set)
        );
    }
    let dataset = &source.dataset;
    let mut split = pick(args.split, dataset.train.clone(), dataset.test.clone(), &recipe)?;
    if let Some(text) = &args.shift {
        let shift: Shift = text.parse()?;
        split = shift.apply(&split, dataset.image, recipe.seed)?;
    }
    if args.split == SplitName::Validation && recipe.train.early_stopping.is_none() {
        tables::note("note: the model was trained on all training rows, these among them");
    }
    let plain = args.split == SplitName::Test && args.shift.is_none() && args.samples.is_none();
    let request = Request {
        set: &dataset.name,
        split: args.split.name(),
        shift: args.shift.clone(),
        samples: model.n_samples(args.samples),
        shifts: if plain { &recipe.evaluate.shifts } else { &[] },
        ood: recipe.evaluate.ood.as_deref().filter(|_| plain),
        curves: plain,
        seed: recipe.seed,
    };
    let evaluation = evaluation::evaluate(&mut model, &split, &request)?;
    if plain {
        run_folder::write_evaluation(&args.run, &evaluation)?;
    }
    if args.json {
        tables::print_json(&evaluation)?;
    } else {
        tables::print_evaluation(&evaluation)?;
    }
    Ok(())
}

fn pick(name: SplitName, train: Split, test: Split, recipe: &rank1_models::recipe::Recipe) -> Result<Split> {
    match name {
        SplitName::Test => Ok(test),
        SplitName::Train => Ok(train),
        SplitName::Validation => {
            let rows = source::validation_rows(&recipe.data, recipe.seed, train.len())?;
            if rows.is_empty() {
                bail!("--split validation: the recipe has data.validation = 0, no row is held out");
            }
            Ok(train.select(&rows))
        }
    }
}
