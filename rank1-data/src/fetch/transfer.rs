//! One file from its addresses to its final name: attempts, continuation after a break, checks of size and digest.
//!
//! Not for the table of sets and not for single requests.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::client::{self, Answer, content_range};
use super::error::FetchError;
use super::part::{CHUNK, Part};
use super::source::SourceFile;
use super::{FetchOptions, Progress};

/// Bytes of progress after which failures are counted anew.
const FRESH_COUNT: u64 = 1 << 20;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

type Report<'r> = &'r mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>;

/// What came of a download.
pub(super) struct Received {
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) url: String,
    /// Bytes that an earlier call had left and that were kept.
    pub(super) kept: u64,
}

/// Downloads `file` to `target`; `None` when another process finished it meanwhile.
pub(super) fn download(
    file: &SourceFile<'_>,
    target: &Path,
    urls: &[String],
    options: &FetchOptions,
    report: Report<'_>,
) -> Result<Option<Received>, FetchError> {
    let Some(part) = Part::open(target)? else { return Ok(None) };
    let inherited = part.done();
    let mut transfer = Transfer { file, options, part, validator: None, inherited };
    let mut last = FetchError::Connection {
        url: file.path.to_owned(),
        reason: "no address is known".to_owned(),
        passing: false,
    };
    for url in urls {
        match transfer.ask_address(url, report) {
            Ok(()) => {
                let Transfer { part, inherited, .. } = transfer;
                let (bytes, sha256) = (part.done(), part.digest());
                part.finish(target)?;
                return Ok(Some(Received { bytes, sha256, url: url.clone(), kept: inherited }));
            }
            Err(error) if error.is_of_server() => last = error,
            Err(error) => {
                transfer.part.close();
                return Err(error);
            }
        }
        transfer.inherited = transfer.part.done();
        transfer.validator = None;
    }
    transfer.part.close();
    Err(last)
}

struct Transfer<'t> {
    file: &'t SourceFile<'t>,
    options: &'t FetchOptions,
    part: Part,
    /// Validator of the answer that the present bytes came from.
    validator: Option<String>,
    /// Bytes that came from an earlier call or another address and are still in use.
    inherited: u64,
}

