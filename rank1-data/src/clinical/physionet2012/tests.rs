//! Bad input, one stay by hand, and the properties of fitted inputs, on small sets that the tests write.
//!
//! Not for the real sets; see the integration tests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{InputLayout, LoadOptions, load};

const HEAD: &str = "Time,Parameter,Value\n";

fn general(id: u64) -> String {
    format!(
        "{HEAD}00:00,RecordID,{id}\n00:00,Age,61\n00:00,Gender,1\n00:00,Height,-1\n00:00,ICUType,3\n00:00,Weight,70\n"
    )
}

fn write_set(root: &Path, set: char, stays: &[(u64, String, u8)]) {
    fs::create_dir_all(root.join(format!("set-{set}"))).unwrap();
    let mut outcomes = "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n".to_owned();
    for (id, text, death) in stays {
        fs::write(root.join(format!("set-{set}/{id}.txt")), text).unwrap();
        outcomes += &format!("{id},6,1,5,-1,{death}\n");
    }
    fs::write(root.join(format!("Outcomes-{set}.txt")), outcomes).unwrap();
}

fn stays(first: &str) -> Vec<(u64, String, u8)> {
    vec![(11, general(11) + first, 0), (13, general(13) + "01:10,HR,90\n", 1), (17, general(17), 0)]
}

fn opened(first: &str) -> Result<Physionet2012, Error> {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path(), 'a', &stays(first));
    Physionet2012::open(folder.path(), 'a')
}

