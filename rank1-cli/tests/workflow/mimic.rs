//! MIMIC-III by name: trained, evaluated and described from tables in the published format, which the test writes.

use std::fmt::Write as _;

use crate::json;
use crate::workbench::{Bench, assert_says};

const PATIENTS: u32 = 120;

const RECIPE: &str = "name = \"test/mimic\"\n[data]\nset = \"mimic3\"\nvalidation = 0.2\nbin_hours = 12\n\
    [model]\nkind = \"lstm\"\nunits = 8\nhidden = [8]\nlikelihood = \"bernoulli\"\n\
    [method]\nkind = \"rank1\"\nmembers = 2\n\
    [train]\nepochs = 8\nbatch_size = 16\noptimizer = { kind = \"adam\", learning_rate = 0.02 }\n\
    early_stopping = { patience = 8 }\n[predict]\nsamples = 4\n";

/// Patients with one stay each; the lactate of those who die is high.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("recipe.toml", RECIPE);
    let mut patients = "\"ROW_ID\",\"SUBJECT_ID\",\"GENDER\",\"DOB\",\"DOD\"\n".to_owned();
    let mut admissions =
        "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"DEATHTIME\",\"ADMISSION_TYPE\",\"HOSPITAL_EXPIRE_FLAG\"\n"
            .to_owned();
    let mut stays =
        "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ICUSTAY_ID\",\"FIRST_CAREUNIT\",\"INTIME\",\"OUTTIME\"\n"
            .to_owned();
    let mut labs =
        "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ITEMID\",\"CHARTTIME\",\"VALUE\",\"VALUENUM\"\n".to_owned();
    for id in 1..=PATIENTS {
        let died = u32::from(id % 3 == 0);
        writeln!(patients, "{id},{id},\"F\",2090-03-01 00:00:00,").unwrap();
        writeln!(admissions, "{id},{id},{},,\"EMERGENCY\",{died}", id + 1_000).unwrap();
        writeln!(
            stays,
            "{id},{id},{},{},\"MICU\",2150-03-01 10:00:00,2150-03-05 10:00:00",
            id + 1_000,
            id + 2_000
        )
        .unwrap();
        for day in 1..=2 {
            let value = f64::from(2 + 5 * died) + f64::from(id % 7) / 7.0;
            writeln!(labs, "{id},{id},{},50813,2150-03-0{day} 20:00:00,{value},{value}", id + 1_000).unwrap();
        }
    }
    std::fs::create_dir(bench.path("mimic3")).unwrap();
    let header = |columns: &str| format!("\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",{columns}\n");
    for (name, text) in [
        ("PATIENTS", patients),
        ("ADMISSIONS", admissions),
        ("ICUSTAYS", stays),
        ("LABEVENTS", labs),
        ("CHARTEVENTS", header("\"ITEMID\",\"CHARTTIME\",\"VALUENUM\",\"ERROR\"")),
        ("INPUTEVENTS_CV", header("\"CHARTTIME\",\"ITEMID\",\"AMOUNT\"")),
        ("INPUTEVENTS_MV", header("\"STARTTIME\",\"ENDTIME\",\"ITEMID\",\"AMOUNT\",\"STATUSDESCRIPTION\"")),
        ("OUTPUTEVENTS", header("\"CHARTTIME\",\"ITEMID\",\"VALUE\",\"ISERROR\"")),
    ] {
        bench.write(&format!("mimic3/{name}.csv"), text);
    }
    bench
}

#[test]
fn a_network_trained_on_the_tables_tells_who_dies() {
    let bench = bench();
    bench.train("run", &["--data", "."]);
    let stored = json(&bench.read("run/evaluation.json"));
    assert!(stored["metrics"]["auroc"].as_f64().unwrap() > 0.95, "{stored}");
    let again = json(&bench.succeed(&["evaluate", "run", "--data", ".", "--json"]).stdout);
    assert_eq!(again["metrics"]["nll"], stored["metrics"]["nll"]);
    let held =
        json(&bench.succeed(&["evaluate", "run", "--data", ".", "--split", "validation", "--json"]).stdout);
    assert_ne!(held["metrics"]["nll"], stored["metrics"]["nll"]);
    let reference = json(&bench.read("run/reference.json"))["content"].clone();
    assert!(reference["columns"] == serde_json::json!([]) && reference["scores"]["n"].as_u64() > Some(0));
    let line = bench.refused(&["watch", "run", "--input", "mimic3"]);
    assert_says(&line, &["--input mimic3", "not read on their own"]);
    let info = bench.succeed(&["info", "recipe.toml", "--data", "."]).stdout;
    assert_says(&info, &["lstm", "2 members"]);
}

#[test]
fn missing_tables_and_split_patients_are_refused() {
    let bench = bench();
    let train = |more: &[&str]| bench.refused(&[&["train", "recipe.toml", "--out", "run"], more].concat());
    assert_says(&train(&[]), &["mimic3", "--data DIR"]);
    assert_says(&train(&["--data", ".", "--set", "data.train_rows=10"]), &["data.train_rows", "by patient"]);
    assert_says(&train(&["--data", ".", "--set", "data.bin_hours=7"]), &["bin_hours", "7 does not divide"]);
    std::fs::remove_file(bench.path("mimic3/LABEVENTS.csv")).unwrap();
    assert_says(&train(&["--data", "."]), &["LABEVENTS"]);
}
