//! How a run folder begins: taken, locked, told what it is trained on; and undone if nothing came of it.
//!
//! Not for the documents of a finished run; see [`crate::run_folder`].

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rank1_models::checkpoint::{FORMAT, PROGRAM, TEMPORARY, check_format, write_synced};
use rank1_models::recipe::{self, CheckedRecipe};
use serde::{Deserialize, Serialize};

use crate::data_file::DataFile;
use crate::model::checkpoint_folder;
use crate::run_lock::{LOCK_FILE, RunLock};

/// The document that a run begins with.
const START: &str = "start.json";

/// `start.json`: who began the run, and on which file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Start {
    format: u32,
    /// Version of the program.
    program: String,
    /// The user's own table or images.
    data: Option<DataFile>,
}

/// What [`open`] found or made.
#[derive(Debug)]
pub enum Opened {
    /// A finished run of the same recipe.
    Finished,
    /// A folder of this process.
    Ready(OpenRun),
}

/// A run folder that this process holds.
#[derive(Debug)]
pub struct OpenRun {
    run: PathBuf,
    /// Folders that only the run needs, innermost first.
    made: Vec<PathBuf>,
    lock: RunLock,
}

/// Prepares a run folder for a recipe on `data`, the user's own file if there is one.
///
/// A folder that was begun and holds no saved state yet is begun anew.
///
/// # Errors
/// A folder that holds another recipe's run, any run when `resume` is off, other files, or a run on a file that has changed;
/// that another process writes to, or that cannot be written.
pub fn open(run: &Path, recipe: &CheckedRecipe, data: Option<&DataFile>, resume: bool) -> Result<Opened> {
    let taken =
        || format!("{} holds a run already; go on with --resume or choose another --out", run.display());
    check_version(run)?;
    if resume && is_finished(run) {
        check_same(run, recipe, data)?;
        return Ok(Opened::Finished);
    }
    if !run.join("recipe.toml").exists() && holds_other_files(run) {
        bail!("{} is not empty and holds no run; choose another --out", run.display());
    }
    let mut made: Vec<PathBuf> =
        run.ancestors().take_while(|at| is_absent(at)).map(Path::to_path_buf).collect();
    if run.join(START).exists() {
        // Made by the process that began the run.
        made.push(run.into());
    }
    fs::create_dir_all(run).with_context(|| format!("cannot create run folder {}", run.display()))?;
    let lock = match RunLock::acquire(run) {
        Ok(lock) => lock,
        // What is there is told before that it cannot be written.
        Err(_) if !resume && is_finished(run) => bail!(taken()),
        Err(error) => {
            remove_folders(&made);
            return Err(error);
        }
    };
    let open = OpenRun { run: run.into(), made, lock };
    if run.join("recipe.toml").exists() {
        if !resume && (open.has_state() || !run.join(START).exists()) {
            bail!(taken());
        }
        if resume {
            check_same(run, recipe, data)?;
            return Ok(if is_finished(run) { Opened::Finished } else { Opened::Ready(open) });
        }
    }
    match open.begin(recipe, data) {
        Ok(()) => Ok(Opened::Ready(open)),
        Err(error) => {
            open.undo();
            Err(error)
        }
    }
}

impl OpenRun {
    fn begin(&self, recipe: &CheckedRecipe, data: Option<&DataFile>) -> Result<()> {
        let start = Start {
            format: FORMAT,
            program: PROGRAM.into(),
            data: data.map(|file| file.seen_from(&self.run)),
        };
        write_synced(&self.run.join(START), &serde_json::to_vec_pretty(&start)?)?;
        Ok(write_synced(&self.run.join("recipe.toml"), recipe.to_toml().as_bytes())?)
    }

    /// Whether there is a state to go on from.
    #[must_use]
    pub fn has_state(&self) -> bool {
        has_state(&self.run)
    }

    /// After a failure: a run without a saved state leaves nothing behind.
    pub fn abandon(self) {
        if !self.has_state() && self.run.join(START).exists() {
            self.undo();
        }
    }

    /// Removes what a run without a state consists of. What cannot be removed stays; the failure before is what is told.
    fn undo(self) {
        let Self { run, made, lock } = self;
        let _ = fs::remove_dir_all(checkpoint_folder(&run));
        for name in [START, "recipe.toml"] {
            let _ = fs::remove_file(run.join(name));
            let _ = fs::remove_file(run.join(format!("{name}{TEMPORARY}")));
        }
        drop(lock);
        remove_folders(&made);
    }
}

/// The file that a run was trained on, as it was then; none for catalogued sets and runs of versions that kept no note of it.
#[must_use]
pub fn data_file(run: &Path) -> Option<DataFile> {
    let text = fs::read_to_string(run.join(START)).ok()?;
    serde_json::from_str::<Start>(&text).ok()?.data
}

/// Refuses a run folder of another format before anything else of it is read.
///
/// # Errors
/// Another format, with the version that wrote it.
pub fn check_version(run: &Path) -> Result<()> {
    for name in [START, "run.json"] {
        // Damage is told by whoever needs the document.
        let Ok(text) = fs::read_to_string(run.join(name)) else { continue };
        let Ok(document) = serde_json::from_str(&text) else { continue };
        check_format(&document).with_context(|| run.display().to_string())?;
    }
    Ok(())
}

fn check_same(run: &Path, recipe: &CheckedRecipe, data: Option<&DataFile>) -> Result<()> {
    let stored = run.join("recipe.toml");
    let text = fs::read_to_string(&stored).with_context(|| format!("cannot read {}", stored.display()))?;
    let before = recipe::parse_stored(&text, &[]).with_context(|| stored.display().to_string())?;
    if before.hash() != recipe.hash() {
        bail!(
            "{} was started with another recipe or seed; choose another --out (its recipe is {})",
            run.display(),
            stored.display()
        );
    }
    if let (Some(before), Some(now)) = (data_file(run), data)
        && before.has_changed_to(now)
    {
        bail!(
            "{} has changed since {} was started (its SHA-256 is another); restore it, or choose another --out",
            now.path().display(),
            run.display()
        );
    }
    Ok(())
}

fn is_finished(run: &Path) -> bool {
    run.join("run.json").exists() && run.join("evaluation.json").exists()
}

fn has_state(run: &Path) -> bool {
    if ["run.json", "metrics.csv", "evaluation.json"].iter().any(|name| run.join(name).exists()) {
        return true;
    }
    let Ok(networks) = fs::read_dir(checkpoint_folder(run)) else { return checkpoint_folder(run).exists() };
    networks.flatten().any(|entry| {
        let path = entry.path();
        path.join("manifest.json").exists() || path.file_name().is_some_and(|name| name == "model.json")
    })
}

/// A process killed while it began a run leaves its lock and the names of unfinished documents, and nothing else.
fn holds_other_files(run: &Path) -> bool {
    let own =
        [LOCK_FILE.into(), START.into(), format!("{START}{TEMPORARY}"), format!("recipe.toml{TEMPORARY}")];
    let other = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| !own.iter().any(|name| *entry.file_name() == **name))
    };
    run.is_dir() && fs::read_dir(run).is_ok_and(|mut entries| entries.any(other))
}

fn is_absent(path: &Path) -> bool {
    !path.as_os_str().is_empty() && fs::symlink_metadata(path).is_err()
}

/// Removes folders that are empty.
fn remove_folders(made: &[PathBuf]) {
    for folder in made {
        let _ = fs::remove_dir(folder);
    }
}
