//! The MIMIC-III reader on tables that the tests write in the published format.
//!
//! Not for the real tables, which are not to be had without credentials.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fmt::Write as _;
use std::fs;

use rank1_core::targets::Targets;
use rank1_data::clinical::mimic::{EventTable, MimicPart};
use rank1_data::{ClinicalError, InputLayout, MimicOptions};

mod refusals;
mod tables;

use tables::{D_LABITEMS, TWO, Tables, length, options, refusal};

#[test]
fn the_cohort_keeps_first_long_stays_of_living_adults() {
    let mut tables = Tables::new(&TWO);
    // 7: two stays of one admission, the earlier one second in the file. 8: born in 1850, above 89.
    tables.patient(7, "2100-01-01 00:00:00");
    tables.admission(7, 107, 0, "");
    tables.stay(7, 107, 208, "2150-03-04 10:00:00", "2150-03-09 10:00:00");
    tables.stay(7, 107, 207, "2150-03-01 10:00:00", "2150-03-03 10:00:00");
    tables.patient(8, "1850-01-01 00:00:00");
    tables.admission(8, 108, 1, "2150-03-04 10:00:00");
    tables.stay(8, 108, 209, "2150-03-01 10:00:00", "2150-03-04 10:00:00");
    // A child, a stay one second short, a death in the window, no end, no admission, another patient's admission.
    tables.patient(9, "2140-01-01 00:00:00");
    tables.admission(9, 109, 0, "");
    tables.stay(9, 109, 210, "2150-03-01 10:00:00", "2150-03-04 10:00:00");
    tables.patient(10, "2100-01-01 00:00:00");
    for admission in [110, 111, 112] {
        tables.admission(10, admission, 1, if admission == 111 { "2150-03-02 10:00:00" } else { "" });
    }
    tables.stay(10, 110, 211, "2150-03-01 10:00:00", "2150-03-03 09:59:59");
    tables.stay(10, 111, 212, "2150-03-01 10:00:00", "2150-03-03 10:00:00");
    tables.stay(10, 112, 213, "2150-03-01 10:00:00", "");
    tables.stay(10, 999, 214, "2150-03-01 10:00:00", "2150-03-04 10:00:00");
    tables.stay(10, 107, 215, "2150-03-01 10:00:00", "2150-03-04 10:00:00");
    let set = tables.read(&options()).unwrap();
    assert_eq!(set.train.stay_ids, [2_003, 2_005, 207, 209]);
    assert_eq!(set.train.subject_ids, [3, 5, 7, 8]);
    let Targets::Classes { labels, n_classes: 2 } = &set.train.split.targets else { panic!("two classes") };
    assert_eq!(labels.to_vec(), [0, 1, 0, 1]);
    let counts = set.cohort;
    assert_eq!((counts.icu_stays, counts.not_first, counts.unmatched, counts.no_time), (11, 1, 2, 1));
    assert_eq!(
        (counts.too_young, counts.too_short, counts.died_before_prediction, counts.kept),
        (1, 1, 1, 4)
    );
    // Without any event: length zero, a context, and the layout's width.
    assert_eq!(set.layout, InputLayout::Sequence { steps: 48, features: 1, context: 10, ragged: true });
    assert_eq!(set.layout.width(), Some(set.train.split.n_features()));
    assert!((0..4).all(|row| length(&set.train, row) == 0.0));
    let context = &set.train.split.inputs.row(3).to_vec()[48..58];
    // 91.4 is the greatest age of the four; female, emergency, MICU.
    assert!(context[0] > 1.0, "{context:?}");
    assert_eq!(context[1..], [-1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn values_are_binned_carried_and_summed_and_the_rest_is_counted() {
    let mut tables = Tables::new(&TWO);
    for (time, value, error) in [
        ("2150-03-01 12:40:00", "90", "0"),
        ("2150-03-01 12:10:00", "70", ""),
        ("2150-03-01 12:50:00", "300", "1"),
        ("2150-03-01 09:59:59", "50", "0"),
        ("2150-03-03 10:00:00", "50", "0"),
        ("2150-03-01 14:00:00", "60", "0"),
    ] {
        tables.chart(3, 211, time, value, error);
    }
    tables.chart(4, 211, "2150-03-01 12:00:00", "70", "0");
    tables.chart(3, 211, "", "70", "0");
    tables.push("CHARTEVENTS", "1,3,1003,2003,184,2150-03-01 14:30:00,,,\"Spontaneously\",,,,,,");
    tables.push("CHARTEVENTS", "1,3,4444,2003,184,2150-03-01 14:30:00,,,\"Spontaneously\",,,,,,");
    tables.push("CHARTEVENTS", "1,3,1003,2003,211,2150-03-01 14:30:00,,,\"NaN\",NaN,,,,,");
    // A laboratory row without admission, outputs that add up, an infusion that runs on for as long again.
    tables.push("LABEVENTS", "1,5,,50912,2150-03-01 15:59:59,\"1.5\",1.5,\"mg/dL\",\"abnormal\"");
    tables.push("OUTPUTEVENTS", "1,5,1005,2005,2150-03-01 10:00:00,40055,100,\"ml\",,,,,");
    tables.push("OUTPUTEVENTS", "1,5,1005,2005,2150-03-01 10:30:00,40055,50,\"ml\",,,,,");
    let infusion = |from: &str, to: &str, status: &str| {
        format!(
            "1,5,1005,2005,{from},{to},225158,80,\"ml\",,,,,1,1,\"a\",\"b\",\"c\",\"d\",70,100,\"ml\",0,0,0,\"{status}\",,,,80,1"
        )
    };
    tables.push("INPUTEVENTS_MV", &infusion("2150-03-03 09:00:00", "2150-03-03 11:00:00", "FinishedRunning"));
    tables.push("INPUTEVENTS_MV", &infusion("2150-03-03 08:00:00", "2150-03-03 09:00:00", "Rewritten"));
    tables.push("INPUTEVENTS_CV", "1,5,1005,2005,2150-03-01 10:30:00,30013,20,\"ml\",,,,,,,,,,,,,,");
    fs::write(
        tables.root().join("d_labitems.csv"),
        format!("{D_LABITEMS}1,50912,\"Creatinine\",\"Blood\",\"Chem\",\"x\"\n"),
    )
    .unwrap();
    let set = tables.read(&options()).unwrap();
    // By frequency, then charted before laboratory before input, then by number.
    assert_eq!(
        set.dense_names,
        ["chart:211", "output:40055", "lab:50912 Creatinine", "input:30013", "input:225158"]
    );
    assert_eq!(set.bag_names, ["chart:184", "chart:211"]);
    assert_eq!(set.scales.iter().map(|scale| scale.mean).collect::<Vec<_>>(), [75.0, 150.0, 1.5, 20.0, 40.0]);
    assert_eq!(set.layout, InputLayout::Sequence { steps: 48, features: 18, context: 10, ragged: true });
    let at = |row: usize, step: usize, feature: usize| set.train.split.inputs[[row, step * 18 + feature]];
    assert_eq!((length(&set.train, 0), length(&set.train, 1)), (5.0, 48.0));
    // Value, mask and time of the heart rate; the greater of two values stands for their median.
    assert_eq!([0, 2, 3, 4, 5].map(|step| at(0, step, 0)), [1.0, 1.0, 1.0, -1.0, 0.0]);
    assert_eq!([0, 2, 3, 4, 5].map(|step| at(0, step, 5)), [0.0, 1.0, 0.0, 1.0, 0.0]);
    let since = |hours: f64| (hours.ln_1p() / 48.0_f64.ln_1p()) as f32;
    assert_eq!([0, 1, 2, 3, 4].map(|step| at(0, step, 10)), [1.0, 1.0, 0.0, since(1.0), 0.0]);
    assert_eq!([3, 4].map(|step| at(0, step, 15)), [0.0, 1.0_f32.ln_1p()]);
    assert!((at(0, 0, 17) + 47.0 / 48.0).abs() < 1e-6);
    assert_eq!([4, 5, 47].map(|step| at(1, step, 5 + 2)), [0.0, 1.0, 0.0]);
    let chart = &set.rows[&EventTable::ChartEvents];
    assert_eq!((chart.rows, chart.used, chart.marked_error, chart.outside_window), (11, 5, 1, 2));
    assert_eq!((chart.other_patient, chart.other_admission, chart.no_time, chart.not_finite), (1, 1, 1, 1));
    assert_eq!(set.rows[&EventTable::InputEventsMv].marked_error, 1);
    // Day bags: the last value of the day, the sum of the day.
    let days = tables.read(&MimicOptions { bin_hours: 24, ..options() }).unwrap();
    assert_eq!(days.layout, InputLayout::Sequence { steps: 2, features: 18, context: 10, ragged: true });
    assert_eq!((days.scales[0].mean, days.scales[1].mean), (60.0, 150.0));
    assert_eq!((length(&days.train, 0), length(&days.train, 1)), (1.0, 2.0));
}

#[test]
fn a_stay_without_events_is_a_row_of_no_steps() {
    let mut tables = Tables::new(&TWO);
    tables.chart(3, 211, "2150-03-01 12:40:00", "90", "0");
    let set = tables.read(&options()).unwrap();
    assert_eq!((length(&set.train, 0), length(&set.train, 1)), (3.0, 0.0));
    let inputs = &set.train.split.inputs;
    assert!(inputs.iter().all(|value| value.is_finite()));
    // One feature of value, mask and time since, and what is known of the hour: the mask of the empty stay is never set.
    let InputLayout::Sequence { features, .. } = set.layout else { panic!() };
    let set_in = |row: usize| (0..48).filter(|step| inputs[[row, step * features + 1]] == 1.0).count();
    assert_eq!((set_in(0), set_in(1)), (1, 0));
}

fn note(subject: u32, time: &str, category: &str, error: &str, text: &str) -> String {
    format!(
        "1,{subject},{},2150-03-01,{time},,\"{category}\",\"Report\",,{error},\"{text}\"",
        subject + 1_000
    )
}

#[test]
fn notes_give_counts_of_words_across_embedded_newlines() {
    let mut tables = Tables::new(&TWO);
    let text = "Pt stable,\nSTABLE after \"\"fluids\"\".\n\nDr. [**Last Name 12**]";
    tables.push("NOTEEVENTS", &note(3, "2150-03-01 11:15:00", "Nursing", "", text));
    tables.push("NOTEEVENTS", &note(5, "2150-03-01 11:15:00", "Discharge summary", "", "expired"));
    tables.push("NOTEEVENTS", &note(5, "", "ECG", "", "expired"));
    tables.push("NOTEEVENTS", &note(5, "2150-03-01 11:15:00", "Nursing", "1", "expired"));
    let wanted = MimicOptions { tables: vec![EventTable::NoteEvents], ..options() };
    let set = tables.read(&wanted).unwrap();
    assert_eq!(set.bag_names, ["word:stable", "word:after", "word:dr", "word:fluids", "word:pt"]);
    assert_eq!((set.n_dense, set.n_bag, length(&set.train, 0)), (0, 5, 2.0));
    assert_eq!(set.train.split.inputs[[0, 6]], 2.0_f32.ln_1p());
    let rows = &set.rows[&EventTable::NoteEvents];
    assert_eq!(
        (rows.rows, rows.used, rows.discharge_summary, rows.no_time, rows.marked_error),
        (4, 1, 1, 1, 1)
    );
    let few = tables.read(&MimicOptions { max_tokens: 1, ..wanted.clone() }).unwrap();
    assert_eq!(few.bag_names, ["word:stable"]);
    assert_eq!(tables.read(&MimicOptions { min_count: 3, ..wanted }).unwrap().n_bag, 0);
    // A row after a note of several lines is still named by its line in the file.
    tables.push("NOTEEVENTS", &note(5, "noon", "Nursing", "", "x"));
    let got = refusal(tables.read(&MimicOptions { tables: vec![EventTable::NoteEvents], ..options() }));
    assert!(matches!(got, ClinicalError::Field { row: 9, .. }), "{got}");
}

#[test]
fn a_patient_is_in_one_part_whoever_else_is_there() {
    let everyone: Vec<(u32, u8)> = (1..=600).map(|subject| (subject, (subject % 3 == 0).into())).collect();
    let mut tables = Tables::new(&everyone);
    for subject in 1..=600 {
        // A second admission of every patient.
        tables.admission(subject, subject + 50_000, 0, "");
        tables.stay(
            subject,
            subject + 50_000,
            subject + 60_000,
            "2150-06-01 10:00:00",
            "2150-06-05 10:00:00",
        );
    }
    let choice = MimicOptions { fractions: [0.6, 0.15, 0.25], seed: 4, ..options() };
    let set = tables.read(&choice).unwrap();
    let patients =
        |part: &MimicPart| part.subject_ids.iter().copied().collect::<std::collections::BTreeSet<_>>();
    let (valid, test) = (set.valid.unwrap(), set.test.unwrap());
    let parts = [patients(&set.train), patients(&valid), patients(&test)];
    assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), 600);
    assert_eq!(set.train.split.len() + valid.split.len() + test.split.len(), 1_200);
    for (part, share) in parts.iter().zip([0.6_f64, 0.15, 0.25]) {
        // Four standard deviations of a binomial count.
        let sd = (600.0 * share * (1.0 - share)).sqrt();
        assert!((part.len() as f64 - 600.0 * share).abs() < 4.0 * sd, "{} of {share}", part.len());
    }
    let half = Tables::new(&everyone[..300]).read(&choice).unwrap();
    assert_eq!(patients(&half.train), parts[0].iter().copied().filter(|&subject| subject <= 300).collect());
    let other = tables.read(&MimicOptions { seed: 5, ..choice }).unwrap();
    assert_ne!(patients(&other.train), parts[0]);
}

#[test]
fn only_training_patients_choose_and_scale_the_features() {
    let everyone: Vec<(u32, u8)> = (1..=40).map(|subject| (subject, u8::from(subject % 2 == 1))).collect();
    let choice = MimicOptions { fractions: [0.5, 0.0, 0.5], min_count: 2, ..options() };
    let members = Tables::new(&everyone).read(&choice).unwrap();
    let read = |test_value: &str| {
        let mut tables = Tables::new(&everyone);
        for &subject in &members.train.subject_ids {
            tables.chart(subject, 211, "2150-03-01 12:00:00", &subject.to_string(), "0");
        }
        for &subject in &members.test.as_ref().unwrap().subject_ids {
            tables.chart(subject, 211, "2150-03-01 12:00:00", test_value, "0");
            tables.chart(subject, 618, "2150-03-01 12:00:00", test_value, "0");
        }
        tables.read(&choice).unwrap()
    };
    let (low, high) = (read("1"), read("1e9"));
    assert_eq!((&low.dense_names, &low.scales, &low.train), (&high.dense_names, &high.scales, &high.train));
    assert_eq!(low.dense_names, ["chart:211"]);
    // Values beyond the training percentiles are clipped to them.
    assert!(high.test.unwrap().split.inputs.iter().all(|value| value.abs() <= 5.0));
}

#[test]
fn two_hundred_thousand_rows_and_a_stay_of_a_hundred_thousand_events_are_read_in_seconds() {
    let everyone: Vec<(u32, u8)> = (1..=40).map(|subject| (subject, u8::from(subject % 2 == 1))).collect();
    let mut tables = Tables::new(&everyone);
    let mut rows = String::with_capacity(200_000 * 80);
    for row in 0..200_000_u32 {
        // Every second row is patient 1's.
        let subject = if row % 2 == 0 { 1 } else { 1 + row % 40 };
        let (day, hour, minute) = (1 + row % 3, row / 7 % 24, row / 11 % 60);
        writeln!(
            rows,
            "{row},{subject},{},{},{},2150-03-0{day} {hour:02}:{minute:02}:00,2150-03-0{day} 23:59:00,1,\"{}\",{},\"bpm\",0,0,,",
            subject + 1_000,
            subject + 2_000,
            200 + row / 5 % 130,
            row % 101,
            row % 101
        )
        .unwrap();
    }
    tables.push("CHARTEVENTS", rows.trim_end());
    let started = std::time::Instant::now();
    let set = tables.read(&options()).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("200,000 rows in {seconds:.2} s");
    assert!(seconds < 10.0, "{seconds} s");
    assert_eq!((set.n_dense, set.n_bag, set.rows[&EventTable::ChartEvents].rows), (100, 30, 200_000));
    assert_eq!(length(&set.train, 0), 48.0);
    let counts = &set.rows[&EventTable::ChartEvents];
    assert_eq!(counts.used + counts.outside_window, 200_000);
    // The bags of the first stay hold its events of the 30 rarer items, to the last one.
    let (features, row) = (3 * 100 + 30 + 1, set.train.split.inputs.row(0).to_vec());
    let bagged: f64 = (0..48)
        .flat_map(|step| row[step * features + 300..step * features + 330].to_vec())
        .map(|log| f64::from(log).exp() - 1.0)
        .sum();
    let within = |row: u32| match row % 3 {
        0 => row / 7 % 24 >= 10,
        1 => true,
        _ => row / 7 % 24 < 10,
    };
    let rare: Vec<u32> = set.bag_names.iter().map(|name| name[6..].parse().unwrap()).collect();
    let expected = (0..200_000_u32)
        .filter(|row| row % 2 == 0 && within(*row) && rare.contains(&(200 + row / 5 % 130)))
        .count();
    assert!(
        (bagged - expected as f64).abs() < 0.01 * expected as f64 && expected > 5_000,
        "{bagged} {expected}"
    );
}
