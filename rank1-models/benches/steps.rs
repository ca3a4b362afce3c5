//! Whole training steps of small settings, and predictions: median, least time and memory of each.
//!
//! Arguments: names of cases (default all), `--json` (one object a line), `--overhead` (beside each step that of the
//! deterministic network on as many rows), `--profile` (one step by kind of layer instead), `--seconds N` (time per case,
//! default 5). A step draws for every row, takes the
//! average likelihood and the KL divergence over N, their gradient, and moves by SGD with Nesterov momentum. Steps of a TabM
//! are those of its package: AdamW, and draws, where it has some, for the batch. Every case runs in a process of its own, so
//! that its memory is its own, on 2 threads unless `RAYON_NUM_THREADS` says otherwise.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use rank1_core::likelihood::Likelihood;
use rank1_models::device::Compute;
use rank1_models::engine::Batch;
use rank1_models::network::{InputShape, Network, NetworkShape};
use rank1_models::predict::{TrainedNetwork, engines, predict};
use rank1_models::recipe::{self, Recipe};
use rank1_models::train::{Stepper, TrainState};
use serde_json::{Value, json};

mod setting;

use setting::profile::{by_kind, print_table};
use setting::{argument, peak_bytes, random_batch};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// One setting: what goes in, which network, how many new examples a step has.
struct Case {
    name: &'static str,
    input: InputShape,
    model: &'static str,
    likelihood: &'static str,
    outputs: usize,
    batch: usize,
    /// Rows of the training set, by which the KL divergence is divided.
    n: usize,
    /// Draws of each member for a prediction; none where the case is a training step.
    samples: Option<usize>,
    setup: Setup,
}

/// How a case is trained.
struct Setup {
    method: &'static str,
    members: usize,
    optimizer: &'static str,
}

