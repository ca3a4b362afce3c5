//! The loop of every reader: changed files in; panics, long times, much memory and long messages out.
//!
//! Not for what a format is; see the files of the readers. `cargo xtask fuzz` runs it for long and tabulates.
// Each program of readers uses a part of it.
#![allow(dead_code)]

pub(crate) mod mutate;
pub(crate) mod random;
mod report;
mod settings;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use random::Random;
use report::{Kind, Report};
use settings::Settings;
use watch::{Watch, measured};

/// Longest message of a refusal.
const MESSAGE: usize = 2_000;

/// A file before it is changed.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Whether it is accepted as it is.
    pub(crate) accepted: bool,
}

impl Entry {
    pub(crate) fn new(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into(), accepted: true }
    }

    pub(crate) fn refused(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { accepted: false, ..Self::new(name, bytes) }
    }
}

/// What a reader is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    /// Which of the entries was changed.
    pub(crate) entry: usize,
    /// Zero for a file that was not changed, otherwise any number: decides options of the reader.
    pub(crate) variation: u64,
    pub(crate) bytes: &'a [u8],
}

/// Reads an input: accepted, or refused with a message. What is wrong beyond that is a panic, such as of `assert!`.
pub(crate) type Read<'a> = Box<dyn FnMut(Input<'_>) -> Result<(), String> + Send + 'a>;

/// A reader and what is known of it.
pub(crate) struct Reader<'a> {
    pub(crate) name: &'static str,
    /// Most bytes that a small file may make it hold.
    pub(crate) most_bytes: usize,
    pub(crate) entries: Vec<Entry>,
    /// What means something in the format, beside the words of its files.
    pub(crate) words: &'static [&'static str],
    /// Makes checksums right again, which is done for half of the inputs.
    pub(crate) mend: Option<fn(&mut [u8])>,
    pub(crate) read: Read<'a>,
}

/// An input with its place in the run.
struct Case {
    number: u64,
    entry: usize,
    variation: u64,
    bytes: Vec<u8>,
}

impl Case {
    /// Every entry as it is, then changed ones.
    fn generate(reader: &Reader<'_>, words: &[Vec<u8>], seed: u64, number: u64) -> Self {
        if let Some(entry) = usize::try_from(number).ok().filter(|&number| number < reader.entries.len()) {
            return Self { number, entry, variation: 0, bytes: reader.entries[entry].bytes.clone() };
        }
        let mut random = Random::of(seed, number);
        let entry = random.below(reader.entries.len());
        let other = random.below(reader.entries.len());
        let variation = random.next() | 1;
        let mut bytes = reader.entries[entry].bytes.clone();
        mutate::mutate(&mut bytes, &reader.entries[other].bytes, words, &mut random);
        if let Some(mend) = reader.mend
            && random.below(2) == 0
        {
            mend(&mut bytes);
        }
        Self { number, entry, variation, bytes }
    }

    /// The file name tells what else decides the reading.
    fn file_name(&self) -> String {
        format!("e{}-v{:x}-n{}.bin", self.entry, self.variation, self.number)
    }

    fn from_file(path: &std::path::Path) -> Self {
        let bytes = std::fs::read(path).expect("the file to replay can be read");
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let part = |start: char| name.split('-').find_map(|part| part.strip_prefix(start).map(str::to_owned));
        Self {
            number: part('n').and_then(|text| text.parse().ok()).unwrap_or(u64::MAX),
            entry: part('e').and_then(|text| text.parse().ok()).unwrap_or(0),
            variation: part('v').and_then(|text| u64::from_str_radix(&text, 16).ok()).unwrap_or(1),
            bytes,
        }
    }
}

/// Runs a reader as the environment says.
///
/// # Panics
/// If an input failed.
#[track_caller]
pub(crate) fn fuzz(reader: Reader<'_>) {
    let report = alone(|| run(reader, &Settings::from_environment()));
    assert!(report.n_failures == 0, "{report}");
}

