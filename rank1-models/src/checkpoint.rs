//! Checkpoints: tensors as safetensors, described by a manifest with SHA-256 hashes.
//!
//! A checkpoint is a folder with one sub-folder per network. Files are written under a temporary name, synced
//! and renamed; the rename of the manifest is the moment at which a new state replaces the old one, so a run
//! killed at any time leaves a whole state behind. Nothing in a checkpoint depends on time, threads or place.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{CheckpointFault, Error};
use crate::network::Network;
use crate::optimizer::Optimizer;
use crate::recipe::{Recipe, hex};
use crate::train::{Average, Best, EpochRecord, Pending, TrainState};

const MANIFEST: &str = "manifest.json";

/// The format of checkpoints and run folders that this program writes and reads.
pub const FORMAT: u32 = 2;

/// The format of documents that do not tell theirs.
const FIRST_FORMAT: u64 = 1;

/// The version of this program, which documents carry beside their format.
pub const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// What is appended to the name of a file that is being written.
pub const TEMPORARY: &str = ".tmp";

/// What a manifest says of the state beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// Version of the program that wrote it; older ones did not tell.
    #[serde(default)]
    program: String,
    recipe_hash: String,
    /// SHA-256 of the network's shape, and of the rows; older versions did not tell.
    #[serde(default)]
    shape_hash: String,
    #[serde(default)]
    data_hash: String,
    seed: u64,
    steps: u64,
    finished: bool,
    best_step: Option<u64>,
    best_nll: Option<f64>,
    /// Members that are kept, where some were dropped; the tensors are theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept_members: Option<Vec<usize>>,
    /// Steps in the mean of the parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    averaged_steps: Option<u64>,
    parameters: usize,
    /// File name to SHA-256.
    files: BTreeMap<String, String>,
    history: Vec<EpochRecord>,
    pending: Pending,
}

/// What a state was trained from, as SHA-256 digests: a state of anything else is refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Of the recipe, [`crate::recipe::CheckedRecipe::hash`].
    pub recipe: String,
    /// Of the network's shape, [`crate::network::NetworkShape::hash`].
    pub shape: String,
    /// Of training and validation rows; empty where a state is read to predict with.
    pub data: String,
}

/// The folder of one network inside a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    folder: PathBuf,
    origin: Origin,
}

impl Slot {
    /// The slot of network `index` in the checkpoint folder `root`.
    #[must_use]
    pub fn new(root: &Path, index: usize, origin: Origin) -> Self {
        Self { folder: root.join(format!("network{index}")), origin }
    }

    /// Writes a state; on return it is on disk, and the one before is gone.
    ///
    /// A finished state keeps only what prediction needs: the selected parameters.
    ///
    /// # Errors
    /// [`Error::Io`] with the file; the state before stays readable.
    pub fn save(&self, network: &Network, state: &TrainState) -> Result<(), Error> {
        fs::create_dir_all(&self.folder).map_err(Error::io("create folder", &self.folder))?;
        self.remove_strays(&self.manifest().ok().flatten())?;
        let mut tensors = Vec::new();
        let smaller = state.network_of_kept(network)?;
        let kept = smaller.as_ref().unwrap_or(network);
        push(&mut tensors, kept, "", state.selected());
        if !state.finished {
            push(&mut tensors, network, "current.", &state.parameters);
            if let Some(average) = &state.average {
                push(&mut tensors, network, "average.", &average.parameters);
            }
            push(&mut tensors, network, "optimizer.first.", &state.optimizer.first);
            if !state.optimizer.second.is_empty() {
                push(&mut tensors, network, "optimizer.second.", &state.optimizer.second);
            }
        }
        let bytes = serialize(&tensors).map_err(|cause| self.fault(format_fault("tensors", &cause)))?;
        let file = format!("step{:09}.safetensors", state.step());
        write_synced(&self.folder.join(&file), &bytes)?;
        let manifest = Manifest {
            format: FORMAT,
            program: PROGRAM.into(),
            recipe_hash: self.origin.recipe.clone(),
            shape_hash: self.origin.shape.clone(),
            data_hash: self.origin.data.clone(),
            seed: state.seed,
            steps: state.optimizer.steps,
            finished: state.finished,
            best_step: state.best.as_ref().map(|b| b.step),
            best_nll: state.best.as_ref().map(|b| b.nll),
            averaged_steps: state.average.as_ref().filter(|_| !state.finished).map(|a| a.steps),
            kept_members: state.kept.clone(),
            parameters: kept.layout.len(),
            files: BTreeMap::from([(file, hex(&Sha256::digest(&bytes)))]),
            history: state.history.clone(),
            pending: state.pending,
        };
        write_sealed(&self.folder.join(MANIFEST), &manifest)?;
        self.remove_strays(&Some(manifest))
    }