fn refusal(first: &str) -> ClinicalError {
    match opened(first) {
        Err(Error::Clinical(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn index(name: &str) -> usize {
    PARAMETERS.iter().position(|parameter| parameter.name == name).unwrap()
}

#[test]
fn the_last_reading_of_an_hour_wins_and_urine_adds_up() {
    let set = opened("03:50,HR,80\n03:10,HR,70\n03:50,HR,82\n03:05,Urine,40\n03:55,Urine,60\n47:59,HR,99\n")
        .unwrap();
    let hr = index("HR");
    assert_eq!(set.values.dim(), (3, 48, 37));
    assert_eq!((set.values[[0, 3, hr]], set.values[[0, 47, hr]]), (82.0, 99.0));
    assert_eq!(set.values[[0, 3, index("Urine")]], 100.0);
    assert_eq!((0..48).filter(|&hour| !set.values[[0, hour, hr]].is_nan()).count(), 2);
    assert_eq!(set.values[[0, 0, index("Weight")]], 70.0);
    assert_eq!(set.descriptors.row(0).to_vec()[..2], [61.0, 1.0]);
    assert!(set.descriptors[[0, 2]].is_nan());
    assert_eq!((set.labels.to_vec(), set.record_ids), (vec![0, 1, 0], vec![11, 13, 17]));
}

#[test]
fn what_is_left_out_is_counted_by_reason() {
    let set = opened(
        "48:00,HR,80\n50:10,HR,80\n04:00,HR,NaN\n04:00,HR,inf\n04:00,HR,0\n04:00,Temp,\n04:00,pH,735\n\
         04:00,Ferritin,3\n04:00,Ferritin,4\n04:00,,1\n",
    )
    .unwrap();
    let found = &set.discards;
    // Three heights of -1 and one empty temperature.
    assert_eq!((found.late, found.marked_missing, found.not_finite), (2, 4, 2));
    assert_eq!(found.implausible.iter().collect::<Vec<_>>(), [(&"HR", &1)]);
    assert_eq!(found.corrected.iter().collect::<Vec<_>>(), [(&"pH", &1)]);
    assert_eq!(
        found.unknown.iter().map(|(name, n)| (name.as_str(), *n)).collect::<Vec<_>>(),
        [("", 1), ("Ferritin", 2)]
    );
    assert_eq!(found.total(), 12);
    assert!((0..48).all(|hour| set.values[[0, hour, index("HR")]].is_nan()));
}

#[test]
fn what_cannot_be_read_is_refused_with_file_row_and_text() {
    let got = refusal("4 o'clock,HR,80\n").to_string();
    assert!(got.ends_with("11.txt: row 8, `Time`: `4 o'clock` is not a time HH:MM"), "{got}");
    for time in ["04:60", "0460", ":10", "-1:10", "04:1", "+4:10", ""] {
        let got = refusal(&format!("{time},HR,80\n"));
        assert!(matches!(got, ClinicalError::Field { row: 8, .. }), "{time}: {got}");
    }
    let got = refusal("04:00,HR,fast\n");
    assert!(matches!(&got, ClinicalError::Field { row: 8, column, .. } if column == "HR"), "{got}");
    assert!(matches!(refusal("04:00,HR\n"), ClinicalError::Fields { got: 2, .. }));
    assert!(matches!(refusal("04:00,HR,8,0\n"), ClinicalError::Fields { got: 4, .. }));
    assert!(matches!(refusal("00:00,RecordID,12\n"), ClinicalError::RecordId { expected: 11, .. }));
}

#[test]
fn records_and_outcomes_must_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let open = || match Physionet2012::open(root, 'a') {
        Err(Error::Clinical(error)) => error,
        other => panic!("{other:?}"),
    };
    write_set(root, 'a', &stays(""));
    fs::write(root.join("set-a/19.txt"), general(19)).unwrap();
    assert!(matches!(open(), ClinicalError::OutcomeMissing { id: 19, .. }));
    fs::remove_file(root.join("set-a/19.txt")).unwrap();
    fs::remove_file(root.join("set-a/13.txt")).unwrap();
    assert!(matches!(open(), ClinicalError::RecordMissing { id: 13, .. }));
    let outcomes = root.join("Outcomes-a.txt");
    for (text, wanted) in [
        ("RecordID,In-hospital_death\n11,0\n17,0\n", "all 2 records have the outcome 0"),
        ("RecordID,In-hospital_death\n11,0\n11,1\n", "row 3: record 11 already"),
        ("RecordID,In-hospital_death\n11,0\n17,2\n", "`2` is not 0 or 1"),
        ("RecordID,In-hospital_death\n11,0,3\n", "row 2 has 3 field(s), expected 2"),
        ("RecordID,Survival\n11,0\n", "no column `In-hospital_death`"),
    ] {
        fs::write(&outcomes, text).unwrap();
        let got = open().to_string();
        assert!(got.contains(wanted), "{got}");
    }
    for text in ["", "RecordID,In-hospital_death\n"] {
        fs::write(&outcomes, text).unwrap();
        assert!(matches!(Physionet2012::open(root, 'a'), Err(Error::EmptyFile { .. })));
    }
    assert!(matches!(
        Physionet2012::open(root, '7'),
        Err(Error::Clinical(ClinicalError::SetLetter { got: '7' }))
    ));
    assert!(matches!(Physionet2012::open(root, 'b'), Err(Error::SetNotFound { .. })));
    fs::remove_file(&outcomes).unwrap();
    assert!(matches!(Physionet2012::open(root, 'a'), Err(Error::SetNotFound { .. })));
}

#[test]
fn empty_files_and_other_headers_are_refused() {
    let open = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut stays = stays("");
        stays[1].1 = text.into();
        write_set(folder.path(), 'a', &stays);
        Physionet2012::open(folder.path(), 'a')
    };
    assert!(matches!(open(""), Err(Error::EmptyFile { path }) if path.ends_with("13.txt")));
    assert!(matches!(open("Time;Parameter;Value\n"), Err(Error::Clinical(ClinicalError::Header { .. }))));
    assert!(open(HEAD).unwrap().descriptors.row(1).iter().all(|value| value.is_nan()));
}

fn archived(root: &Path, set: char, cut: Option<usize>) {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut builder = tar::Builder::new(encoder);
    builder.append_dir_all(format!("set-{set}"), root.join(format!("set-{set}"))).unwrap();
    let bytes = builder.into_inner().unwrap().finish().unwrap();
    fs::write(root.join(format!("set-{set}.tar.gz")), &bytes[..cut.map_or(bytes.len(), |n| bytes.len() - n)])
        .unwrap();
    fs::remove_dir_all(root.join(format!("set-{set}"))).unwrap();
}

#[test]
fn archives_equal_folders_and_truncated_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("physionet2012");
    write_set(&root, 'q', &stays("02:00,HR,77\n"));
    let from_folder = Physionet2012::open(&root, 'q').unwrap();
    archived(&root, 'q', None);
    let from_archive = Physionet2012::open(folder.path(), 'q').unwrap();
    let bits = |set: &Physionet2012| set.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&from_archive), bits(&from_folder));
    assert_eq!(from_archive.discards, from_folder.discards);
    write_set(&root, 'q', &stays("02:00,HR,77\n"));
    archived(&root, 'q', Some(9));
    assert!(matches!(Physionet2012::open(&root, 'q'), Err(Error::Compressed { format: "gzip", .. })));
}

