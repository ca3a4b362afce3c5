//! Every recipe of the repository passes every check, and its name is its place.
//!
//! Nothing is trained here, and experiments and published figures are other formats with tests of their own.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use rank1_models::recipe::parse;

/// Files `*.toml` below the folder, without the experiments.
fn recipes(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("experiments") {
                recipes(&path, found);
            }
        } else if path.extension().is_some_and(|ending| ending == "toml") && !path.ends_with("claims.toml") {
            found.push(path);
        }
    }
}

fn all() -> (PathBuf, Vec<PathBuf>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("recipes");
    let mut found = Vec::new();
    recipes(&root, &mut found);
    found.sort();
    (root, found)
}

#[test]
fn every_recipe_of_the_repository_is_correct() {
    let (root, found) = all();
    assert!(found.len() >= 50, "only {} recipes below {}", found.len(), root.display());
    let problems: Vec<String> = found
        .iter()
        .filter_map(|path| {
            let error = parse(&fs::read_to_string(path).unwrap(), &[]).err()?;
            Some(format!("{}: {error}", path.strip_prefix(&root).unwrap().display()))
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_recipe_is_called_by_its_place() {
    let (root, found) = all();
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let Ok(recipe) = parse(&text, &[]) else { continue };
        let place = path.strip_prefix(&root).unwrap().with_extension("");
        let place: Vec<_> = place.iter().map(|part| part.to_str().unwrap()).collect();
        assert_eq!(recipe.get().name, place.join("/"));
    }
}
