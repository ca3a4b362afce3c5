//! Ways to the bytes: redirects, mirrors, proxies, slow and sizeless answers.
//!
//! Not for faults of the server.

use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use rank1_data::fetch::{FetchError, Progress, ProxyChoice, SourceFile, Verification, fetch, fetch_files};

use super::server::{Server, Step};
use super::{NAME, content, download, options, sha256, target};

#[test]
fn a_plain_download_has_the_bytes_their_digest_and_no_leftovers() {
    let (bytes, folder) = (content(70_001), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Serve]);
    let url = format!("{}/a/data.bin", server.url);
    let file = download(&url, &bytes, true, &options(folder.path())).unwrap();
    assert_eq!((file.bytes, file.sha256, file.url), (70_001, sha256(&bytes), Some(url)));
    assert_eq!(fs::read(target(folder.path())).unwrap(), bytes);
    assert_eq!(fs::read_dir(folder.path().join("toy")).unwrap().count(), 1);
    let request = &server.requests()[0];
    assert!(request.starts_with("get /a/data.bin http/1.1"), "{request}");
    assert!(request.contains("accept-encoding: identity") && !request.contains("range"), "{request}");
}

#[test]
fn redirects_are_followed_and_keep_the_range() {
    let (bytes, folder) = (content(9_001), tempfile::tempdir().unwrap());
    let last = Server::start(&bytes, &[Step::Cut(2_003), Step::Serve]);
    let first = Server::start(&bytes, &[Step::Redirect(format!("{}/there", last.url))]);
    download(&first.url, &bytes, true, &options(folder.path())).unwrap();
    assert_eq!((first.requests().len(), last.requests().len()), (2, 2));
    assert!(last.requests()[1].contains("range: bytes=2003-"), "{}", last.requests()[1]);
}

#[test]
fn endless_redirects_end() {
    let (bytes, folder) = (content(11), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Redirect("/again".into())]);
    let error = download(&server.url, &bytes, true, &options(folder.path())).unwrap_err();
    assert!(matches!(error, FetchError::Connection { passing: false, .. }), "{error}");
    assert!(server.requests().len() <= 12);
}

#[test]
fn a_slow_drip_reports_growing_bytes_up_to_the_total() {
    let (bytes, folder) = (content(5_000), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Drip(499, Duration::from_millis(10))]);
    let (digest, urls) = (sha256(&bytes), [server.url.as_str()]);
    let file = SourceFile { path: NAME, urls: &urls, bytes: None, sha256: Some(&digest) };
    let mut heard = Vec::new();
    fetch_files(&[file], &options(folder.path()), &mut |progress: &Progress<'_>| {
        if let Progress::Bytes { file, done, total } = progress {
            assert_eq!((*file, *total), (NAME, Some(5_000)));
            heard.push(*done);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(heard.len() >= 3 && heard.windows(2).all(|pair| pair[0] < pair[1]), "{heard:?}");
    assert_eq!(heard.last(), Some(&5_000));
}

#[test]
fn chunked_answers_without_a_size_are_complete_at_their_end() {
    let bytes = content(5_000);
    for sized in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&bytes, &[Step::Chunked]);
        download(&server.url, &bytes, sized, &options(folder.path())).unwrap();
        assert_eq!(fs::read(target(folder.path())).unwrap(), bytes);
    }
}

#[test]
fn a_chunked_answer_longer_than_published_is_refused() {
    let (bytes, folder) = (content(5_000), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Chunked]);
    let error = download(&server.url, &bytes[..4_000], true, &options(folder.path())).unwrap_err();
    assert!(matches!(error, FetchError::Length { expected: 4_000, .. }), "{error}");
}

#[test]
fn a_proxy_is_asked_for_the_host_of_the_file() {
    let (bytes, folder) = (content(3_001), tempfile::tempdir().unwrap());
    let proxy = Server::start(&bytes, &[Step::Tunnel]);
    let mut options = options(folder.path());
    options.proxy = ProxyChoice::Address(proxy.url.clone());
    download("http://data.invalid/set/data.bin", &bytes, true, &options).unwrap();
    let requests = proxy.requests();
    assert!(requests[0].starts_with("connect data.invalid:80 "), "{}", requests[0]);
    assert!(requests[1].starts_with("get /set/data.bin "), "{}", requests[1]);

    options.proxy = ProxyChoice::Address("socks9://me:secret@host:1".into());
    options.folder.push("other");
    let message = download("http://data.invalid/y", b"no", true, &options).unwrap_err().to_string();
    assert!(message.starts_with("proxy ") && !message.contains("secret"), "{message}");
}

#[test]
fn a_mirror_template_serves_the_files_of_a_named_set() {
    let (bytes, folder) = (content(64), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::IgnoreRange]);
    let mut options = options(folder.path());
    options.mirror = Some(format!("{}/near/{{file}}?p={{path}}", server.url));
    // The set whose archive has no published digest takes any bytes and says so.
    let report = fetch("uci", &options, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((report.files[0].verification, report.is_verified()), (Verification::NotPublished, false));
    assert_eq!(report.files[0].sha256, sha256(&bytes));
    let wanted = "get /near/uci_regression_splits.tar.gz?p=uci/uci_regression_splits.tar.gz ";
    assert!(server.requests()[0].starts_with(wanted), "{}", server.requests()[0]);

    // A set with digests does not take them.
    let error = fetch("mnist", &options, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, FetchError::Length { expected: 9_912_422, got: 64, .. }), "{error}");
}