#[test]
fn inputs_carry_values_forward_and_start_from_the_training_median() {
    let set = opened("02:00,HR,60\n05:00,HR,120\n").unwrap();
    let scaler = PhysionetScaler::fit(&set, &[0, 1]).unwrap();
    let hr = index("HR");
    assert_eq!((scaler.mean[hr], scaler.fill[hr]), (90.0, 90.0));
    let std = (2.0 * 900.0_f64 / 3.0).sqrt();
    assert!((scaler.std[hr] - std).abs() < 1e-12);
    let split = scaler.apply(&set).unwrap();
    assert_eq!(scaler.layout().width(), Some(split.n_features()));
    let InputLayout::Sequence { steps: 48, features: 112, context, ragged: false } = scaler.layout() else {
        panic!("a sequence")
    };
    assert_eq!((context, split.n_features()), (156, scaler::column_names().len()));
    let at = |row: usize, hour: usize, kind: usize| split.inputs[[row, hour * 112 + kind * 37 + hr]];
    let low = (-30.0 / std) as f32;
    assert_eq!([0, 1, 2, 4, 5, 47].map(|hour| at(0, hour, 0)), [0.0, 0.0, low, low, -low, -low]);
    assert_eq!([1, 2, 3, 5, 6].map(|hour| at(0, hour, 1)), [0.0, 1.0, 0.0, 1.0, 0.0]);
    let since = |hours: f64| (hours.ln_1p() / 48.0_f64.ln_1p()) as f32;
    assert_eq!([1, 2, 4, 5, 47].map(|hour| at(0, hour, 2)), [1.0, 0.0, since(2.0), 0.0, since(42.0)]);
    // The stay without readings: the fill everywhere, nothing seen.
    assert!((0..48).all(|hour| (at(2, hour, 0), at(2, hour, 1), at(2, hour, 2)) == (0.0, 0.0, 1.0)));
    let hour = |hour: usize| split.inputs[[0, hour * 112 + 111]];
    assert!((hour(0) + 47.0 / 48.0).abs() < 1e-6 && (hour(0) + hour(47)).abs() < 1e-6);
    let context = &split.inputs.row(0).to_vec()[48 * 112..];
    // Age is constant in training: standardized by 1.
    assert_eq!(context[..8], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!([0, 1, 2, 3].map(|kind| context[8 + kind * 37 + hr]), [0.0, low, -low, 2.0 / 48.0]);
    // Never seen in training: always zero, whatever the test stays hold.
    let unseen = opened("02:00,Lactate,9\n").unwrap();
    let split = scaler.apply(&unseen).unwrap();
    assert_eq!(split.inputs[[0, 5 * 112 + index("Lactate")]], 0.0);
    assert_eq!(split.inputs[[0, 2 * 112 + 37 + index("Lactate")]], 1.0);
}

#[test]
fn the_scaler_sees_only_its_rows_and_survives_json() {
    let (one, other) = (opened("02:00,HR,60\n").unwrap(), opened("02:00,HR,160\n").unwrap());
    let fit = |set, rows: &[usize]| PhysionetScaler::fit(set, rows).unwrap();
    assert_eq!(fit(&one, &[1, 2]), fit(&other, &[1, 2]));
    assert_ne!(fit(&one, &[0, 2]), fit(&other, &[0, 2]));
    let scaler = fit(&one, &[0, 1]);
    let text = serde_json::to_string(&scaler).unwrap();
    assert_eq!(serde_json::from_str::<PhysionetScaler>(&text).unwrap(), scaler);
    for broken in [
        PhysionetScaler { mean: vec![0.0; 3], ..scaler.clone() },
        PhysionetScaler { std: vec![-1.0; 39], ..scaler.clone() },
        PhysionetScaler { fill: vec![f64::NAN; 39], ..scaler },
    ] {
        assert!(matches!(broken.apply(&one), Err(Error::Clinical(ClinicalError::Scaler { .. }))));
    }
    assert!(matches!(PhysionetScaler::fit(&one, &[]), Err(Error::NoRows { .. })));
    let got = PhysionetScaler::fit(&one, &[0, 3]);
    assert!(matches!(got, Err(Error::Clinical(ClinicalError::Row { row: 3, stays: 3, .. }))));
}

#[test]
fn the_named_set_trains_on_a_and_tests_on_the_asked_letter() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["02:00,HR,60\n", "02:00,HR,70\n", "02:00,HR,80\n"].map(stays);
    for (set, mut stays) in [('a', a), ('b', b), ('c', c)] {
        stays.truncate(if set == 'c' { 2 } else { 3 });
        write_set(folder.path(), set, &stays);
    }
    let options = LoadOptions { root: Some(folder.path().into()), ..LoadOptions::default() };
    let named = load("physionet2012", &options).unwrap();
    assert_eq!((named.train.len(), named.test.len(), named.n_classes()), (3, 3, Some(2)));
    assert_eq!(named.class_names, ["survived", "died"]);
    let third = load("physionet2012-c", &options).unwrap();
    assert_eq!((third.train, third.test.len()), (named.train, 2));
    assert!(matches!(load("physionet2012-cd", &options), Err(Error::UnknownSet { .. })));
}

proptest! {
    #[test]
    fn inputs_are_finite_and_bounded_whatever_the_readings(
        readings in prop::collection::vec((0_usize..55, 0_usize..60, 0_usize..37, -10.0_f32..1e6), 0..120)
    ) {
        let lines: String = readings
            .iter()
            .map(|(hour, minute, which, value)| format!("{hour:02}:{minute:02},{},{value}\n", PARAMETERS[*which].name))
            .collect();
        let set = opened(&lines).unwrap();
        let split = PhysionetScaler::fit(&set, &[1, 2]).unwrap().apply(&set).unwrap();
        prop_assert!(split.inputs.iter().all(|value| value.abs() <= 5.0));
    }
}