const FACTORS: Setup = Setup { method: RANK1, members: 4, optimizer: SGD };
const TABM_FACTORS: Setup = Setup { method: RANK1_TABM, members: 32, optimizer: ADAMW };
const TABM: Setup =
    Setup { method: r#"kind = "batch_ensemble", members = 32"#, members: 32, optimizer: ADAMW };

const SGD: &str = r#"kind = "sgd", learning_rate = 0.001, momentum = 0.9, nesterov = true"#;
const ADAMW: &str = r#"kind = "adam", learning_rate = 0.002, weight_decay = 0.0003"#;

const IMAGE: InputShape = InputShape::Image { height: 32, width: 32, channels: 3 };
const MLP: &str = r#"kind = "mlp", hidden = [512, 512], activation = "relu""#;

const TABM512: &str = r#"kind = "tabm", width = 512, blocks = 3, embedding = "none""#;
const TWENTY: InputShape = InputShape::Columns { width: 20 };

const CASES: [Case; 10] = [
    Case {
        name: "uci50",
        input: InputShape::Columns { width: 13 },
        model: r#"kind = "mlp", hidden = [50], activation = "relu""#,
        likelihood: "gaussian",
        outputs: 1,
        batch: 32,
        n: 455,
        samples: None,
        setup: FACTORS,
    },
    Case {
        name: "mlp784",
        input: InputShape::Columns { width: 784 },
        model: MLP,
        likelihood: "categorical",
        outputs: 10,
        batch: 32,
        n: 60_000,
        samples: None,
        setup: FACTORS,
    },
    Case {
        name: "lstm48",
        input: InputShape::Sequence { steps: 48, features: 80, context: 0, ragged: false },
        model: r#"kind = "lstm", units = 128"#,
        likelihood: "bernoulli",
        outputs: 1,
        batch: 16,
        n: 4_000,
        samples: None,
        setup: FACTORS,
    },
    Case {
        name: "resnet20",
        input: IMAGE,
        model: r#"kind = "resnet", depth = 20, width = 16, norm = "shared""#,
        likelihood: "categorical",
        outputs: 10,
        batch: 32,
        n: 50_000,
        samples: None,
        setup: FACTORS,
    },
    Case {
        name: "wrn16_2",
        input: IMAGE,
        model: r#"kind = "wide_resnet", depth = 16, widen = 2, norm = "shared""#,
        likelihood: "categorical",
        outputs: 10,
        batch: 16,
        n: 50_000,
        samples: None,
        setup: FACTORS,
    },
    Case {
        name: "predict1_mlp784",
        input: InputShape::Columns { width: 784 },
        model: MLP,
        likelihood: "categorical",
        outputs: 10,
        batch: 1,
        n: 60_000,
        samples: Some(8),
        setup: FACTORS,
    },
    Case {
        name: "tabm512",
        input: TWENTY,
        model: TABM512,
        likelihood: "categorical",
        outputs: 10,
        batch: 256,
        n: 14_000,
        samples: None,
        setup: TABM,
    },
    Case {
        name: "tabm512_rank1",
        input: TWENTY,
        model: TABM512,
        likelihood: "categorical",
        outputs: 10,
        batch: 256,
        n: 14_000,
        samples: None,
        setup: TABM_FACTORS,
    },
    Case {
        name: "predict_tabm512",
        input: TWENTY,
        model: TABM512,
        likelihood: "categorical",
        outputs: 10,
        batch: 4096,
        n: 14_000,
        samples: Some(1),
        setup: TABM,
    },
    Case {
        name: "predict64_mlp128",
        input: TWENTY,
        model: r#"kind = "mlp", hidden = [128, 128], activation = "relu""#,
        likelihood: "categorical",
        outputs: 10,
        batch: 4096,
        n: 14_000,
        samples: Some(16),
        setup: FACTORS,
    },
];

const RANK1: &str = r#"kind = "rank1", members = 4, posterior = "normal", prior = { family = "normal", mean = 1.0, std = 0.1 }, sign_init = -0.5, dropout_rate = 0.01, member_kl = "sum""#;
const RANK1_TABM: &str = r#"kind = "rank1", members = 32, posterior = "normal", prior = { family = "normal", mean = 1.0, std = 0.3 }, granularity = "per_batch", dropout_rate = 0.01"#;

impl Case {
    fn find(name: &str) -> Outcome<&'static Self> {
        let known = || CASES.map(|case| case.name).join(", ");
        let case = CASES.iter().find(|case| case.name == name);
        case.ok_or_else(|| format!("no case is called `{name}`; the cases: {}", known()).into())
    }

    fn recipe(&self, method: &str) -> Outcome<Recipe> {
        let Self { name, model, likelihood, batch, setup: Setup { optimizer, .. }, .. } = self;
        let set = if matches!(self.input, InputShape::Sequence { .. }) { "physionet2012" } else { "cifar10" };
        let set = if matches!(self.input, InputShape::Columns { .. }) { "boston" } else { set };
        let text = format!(
            r#"
name = "bench/{name}"
data = {{ set = "{set}", validation = 0.0 }}
model = {{ {model}, likelihood = "{likelihood}" }}
method = {{ {method} }}
[train]
epochs = 1000
batch_size = {batch}
optimizer = {{ {optimizer} }}
objective = "average_nll"
kl_annealing = 0.5
"#
        );
        Ok(recipe::parse(&text, &[])?.get().clone())
    }

    fn network(&self, recipe: &Recipe) -> Outcome<Network> {
        let likelihood = match self.likelihood {
            "categorical" => Likelihood::Categorical,
            "bernoulli" => Likelihood::Bernoulli,
            _ => Likelihood::Gaussian,
        };
        let (input, outputs) = (self.input, self.outputs);
        let shape = NetworkShape { input, body: recipe.model.body.clone(), outputs, likelihood };
        Ok(Network::new(shape, &recipe.method)?)
    }

    /// Prints where the time of one step goes, after some to warm up.
    fn profile(&self) -> Outcome<()> {
        let recipe = self.recipe(self.setup.method)?;
        let network = self.network(&recipe)?;
        let (inputs, targets) = random_batch(&network.shape, self.batch);
        let mut state = TrainState::start(&network, &recipe, recipe.seed)?;
        let mut stepper = Stepper::new(&network, &recipe, &Compute::default(), self.n);
        let mut whole = Duration::ZERO;
        for _ in 0..5 {
            stepper.engine().measure();
            let started = Instant::now();
            stepper.step(&mut state, Batch { inputs: inputs.view(), targets: &targets })?;
            whole = started.elapsed();
        }
        let kinds = by_kind(&network, stepper.engine().operation_times());
        println!("-- {}", self.name);
        print_table(whole, stepper.times(), &kinds, (self.batch * self.setup.members) as f64);
        Ok(())
    }

    /// Times of single runs on `examples` new examples.
    fn times(&self, method: &str, examples: usize, seconds: usize) -> Outcome<Vec<Duration>> {
        let recipe = self.recipe(method)?;
        let network = self.network(&recipe)?;
        let (inputs, targets) = random_batch(&network.shape, examples);
        let mut state = TrainState::start(&network, &recipe, recipe.seed)?;
        let mut stepper = Stepper::new(&network, &recipe, &Compute::default(), self.n);
        if let Some(samples) = self.samples {
            let parameters = state.parameters.as_slice().into();
            let trained =
                [TrainedNetwork { network: network.clone(), parameters, seed: recipe.seed, kept: None }];
            let mut engines = engines(&recipe, &trained, &Compute::default());
            return repeat(seconds, || {
                black_box(predict(&trained, &mut engines, inputs.view(), samples, 4096)?);
                Ok(())
            });
        }
        repeat(seconds, || {
            stepper.step(&mut state, Batch { inputs: inputs.view(), targets: &targets })?;
            Ok(())
        })
    }
}

