//! Servers and connections that fail, stall or lie.
//!
//! Not for healthy servers.

use std::fs;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rank1_data::fetch::{FetchError, Origin, Progress, SourceFile, Verification, fetch_files};

use super::server::{Server, Step};
use super::{NAME, content, download, options, part, sha256, target};

fn gave_up(error: FetchError) -> (u32, FetchError) {
    match error {
        FetchError::GaveUp { attempts, last } => (attempts, *last),
        other => panic!("expected to give up, got {other}"),
    }
}

#[test]
fn a_connection_cut_at_any_byte_is_continued_from_there() {
    let bytes = content(30_011);
    for cut in [0, 1, 4_099, 17_389, 30_010] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&bytes, &[Step::Cut(cut), Step::Serve]);
        let file = download(&server.url, &bytes, true, &options(folder.path())).unwrap();
        assert_eq!(fs::read(target(folder.path())).unwrap(), bytes, "cut at {cut}");
        assert_eq!((file.origin, file.verification), (Origin::Downloaded, Verification::Matches));
        let requests = server.requests();
        assert_eq!(requests.len(), 2);
        if cut > 0 {
            assert!(requests[1].contains(&format!("range: bytes={cut}-\r\n")), "{}", requests[1]);
            assert!(requests[1].contains("if-range: \"v1\""), "{}", requests[1]);
        }
        assert!(!part(folder.path()).exists());
    }
}

#[test]
fn a_stall_ends_after_the_timeout_and_the_next_attempt_goes_on() {
    let (bytes, folder) = (content(9_001), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Stall(1_003), Step::Serve]);
    let mut options = options(folder.path());
    options.timeout = Duration::from_millis(300);
    let begin = Instant::now();
    download(&server.url, &bytes, true, &options).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert!(server.requests()[1].contains("range: bytes=1003-"));
}

#[test]
fn a_lasting_stall_gives_up_after_the_retries_and_keeps_the_part() {
    let (bytes, folder) = (content(9_001), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Stall(100)]);
    let mut options = options(folder.path());
    (options.retries, options.timeout) = (2, Duration::from_millis(300));
    let error = download(&server.url, &bytes, true, &options).unwrap_err();
    assert!(error.to_string().contains("gave up after 3 attempts"), "{error}");
    let (attempts, last) = gave_up(error);
    assert_eq!(attempts, 3);
    assert!(matches!(last, FetchError::Stalled { done: 300, .. }), "{last}");
    assert_eq!((server.requests().len(), target(folder.path()).exists()), (3, false));
    assert_eq!(fs::read(part(folder.path())).unwrap(), bytes[..300]);
}

#[test]
fn a_promised_length_that_differs_from_the_published_one_is_refused_at_once() {
    let bytes = content(2_003);
    for claim in [1_999, 2_500] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&bytes, &[Step::Claim(claim)]);
        let error = download(&server.url, &bytes, true, &options(folder.path())).unwrap_err();
        assert!(
            matches!(error, FetchError::Length { expected: 2_003, got, .. } if got == claim as u64),
            "{error}"
        );
        assert_eq!(server.requests().len(), 1);
        assert!(!target(folder.path()).exists() && !part(folder.path()).exists());
    }
}

#[test]
fn without_a_published_length_too_long_a_promise_is_settled_by_the_next_answer_and_too_short_a_one_by_the_digest()
 {
    let (bytes, folder) = (content(2_003), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Claim(2_500), Step::Serve]);
    download(&server.url, &bytes, false, &options(folder.path())).unwrap();
    assert_eq!(fs::read(target(folder.path())).unwrap(), bytes);

    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&bytes, &[Step::Claim(1_999)]);
    let error = download(&server.url, &bytes, false, &options(folder.path())).unwrap_err();
    assert!(matches!(&error, FetchError::Digest { got, .. } if *got == sha256(&bytes[..1_999])), "{error}");
    assert!(!target(folder.path()).exists() && !part(folder.path()).exists());
}

