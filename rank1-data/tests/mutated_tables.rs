//! Small tables with bytes changed, removed, repeated and cut: each is read or refused in one line, within seconds.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rank1_data::{CsvOptions, CsvSchema, Missing, TestPart, load_table};

/// Longest time that a table of a few hundred bytes may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Tables as they come: plain, with decimal commas, quoted, with dates and missing cells.
const PLAIN: [&str; 4] = [
    "size,color,y\n1.5,red,10\n2,blue,20.5\n4,red,30\n5.25,blue,11\n6,red,12\n7,blue,13.5\n",
    "\u{feff}a;b;y\r\n1,5;x;2,25\r\n2,5;;3\r\n3,5;x;4,75\r\n4;y;5,5\r\n5;y;1.000\r\n",
    "\"name\"\t\"y\"\n\"o\"\"slo\"\t\"1\n2\"\n\"rome\"\t\"3\"\n\"lima\"\t\"4\"\n",
    "sep=|\nwhen|n|y\n2024-01-31|NA|0\n2024-02-01|1,234|1\n2024-02-02|5 %|1\n2024-02-03|-|0\n",
];

fn corpus() -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = PLAIN.iter().map(|text| text.as_bytes().to_vec()).collect();
    for text in PLAIN {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        files.push(gzip.finish().unwrap());
        let options = lzma_rust2::XzOptions::with_preset(1);
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        xz.write_all(text.as_bytes()).unwrap();
        files.push(xz.finish().unwrap());
        let fastest = ruzstd::encoding::CompressionLevel::Fastest;
        files.push(ruzstd::encoding::compress_to_vec(text.as_bytes(), fastest));
    }
    files
}

/// One change of a file; positions are taken modulo its length.
#[derive(Debug, Clone)]
enum Change {
    Replace(usize, u8),
    Insert(usize, u8),
    Remove(usize, usize),
    Repeat(usize, usize, usize),
    Cut(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let n = bytes.len();
        let range = |first: usize, length: usize| first % n..(first % n + length).min(n);
        match *self {
            Self::Replace(at, byte) => bytes[at % n] = byte,
            Self::Insert(at, byte) => bytes.insert(at % n, byte),
            Self::Remove(first, length) => drop(bytes.drain(range(first, length))),
            Self::Repeat(first, length, times) => {
                let part = bytes[range(first, length)].repeat(times);
                bytes.splice(first % n..first % n, part);
            }
            Self::Cut(length) => bytes.truncate(length % (n + 1)),
        }
    }
}

/// Bytes that matter to the reader more often than others.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![proptest::sample::select(b",;\t|\"\n\r.-+eE0123456789 \0\xff\xef%=N".to_vec()), any::<u8>(),]
}

fn change() -> impl Strategy<Value = Change> {
    let at = || 0..10_000_usize;
    prop_oneof![
        4 => (at(), byte()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        2 => (at(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        1 => (at(), 1..20_usize).prop_map(|(first, length)| Change::Remove(first, length)),
        1 => (at(), 1..20_usize, 1..50_usize).prop_map(|(first, length, times)| Change::Repeat(first, length, times)),
        1 => at().prop_map(Change::Cut),
    ]
}

fn one_line(message: &str) {
    assert!(!message.contains('\n') && !message.contains('\r'), "more than one line: {message:?}");
    assert!(message.len() < 2_000, "{} characters: {message}", message.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_table_is_read_or_refused_in_one_line(
        file in 0..16_usize,
        changes in prop::collection::vec(change(), 1..6),
        fills: bool,
    ) {
        let mut bytes = corpus().swap_remove(file);
        changes.iter().for_each(|change| change.apply(&mut bytes));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, &bytes).unwrap();
        let missing = if fills { Missing::ImputeMedian } else { Missing::Refuse };
        let options = CsvOptions { missing, ..CsvOptions::default() };
        let started = Instant::now();
        let part = TestPart::Fraction { fraction: 0.3, seed: 1 };
        match load_table(&path, &part, "y", &options) {
            Ok(loaded) => {
                loaded.notes.iter().for_each(|note| one_line(&note.to_string()));
                // What was read for training can be read for prediction, and is the same.
                let again = loaded.schema.read_inputs(&path);
                prop_assert!(again.is_ok(), "{:?}", again.err());
                let n = loaded.dataset.train.len() + loaded.dataset.test.len();
                prop_assert_eq!(again.unwrap().values.nrows(), n);
                prop_assert!(loaded.dataset.train.inputs.iter().all(|value| value.is_finite()));
            }
            Err(refused) => one_line(&refused.to_string()),
        }
        prop_assert!(started.elapsed() < LONGEST, "{:?}", started.elapsed());
    }

    #[test]
    fn a_changed_table_is_predicted_or_refused_in_one_line(
        changes in prop::collection::vec(change(), 1..6),
        from in 0..2_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, PLAIN[0]).unwrap();
        let schema = CsvSchema::fit(&path, "y", &CsvOptions::default()).unwrap();
        let mut bytes = PLAIN[from].as_bytes().to_vec();
        changes.iter().for_each(|change| change.apply(&mut bytes));
        match schema.read_inputs_from(bytes.as_slice(), Path::new("stdin")) {
            Ok(read) => prop_assert!(read.values.iter().all(|value| value.is_finite())),
            Err(refused) => one_line(&refused.to_string()),
        }
    }
}