    /// Reads the state back, or none if nothing was saved yet.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when the manifest, a hash, a tensor or the recipe does not fit.
    pub fn load(&self, network: &Network, recipe: &Recipe) -> Result<Option<TrainState>, Error> {
        let Some(manifest) = self.manifest()? else { return Ok(None) };
        if manifest.recipe_hash != self.origin.recipe {
            return Err(self.fault(CheckpointFault::Recipe {
                expected: self.origin.recipe.clone(),
                got: manifest.recipe_hash,
            }));
        }
        // What either side does not tell is not compared.
        let differs = |own: &str, got: &str| !own.is_empty() && !got.is_empty() && own != got;
        if differs(&self.origin.shape, &manifest.shape_hash) {
            return Err(self.fault(CheckpointFault::Shape));
        }
        if differs(&self.origin.data, &manifest.data_hash) {
            return Err(self.fault(CheckpointFault::Data));
        }
        let Some((file, expected)) = manifest.files.iter().next() else {
            return Err(self.fault(CheckpointFault::Manifest("names no tensor file".into())));
        };
        let path = self.folder.join(file);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let got = hex(&Sha256::digest(&bytes));
        if got != *expected {
            let (file, expected) = (file.clone(), expected.clone());
            return Err(self.fault(CheckpointFault::Hash { file, expected, got }));
        }
        let tensors =
            SafeTensors::deserialize(&bytes).map_err(|e| self.fault(format_fault(file, &e.to_string())))?;
        let Some(smaller) = network.keeping(manifest.kept_members.as_deref())? else {
            return Err(self.fault(CheckpointFault::Manifest("keeps members that there are not".into())));
        };
        let network = &smaller;
        let read = |prefix: &str| self.flat(network, &tensors, prefix);
        let selected = read("")?;
        let mut optimizer = Optimizer::new(recipe.train.optimizer.clone(), 0);
        optimizer.steps = manifest.steps;
        let mut parameters = selected.clone();
        let average = match manifest.averaged_steps {
            Some(steps) => Some(Average { steps, parameters: read("average.")? }),
            None => None,
        };
        if !manifest.finished {
            parameters = read("current.")?;
            optimizer = Optimizer::new(recipe.train.optimizer.clone(), parameters.len());
            optimizer.steps = manifest.steps;
            optimizer.first = read("optimizer.first.")?;
            if !optimizer.second.is_empty() {
                optimizer.second = read("optimizer.second.")?;
            }
        }
        let best = manifest.best_step.map(|step| Best {
            step,
            nll: manifest.best_nll.unwrap_or(f64::NAN),
            parameters: selected,
        });
        Ok(Some(TrainState {
            seed: manifest.seed,
            parameters,
            optimizer,
            best,
            average,
            history: manifest.history,
            pending: manifest.pending,
            finished: manifest.finished,
            kept: manifest.kept_members,
        }))
    }

    fn manifest(&self) -> Result<Option<Manifest>, Error> {
        let path = self.folder.join(MANIFEST);
        match read_sealed(&path) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    fn flat(&self, network: &Network, tensors: &SafeTensors<'_>, prefix: &str) -> Result<Vec<f32>, Error> {
        let mut flat = Vec::with_capacity(network.layout.len());
        for spec in network.layout.specs() {
            let name = format!("{prefix}{}", spec.name);
            let expected = format!("f32 {:?}", spec.shape);
            let fault = |got: String| {
                self.fault(CheckpointFault::Tensor { tensor: name.clone(), expected: expected.clone(), got })
            };
            let view = tensors.tensor(&name).map_err(|_| fault("no such tensor".into()))?;
            if view.dtype() != Dtype::F32 || view.shape() != spec.shape {
                return Err(fault(format!("{:?} {:?}", view.dtype(), view.shape())));
            }
            let (words, _) = view.data().as_chunks::<4>();
            flat.extend(words.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        }
        if let Some(index) = flat.iter().position(|v| !v.is_finite()) {
            let tensor = format!("{prefix}* (flat index {index})");
            let got = flat[index].to_string();
            return Err(self.fault(CheckpointFault::Tensor {
                tensor,
                expected: "a finite number".into(),
                got,
            }));
        }
        Ok(flat)
    }

    /// Removes what a process killed while saving left behind; later saves would do it too, but a finished state
    /// has none.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Checkpoint`] for a damaged manifest.
    pub fn clean(&self) -> Result<(), Error> {
        if self.folder.is_dir() { self.remove_strays(&self.manifest()?) } else { Ok(()) }
    }

    /// Removes files that the manifest does not name: states replaced, or never completed.
    fn remove_strays(&self, manifest: &Option<Manifest>) -> Result<(), Error> {
        let entries = fs::read_dir(&self.folder).map_err(Error::io("list", &self.folder))?;
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let named = manifest.as_ref().is_some_and(|m| m.files.contains_key(&name));
            if name != MANIFEST && !named {
                fs::remove_file(entry.path()).map_err(Error::io("remove", entry.path()))?;
            }
        }
        Ok(())
    }

    fn fault(&self, reason: CheckpointFault) -> Error {
        Error::Checkpoint { path: self.folder.clone(), reason }
    }
}

/// Name, shape and values of a tensor to write.
type Named<'a> = (String, Vec<usize>, &'a [f32]);