impl Transfer<'_> {
    /// Attempts one address until the file is complete and right, or no further attempt is allowed.
    fn ask_address(&mut self, url: &str, report: Report<'_>) -> Result<(), FetchError> {
        let mut failures = 0;
        loop {
            let before = self.part.done();
            let result = self.attempt(url, report).and_then(|()| self.check_digest(url));
            let Err(error) = result else { return Ok(()) };
            if matches!(error, FetchError::Digest { .. }) {
                let blameless = self.inherited > 0;
                self.restart()?;
                // The earlier bytes may be the wrong ones: once more, all from here.
                if blameless {
                    continue;
                }
            }
            if !error.is_passing() {
                return Err(error);
            }
            if self.part.done() >= before + FRESH_COUNT {
                failures = 0;
            }
            failures += 1;
            if failures > self.options.retries {
                return Err(FetchError::GaveUp { attempts: failures, last: Box::new(error) });
            }
            let pause = self.pause(failures, &error);
            let retry = Progress::Retry {
                file: self.file.path,
                attempt: failures,
                retries: self.options.retries,
                pause,
                reason: &error,
            };
            self.tell(&retry, report)?;
            std::thread::sleep(pause);
        }
    }

    /// One request and its body. `Ok` means that the file is complete as far as its size tells.
    fn attempt(&mut self, url: &str, report: Report<'_>) -> Result<(), FetchError> {
        let oversized = self.file.bytes.is_some_and(|bytes| self.part.done() > bytes);
        // Without a digest only a validator says that old and new bytes belong to the same file.
        let unprovable = self.published().is_none() && self.validator.is_none();
        if oversized || unprovable {
            self.restart()?;
        }
        if self.part.done() > 0 && self.file.bytes == Some(self.part.done()) {
            return Ok(());
        }
        let answer = client::get(url, self.part.done(), self.validator.as_deref(), self.options)?;
        let Some(total) = self.offered(url, &answer)? else { return Ok(()) };
        if let (Some(expected), Some(got)) = (self.file.bytes, total)
            && expected != got
        {
            return Err(FetchError::Length { url: url.to_owned(), expected, got });
        }
        self.validator = answer.validator;
        self.receive(url, answer.body, self.file.bytes.or(total), report)
    }

    /// The size of the whole file that the answer promises; `None` when nothing is left to send.
    fn offered(&mut self, url: &str, answer: &Answer) -> Result<Option<Option<u64>>, FetchError> {
        let done = self.part.done();
        let range = answer.range.as_deref().and_then(content_range);
        match answer.status {
            200 => {
                // The server ignores ranges, or the file changed since.
                self.restart()?;
                Ok(Some(answer.length))
            }
            206 if range.is_some_and(|(first, _)| first == Some(done)) => Ok(Some(
                range.and_then(|(_, total)| total).or_else(|| answer.length.map(|length| done + length)),
            )),
            416 if done > 0 && range.and_then(|(_, total)| total) == Some(done) => Ok(None),
            206 | 416 if done > 0 => {
                self.restart()?;
                let got = answer.range.clone().unwrap_or_else(|| format!("status {}", answer.status));
                Err(FetchError::Range { url: url.to_owned(), expected: done, got })
            }
            status => {
                Err(FetchError::Status { url: url.to_owned(), status, retry_after: answer.retry_after })
            }
        }
    }

    fn receive(
        &mut self,
        url: &str,
        mut body: Box<dyn std::io::Read>,
        total: Option<u64>,
        report: Report<'_>,
    ) -> Result<(), FetchError> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let done = self.part.done();
            let n = match body.read(&mut chunk) {
                Ok(n) => n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let failure = client::read_failure(url, error, done, self.options.timeout);
                    return Err(match (failure, total) {
                        (FetchError::Connection { url, .. }, Some(expected)) => {
                            FetchError::Truncated { url, expected, got: done }
                        }
                        (failure, _) => failure,
                    });
                }
            };
            match total {
                Some(expected) if n == 0 && done < expected => {
                    return Err(FetchError::Truncated { url: url.to_owned(), expected, got: done });
                }
                Some(expected) if done + n as u64 > expected => {
                    self.restart()?;
                    return Err(FetchError::Length { url: url.to_owned(), expected, got: done + n as u64 });
                }
                _ if n == 0 => return Ok(()),
                _ => self.part.append(&chunk[..n], total)?,
            }
            let bytes = Progress::Bytes { file: self.file.path, done: self.part.done(), total };
            self.tell(&bytes, report)?;
        }
    }

    fn check_digest(&self, url: &str) -> Result<(), FetchError> {
        let got = self.part.digest();
        match self.published() {
            Some(expected) if expected != got => {
                Err(FetchError::Digest { url: url.to_owned(), expected: expected.to_owned(), got })
            }
            _ => Ok(()),
        }
    }

    /// The digest to compare with, if that is wanted.
    fn published(&self) -> Option<&str> {
        self.file.sha256.filter(|_| self.options.verify)
    }

    fn restart(&mut self) -> Result<(), FetchError> {
        self.part.restart()?;
        (self.validator, self.inherited) = (None, 0);
        Ok(())
    }

    fn pause(&self, failures: u32, error: &FetchError) -> Duration {
        let doubled = self.options.pause.saturating_mul(1 << (failures - 1).min(16));
        let asked = match error {
            FetchError::Status { retry_after: Some(seconds), .. } => Duration::from_secs(*seconds),
            _ => Duration::ZERO,
        };
        doubled.max(asked).min(LONGEST_PAUSE)
    }

    fn tell(&self, progress: &Progress<'_>, report: Report<'_>) -> Result<(), FetchError> {
        match report(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => {
                Err(FetchError::Stopped { path: self.part.path().to_path_buf(), done: self.part.done() })
            }
        }
    }
}
