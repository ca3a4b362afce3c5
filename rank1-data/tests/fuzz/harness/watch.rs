//! What is measured while one input is read: panics, memory, time.

use std::any::Any;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;

/// Counts what every allocation of the program holds.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Where the panics of the inputs happened; `None` while panics are not those of inputs.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// How reading one input went.
#[derive(Debug)]
pub(crate) struct Measured<T> {
    /// What came, or where and why it panicked.
    pub(crate) got: Result<T, String>,
    pub(crate) time: Duration,
    /// Most bytes held at a time, beyond those held before.
    pub(crate) peak: usize,
}

/// Runs `read`.
pub(crate) fn measured<T>(read: impl FnOnce() -> T) -> Measured<T> {
    listen_to_panics();
    set_place(Some(String::new()));
    ALLOCATOR.reset_peak_usage();
    let (before, started) = (ALLOCATOR.current_usage(), Instant::now());
    let got = panic::catch_unwind(AssertUnwindSafe(read));
    let (time, peak) = (started.elapsed(), ALLOCATOR.peak_usage().saturating_sub(before));
    let place = set_place(None).unwrap_or_default();
    Measured { got: got.map_err(|panic| format!("{place}: {}", message(panic.as_ref()))), time, peak }
}

fn set_place(place: Option<String>) -> Option<String> {
    std::mem::replace(&mut *PANIC.lock().unwrap_or_else(PoisonError::into_inner), place)
}

/// Panics of inputs are kept with their place in place of being printed, on whichever thread they happen.
fn listen_to_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let mut place = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
            match (place.as_mut(), info.location()) {
                (Some(place), Some(location)) => *place = format!("{}:{}", location.file(), location.line()),
                _ => before(info),
            }
        }));
    });
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text").to_owned()
}

/// The exit status of a process whose input took too long.
const TOO_SLOW: i32 = 97;

/// Seconds on a processor that this process has had; where the system does not tell, those since the first call.
pub(crate) fn cpu() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let ticks = |text: String| {
        // Behind the name, which may hold anything: state, ten numbers, then time of the program and of the system for it.
        let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11).map(str::parse::<u64>);
        Some(fields.next()?.ok()? + fields.next()?.ok()?)
    };
    match std::fs::read_to_string("/proc/self/stat").ok().and_then(ticks) {
        Some(ticks) => Duration::from_millis(10 * ticks),
        None => FIRST.get_or_init(Instant::now).elapsed(),
    }
}

/// How often the time on a processor is looked up.
const LOOKED_UP: Duration = Duration::from_secs(1);

/// How many times longer an input may take where other programs have the processor.
const PATIENCE: u32 = 60;

/// When an input began: on the clock, and (up to a second before) on the processor.
#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Instant,
    cpu: Duration,
}

/// Which input is being read, for a process that dies of it and for one that never ends it.
pub(crate) struct Watch {
    begun: Arc<Mutex<Option<Begun>>>,
    number: Option<File>,
    looked_up: Option<Begun>,
}

impl Watch {
    /// Watches a run; with a folder, the process ends when an input is not read within `slowest`.
    pub(crate) fn start(folder: Option<&Path>, slowest: Duration) -> Self {
        let begun = Arc::new(Mutex::new(None::<Begun>));
        let number = folder.map(|folder| File::create(folder.join("number")).expect("xtask made the folder"));
        if number.is_some() {
            let begun = Arc::downgrade(&begun);
            std::thread::spawn(move || {
                while let Some(begun) = begun.upgrade() {
                    let now = *begun.lock().unwrap_or_else(PoisonError::into_inner);
                    if now.is_some_and(|now| is_late(now, slowest + LOOKED_UP)) {
                        std::process::exit(TOO_SLOW);
                    }
                    drop(begun);
                    std::thread::sleep(Duration::from_millis(200));
                }
            });
        }
        Self { begun, number, looked_up: None }
    }

    /// An input begins.
    pub(crate) fn begin(&mut self, number: u64) {
        if let Some(file) = &self.number {
            file.write_all_at(&number.to_le_bytes(), 0).expect("the folder of figures can be written");
        }
        let at = Instant::now();
        let known = self.looked_up.filter(|known| at - known.at < LOOKED_UP);
        let known = *self.looked_up.insert(known.unwrap_or_else(|| Begun { at, cpu: cpu() }));
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(Begun { at, cpu: known.cpu });
    }

    /// An input ends; whether it took longer than `slowest`.
    pub(crate) fn end(&mut self, slowest: Duration) -> bool {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).take();
        begun.is_some_and(|begun| is_late(begun, slowest))
    }
}

/// Whether an input has had the processor for longer than `slowest`; or waits, as for a lock that nobody gives back.
fn is_late(begun: Begun, slowest: Duration) -> bool {
    let waited = begun.at.elapsed();
    waited > slowest && (waited > PATIENCE * slowest || cpu().saturating_sub(begun.cpu) > slowest)
}