fn push<'a>(tensors: &mut Vec<Named<'a>>, network: &Network, prefix: &str, flat: &'a [f32]) {
    for spec in network.layout.specs() {
        tensors.push((format!("{prefix}{}", spec.name), spec.shape.clone(), &flat[spec.range.clone()]));
    }
}

fn format_fault(file: &str, cause: &str) -> CheckpointFault {
    CheckpointFault::Format { file: file.into(), cause: cause.into() }
}

fn serialize(tensors: &[Named<'_>]) -> Result<Vec<u8>, String> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, data)| data.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views: Result<Vec<_>, _> = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| {
            TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.clone(), view))
        })
        .collect();
    safetensors::serialize(views.map_err(|e| e.to_string())?, None).map_err(|e| e.to_string())
}

/// Writes a file under a temporary name, syncs it and renames it into place.
///
/// A device or pipe is written to directly: it cannot be replaced by a file.
///
/// # Errors
/// [`Error::Io`] naming the file; the temporary file is removed.
pub fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return fs::write(path, bytes).map_err(Error::io("write", path));
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(TEMPORARY);
    let temporary = path.with_file_name(name);
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, path)?;
        // The rename itself must reach the disk too.
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    })();
    written.map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Error::io("write", path)(e)
    })
}

/// Writes a JSON document that carries the SHA-256 of its own content.
///
/// # Errors
/// [`Error::Io`]; folders on the way are created.
pub fn write_sealed<T: Serialize>(path: &Path, document: &T) -> Result<(), Error> {
    let fault = |e: serde_json::Error| Error::Checkpoint {
        path: path.into(),
        reason: CheckpointFault::Manifest(e.to_string()),
    };
    let content = serde_json::to_value(document).map_err(fault)?;
    let sha256 = content_hash(&content);
    let sealed = serde_json::json!({ "content": content, "sha256": sha256 });
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create folder", folder))?;
    }
    write_synced(path, &serde_json::to_vec_pretty(&sealed).map_err(fault)?)
}

/// Reads a document of [`write_sealed`].
///
/// # Errors
/// [`Error::Io`], and [`Error::Checkpoint`] when a byte was changed.
pub fn read_sealed<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let fault = |reason| Error::Checkpoint { path: path.into(), reason };
    let manifest = |e: serde_json::Error| fault(CheckpointFault::Manifest(e.to_string()));
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let mut sealed: serde_json::Value = serde_json::from_slice(&bytes).map_err(manifest)?;
    let as_written = serde_json::to_vec_pretty(&sealed).map_err(manifest)?;
    let content = sealed.get_mut("content").map(serde_json::Value::take).unwrap_or_default();
    let got = content_hash(&content);
    // Whatever else stands there is not repeated in the message.
    let is_digest = |text: &&str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let expected =
        sealed.get("sha256").and_then(serde_json::Value::as_str).filter(is_digest).unwrap_or("none");
    if got != expected {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(fault(CheckpointFault::Hash { file, expected: expected.into(), got }));
    }
    // The hash does not see white space, other spellings of a number, or keys beside the two.
    if as_written != bytes {
        return Err(fault(CheckpointFault::Manifest("it was changed after it was written".into())));
    }
    check_format(&content).map_err(fault)?;
    serde_json::from_value(content).map_err(manifest)
}

/// Refuses a document of another format, before its keys are looked at; one without a format has the first.
///
/// # Errors
/// [`CheckpointFault::Version`] with both formats and versions.
pub fn check_format(document: &serde_json::Value) -> Result<(), CheckpointFault> {
    let format = document.get("format").map_or(Some(FIRST_FORMAT), serde_json::Value::as_u64);
    if format == Some(u64::from(FORMAT)) {
        return Ok(());
    }
    let program = document.get("program").and_then(serde_json::Value::as_str).filter(|name| !name.is_empty());
    Err(CheckpointFault::Version {
        program: program.unwrap_or("of an unknown version").into(),
        format: format.unwrap_or(0),
        reads: FORMAT,
    })
}

fn content_hash(content: &serde_json::Value) -> String {
    // The compact form has sorted keys and shortest round-trip numbers: one text per content.
    hex(&Sha256::digest(content.to_string().as_bytes()))
}
