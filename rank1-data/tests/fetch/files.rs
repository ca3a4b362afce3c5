//! What lies in the data folder before, during and after a download.
//!
//! Not for what the servers do.

use std::fs::{self, OpenOptions};
use std::ops::ControlFlow;

use rank1_data::fetch::{FetchError, Origin, Progress, SourceFile, Verification, fetch_files};

use super::server::{Server, Step};
use super::{NAME, content, download, options, part, sha256, target};

#[test]
fn a_stopped_download_leaves_only_the_part_and_a_later_one_finishes_it() {
    let (bytes, folder) = (content(300_007), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Cut(100_003), Step::Serve]);
    let (digest, urls) = (sha256(&bytes), [server.url.as_str()]);
    let file = SourceFile { path: NAME, urls: &urls, bytes: Some(300_007), sha256: Some(&digest) };
    let error =
        fetch_files(&[file], &options(folder.path()), &mut |progress: &Progress<'_>| match progress {
            Progress::Retry { .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
        .unwrap_err();
    assert!(matches!(error, FetchError::Stopped { done: 100_003, .. }), "{error}");
    assert!(!target(folder.path()).exists());
    assert_eq!(fs::read(part(folder.path())).unwrap(), bytes[..100_003]);

    let file = download(&server.url, &bytes, true, &options(folder.path())).unwrap();
    assert_eq!(file.origin, Origin::Continued(100_003));
    assert!(server.requests()[1].contains("range: bytes=100003-"));
    assert_eq!(fs::read(target(folder.path())).unwrap(), bytes);
    assert!(!part(folder.path()).exists());
}

#[test]
fn a_complete_part_needs_no_request_and_an_oversized_or_foreign_one_is_replaced() {
    let bytes = content(4_001);
    let mut foreign = bytes[..3_000].to_vec();
    foreign[17] ^= 1;
    let mut oversized = bytes.clone();
    oversized.push(0);
    for (left, sized, requests) in
        [(bytes.clone(), true, 0), (bytes.clone(), false, 1), (oversized, true, 1), (foreign, true, 2)]
    {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("toy")).unwrap();
        fs::write(part(folder.path()), &left).unwrap();
        let server = Server::start(&bytes, &[Step::Serve]);
        download(&server.url, &bytes, sized, &options(folder.path())).unwrap();
        assert_eq!(fs::read(target(folder.path())).unwrap(), bytes);
        assert_eq!(server.requests().len(), requests, "{} bytes left", left.len());
    }
}

#[test]
fn without_a_digest_bytes_of_an_earlier_call_are_not_trusted() {
    let (bytes, folder) = (content(4_001), tempfile::tempdir().unwrap());
    fs::create_dir_all(folder.path().join("toy")).unwrap();
    fs::write(part(folder.path()), b"bytes of another version").unwrap();
    let server = Server::start(&bytes, &[Step::Serve]);
    let urls = [server.url.as_str()];
    let file = SourceFile { path: NAME, urls: &urls, bytes: None, sha256: None };
    let files =
        fetch_files(&[file], &options(folder.path()), &mut |_: &Progress<'_>| ControlFlow::Continue(()))
            .unwrap();
    assert_eq!(
        (files[0].sha256.clone(), files[0].verification),
        (sha256(&bytes), Verification::NotPublished)
    );
    assert!(!server.requests()[0].contains("range:"));
}

#[test]
fn a_verified_file_is_not_asked_for_again_and_another_one_is_not_overwritten() {
    let (bytes, folder) = (content(4_001), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Serve]);
    download(&server.url, &bytes, true, &options(folder.path())).unwrap();
    let file = download(&server.url, &bytes, true, &options(folder.path())).unwrap();
    assert_eq!((file.origin, file.verification, file.url), (Origin::Present, Verification::Matches, None));
    assert_eq!(server.requests().len(), 1);

    let mine: Vec<u8> = bytes.iter().rev().copied().collect();
    fs::write(target(folder.path()), &mine).unwrap();
    let error = download(&server.url, &bytes, true, &options(folder.path())).unwrap_err();
    assert!(matches!(error, FetchError::Existing { .. }), "{error}");
    assert_eq!(fs::read(target(folder.path())).unwrap(), mine);

    let mut options = options(folder.path());
    options.verify = false;
    let file = download(&server.url, &bytes, true, &options).unwrap();
    assert_eq!((file.origin, file.verification), (Origin::Present, Verification::NotWanted));
    (options.verify, options.replace) = (true, true);
    download(&server.url, &bytes, true, &options).unwrap();
    assert_eq!(fs::read(target(folder.path())).unwrap(), bytes);
}

#[test]
fn a_part_that_another_process_holds_is_left_alone() {
    let (bytes, folder) = (content(4_001), tempfile::tempdir().unwrap());
    fs::create_dir_all(folder.path().join("toy")).unwrap();
    let held = OpenOptions::new().write(true).create(true).truncate(true).open(part(folder.path())).unwrap();
    held.lock().unwrap();
    let server = Server::start(&bytes, &[Step::Serve]);
    let error = download(&server.url, &bytes, true, &options(folder.path())).unwrap_err();
    assert!(matches!(error, FetchError::Locked { .. }), "{error}");
    assert!(server.requests().is_empty());
    drop(held);
    download(&server.url, &bytes, true, &options(folder.path())).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    fs::write(&blocked, b"not a folder").unwrap();
    let error = download("http://127.0.0.1:1/x", b"abc", true, &options(&blocked)).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("cannot create the folder") && message.contains("file/toy"), "{message}");
}

/// The device `/dev/full` refuses every byte as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_the_part_is_kept() {
    let (bytes, folder) = (content(4_001), tempfile::tempdir().unwrap());
    fs::create_dir_all(folder.path().join("toy")).unwrap();
    std::os::unix::fs::symlink("/dev/full", part(folder.path())).unwrap();
    let server = Server::start(&bytes, &[Step::Serve]);
    let error = download(&server.url, &bytes, true, &options(folder.path())).unwrap_err();
    assert!(matches!(error, FetchError::DiskFull { done: 0, total: Some(4_001), .. }), "{error}");
    assert!(error.to_string().contains("disk is full"), "{error}");
    assert!(!target(folder.path()).exists());
}
