//! A user's own tables: plain, packed, and at prediction; what is read for training is read for prediction, and alike.

use std::io::Write as _;
use std::path::Path;

use rank1_data::{CsvOptions, CsvSchema, Missing, Task, TestPart, UnknownLevels, load_table};

use crate::corpus::gzip;
use crate::harness::{Entry, Input, Reader};
use crate::place::{Place, text};

/// What a small table may take: packed ones may grow a lot.
const MOST: usize = 192 << 20;

/// Tables as they come: plain, with decimal commas, quoted, with dates and missing cells, with the index of pandas.
const TABLES: [(&str, &str); 6] = [
    ("plain", "size,color,y\n1.5,red,10\n2,blue,20.5\n4,red,30\n5.25,blue,11\n6,red,12\n7,blue,13.5\n"),
    ("comma", "\u{feff}a;b;y\r\n1,5;x;2,25\r\n2,5;x;3\r\n3,5;x;4,75\r\n4;y;5,5\r\n5;y;1,000\r\n"),
    ("tab", "\"name\"\t\"y\"\n\"o\"\"slo\"\t\"1\"\n\"oslo\"\t\"3\"\n\"o\"\"slo\"\t\"4\"\n"),
    ("pipe", "sep=|\nwhen|n|y\n1|2|no\n2|3|yes\n3|5|no\n4|7|yes\n5|8|yes\n"),
    ("index", ",a,y\n0,1700000001,1e-3\n1,1700000002,2e-3\n2,1700000003,3e2\n3,1700000004,-4\n"),
    ("big", "n,y\n123456789012345678901234567890,1\n1e30,2\n-1e-30,3\n0.1,4\n5,5\n"),
];

/// A table that is refused, with dates and percents: its parts come into others.
const REFUSED: &str = "when,n,y\n2024-01-31,NA,0\n2024-02-01,\"1,234\",1\n2024-02-02,5 %,1\n2024-02-03,-,0\n";

const WORDS: &[&str] = &[
    "NA",
    "NaN",
    "?",
    "null",
    "True",
    "false",
    "2024-01-31",
    "12:30",
    "1,5",
    "1.234,5",
    "1 234",
    "5 %",
    "inf",
    "1e400",
    "\"\"",
    "\"",
    "\r\n",
    "\r",
    "\n\n",
    "sep=;",
    ";",
    "\t",
    "|",
    ",,",
    "\u{feff}",
    "\u{a0}",
    "\0",
    "Unnamed: 0",
    "y",
    "size",
    "\u{2212}1",
];

/// Options that a number stands for; zero for the defaults.
fn options(variation: u64) -> CsvOptions {
    let bit = |i: u32| variation != 0 && variation >> (i + 8) & 3 == 1;
    let one = |wanted, value: &str| if wanted { vec![value.to_owned()] } else { Vec::new() };
    CsvOptions {
        categorical: one(bit(0), "size"),
        ignore: one(bit(2), ""),
        keep_index: bit(3),
        missing: match variation >> 32 & 3 {
            1 => Missing::ImputeMean,
            2 | 3 => Missing::ImputeMedian,
            _ => Missing::Refuse,
        },
        missing_tokens: bit(4).then(|| vec!["NA".into(), "red".into()]),
        task: bit(6).then_some(Task::Classification),
        unknown_levels: if bit(8) { UnknownLevels::AllZero } else { UnknownLevels::Refuse },
        max_levels: if bit(10) { 2 } else { 128 },
        delimiter: bit(12).then_some(';'),
        decimal: bit(14).then_some(','),
        ..CsvOptions::default()
    }
}

fn one_line(message: &str) {
    assert!(
        !message.contains(['\n', '\r']) && message.len() < 2_000,
        "a note of {} bytes: {message:?}",
        message.len()
    );
}