#[test]
fn a_body_that_never_fulfills_its_length_gives_up() {
    let (bytes, folder) = (content(2_003), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Claim(2_500)]);
    let (attempts, last) =
        gave_up(download(&server.url, &bytes, false, &options(folder.path())).unwrap_err());
    assert!(matches!(last, FetchError::Truncated { expected: 2_500, got: 2_003, .. }), "{last}");
    assert_eq!(attempts, 4);
}

#[test]
fn a_chunked_answer_that_breaks_off_is_not_complete_even_without_size_and_digest() {
    let (bytes, folder) = (content(5_003), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::ChunkedCut(3_001), Step::Chunked]);
    let urls = [server.url.as_str()];
    let file = SourceFile { path: NAME, urls: &urls, bytes: None, sha256: None };
    fetch_files(&[file], &options(folder.path()), &mut |_: &Progress<'_>| ControlFlow::Continue(())).unwrap();
    assert_eq!(fs::read(target(folder.path())).unwrap(), bytes);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn wrong_bytes_are_named_by_both_digests_and_not_kept() {
    let (bytes, folder) = (content(5_003), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Wrong]);
    let error = download(&server.url, &bytes, true, &options(folder.path())).unwrap_err();
    let wrong: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
    let message = error.to_string();
    assert!(message.contains(&sha256(&bytes)) && message.contains(&sha256(&wrong)), "{message}");
    assert!(!target(folder.path()).exists() && !part(folder.path()).exists());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_second_address_is_asked_when_the_first_one_fails() {
    let (bytes, folder) = (content(5_003), tempfile::tempdir().unwrap());
    for bad in [Step::Wrong, Step::Status(404), Step::Claim(17)] {
        let (bad, good) = (Server::start(&bytes, &[bad]), Server::start(&bytes, &[Step::Serve]));
        let (digest, urls) = (sha256(&bytes), [bad.url.as_str(), good.url.as_str()]);
        let file = SourceFile { path: NAME, urls: &urls, bytes: Some(5_003), sha256: Some(&digest) };
        let mut options = options(folder.path());
        options.replace = true;
        let files =
            fetch_files(&[file], &options, &mut |_: &Progress<'_>| ControlFlow::Continue(())).unwrap();
        assert_eq!(files[0].url.as_deref(), Some(good.url.as_str()));
        fs::remove_file(target(folder.path())).unwrap();
    }
}

#[test]
fn a_server_that_ignores_ranges_starts_anew_with_the_same_result() {
    let (bytes, folder) = (content(8_009), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Cut(3_001), Step::IgnoreRange]);
    download(&server.url, &bytes, true, &options(folder.path())).unwrap();
    assert!(server.requests()[1].contains("range: bytes=3001-"));
    assert_eq!(fs::read(target(folder.path())).unwrap(), bytes);
}

#[test]
fn a_range_that_begins_elsewhere_is_not_appended() {
    let (bytes, folder) = (content(8_009), tempfile::tempdir().unwrap());
    let server = Server::start(&bytes, &[Step::Cut(3_001), Step::WrongRange, Step::Serve]);
    download(&server.url, &bytes, true, &options(folder.path())).unwrap();
    let requests = server.requests();
    assert_eq!((requests.len(), requests[2].contains("range:")), (3, false));
    assert_eq!(fs::read(target(folder.path())).unwrap(), bytes);
}

#[test]
fn passing_statuses_are_tried_again_and_lasting_ones_are_not() {
    let bytes = content(1_009);
    for (status, attempts) in [(500, 4), (503, 4), (429, 4), (404, 1), (403, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&bytes, &[Step::Status(status)]);
        let error = download(&server.url, &bytes, true, &options(folder.path())).unwrap_err();
        assert!(error.to_string().contains(&format!("HTTP status {status}")), "{error}");
        assert_eq!(server.requests().len(), attempts, "status {status}");
        assert!(!part(folder.path()).exists());
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&bytes, &[Step::Status(503), Step::Status(500), Step::Serve]);
    download(&server.url, &bytes, true, &options(folder.path())).unwrap();
}

#[test]
fn a_closed_port_is_a_connection_error_after_the_retries() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    drop(listener);
    let (_, last) = gave_up(download(&url, b"abc", true, &options(folder.path())).unwrap_err());
    assert!(matches!(&last, FetchError::Connection { url: named, .. } if *named == url), "{last}");
}
