//! `rank1 data`: what sets there are, and what is in one.

use std::path::Path;

use anyhow::{Result, bail};
use rank1_data::{LoadOptions, catalogue, inspect, load, load_ood};

use crate::args::DataCommand;
use crate::commands::{corrupt, fetch};
use crate::{own_table, tables};

/// Lists, downloads, corrupts or inspects.
///
/// # Errors
/// Unknown sets with the nearest name, and every error of the readers.
pub fn run(command: &DataCommand) -> Result<()> {
    match command {
        DataCommand::List { json } => {
            if *json {
                tables::print_json(&catalogue())?;
            } else {
                tables::print_catalogue(catalogue())?;
            }
            Ok(())
        }
        DataCommand::Fetch(args) => fetch::run(args),
        DataCommand::Corrupt(args) => corrupt::run(args),
        DataCommand::Inspect { set, data, target, overrides, json } => {
            let dataset = if Path::new(set).is_file() {
                let Some(target) = target else {
                    bail!("{set}: a table needs --target COLUMN");
                };
                let loaded = own_table::inspected(set, target, overrides)?;
                loaded.notes.iter().for_each(|note| tables::note(&format!("note: {note}")));
                loaded.dataset
            } else if !overrides.is_empty() {
                bail!("{set}: --set is for tables, and this is no file");
            } else if let Ok(ood) = load_ood(set) {
                rank1_data::Dataset {
                    name: ood.name,
                    task: rank1_data::Task::Classification,
                    feature_names: (0..ood.split.n_features()).map(|i| format!("pixel{i}")).collect(),
                    class_names: Vec::new(),
                    image: ood.image,
                    layout: ood.layout,
                    provenance: ood.provenance,
                    train: ood.split.clone(),
                    test: ood.split,
                }
            } else {
                load(set, &LoadOptions { root: data.clone(), ..LoadOptions::default() })?
            };
            let inspection = inspect(&dataset);
            if *json {
                tables::print_json(&inspection)?;
            } else {
                tables::print_inspection(&inspection)?;
            }
            Ok(())
        }
    }
}