/// Runs `work` for a tenth of the time to warm up, then times runs until it is over, at least five.
fn repeat(seconds: usize, mut work: impl FnMut() -> Outcome<()>) -> Outcome<Vec<Duration>> {
    let (warm, whole) = (Duration::from_millis(100 * seconds as u64), Duration::from_secs(seconds as u64));
    let started = Instant::now();
    let mut warmed = 0;
    while warmed < 2 || started.elapsed() < warm {
        work()?;
        warmed += 1;
    }
    let mut times = Vec::new();
    while times.len() < 5 || started.elapsed() < whole {
        let before = Instant::now();
        work()?;
        times.push(before.elapsed());
    }
    times.sort();
    Ok(times)
}

fn measured(name: &str, deterministic: bool, seconds: usize) -> Outcome<Value> {
    let case = Case::find(name)?;
    let (method, examples) = if deterministic {
        (r#"kind = "deterministic""#, case.batch * case.setup.members * case.samples.unwrap_or(1))
    } else {
        (case.setup.method, case.batch)
    };
    // As training runs: on a thread of the pool.
    let times = rayon::join(|| case.times(method, examples, seconds).map_err(|e| e.to_string()), || ()).0?;
    let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    let peak = peak_bytes().map(|bytes| (bytes as f64 / f64::from(1 << 20) * 10.0).round() / 10.0);
    let case = if deterministic { format!("{name}/deterministic") } else { name.to_owned() };
    Ok(json!({
        "case": case,
        "median_ms": ms(times[times.len() / 2]),
        "min_ms": ms(times[0]),
        "peak_rss_mb": peak,
        "runs": times.len(),
        "threads": rayon::current_num_threads(),
        "instruction_set": rank1_core::kernels::simd::instruction_set()?,
    }))
}

/// [`measured`] in a process of its own.
fn apart(name: &str, deterministic: bool, seconds: usize) -> Outcome<Value> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--worker", name, "--seconds", &seconds.to_string()]);
    if deterministic {
        command.arg("--deterministic");
    }
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        command.env("RAYON_NUM_THREADS", "2");
    }
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("case {name} failed").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(f64::NAN)
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| words.iter().any(|word| word == flag);
    let seconds = argument("--seconds", 5)?;
    if let Some(at) = words.iter().position(|word| word == "--worker") {
        let name = words.get(at + 1).map_or("", String::as_str);
        println!("{}", measured(name, has("--deterministic"), seconds)?);
        return Ok(());
    }
    let value_of = |i: usize| i > 0 && words[i - 1] == "--seconds";
    let (mut names, mut unknown) = (Vec::new(), Vec::new());
    for (i, word) in words.iter().enumerate() {
        match word.as_str() {
            "--json" | "--overhead" | "--profile" | "--seconds" | "--bench" => {}
            _ if value_of(i) => {}
            flag if flag.starts_with('-') => unknown.push(flag),
            name => names.push(Case::find(name)?.name),
        }
    }
    if let [first, ..] = unknown[..] {
        return Err(
            format!("unknown option `{first}`; known: --json, --overhead, --profile, --seconds N").into()
        );
    }
    if names.is_empty() {
        names.extend(CASES.iter().map(|case| case.name));
    }
    if has("--profile") {
        let all = || names.into_iter().try_for_each(|name| Case::find(name)?.profile());
        return rayon::join(|| all().map_err(|error: Box<dyn Error>| error.to_string()), || ())
            .0
            .map_err(Into::into);
    }
    let (json, overhead) = (has("--json"), has("--overhead"));
    if !json {
        let last = if overhead { "over deterministic" } else { "" };
        println!("{:<18}{:>12}{:>10}{:>12}{:>8}  {last}", "case", "median ms", "min ms", "peak MiB", "runs");
    }
    for name in names {
        let mut ours = apart(name, false, seconds)?;
        if overhead {
            let plain = apart(name, true, seconds)?;
            ours["deterministic_ms"] = plain["median_ms"].clone();
            ours["overhead"] = json!(number(&ours, "median_ms") / number(&plain, "median_ms"));
        }
        if json {
            println!("{ours}");
            continue;
        }
        let ratio = if overhead { format!("{:.3}", number(&ours, "overhead")) } else { String::new() };
        println!(
            "{name:<18}{:>12.3}{:>10.3}{:>12.1}{:>8}  {ratio}",
            number(&ours, "median_ms"),
            number(&ours, "min_ms"),
            number(&ours, "peak_rss_mb"),
            ours["runs"],
        );
    }
    Ok(())
}
