//! Parquet files: read for training and, in blocks, for prediction, alike.

use ::parquet::basic::{Compression, GzipLevel, LogicalType, TimeUnit, ZstdLevel};
use rank1_data::{CsvOptions, Dates, Missing, TestPart, UnknownLevels, load_table};

use crate::harness::{Entry, Input, Reader};
use crate::place::{Place, text};
use crate::writing::{Column, Values, column, doubles, file_of, texts};

/// What a small file may take: its decoder reserves what the header of a page announces, up to 2 GiB, before it looks at the page.
const MOST: usize = 3 << 30;

fn columns() -> Vec<Column> {
    let days = [19_753, 19_754, 19_760, 19_800, 20_000, 20_100, 20_200, 20_300];
    let moments = days.map(|day| Some(i64::from(day) * 86_400_000 + 5_000));
    vec![
        doubles("size", &[1.5, 2.0, 4.0, 5.25, 6.0, 7.0, -1e-3, 1e9]),
        texts("color", &["red", "blue", "red", "blue", "red", "blue", "red", "red"].map(Some)),
        column(
            "n",
            None,
            Values::Int64(vec![Some(1), None, Some(3), Some(4), None, Some(6), Some(7), Some(9)]),
        ),
        column("b", None, Values::Truth([true, false].repeat(4).into_iter().map(Some).collect())),
        column("when", Some(LogicalType::Date), Values::Int32(days.map(Some).to_vec())),
        column("at", Some(LogicalType::timestamp(true, TimeUnit::MILLIS)), Values::Int64(moments.to_vec())),
        column(
            "d",
            Some(LogicalType::decimal(2, 9)),
            Values::Fixed(4, (1..9).map(|i| Some(vec![0, 0, i, i])).collect()),
        ),
        doubles("y", &[10.0, 20.5, 30.0, 11.0, 12.0, 13.5, 14.0, 15.0]),
    ]
}

fn options(variation: u64) -> CsvOptions {
    let bit = |i: u32| variation != 0 && variation >> (i + 8) & 3 == 1;
    CsvOptions {
        missing: if bit(0) { Missing::Indicator } else { Missing::ImputeMedian },
        dates: if bit(2) { Dates::Refuse } else { Dates::CalendarParts },
        unknown_levels: if bit(4) { UnknownLevels::OwnLevel } else { UnknownLevels::Refuse },
        ignore: if bit(6) { vec!["n".into()] } else { Vec::new() },
        ..CsvOptions::default()
    }
}

fn read(place: &Place, input: Input<'_>) -> Result<(), String> {
    // What does not begin as a Parquet file is the other readers'.
    let bytes = [b"PAR1", input.bytes.get(4..).unwrap_or_default()].concat();
    let path = place.put("t.parquet", &bytes);
    let part = TestPart::Fraction { fraction: 0.3, seed: 1 };
    let loaded = load_table(&path, &part, "y", &options(input.variation)).map_err(text)?;
    let whole = loaded.schema.read_inputs(&path).unwrap_or_else(|error| panic!("not read again: {error}"));
    assert!(whole.values.iter().all(|value| value.is_finite()));
    let size = 1 + (input.variation >> 40) as usize % 9;
    let blocks = loaded.schema.input_blocks(&path, &[], size);
    let mut blocks = blocks.unwrap_or_else(|error| panic!("not read in blocks: {error}"));
    let mut rows = 0;
    for block in blocks.by_ref() {
        let block = block.unwrap_or_else(|error| panic!("not read in blocks: {error}"));
        let part = whole.values.slice(ndarray::s![rows..rows + block.values.nrows(), ..]);
        assert_eq!(block.values, part);
        rows += block.values.nrows();
    }
    assert_eq!((rows, blocks.notes()), (whole.values.nrows(), whole.notes));
    Ok(())
}

pub(crate) fn reader() -> Reader<'static> {
    let place = Place::new();
    let gzip = Compression::GZIP(GzipLevel::default());
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let entries = [
        ("plain", Compression::UNCOMPRESSED, 100),
        ("groups", Compression::UNCOMPRESSED, 3),
        ("snappy", Compression::SNAPPY, 100),
        ("gzip", gzip, 5),
        ("zstd", zstd, 100),
    ];
    let entry = |(name, compression, rows)| Entry::new(name, file_of(&columns(), rows, compression));
    Reader {
        name: "parquet",
        most_bytes: MOST,
        entries: entries.into_iter().map(entry).collect(),
        words: &["PAR1", "\u{15}\u{4}", "\u{c}\u{19}", "\0\0\0\u{7f}"],
        mend: None,
        read: Box::new(move |input| read(&place, input)),
    }
}
