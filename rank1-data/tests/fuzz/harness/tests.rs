//! The loop finds what it is for: readers that panic, hold too much, take too long, or say too much.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;

fn reader(read: impl FnMut(Input<'_>) -> Result<(), String> + Send + 'static) -> Reader<'static> {
    Reader {
        name: "sample",
        most_bytes: 1 << 20,
        entries: vec![Entry::new("sample", "abcdef,1\n")],
        words: &[],
        mend: None,
        read: Box::new(read),
    }
}

/// The kinds of failure of 200 inputs.
fn kinds(read: impl FnMut(Input<'_>) -> Result<(), String> + Send + 'static) -> Vec<Kind> {
    kinds_within(Settings::short().slowest, read)
}

fn kinds_within(
    slowest: Duration,
    read: impl FnMut(Input<'_>) -> Result<(), String> + Send + 'static,
) -> Vec<Kind> {
    let settings = Settings { inputs: 200, slowest, ..Settings::short() };
    let report = alone(|| run(reader(read), &settings));
    assert_eq!(report.inputs, 200);
    report.failures.iter().map(|failure| failure.kind).collect()
}

fn is_changed(input: Input<'_>) -> bool {
    input.variation != 0
}

#[test]
fn a_good_reader_has_no_failure() {
    assert!(kinds(|_| Ok(())).is_empty());
    assert!(kinds(|input| if is_changed(input) { Err("no".into()) } else { Ok(()) }).is_empty());
}

#[test]
fn a_panic_is_found_on_any_thread_and_the_run_goes_on() {
    let got = kinds(|input| {
        assert!(input.bytes.len() != 8, "eight");
        Ok(())
    });
    assert!(!got.is_empty() && got.iter().all(|kind| *kind == Kind::Panic), "{got:?}");
    let other = kinds(|input| {
        let length = input.bytes.len();
        std::thread::spawn(move || assert!(length != 8, "eight"))
            .join()
            .map_err(std::panic::resume_unwind)
            .unwrap();
        Ok(())
    });
    assert_eq!(got.len(), other.len());
}

#[test]
fn too_much_memory_is_found_also_if_it_is_given_back() {
    let got = kinds(|input| {
        if input.bytes.contains(&0xff) {
            drop(std::hint::black_box(Vec::<u8>::with_capacity(2 << 20)));
        }
        Ok(())
    });
    assert!(!got.is_empty() && got.iter().all(|kind| *kind == Kind::Memory), "{got:?}");
}

#[test]
fn too_long_a_time_on_a_processor_is_found_and_waiting_for_one_is_none() {
    let got = kinds_within(Duration::from_millis(30), |input| {
        let begun = watch::cpu();
        while input.bytes.len() == 8 && watch::cpu() - begun < Duration::from_millis(60) {}
        Ok(())
    });
    assert!(!got.is_empty() && got.iter().all(|kind| *kind == Kind::Time), "{got:?}");
    let got = kinds_within(Duration::from_secs(2), |input| {
        if input.variation == 0 {
            std::thread::sleep(Duration::from_millis(2_100));
        }
        Ok(())
    });
    assert!(got.is_empty(), "{got:?}");
}

#[test]
fn messages_of_several_lines_and_files_that_are_not_read_as_they_must_be_are_found() {
    let several = kinds(|input| if is_changed(input) { Err("a\nb".into()) } else { Ok(()) });
    assert!(several.iter().all(|kind| *kind == Kind::Message) && several.len() == 3, "{several:?}");
    assert_eq!(kinds(|_| Err("no".into())), [Kind::Entry]);
}

#[test]
fn a_failing_input_is_kept_and_fails_again() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { inputs: 200, out: Some(folder.path().into()), seed: 5, ..Settings::short() };
    let bad = |input: Input<'_>| {
        assert!(input.bytes.len() != 8 || input.variation % 4 != 1, "eight");
        Ok(())
    };
    let report = alone(|| run(reader(bad), &settings));
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "bin"))
        .collect();
    assert_eq!(names.len(), report.failures.len());
    assert!(!names.is_empty());
    for replay in names {
        let number = Case::from_file(&replay).number;
        let again =
            alone(|| run(reader(bad), &Settings { replay: Some(replay.clone()), ..settings.clone() }));
        assert_eq!((again.inputs, again.n_failures, again.failures[0].number), (1, 1, number));
        // A process that dies of an input leaves its number only.
        let kept = std::fs::read(&replay).unwrap();
        std::fs::remove_file(&replay).unwrap();
        alone(|| run(reader(bad), &Settings { save: true, first: number, ..settings.clone() }));
        assert_eq!(std::fs::read(&replay).unwrap(), kept);
    }
    let figures: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("figures.json")).unwrap()).unwrap();
    assert_eq!(figures["reader"], "sample");
}
