//! `rank1 info`: what a recipe's network consists of and costs, before anything is run.

use anyhow::{Context, Result};
use rank1_models::summary::Summary;

use crate::args::InfoArgs;
use crate::data_facts::DataFacts;
use crate::{data_file, recipe_file, tables};

/// Describes and prints; no rows are read, except those of a user's own table.
///
/// # Errors
/// Recipe problems, an unknown set, an architecture that does not read the set's inputs.
pub fn run(args: &InfoArgs) -> Result<()> {
    let recipe = recipe_file::read(&args.recipe, &args.overrides)?;
    let (located, _) =
        data_file::locate(recipe.get(), recipe_file::places(&args.recipe, args.data.as_deref()))
            .with_context(|| args.recipe.display().to_string())?;
    let settings = &located;
    let named = |section| format!("{}: {section}", args.recipe.display());
    let facts = DataFacts::ahead(settings, args.data.as_deref()).with_context(|| named("data"))?;
    facts.notes.iter().for_each(|note| tables::note(&format!("note: {note}")));
    let input = facts.input;
    let shape = facts.network(settings).with_context(|| named("model"))?;
    let train = &settings.train;
    let summary = Summary::new(&shape, &settings.method, &train.optimizer, train.batch_size, train.samples)
        .with_context(|| named("model"))?;
    if args.json {
        return tables::print_json(&summary);
    }
    let step = format!("batch {}, samples {}", train.batch_size, train.samples);
    tables::print_summary(&settings.name, &settings.data.set, input, &step, &summary)
}
