//! Tables as other programs write them: marks, missing cells, levels, packing; each read right or refused with the key that
//! changes it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ndarray::array;
use rank1_core::targets::Targets;
use rank1_data::{
    ColumnKind, CsvOptions, CsvSchema, Error, LoadedTable, Missing, Normalizer, ReadingChanges, TargetKind,
    TestPart, UnknownLevels, load_table,
};
use tempfile::TempDir;

fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn load(content: impl AsRef<[u8]>, options: &CsvOptions) -> Result<LoadedTable, Error> {
    let (_folder, path) = file(content);
    load_table(&path, &TestPart::Fraction { fraction: 0.2, seed: 1 }, "y", options)
}

fn refusal(content: impl AsRef<[u8]>, options: &CsvOptions) -> String {
    let message = load(content, options).unwrap_err().to_string();
    assert!(!message.contains('\n'), "more than one line: {message}");
    message
}

fn notes(loaded: &LoadedTable) -> Vec<String> {
    loaded.notes.iter().map(|note| note.to_string().split_once("t.csv: ").unwrap().1.to_owned()).collect()
}

/// Sixty rows of `a`, `b` and `y` = a + b, as the marks of a country write them.
fn numbers(separator: char, decimal: char, quoted: bool) -> String {
    let number = |value: f64| {
        let text = format!("{value:.2}").replace('.', &decimal.to_string());
        if quoted { format!("\"{text}\"") } else { text }
    };
    let mut table = ["a", "b", "y"].join(&separator.to_string()) + "\r\n";
    for i in 0..60 {
        let (a, b) = (f64::from(i * 37 % 60) / 7.0, f64::from(i * 11 % 60) / 3.0);
        table += &([number(a), number(b), number(a + b)].join(&separator.to_string()) + "\r\n");
    }
    table
}

#[test]
fn the_same_table_with_other_marks_gives_the_same_numbers() {
    let dotted = load(numbers(',', '.', false), &CsvOptions::default()).unwrap();
    assert_eq!(notes(&dotted), Vec::<String>::new());
    for (separator, decimal, quoted) in [
        (';', ',', false),
        (';', '.', false),
        ('\t', ',', false),
        ('\t', '.', true),
        ('|', ',', false),
        (',', ',', true),
        (',', '.', true),
    ] {
        let text = format!("\u{feff}{}", numbers(separator, decimal, quoted));
        let got = load(&text, &CsvOptions::default()).unwrap();
        assert_eq!((&got.dataset.train, &got.dataset.test), (&dotted.dataset.train, &dotted.dataset.test));
        let named = notes(&got).iter().any(|note| note.starts_with("read with"));
        assert_eq!(named, (separator, decimal) != (',', '.'), "{separator:?} {decimal:?}");
        let given =
            CsvOptions { delimiter: Some(separator), decimal: Some(decimal), ..CsvOptions::default() };
        let got = load(&text, &given).unwrap();
        assert_eq!((&got.dataset.train, notes(&got).len()), (&dotted.dataset.train, 0));
    }
}

#[test]
fn a_model_reads_later_files_with_their_own_marks() {
    let (_folder, path) = file(numbers(';', ',', false));
    let schema = CsvSchema::fit(&path, "y", &CsvOptions::default()).unwrap();
    for rows in ["a,b\n1.5,2\n", "a;b\n1,5;2\n", "b\ta\n2\t1,5\n", "a,b\n\"1,5\",\"2\"\n"] {
        let (_folder, later) = file(rows);
        assert_eq!(schema.read_inputs(&later).unwrap().values, array![[1.5, 2.0]], "{rows:?}");
        let read = schema.read_inputs_from(rows.as_bytes(), Path::new("stdin")).unwrap();
        assert_eq!(read.values, array![[1.5, 2.0]], "{rows:?}");
    }
    // Only the model's table tells that this is no thousand.
    let (_folder, later) = file("a;b\n1,234;2\n");
    assert_eq!(schema.read_inputs(&later).unwrap().values, array![[1.234, 2.0]]);
    let point = ReadingChanges { decimal: Some('.'), ..ReadingChanges::default() };
    let got = schema.with_reading(&point).read_inputs(&later).unwrap_err().to_string();
    assert!(got.contains("row 1 (line 2), column `a`: `1,234`") && got.contains("data.decimal"), "{got}");
}

