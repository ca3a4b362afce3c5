//! Checkpoints: a changed one is refused, or is the same state; one with right hashes around changed content may be another state.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rank1_core::likelihood::Likelihood;
use rank1_models::checkpoint::{Origin, Slot, read_sealed, write_sealed};
use rank1_models::network::{Activation, Network, NetworkShape};
use rank1_models::recipe::{CheckedRecipe, hex, parse};
use rank1_models::train::{Best, EpochRecord, TrainState};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::harness::{Entry, Input, Reader};

/// A state of a few kilobytes, its tensors, and a document as a tree.
const MOST: usize = 16 << 20;

const WORDS: &[&str] = &[
    "content",
    "sha256",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "F32",
    "F64",
    "BF16",
    "data_offsets",
    "shape",
    "dtype",
    "__metadata__",
    "[0,0]",
];

const RECIPE: &str = "name = \"a\"\n[data]\nset = \"boston\"\n[model]\nkind = \"mlp\"\nhidden = [5]\n\
                      [method]\nkind = \"rank1\"\nmembers = 3\n[train]\nsteps = 50\n";

/// Two slots, of a state in the midst of training and of a finished one, and what they hold.
struct Stage {
    folder: TempDir,
    network: Network,
    recipe: CheckedRecipe,
    slots: Vec<(Slot, TrainState)>,
    /// Slot, name and bytes of every file.
    files: Vec<(usize, String, Vec<u8>)>,
}

impl Stage {
    fn set() -> Self {
        let recipe = parse(RECIPE, &[]).unwrap();
        let shape = NetworkShape::mlp(3, vec![5], 2, Activation::Relu, Likelihood::HeteroscedasticGaussian);
        let network = Network::new(shape, &recipe.get().method).unwrap();
        let mut state = TrainState::start(&network, recipe.get(), 7).unwrap();
        state.optimizer.steps = 25;
        state.optimizer.first.iter_mut().zip(0..).for_each(|(value, i)| *value = i as f32 * 1e-3);
        state.history.push(EpochRecord {
            epoch: 1.5,
            step: 20,
            valid_nll: Some(0.25),
            kl_by_layer: vec![1.0, 2.0],
            ..EpochRecord::default()
        });
        state.best = Some(Best { step: 20, nll: 0.25, parameters: state.parameters.clone() });
        let finished = TrainState { finished: true, ..state.clone() };
        let folder = TempDir::new_in(Path::new("/dev/shm")).or_else(|_| TempDir::new()).unwrap();
        let mut stage = Self { folder, network, recipe, slots: Vec::new(), files: Vec::new() };
        for (index, state) in [state, finished].into_iter().enumerate() {
            let slot = Slot::new(
                stage.folder.path(),
                index,
                Origin { recipe: stage.recipe.hash(), ..Origin::default() },
            );
            slot.save(&stage.network, &state).unwrap();
            let read = slot.load(&stage.network, stage.recipe.get()).unwrap().unwrap();
            stage.slots.push((slot, read));
            let mut names: Vec<String> = fs::read_dir(stage.slot_folder(index))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            for name in names {
                let bytes = fs::read(stage.slot_folder(index).join(&name)).unwrap();
                stage.files.push((index, name, bytes));
            }
        }
        stage
    }

    fn slot_folder(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("network{index}"))
    }

    fn entries(&self) -> Vec<Entry> {
        self.files
            .iter()
            .map(|(slot, name, bytes)| Entry::new(&format!("{slot} {name}"), bytes.clone()))
            .collect()
    }

    /// Loads with one file changed, which then is as before; the state as it is read, if it is.
    fn load(&self, entry: usize, write: impl FnOnce(&Path)) -> Result<Option<TrainState>, String> {
        let (index, name, before) = &self.files[entry];
        let path = self.slot_folder(*index).join(name);
        write(&path);
        let got =
            self.slots[*index].0.load(&self.network, self.recipe.get()).map_err(|error| error.to_string());
        fs::write(path, before).unwrap();
        got
    }

    /// The manifest of a slot with other hashes, or with other content.
    fn seal(&self, index: usize, change: impl FnOnce(&mut Value)) {
        let path = self.slot_folder(index).join("manifest.json");
        let mut content: Value = read_sealed(&path).unwrap();
        change(&mut content);
        write_sealed(&path, &content).unwrap();
    }
}

pub(crate) fn changed() -> Reader<'static> {
    let stage = Stage::set();
    Reader {
        name: "checkpoint",
        most_bytes: MOST,
        entries: stage.entries(),
        words: WORDS,
        mend: None,
        read: Box::new(move |input| {
            let got = stage.load(input.entry, |path| fs::write(path, input.bytes).unwrap())?;
            let (index, name, before) = &stage.files[input.entry];
            assert_eq!(
                got.as_ref(),
                Some(&stage.slots[*index].1),
                "a changed {name} is accepted as another state"
            );
            // Hashes are of every byte: what is read alike is alike.
            assert_eq!(input.bytes, before, "a changed {name} is accepted");
            Ok(())
        }),
    }
}

/// Files that were changed by someone who made the hashes right again.
pub(crate) fn forged() -> Reader<'static> {
    let stage = Stage::set();
    Reader {
        name: "forged_checkpoint",
        most_bytes: MOST,
        entries: stage.entries(),
        words: WORDS,
        mend: None,
        read: Box::new(move |input| forge(&stage, input)),
    }
}

fn forge(stage: &Stage, input: Input<'_>) -> Result<(), String> {
    let (index, name, _) = &stage.files[input.entry];
    let manifest =
        stage.files.iter().position(|(slot, name, _)| slot == index && name == "manifest.json").unwrap();
    let path = stage.slot_folder(*index).join("manifest.json");
    let got = if name == "manifest.json" {
        let sealed: Value = serde_json::from_slice(input.bytes).map_err(|_| "no JSON any more".to_owned())?;
        let content = sealed.get("content").cloned().unwrap_or(Value::Null);
        stage.load(input.entry, |path| write_sealed(path, &content).unwrap())
    } else {
        let hash = hex(&Sha256::digest(input.bytes));
        let files = BTreeMap::from([(name.clone(), hash)]);
        stage.seal(*index, |content| content["files"] = serde_json::to_value(files).unwrap());
        let got = stage.load(input.entry, |path| fs::write(path, input.bytes).unwrap());
        fs::write(&path, &stage.files[manifest].2).unwrap();
        got
    };
    // What is told repeats the forger's own words, of any length.
    let state = got.map_err(|_| "refused".to_owned())?.unwrap();
    assert!(state.parameters.iter().all(|value| value.is_finite()));
    assert_eq!(state.parameters.len(), stage.network.layout.len());
    Ok(())
}
