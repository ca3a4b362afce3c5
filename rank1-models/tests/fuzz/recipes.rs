//! Recipes: those of the repository, changed; one that is accepted is written and read back alike, and its network is planned.

use std::fs;
use std::path::Path;

use rank1_core::likelihood::Likelihood;
use rank1_models::Error;
use rank1_models::network::{InputShape, NetworkShape};
use rank1_models::recipe::{Override, parse};
use rank1_models::summary::Summary;

use crate::harness::{Entry, Reader};

/// A recipe, its tables, and the plan of its network.
const MOST: usize = 32 << 20;

const WORDS: &[&str] = &[
    "[data]",
    "[model]",
    "[method]",
    "[train]",
    "[predict]",
    "[evaluate]",
    "[search]",
    "[[search]]",
    "kind = ",
    "hidden = [50, 50]",
    "true",
    "false",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "9223372036854775807",
    "9223372036854775808",
    "0x7fffffffffffffff",
    "[]",
    "{}",
    "{ kind = ",
    "\"\"\"",
    "'''",
    "\\u0000",
    "\\U0010FFFF",
    "2024-01-31",
    "rank1",
    "lstm",
    "resnet",
    "wide_resnet",
    "lenet5",
    "resnet50",
    "units = ",
    "depth = ",
    "widen = ",
    "width = ",
    "members = ",
    "networks = ",
    "samples = ",
    "epochs = ",
    "steps = ",
    "stop_step = ",
    "batch_size = ",
    "l2 = ",
    "clip_norm = ",
    "draws = \"shared\"",
    "of = { kind = \"ensemble\"",
    "data.ignore",
    "missing_tokens = [\"\"]",
    "formats = [",
];

/// Files `*.toml` below the folder, in order, without experiments and claims.
fn found(folder: &Path, entries: &mut Vec<Entry>) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "experiments" {
            found(&path, entries);
        } else if path.extension().is_some_and(|ending| ending == "toml") && name != "claims" {
            entries.push(Entry::new(&name, fs::read(path).unwrap()));
        }
    }
}

fn read(text: &str, overrides: &[Override]) -> Result<(), String> {
    let checked = parse(text, overrides).map_err(refused)?;
    let written = checked.to_toml();
    let again = parse(&written, &[]).unwrap_or_else(|error| panic!("its own text is refused: {error}"));
    assert_eq!(again.hash(), checked.hash(), "another recipe when it is read again");
    let recipe = checked.get();
    let shape = |input| NetworkShape {
        input,
        body: recipe.model.body.clone(),
        outputs: 2,
        likelihood: Likelihood::Categorical,
    };
    let inputs = [
        InputShape::Columns { width: 13 },
        InputShape::Image { height: 28, width: 28, channels: 1 },
        InputShape::Image { height: 224, width: 224, channels: 3 },
        InputShape::Sequence { steps: 48, features: 40, context: 4, ragged: true },
    ];
    for input in inputs.into_iter().filter(|input| recipe.model.body.reads(input)) {
        let train = &recipe.train;
        match Summary::new(&shape(input), &recipe.method, &train.optimizer, train.batch_size, train.samples) {
            Ok(summary) => assert!(summary.total >= summary.trainable),
            Err(refused) => one_line(&refused.to_string()),
        }
    }
    Ok(())
}

/// The number of problems: each has a line of its own and repeats what stands there, which may be long.
fn refused(error: Error) -> String {
    match error {
        Error::Recipe(problems) => format!("{} problems", problems.len()),
        other => other.to_string(),
    }
}

fn one_line(message: &str) {
    assert!(!message.contains(['\n', '\r']) && message.len() < 2_000, "{} bytes: {message:?}", message.len());
}

pub(crate) fn file() -> Reader<'static> {
    let mut entries = Vec::new();
    found(&Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("recipes"), &mut entries);
    Reader {
        name: "recipe",
        most_bytes: MOST,
        entries,
        words: WORDS,
        mend: None,
        read: Box::new(|input| {
            let text = std::str::from_utf8(input.bytes).map_err(|_| "not UTF-8".to_owned())?;
            read(text, &[])
        }),
    }
}

/// `--set` of the command.
pub(crate) fn overrides() -> Reader<'static> {
    let recipe = "name = \"a\"\n[data]\nset = \"boston\"\n[model]\nkind = \"mlp\"\nhidden = [50]\n\
                  [method]\nkind = \"rank1\"\nmembers = 4\n[train]\nsteps = 50\n";
    let texts = [
        "train.steps=3",
        "model.hidden=[50, 50]",
        "model={ kind = \"resnet\", depth = 20, width = 16 }",
        "method = { kind = \"ensemble\", networks = 5, of = { kind = \"mc_dropout\", rate = 0.1 } }",
        "method.prior = { kind = \"cauchy\", location = 1.0, scale = 0.1 }",
        "train.optimizer = { kind = \"adam\", learning_rate = 0.003, weight_decay = 0.1 }",
        "train.schedule = { kind = \"cosine\" }",
        "data.ignore=[\"a\"]",
        "search.\"train.steps\" = [1, 2]",
    ];
    Reader {
        name: "recipe_override",
        most_bytes: MOST,
        // Some need a quoted key, which is no dotted key: whether they are accepted is not looked at.
        entries: texts
            .iter()
            .map(|text| {
                match text.parse::<Override>().map_err(drop).and_then(|o| read(recipe, &[o]).map_err(drop)) {
                    Ok(()) => Entry::new(text, *text),
                    Err(()) => Entry::refused(text, *text),
                }
            })
            .collect(),
        words: WORDS,
        mend: None,
        read: Box::new(move |input| {
            let text = std::str::from_utf8(input.bytes).map_err(|_| "not UTF-8".to_owned())?;
            let set = text.parse().map_err(|_: String| "no key and value".to_owned())?;
            read(recipe, &[set])
        }),
    }
}