#[test]
fn numbers_that_could_be_read_in_two_ways_are_refused_with_the_key() {
    let rows = |cell: &str| {
        let rows: String = (0..30).map(|i| format!("{cell};{i}.5\n")).collect();
        format!("a;y\n{rows}")
    };
    for (cell, key) in [
        ("1,234", "data.decimal"),
        ("1 234", "without"),
        ("1'234.5", "without"),
        ("1,234.5", "without"),
        ("12%", "data.categorical"),
        ("$12.50", "data.categorical"),
        ("12,50 €", "data.categorical"),
    ] {
        let got = refusal(rows(cell), &CsvOptions::default());
        assert!(got.contains("row 1 (line 2), column `a`") && got.contains(key), "{cell}: {got}");
    }
    let got = refusal(rows("1,5"), &CsvOptions::default());
    assert!(got.contains("`1,5` in row 1 (line 2), column `a`, a decimal comma"), "{got}");
    let as_text = CsvOptions { categorical: vec!["a".into()], ..CsvOptions::default() };
    assert!(load(rows("12%"), &as_text).is_ok());
    // A decimal mark that the user has ruled out is not text either.
    let given = CsvOptions { decimal: Some('.'), ..CsvOptions::default() };
    assert!(refusal(numbers(';', ',', false), &given).contains("set data.decimal = \",\""));
}

#[test]
fn a_target_of_many_different_texts_is_not_taken_for_classes() {
    let rows: String = (0..80).map(|i| format!("{i},v{i}\n")).collect();
    let got = refusal(format!("a,y\n{rows}"), &CsvOptions::default());
    assert!(got.contains("80 different values in 80 rows"), "{got}");
    assert!(["data.decimal", "data.delimiter", "data.categorical"].iter().all(|key| got.contains(key)));
    let listed = CsvOptions { categorical: vec!["y".into()], ..CsvOptions::default() };
    assert!(load(format!("a,y\n{rows}"), &listed).is_ok());
}

/// Rows of a text column and a column of numbers in which some cells are `token`.
fn with_token(token: &str) -> String {
    let rows: String =
        (0..30).map(|i| format!("{},{},{i}\n", if i % 3 == 0 { token } else { "DE" }, i % 7)).collect();
    format!("country,a,y\n{rows}")
}

#[test]
fn in_text_only_empty_and_listed_cells_are_missing() {
    let median = CsvOptions { missing: Missing::ImputeMedian, ..CsvOptions::default() };
    for token in ["NA", "?", "nan", "NaN"] {
        let loaded = load(with_token(token), &median).unwrap();
        assert!(loaded.schema.feature_names().contains(&format!("country={token}")), "{token}");
        let expected = format!("`{token}` in `country` (10 cells)");
        assert!(notes(&loaded).iter().any(|note| note.contains(&expected)), "{:?}", notes(&loaded));
        let listed = CsvOptions { missing_tokens: Some(vec![token.into()]), ..median.clone() };
        let loaded = load(with_token(token), &listed).unwrap();
        assert_eq!(loaded.schema.feature_names(), ["country=DE", "a"]);
        assert!(notes(&loaded).iter().any(|note| note.contains("10 of `country` with `DE`")));
        // Where missing cells are refused, doubt is refused.
        let got = refusal(with_token(token), &CsvOptions::default());
        assert!(
            got.contains(&format!("row 1 (line 2), column `country`: `{token}` in a column of text")),
            "{got}"
        );
        let value = CsvOptions { missing_tokens: Some(Vec::new()), ..CsvOptions::default() };
        assert_eq!(notes(&load(with_token(token), &value).unwrap()), Vec::<String>::new());
        let refusing = CsvOptions { missing_tokens: Some(vec![token.into()]), ..CsvOptions::default() };
        assert!(refusal(with_token(token), &refusing).contains("data.missing"));
    }
    let got = refusal(with_token(""), &CsvOptions::default());
    assert!(got.contains("row 1 (line 2), column `country`: missing value"), "{got}");
}

#[test]
fn in_numbers_the_documented_cells_are_missing_and_counted_and_others_are_refused() {
    let median = CsvOptions { missing: Missing::ImputeMedian, ..CsvOptions::default() };
    let table = |token: &str| format!("a,y\n{}{token},1.5\n", "2,3.5\n".repeat(20));
    for token in ["", "NA", "NaN", "nan", "?"] {
        let loaded = load(table(token), &median).unwrap();
        assert!(notes(&loaded).iter().any(|note| note.contains("1 of `a` with 2;")), "{:?}", notes(&loaded));
    }
    for token in ["N/A", "NULL", "-", "#N/A", "none", "inf", "-Infinity", "1e400", "1e39"] {
        let got = refusal(table(token), &median);
        assert!(got.contains(&format!("row 21 (line 22), column `a`: `{token}`")), "{got}");
        let listed = CsvOptions { missing_tokens: Some(vec![token.into()]), ..median.clone() };
        assert!(load(table(token), &listed).is_ok(), "{token}");
    }
    let listed = CsvOptions { missing_tokens: Some(vec!["-999".into()]), ..median };
    assert!(refusal(table("NaN"), &listed).contains("`NaN` is not a finite"));
}