fn train(place: &Place, input: Input<'_>, bytes: &[u8]) -> Result<(), String> {
    let path = place.put("t.csv", bytes);
    let part = TestPart::Fraction { fraction: 0.3, seed: 1 };
    let loaded = load_table(&path, &part, "y", &options(input.variation)).map_err(text)?;
    loaded.notes.iter().for_each(|note| one_line(&note.to_string()));
    let again = loaded.schema.read_inputs(&path).unwrap_or_else(|error| panic!("not read again: {error}"));
    assert_eq!(again.values.nrows(), loaded.dataset.train.len() + loaded.dataset.test.len());
    assert!(loaded.dataset.train.inputs.iter().all(|value| value.is_finite()));
    Ok(())
}

fn entries() -> Vec<Entry> {
    let mut entries: Vec<Entry> = TABLES.iter().map(|(name, text)| Entry::new(name, *text)).collect();
    entries.push(Entry::refused("refused", REFUSED));
    entries
}

pub(crate) fn plain() -> Reader<'static> {
    let place = Place::new();
    Reader {
        name: "csv",
        most_bytes: MOST,
        entries: entries(),
        words: WORDS,
        mend: None,
        read: Box::new(move |input| train(&place, input, input.bytes)),
    }
}

/// The ending of a packed file and what packs it.
type Packing = (&'static str, fn(&[u8]) -> Vec<u8>);

fn packings() -> [Packing; 3] {
    let xz = |bytes: &[u8]| {
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
        xz.write_all(bytes).unwrap();
        xz.finish().unwrap()
    };
    let zstd =
        |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    [("gz", gzip), ("xz", xz), ("zst", zstd)]
}

/// Packed and then changed.
pub(crate) fn packed() -> Reader<'static> {
    let place = Place::new();
    let packed = packings().into_iter().flat_map(|(ending, pack)| {
        TABLES[..4]
            .iter()
            .map(move |(name, text)| Entry::new(&format!("{name}.{ending}"), pack(text.as_bytes())))
    });
    Reader {
        name: "packed_csv",
        most_bytes: MOST,
        entries: packed.collect(),
        words: &["\u{1f}", "7zXZ\0", "YZ", "(\u{b5}/\u{fd}"],
        mend: None,
        read: Box::new(move |input| train(&place, input, input.bytes)),
    }
}

/// Tables to predict, with the columns of a training table.
pub(crate) fn prediction() -> Reader<'static> {
    let place = Place::new();
    let schemas: Vec<CsvSchema> = (0..8)
        .map(|i| {
            let path = place.put("t.csv", TABLES[0].1.as_bytes());
            CsvSchema::fit(&path, "y", &options(i << 15 | i << 32)).unwrap()
        })
        .collect();
    let mut entries: Vec<Entry> = vec![
        Entry::new("plain", TABLES[0].1),
        Entry::new("inputs", "color,size\nred,1.5\nblue,2\nred,3e5\n"),
        Entry::new("semicolon", "size;color\n1,5;red\n2;blue\n"),
    ];
    entries.push(Entry::refused("unknown", "size,color\n1,green\n"));
    Reader {
        name: "prediction_csv",
        most_bytes: MOST,
        entries,
        words: WORDS,
        mend: None,
        read: Box::new(move |input| {
            let schema = &schemas[(input.variation >> 20) as usize % schemas.len()];
            let name = Path::new("stdin");
            let whole = schema.read_inputs_from(input.bytes, name);
            let size = 1 + (input.variation >> 40) as usize % 5;
            let stream = std::io::Cursor::new(input.bytes.to_vec());
            let blocks = schema.input_blocks_from(stream, name, &[], size);
            let blocks = blocks.and_then(|blocks| blocks.collect::<Result<Vec<_>, _>>());
            let read = whole.map_err(|error| {
                assert!(blocks.is_err(), "blocks are read where the whole is not: {error}");
                text(error)
            })?;
            assert!(read.values.iter().all(|value| value.is_finite()));
            let blocks = blocks.unwrap_or_else(|error| panic!("no blocks: {error}"));
            let rows = blocks.iter().flat_map(|block| block.values.outer_iter());
            assert!(rows.eq(read.values.outer_iter()));
            Ok(())
        }),
    }
}
