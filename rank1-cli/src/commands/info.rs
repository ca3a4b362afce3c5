//! `rank1 info`: what a recipe's network consists of and costs, before anything is run.

use std::time::Instant;

use anyhow::{Context, Result};
use rank1_core::kernels::dense::{self, DenseScratch, DenseShape};
use rank1_models::cluster::{Limits, Machine, Plan, Work};
use rank1_models::recipe::Recipe;
use rank1_models::summary::Summary;
use serde::Serialize;

use crate::args::InfoArgs;
use crate::data_facts::DataFacts;
use crate::{data_file, recipe_file, tables};

/// Bits of a gigabit, over eight: bytes.
const BYTES_OF_GBIT: f64 = 1e9 / 8.0;

/// Rows and columns of the product that tells what a processor reaches.
const SIDE: usize = 512;

/// Seconds of the products that are timed.
const SECONDS: f64 = 0.3;

/// A training on several ranks, with what was assumed.
#[derive(Debug, Serialize)]
pub struct ClusterDocument {
    /// What ranks and network can do.
    pub machine: Machine,
    /// Whether the rate was measured on this machine, not given.
    pub rate_is_measured: bool,
    /// Training rows.
    pub rows: usize,
    /// What is trained.
    pub work: Work,
    /// Powers of two, the ranks asked for, and the limits.
    pub plans: Vec<Plan>,
    /// Where adding ranks stops helping.
    pub limits: Limits,
    /// The ranks asked for.
    pub asked: usize,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a ClusterDocument>,
}

/// Describes and prints; no rows are read, except those of a user's own table.
///
/// # Errors
/// Recipe problems, an unknown set, an architecture that does not read the set's inputs; with `--ranks` a set whose training rows
/// are not known.
pub fn run(args: &InfoArgs) -> Result<()> {
    let recipe = recipe_file::read(&args.recipe, &args.overrides)?;
    let (located, _) =
        data_file::locate(recipe.get(), recipe_file::places(&args.recipe, args.data.as_deref()))
            .with_context(|| args.recipe.display().to_string())?;
    let settings = &located;
    let named = |section| format!("{}: {section}", args.recipe.display());
    let facts = DataFacts::ahead(settings, args.data.as_deref()).with_context(|| named("data"))?;
    facts.notes.iter().for_each(|note| tables::note(&format!("note: {note}")));
    let input = facts.input;
    let rows = facts.train_rows;
    let shape = facts.network(settings).with_context(|| named("model"))?;
    let train = &settings.train;
    let summary = Summary::new(&shape, &settings.method, &train.optimizer, train.batch_size, train.samples)
        .with_context(|| named("model"))?;
    let cluster = args.ranks.map(|ranks| cluster(args, settings, &summary, rows, ranks as usize));
    let cluster = cluster.transpose()?;
    if args.json {
        return tables::print_json(&Document { summary: &summary, cluster: cluster.as_ref() });
    }
    let step = format!("batch {}, samples {}", train.batch_size, train.samples);
    tables::print_summary(&settings.name, &settings.data.set, input, &step, &summary)?;
    cluster.map_or(Ok(()), |cluster| tables::print_cluster(&cluster))
}

fn cluster(
    args: &InfoArgs,
    settings: &Recipe,
    summary: &Summary,
    known: Option<usize>,
    asked: usize,
) -> Result<ClusterDocument> {
    let of_set = || known.map(|rows| settings.data.train_rows.map_or(rows, |most| rows.min(most)));
    let rows = args.rows.map(|rows| rows as usize).or_else(of_set).with_context(|| {
        format!(
            "the training rows of `{}` are not known before they are read; give --rows N",
            settings.data.set
        )
    })?;
    let train = &settings.train;
    let fitted = rows - (settings.data.validation * rows as f64).round() as usize;
    let steps = train.lengths(fitted, &settings.method).end;
    let work = Work::new(summary, train.batch_size, train.samples, steps);
    let cores = args.cores.map_or_else(available_cores, |cores| cores as usize);
    let decode = if settings.data.cropped_size().is_some() { args.decode / 1e3 / cores as f64 } else { 0.0 };
    let machine = Machine {
        flops_per_second: args.tflops.map_or_else(measured_rate, |rate| Ok(rate * 1e12))?,
        bytes_per_second: args.gbit * BYTES_OF_GBIT,
        latency_seconds: args.latency / 1e6,
        decode_seconds: decode,
        decodes_beside: args.tflops.is_some(),
    };
    let limits = work.limits(&machine);
    let mut ranks: Vec<usize> =
        (0..usize::BITS).map(|bit| 1 << bit).take_while(|&n| n <= limits.fastest).collect();
    ranks.extend([asked, limits.half_used, limits.fastest]);
    ranks.sort_unstable();
    ranks.dedup();
    let plans = ranks.into_iter().map(|ranks| work.on(ranks, &machine)).collect();
    Ok(ClusterDocument { machine, rate_is_measured: args.tflops.is_none(), rows, work, plans, limits, asked })
}

fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Floating-point operations per second of one product after the other, on all threads; the median, because others may be at work.
fn measured_rate() -> Result<f64> {
    let shape = DenseShape { d_in: SIDE, d_out: SIDE };
    let (x, weight) = (vec![0.5_f32; SIDE * SIDE], vec![0.25_f32; SIDE * SIDE]);
    let (mut out, mut scratch) = (vec![0.0_f32; SIDE * SIDE], DenseScratch::default());
    let (start, mut seconds) = (Instant::now(), Vec::new());
    while start.elapsed().as_secs_f64() < SECONDS || seconds.is_empty() {
        let begun = Instant::now();
        dense::forward(shape, &x, &weight, &mut out, &mut scratch)?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(2.0 * (SIDE as f64).powi(3) / seconds[seconds.len() / 2])
}