#[test]
fn an_ignored_column_may_hold_anything() {
    let mut bytes = b"id,,a,y,id\n".to_vec();
    for i in 0..20_u8 {
        bytes.extend(format!("2024-01-{:02},{},{i},{}.5,", i + 1, i, i * 2).bytes());
        bytes.extend([0xff, 0xfe, i | 0x80, b'\n']);
    }
    let options = CsvOptions { ignore: vec!["id".into(), String::new()], ..CsvOptions::default() };
    let loaded = load(&bytes, &options).unwrap();
    assert_eq!(loaded.schema.feature_names(), ["a"]);
    let got = refusal(",a,y\n4,1,2\n0,2,3\n1,3,4\n", &CsvOptions::default());
    assert!(got.contains("data.ignore = [\"\"]"), "{got}");
}

#[test]
fn dates_are_refused_by_name_with_a_remedy_that_works() {
    for date in ["2024-01-0", "0", "2024-01-01 10:0"] {
        let suffix = if date == "0" { ".02.2024" } else { "" };
        let rows: String = (0..40).map(|i| format!("{date}{}{suffix},{i}.5,{i}.25\n", i % 9 + 1)).collect();
        let got = refusal(format!("when,a,y\n{rows}"), &CsvOptions::default());
        assert!(got.contains("column `when`") && got.contains("data.ignore"), "{got}");
        let ignoring = CsvOptions { ignore: vec!["when".into()], ..CsvOptions::default() };
        assert!(load(format!("when,a,y\n{rows}"), &ignoring).is_ok());
    }
}

#[test]
fn the_same_level_written_otherwise_is_matched_or_refused() {
    let codes = CsvOptions { categorical: vec!["zone".into()], ..CsvOptions::default() };
    let (_folder, path) = file("zone,ok,y\n1,True,0.5\n2,False,1.5\n3,True,2.5\n");
    let schema = CsvSchema::fit(&path, "y", &codes).unwrap();
    let (_folder, later) = file("zone,ok\n1.0,true\n3.00,FALSE\n");
    let expected = array![[1.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0, 0.0]];
    assert_eq!(schema.read_inputs(&later).unwrap().values, expected);
    let (_folder, later) = file("zone,ok\n02,true\n");
    let got = schema.read_inputs(&later).unwrap_err().to_string();
    assert!(got.contains("row 1 (line 2), column `zone`: unknown level `02`"), "{got}");
    assert!(got.contains("data.unknown"), "{got}");
    let as_missing =
        ReadingChanges { unknown_levels: Some(UnknownLevels::AllZero), ..ReadingChanges::default() };
    let read = schema.with_reading(&as_missing).read_inputs(&later).unwrap();
    assert_eq!(read.values, array![[0.0, 0.0, 0.0, 0.0, 1.0]]);
    assert!(read.notes[0].to_string().contains("1 in `zone` (`02`, ...)"), "{}", read.notes[0]);
    let got = refusal("zone,y\n1,0.5\n1.0,1.5\n2,2.5\n3,1.5\n", &codes);
    assert!(got.contains("the levels `1` and `1.0`, which mean the same"), "{got}");
}

#[test]
fn a_level_that_occurs_once_may_fall_into_the_test_part() {
    let rows: String =
        (0..30).map(|i| format!("{},{i}.5\n", if i == 11 { "rare" } else { ["u", "v"][i % 2] })).collect();
    for seed in 0..20 {
        let (_folder, path) = file(format!("c,y\n{rows}"));
        let part = TestPart::Fraction { fraction: 0.1, seed };
        let loaded = load_table(&path, &part, "y", &CsvOptions::default()).unwrap();
        let set = loaded.dataset;
        let normalizer = Normalizer::fit(&set.train, set.layout).unwrap();
        assert!(normalizer.apply(&set.test).is_ok(), "seed {seed}");
    }
}

