//! One reader's process: its limits, its environment, and what is done when it dies of an input.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, ensure};

use super::Reader;
use super::figures::{Failure, Figures};

/// Most memory of a process in KiB, so that an input that asks for all of it ends the process and not the machine.
const MEMORY_KIB: u64 = 8 << 20;

/// How often a reader is begun again after an input that its process died of.
const DEATHS: usize = 20;

/// The exit status of a process whose input took too long.
const TOO_SLOW: i32 = 97;

pub(super) struct Child<'a> {
    pub(super) reader: &'a Reader,
    /// Where it keeps failing inputs and writes its figures.
    pub(super) folder: PathBuf,
    pub(super) seed: u64,
}

impl Child<'_> {
    /// Reads so many inputs, or so long.
    pub(super) fn run(&self, inputs: Option<u64>, seconds: Option<u64>) -> Result<Figures> {
        std::fs::create_dir_all(&self.folder).with_context(|| self.folder.display().to_string())?;
        let mut all = Figures { reader: self.reader.name.clone(), ..Figures::default() };
        let mut first = 0;
        for _ in 0..DEATHS {
            let mut command = self.command();
            command.env("RANK1_FUZZ_FIRST", first.to_string());
            if let Some(inputs) = inputs {
                command.env("RANK1_FUZZ_INPUTS", inputs.saturating_sub(first).to_string());
            }
            if let Some(seconds) = seconds {
                let left = seconds.saturating_sub(all.seconds as u64);
                command.env("RANK1_FUZZ_SECONDS", left.to_string());
            }
            let started = std::time::Instant::now();
            let status = command.status().with_context(|| self.reader.program.display().to_string())?;
            if let Some(figures) = self.figures()? {
                all.add(figures);
                return Ok(all);
            }
            let number = self.died_of()?;
            all.seconds += started.elapsed().as_secs_f64();
            all.inputs += number + 1 - first;
            all.n_failures += 1;
            let (kind, what) = death(status);
            let file = self.keep(number)?;
            all.failures.push(Failure { kind: kind.into(), what, number, file });
            first = number + 1;
        }
        Ok(all)
    }

    /// Reads one kept input.
    pub(super) fn replay(&self, file: &Path) -> Result<Figures> {
        std::fs::create_dir_all(&self.folder).with_context(|| self.folder.display().to_string())?;
        let status = self.command().env("RANK1_FUZZ_REPLAY", file).status()?;
        let name = self.reader.name.clone();
        Ok(self.figures()?.unwrap_or_else(|| {
            let (kind, what) = death(status);
            let failure = Failure { kind: kind.into(), what, number: 0, file: None };
            Figures { reader: name, inputs: 1, n_failures: 1, failures: vec![failure], ..Figures::default() }
        }))
    }

    fn command(&self) -> Command {
        let _ = std::fs::remove_file(self.folder.join("figures.json"));
        let limited = format!("ulimit -v {MEMORY_KIB}; ulimit -c 0; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &limited]).arg(&self.reader.program);
        command.args(["--exact", &self.reader.name, "--nocapture", "--quiet"]);
        command.env("RANK1_FUZZ_OUT", &self.folder).env("RANK1_FUZZ_SEED", self.seed.to_string());
        // One core, and no time in the making of backtraces.
        command.env("RAYON_NUM_THREADS", "1").env("RUST_BACKTRACE", "0");
        command.stdout(std::process::Stdio::null());
        command
    }

    fn figures(&self) -> Result<Option<Figures>> {
        let path = self.folder.join("figures.json");
        let Ok(text) = std::fs::read(&path) else { return Ok(None) };
        Ok(Some(serde_json::from_slice(&text).with_context(|| path.display().to_string())?))
    }

    /// The number of the input that was being read.
    fn died_of(&self) -> Result<u64> {
        let path = self.folder.join("number");
        let bytes = std::fs::read(&path).unwrap_or_default();
        let number = bytes.try_into().ok().map(u64::from_le_bytes);
        number.with_context(|| format!("{} ended before its first input", self.reader.name))
    }

    /// Has the input written that a process died of.
    fn keep(&self, number: u64) -> Result<Option<String>> {
        let mut command = self.command();
        command.env("RANK1_FUZZ_SAVE", "1").env("RANK1_FUZZ_FIRST", number.to_string());
        ensure!(command.status()?.success(), "{} cannot write input {number}", self.reader.name);
        let ending = format!("-n{number}.bin");
        let files = std::fs::read_dir(&self.folder)?.filter_map(Result::ok);
        let mut names = files.map(|file| file.path().display().to_string());
        Ok(names.find(|name| name.ends_with(&ending)))
    }
}

fn death(status: ExitStatus) -> (&'static str, String) {
    if status.code() == Some(TOO_SLOW) {
        return ("time", "more than 10 s".into());
    }
    ("death", format!("the process ended with {status}"))
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A reader as a shell script with the environment of a real one.
    fn run(script: &str) -> Figures {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let reader = Reader { name: "sample".into(), program };
        Child { reader: &reader, folder: folder.path().join("out"), seed: 1 }.run(Some(10), None).unwrap()
    }

    const FIGURES: &str = "{\"reader\":\"sample\",\"inputs\":'$RANK1_FUZZ_INPUTS',\"seconds\":1,\"accepted\":2,\"worst_ms\":1,\
         \"peak_bytes\":1,\"most_bytes\":9,\"n_failures\":0,\"failures\":[]}";

    #[test]
    fn figures_are_what_the_process_wrote() {
        let got = run(&format!("echo '{FIGURES}' > $RANK1_FUZZ_OUT/figures.json"));
        assert_eq!((got.inputs, got.accepted, got.n_failures), (10, 2, 0));
    }

    #[test]
    fn a_process_that_dies_goes_on_behind_its_input_which_is_kept() {
        let script = format!(
            "if [ -n \"$RANK1_FUZZ_SAVE\" ]; then echo x > $RANK1_FUZZ_OUT/e0-v1-n$RANK1_FUZZ_FIRST.bin; exit; fi\n\
             if [ $RANK1_FUZZ_FIRST -gt 3 ]; then echo '{FIGURES}' > $RANK1_FUZZ_OUT/figures.json; exit; fi\n\
             printf '\\003\\0\\0\\0\\0\\0\\0\\0' > $RANK1_FUZZ_OUT/number; kill -6 $$"
        );
        let got = run(&script);
        assert_eq!((got.inputs, got.n_failures), (4 + 6, 1));
        let failure = &got.failures[0];
        assert_eq!((failure.kind.as_str(), failure.number), ("death", 3));
        assert!(failure.what.contains("signal: 6"), "{}", failure.what);
        assert!(failure.file.as_ref().unwrap().ends_with("e0-v1-n3.bin"));
    }

    #[test]
    fn an_input_that_is_never_read_to_its_end_is_one_of_time() {
        let script = format!(
            "if [ -n \"$RANK1_FUZZ_SAVE\" ]; then exit; fi\n\
             if [ $RANK1_FUZZ_FIRST -gt 0 ]; then echo '{FIGURES}' > $RANK1_FUZZ_OUT/figures.json; exit; fi\n\
             printf '\\0\\0\\0\\0\\0\\0\\0\\0' > $RANK1_FUZZ_OUT/number; exit 97"
        );
        assert_eq!(run(&script).failures[0].kind, "time");
    }
}