/// Runs one reader at a time, because memory and panics are those of the whole program, and on a thread of a pool of one, so that
/// what readers do on several threads needs no other.
fn alone<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
    pool.install(run)
}

fn run(mut reader: Reader<'_>, settings: &Settings) -> Report {
    let words = words(&reader);
    let folder: Option<PathBuf> = settings.out.clone();
    if let Some(path) = &settings.replay {
        let case = Case::from_file(path);
        let mut report = Report::new(reader.name, reader.most_bytes);
        let mut watch = Watch::start(None, settings.slowest);
        judge(&mut reader, &case, settings, &mut watch, &mut report);
        report.finish(folder.as_deref());
        return report;
    }
    if settings.save {
        let case = Case::generate(&reader, &words, settings.seed, settings.first);
        let folder = folder.expect("a folder is given with it");
        std::fs::write(folder.join(case.file_name()), &case.bytes).expect("the folder can be written");
        return Report::new(reader.name, reader.most_bytes);
    }
    let mut watch = Watch::start(folder.as_deref(), settings.slowest);
    let mut report = Report::new(reader.name, reader.most_bytes);
    let started = Instant::now();
    for number in settings.first..settings.first.saturating_add(settings.inputs) {
        if settings.limit.is_some_and(|limit| started.elapsed() >= limit) {
            break;
        }
        let case = Case::generate(&reader, &words, settings.seed, number);
        judge(&mut reader, &case, settings, &mut watch, &mut report);
        if folder.is_some() {
            report.tell();
        }
    }
    report.finish(folder.as_deref());
    report
}

/// Reads one input and notes what went wrong.
fn judge(reader: &mut Reader<'_>, case: &Case, settings: &Settings, watch: &mut Watch, report: &mut Report) {
    let input = Input { entry: case.entry, variation: case.variation, bytes: &case.bytes };
    let read = &mut reader.read;
    watch.begin(case.number);
    let measured = measured(|| read(input));
    let late = watch.end(settings.slowest);
    report.count(measured.got.as_ref().is_ok_and(Result::is_ok), measured.time, measured.peak);
    let whole = case.variation == 0;
    let mut fail = |kind, what: String| {
        let file = settings.out.as_ref().map(|folder| folder.join(case.file_name()));
        if report.fail(kind, what, case.number, file.as_deref())
            && let Some(file) = &file
        {
            std::fs::write(file, &case.bytes).expect("the folder of failing inputs can be written");
        }
    };
    if measured.peak > reader.most_bytes {
        fail(Kind::Memory, format!("{} bytes held, more than {}", measured.peak, reader.most_bytes));
    }
    if late {
        fail(Kind::Time, format!("{:.1} s", measured.time.as_secs_f64()));
    }
    match measured.got {
        Err(panic) => fail(Kind::Panic, panic),
        Ok(Err(message)) if message.contains(['\n', '\r']) || message.len() > MESSAGE => {
            let start: String = message.chars().take(200).collect();
            fail(Kind::Message, format!("not one short line, {} bytes: {start:?}", message.len()));
        }
        Ok(got) => {
            let entry = &reader.entries[case.entry.min(reader.entries.len() - 1)];
            if whole && got.is_ok() != entry.accepted {
                fail(Kind::Entry, format!("`{}` is read as {got:?}", entry.name));
            }
        }
    }
}

/// The words of a format, and those of its files.
fn words(reader: &Reader<'_>) -> Vec<Vec<u8>> {
    let mut found: BTreeSet<Vec<u8>> = reader.words.iter().map(|word| word.as_bytes().to_vec()).collect();
    for entry in &reader.entries {
        let runs = entry.bytes.split(|byte| !byte.is_ascii_alphanumeric() && !b"_-.".contains(byte));
        found.extend(runs.filter(|run| (3..24).contains(&run.len())).take(400).map(<[u8]>::to_vec));
    }
    found.into_iter().collect()
}