#[test]
fn few_whole_numbers_as_target_are_said_to_be_a_quantity() {
    let rows: String = (0..30).map(|i| format!("{i}.5,{}\n", i % 2)).collect();
    let loaded = load(format!("a,y\n{rows}"), &CsvOptions::default()).unwrap();
    assert_eq!(loaded.schema.target_kind(), &TargetKind::Value);
    assert_eq!(
        notes(&loaded),
        [
            "the target `y` holds 2 whole numbers (0, 1) and is read as a quantity (regression); data.categorical = [\"y\"] makes them classes"
        ]
    );
    let listed = CsvOptions { categorical: vec!["y".into()], ..CsvOptions::default() };
    assert_eq!(notes(&load(format!("a,y\n{rows}"), &listed).unwrap()), Vec::<String>::new());
}

#[test]
fn columns_that_carry_nothing_are_named() {
    let rows: String = (0..60)
        .map(|i| {
            format!("5,{},{},{},{i}.5\n", 1_700_000_001_i64 + i, if i == 0 { 1e30 } else { i as f64 }, i % 5)
        })
        .collect();
    let loaded = load(format!("same,time,outlier,b,y\n{rows}"), &CsvOptions::default()).unwrap();
    let notes = notes(&loaded);
    let constant = notes.iter().find(|note| note.starts_with("constant")).unwrap();
    assert!(constant.contains("`same`") && !constant.contains("`time`"), "{constant}");
    let lost = notes.iter().find(|note| note.contains("single precision"));
    // The outlier may have fallen into the test part; then nothing is lost.
    if loaded.dataset.train.column(2).any(|value| value > 1e29) {
        assert!(lost.is_some_and(|note| note.contains("`outlier`") && !note.contains("`time`")), "{notes:?}");
    } else {
        assert_eq!(lost, None);
    }
    // Times in seconds are told apart to the last one.
    let set = loaded.dataset;
    let normalizer = Normalizer::fit(&set.train, set.layout).unwrap();
    let mut times = normalizer.apply(&set.train).unwrap().inputs.column(1).to_vec();
    times.sort_by(f32::total_cmp);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] > 0.05), "{times:?}");
    let rows: String = (0..40).map(|i| format!("{},{i}.5\n", 9_007_199_254_740_993_i64 + i)).collect();
    let huge = load(format!("id,y\n{rows}"), &CsvOptions::default()).unwrap();
    assert!(huge.notes.iter().any(|note| note.to_string().contains("`id`")), "{:?}", huge.notes);
}

#[test]
fn packed_tables_are_read_as_they_are() {
    let text = numbers(';', ',', false);
    let plain = load(&text, &CsvOptions::default()).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let options = lzma_rust2::XzOptions::with_preset(3);
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    xz.write_all(text.as_bytes()).unwrap();
    let fastest = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(text.as_bytes(), fastest);
    for packed in [gzip.finish().unwrap(), xz.finish().unwrap(), zstd] {
        let got = load(&packed, &CsvOptions::default()).unwrap();
        assert_eq!((&got.dataset.train, &got.digest), (&plain.dataset.train, &plain.digest));
        let got = refusal(&packed[..packed.len() / 2], &CsvOptions::default());
        assert!(got.contains("truncated or corrupt"), "{got}");
    }
    for (bytes, what) in [
        (&b"PK\x03\x04xyz"[..], "Excel workbook"),
        (b"\xff\xfea\0,\0y\0", "UTF-16"),
        (b"a\0,\0y\0\n\0", "UTF-16"),
        (b"PAR1....", "Parquet"),
    ] {
        assert!(refusal(bytes, &CsvOptions::default()).contains(what), "{what}");
    }
    assert!(refusal("a,y\n1,\"2\n3,4\n5,6\n", &CsvOptions::default()).contains("opened on line 2"));
}

#[test]
fn a_long_header_makes_a_short_message() {
    let names: Vec<String> = (0..4000).map(|i| format!("c{i}")).collect();
    let table = names.join(",") + &format!("\n{}", vec!["1"; 4000].join(",")).repeat(5);
    let got = refusal(table, &CsvOptions::default());
    assert!(got.contains("no column `y`") && got.contains("(4000 in all)") && got.len() < 400, "{got}");
    let got = refusal(format!("a,y\n{},1\nx,2\n2,3\n3,4\n4,5\n", "7".repeat(300)), &CsvOptions::default());
    assert!(got.len() < 400, "{got}");
}

#[test]
fn a_numeric_column_keeps_its_imputation_and_a_class_target_its_labels() {
    let options = CsvOptions { missing: Missing::ImputeMean, ..CsvOptions::default() };
    let loaded = load("a;y\n1,5;no\n;yes\n2,5;NA\n3,5;yes\n0,5;no\n1,5;NA\n", &options).unwrap();
    assert!(matches!(loaded.schema.columns()[0].kind, ColumnKind::Numeric { impute: Some(_) }));
    assert_eq!(loaded.schema.class_names(), ["NA", "no", "yes"]);
    assert!(matches!(loaded.dataset.train.targets, Targets::Classes { n_classes: 3, .. }));
}

