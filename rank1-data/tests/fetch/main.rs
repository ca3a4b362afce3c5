//! Downloads against a small server on this machine: breaks, lies, stalls, redirects, proxies and disks.
//!
//! Not for the public servers; no test needs a network.

#![allow(clippy::unwrap_used)]

mod faults;
mod files;
mod paths;
mod server;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rank1_data::fetch::{
    FetchError, FetchOptions, FetchedFile, Progress, ProxyChoice, SourceFile, fetch_files,
};
use sha2::{Digest, Sha256};

const NAME: &str = "toy/data.bin";

/// Bytes without a period, so that a shifted or repeated piece changes the digest.
fn content(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn options(folder: &Path) -> FetchOptions {
    FetchOptions {
        proxy: ProxyChoice::Off,
        retries: 3,
        pause: Duration::from_millis(1),
        timeout: Duration::from_secs(2),
        ..FetchOptions::new(folder)
    }
}

/// Downloads one file from `url` with a published digest, and its size where `sized`.
fn download(url: &str, bytes: &[u8], sized: bool, options: &FetchOptions) -> Result<FetchedFile, FetchError> {
    let digest = sha256(bytes);
    let urls = [url];
    let bytes = sized.then_some(bytes.len() as u64);
    let file = SourceFile { path: NAME, urls: &urls, bytes, sha256: Some(&digest) };
    Ok(fetch_files(&[file], options, &mut |_: &Progress<'_>| ControlFlow::Continue(()))?.remove(0))
}

fn target(folder: &Path) -> PathBuf {
    folder.join("toy").join("data.bin")
}

fn part(folder: &Path) -> PathBuf {
    folder.join("toy").join("data.bin.part")
}
