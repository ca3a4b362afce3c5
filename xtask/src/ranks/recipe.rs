//! Small recipes for every kind of network and rows, and the data that are not embedded in the program.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Steps whose losses are compared.
pub(super) const AGREEING_STEPS: usize = 50;

/// A recipe without its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipe {
    pub(super) name: &'static str,
    data: &'static str,
    model: &'static str,
    method: &'static str,
    train: &'static str,
}

/// A record after every step, so that losses are compared step by step; batches that ranks cannot divide evenly.
const EACH_STEP: &str = "steps = 50\ncheckpoint_every = { steps = 1 }\nbatch_size = 13\n\
                         optimizer = { kind = \"adam\", learning_rate = 0.001 }\nclip_norm = 1.0";

const RANK1: &str = "kind = \"rank1\"\nmembers = 2\ndropout_rate = 0.01";

const PERCEPTRON: &str = "kind = \"mlp\"\nhidden = [16]\nlikelihood = \"gaussian\"";

pub(super) const AGREEING: [Recipe; 4] = [
    Recipe {
        name: "perceptron",
        data: "set = \"yacht\"",
        model: PERCEPTRON,
        method: RANK1,
        train: EACH_STEP,
    },
    // Statistics of normalizations over all ranks, and the last batch of a pass has fewer rows than four ranks.
    Recipe {
        name: "resnet8",
        data: "set = \"images\"\nfile = \"photos\"\nimage_size = 32\nvalidation = 0.0\ntest_fraction = 0.25\nformats = [\"bmp\"]",
        model: "kind = \"resnet\"\ndepth = 8\nwidth = 4",
        method: RANK1,
        train: EACH_STEP,
    },
    Recipe {
        name: "lstm",
        data: "set = \"mimic3\"\nvalidation = 0.0\nbin_hours = 12",
        model: "kind = \"lstm\"\nunits = 8\nlikelihood = \"bernoulli\"",
        method: RANK1,
        train: EACH_STEP,
    },
    Recipe {
        name: "stream",
        data: "set = \"images\"\nfile = \"photos\"\nimage_size = 16\nvalidation = 0.0\ntest_fraction = 0.25\nformats = [\"bmp\"]",
        model: "kind = \"lenet5\"",
        method: RANK1,
        train: EACH_STEP,
    },
];

const ADAM: &str = "batch_size = 32\noptimizer = { kind = \"adam\", learning_rate = 0.01 }\nclip_norm = 1.0";

/// Saved often; an ensemble whose first networks are dealt and whose last is shared; one that stops early.
pub(super) static KILLED: [Recipe; 3] = [
    Recipe {
        name: "plain",
        data: "set = \"yacht\"",
        model: PERCEPTRON,
        method: RANK1,
        train: "epochs = 400\ncheckpoint_every = 20",
    },
    Recipe {
        name: "ensemble",
        data: "set = \"yacht\"",
        model: PERCEPTRON,
        method: "kind = \"ensemble\"\nnetworks = 3\nof = { kind = \"rank1\", members = 2 }",
        train: "epochs = 250\ncheckpoint_every = 10",
    },
    Recipe {
        name: "stopping",
        data: "set = \"yacht\"",
        model: PERCEPTRON,
        method: RANK1,
        train: "epochs = 200\ncheckpoint_every = 5\nearly_stopping = { patience = 1000, every = 4 }",
    },
];

impl Recipe {
    pub(super) fn text(&self) -> String {
        let Self { name, data, model, method, train } = self;
        let rest = if train.contains("optimizer") { "" } else { ADAM };
        format!(
            "name = \"ranks/{name}\"\nseed = 5\n[data]\n{data}\n[model]\n{model}\n[method]\n{method}\n[train]\n{train}\n{rest}\n\
             [predict]\nsamples = 2\n"
        )
    }
}

/// Images of two classes, and the tables of a clinical set, with made-up values.
pub(super) fn write_data(folder: &Path) -> Result<()> {
    let write = |name: String, bytes: &[u8]| -> Result<()> {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    for image in 0..72 {
        let class = ["dark", "light"][image % 2];
        write(format!("photos/{class}/{image}.bmp"), &bitmap(image))?;
    }
    for (name, text) in clinical() {
        write(format!("mimic3/{name}.csv"), text.as_bytes())?;
    }
    Ok(())
}

/// A picture of 36 x 36 pixels in three bytes each, from below; a row is a multiple of four bytes.
fn bitmap(image: usize) -> Vec<u8> {
    const SIDE: usize = 36;
    let mut bytes = b"BM".to_vec();
    let size = (54 + 3 * SIDE * SIDE) as u32;
    for word in [size, 0, 54, 40, SIDE as u32, SIDE as u32, 1 | (24 << 16), 0, 0, 0, 0, 0, 0] {
        bytes.extend(word.to_le_bytes());
    }
    // A pattern of its own, and a class that is hardly brighter than the other.
    let pixel = |i: usize| (100 + i * (7 + image) % 23 + 8 * (image % 2)) as u8;
    bytes.extend((0..3 * SIDE * SIDE).map(pixel));
    bytes
}

/// The tables of MIMIC-III as far as a network needs them: one stay and two readings of each patient.
fn clinical() -> Vec<(&'static str, String)> {
    let mut patients = "\"ROW_ID\",\"SUBJECT_ID\",\"GENDER\",\"DOB\",\"DOD\"\n".to_owned();
    let mut admissions =
        "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"DEATHTIME\",\"ADMISSION_TYPE\",\"HOSPITAL_EXPIRE_FLAG\"\n"
            .to_owned();
    let mut stays =
        "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ICUSTAY_ID\",\"FIRST_CAREUNIT\",\"INTIME\",\"OUTTIME\"\n"
            .to_owned();
    let mut labs =
        "\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",\"ITEMID\",\"CHARTTIME\",\"VALUE\",\"VALUENUM\"\n".to_owned();
    for id in 1..=120 {
        let died = u32::from(id % 3 == 0);
        let (admission, stay) = (id + 1000, id + 2000);
        let _ = writeln!(patients, "{id},{id},\"F\",2090-03-01 00:00:00,");
        let _ = writeln!(admissions, "{id},{id},{admission},,\"EMERGENCY\",{died}");
        let _ =
            writeln!(stays, "{id},{id},{admission},{stay},\"MICU\",2150-03-01 10:00:00,2150-03-05 10:00:00");
        for day in 1..=2 {
            let value = f64::from(2 + 3 * died) + f64::from(id % 7) / 7.0;
            let _ = writeln!(labs, "{id},{id},{admission},50813,2150-03-0{day} 20:00:00,{value},{value}");
        }
    }
    let empty = |columns: &str| format!("\"ROW_ID\",\"SUBJECT_ID\",\"HADM_ID\",{columns}\n");
    vec![
        ("PATIENTS", patients),
        ("ADMISSIONS", admissions),
        ("ICUSTAYS", stays),
        ("LABEVENTS", labs),
        ("CHARTEVENTS", empty("\"ITEMID\",\"CHARTTIME\",\"VALUENUM\",\"ERROR\"")),
        ("INPUTEVENTS_CV", empty("\"CHARTTIME\",\"ITEMID\",\"AMOUNT\"")),
        ("INPUTEVENTS_MV", empty("\"STARTTIME\",\"ENDTIME\",\"ITEMID\",\"AMOUNT\",\"STATUSDESCRIPTION\"")),
        ("OUTPUTEVENTS", empty("\"CHARTTIME\",\"ITEMID\",\"VALUE\",\"ISERROR\"")),
    ]
}