/// Ten rows behind an index that begins with `first`.
fn indexed(name: &str, first: usize) -> String {
    let row = |i: usize| format!("{},{},{}\n", i + first, (i * 7 % 10) as f64 / 3.0, i * 3 % 11);
    format!("{name},a,y\n") + &(0..10).map(row).collect::<String>()
}

#[test]
fn an_index_that_pandas_wrote_is_no_input_and_that_is_said() {
    for (name, first) in [("", 0), ("", 1), ("Unnamed: 0", 0), ("Unnamed: 0.1", 1)] {
        let loaded = load(indexed(name, first), &CsvOptions::default()).unwrap();
        assert_eq!(loaded.dataset.feature_names, ["a"], "{name:?}");
        let said = if name.is_empty() { "the one without a name" } else { name };
        let expected = "columns that count the rows, as pandas writes its index, were left out: ";
        let got = notes(&loaded);
        assert!(got[0].starts_with(expected) && got[0].contains(said), "{got:?}");
        assert!(got[0].contains("data.keep_index = true"), "{got:?}");
        // Later files may have an index or not, and it may be any.
        for later in ["a,y\n1,2\n", &format!("{name},a\n17,1\n")] {
            let (_folder, path) = file(later);
            assert_eq!(loaded.schema.read_inputs(&path).unwrap().values, array![[1.0]], "{later:?}");
        }
    }
}

#[test]
fn what_is_no_index_or_is_to_be_kept_stays_a_column() {
    let keep = CsvOptions { keep_index: true, ..CsvOptions::default() };
    let names = |table: String, options: &CsvOptions| load(table, options).unwrap().dataset.feature_names;
    assert_eq!(names(indexed("Unnamed: 0", 0), &keep), ["Unnamed: 0", "a"]);
    assert!(refusal(indexed("", 0), &keep).contains("column 1 has no name"));
    let default = CsvOptions::default();
    assert_eq!(names(indexed("id", 0), &default), ["id", "a"]);
    assert_eq!(names(indexed("Unnamed: 0", 2), &default), ["Unnamed: 0", "a"]);
    assert_eq!(names(indexed("Unnamed: 0", 0).replacen("\n3,", "\n33,", 1), &default), ["Unnamed: 0", "a"]);
    assert!(refusal(indexed("", 5), &default).contains("data.ignore = [\"\"]"));
}

#[test]
fn levels_that_differ_in_case_or_spaces_stay_apart_and_are_named() {
    let table = "city,y\nOslo,a b\noslo,a  b\nRome,c\nNew York,c\nNewYork,c\nOSLO,c\nOslo,c\nOslo,c\n";
    let loaded = load(table, &CsvOptions::default()).unwrap();
    assert_eq!(loaded.schema.n_features(), 6);
    let expected = "different levels that differ only in case or spaces: `New York`, `NewYork` in `city`, \
                    `OSLO`, `Oslo`, `oslo` in `city`, `a  b`, `a b` in `y`; write them alike in the file if they are one";
    assert_eq!(notes(&loaded), [expected]);
    let other = load("city,y\nOslo,a\nRome,b\nOslo,a\nRome,b\nParis,a\n", &CsvOptions::default()).unwrap();
    assert_eq!(notes(&other), Vec::<String>::new());
}

#[test]
fn codes_with_leading_zeros_are_named_and_plain_numbers_are_not() {
    let rows = |code: fn(i32) -> String| (0..30).map(|i| format!("{},{i}\n", code(i))).collect::<String>();
    let table = |code| format!("zip,y\n{}", rows(code));
    let codes = table(|i| format!("{:05}", 990 + i % 10));
    let found = notes(&load(&codes, &CsvOptions::default()).unwrap());
    assert!(found.len() == 1 && found[0].contains("`zip` (`00990`, ...); data.categorical"), "{found:?}");
    let listed = CsvOptions { categorical: vec!["zip".into()], ..CsvOptions::default() };
    assert_eq!(notes(&load(&codes, &listed).unwrap()), [""; 0]);
    for plain in [|i: i32| format!("{}", i * 10), |i| format!("0.{i}"), |i| format!("{}", i % 2)] {
        assert_eq!(notes(&load(table(plain), &CsvOptions::default()).unwrap()), [""; 0]);
    }
}
