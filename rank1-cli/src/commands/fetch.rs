//! `rank1 data fetch`: a published set downloaded, with progress and a table of checked files.

use std::ops::ControlFlow;

use anyhow::Result;
use rank1_data::fetch::{FetchOptions, ProxyChoice, fetch};

use crate::args::FetchArgs;
use crate::progress::DownloadProgress;
use crate::tables;

/// Downloads what is missing and prints the files.
///
/// # Errors
/// Unknown and withheld sets, a failing server, wrong bytes, a refusing disk.
pub fn run(args: &FetchArgs) -> Result<()> {
    let proxy = match args.proxy.as_deref() {
        None => ProxyChoice::Environment,
        Some("off") => ProxyChoice::Off,
        Some(address) => ProxyChoice::Address(address.to_owned()),
    };
    let options = FetchOptions {
        mirror: args.mirror.clone(),
        proxy,
        retries: args.retries,
        verify: !args.no_verify,
        replace: args.replace,
        ..FetchOptions::new(&args.data)
    };
    let progress = DownloadProgress::new();
    let fetched = fetch(&args.set, &options, |heard| {
        progress.update(heard);
        ControlFlow::Continue(())
    });
    progress.clear();
    tables::print_fetched(&fetched?)
}
