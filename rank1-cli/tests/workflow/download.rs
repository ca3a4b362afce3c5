//! `rank1 data fetch` against a server of this machine, and `rank1 data corrupt`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use rank1_data::image::{NpyValues, read_npy};

use crate::workbench::{Bench, assert_says, files};

/// A server that answers every request with these bytes; its address.
fn serve(content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let request = BufReader::new(stream.try_clone().unwrap()).lines();
            request.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let length = content.len();
            // A client that leaves early is no error of the test.
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(&content);
        }
    });
    address
}

fn fetch<'a>(set: &'a str, mirror: &'a str) -> Vec<&'a str> {
    vec!["data", "fetch", set, "--data", "data", "--mirror", mirror, "--proxy", "off", "--retries", "0"]
}

#[test]
fn a_set_comes_from_a_mirror_once_and_says_what_was_checked() {
    let (bench, mirror) = (Bench::new(), serve(b"an archive".to_vec()));
    let text = bench.succeed(&fetch("uci", &mirror)).stdout;
    assert_says(
        &text,
        &["uci: 1 files", "uci_regression_splits.tar.gz", "downloaded", "none published", "10 B"],
    );
    assert_eq!(bench.read("data/uci/uci_regression_splits.tar.gz"), "an archive");
    let text = bench.succeed(&fetch("uci", "http://127.0.0.1:1")).stdout;
    assert_says(&text, &["was there", "none published"]);
}

#[test]
fn other_bytes_than_the_published_ones_are_refused_and_not_kept() {
    let (bench, mirror) = (Bench::new(), serve(vec![7; 4_542]));
    let ran = bench.rank1(&fetch("cifar10", &mirror));
    assert_says(&ran.refusal(), &["4542 bytes offered", "170052171"]);
    let ran = bench.rank1(&fetch("physionet2012", &mirror));
    assert_says(&ran.refusal(), &["wrong bytes, not kept", "8cb250f1"]);
    assert!(files(&bench.path("data")).values().all(Option::is_none), "nothing is kept");
}

#[test]
fn withheld_and_unknown_sets_and_silent_servers_are_refused_with_a_way_on() {
    let bench = Bench::new();
    let refusal = |set: &str| bench.refused(&fetch(set, "http://127.0.0.1:1"));
    assert_says(&refusal("imagenet"), &["terms of access", "https://www.image-net.org/download.php"]);
    assert_says(&refusal("mimic3"), &["credentialed", "https://physionet.org/content/mimiciii"]);
    assert_says(&refusal("cifar10c"), &["did you mean `cifar10-c`"]);
    assert_says(&bench.rank1(&fetch("mnist", "http://127.0.0.1:1")).refusal(), &["127.0.0.1:1"]);
}

#[test]
fn corrupted_digits_are_stacked_by_severity() {
    let bench = Bench::new();
    let words = ["data", "corrupt", "mnist10k", "--out", "out", "--corruption", "contrast"];
    let two = [&words[..], &["--severity", "5", "--severity", "1"]].concat();
    bench.succeed(&two);
    let images = read_npy(&bench.path("out/contrast.npy")).unwrap();
    let labels = read_npy(&bench.path("out/labels.npy")).unwrap();
    assert_eq!((&images.shape[..], &labels.shape[..]), (&[4_000, 28, 28, 1][..], &[4_000][..]));
    let (NpyValues::U8(pixels), NpyValues::U8(labels)) = (images.values, labels.values) else { panic!() };
    assert_eq!(labels[..2_000], labels[2_000..]);
    let (weak, strong) = pixels.split_at(pixels.len() / 2);
    let range = |image: &[u8]| image.iter().max().unwrap() - image.iter().min().unwrap();
    assert!(range(&weak[..784]) > 2 * range(&strong[..784]), "severity 1 stands before severity 5");
    assert_says(&bench.refused(&two), &["contrast.npy exists"]);
    let line = bench.refused(&["data", "corrupt", "boston", "--out", "other"]);
    assert_says(&line, &["boston", "images"]);
    let line = bench.refused(&["data", "corrupt", "mnist10k", "--out", "other", "--corruption", "frots"]);
    assert_says(&line, &["did you mean `frost`"]);
}
