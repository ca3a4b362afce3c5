//! Small invented runs for tests of the report; the numbers are plausible and mean nothing.

use std::collections::BTreeMap;

use super::history::HistoryRow;
use super::input::{EntropyHistogram, Evaluation, Metrics, ReliabilityBin, RunDocument, RunJson, ShiftPoint};
use super::table_document::{
    BaselineDocument, ColumnImportance, CoverageBin, ErrorBin, Importance, SliceScore, TableDocument,
};

/// What varies between invented runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fabricated {
    /// Data set.
    pub(crate) set: &'static str,
    /// Method key.
    pub(crate) method: &'static str,
    /// Seed; moves every number a little.
    pub(crate) seed: u64,
    /// 0 is the best method; moves every number more.
    pub(crate) handicap: f64,
}

impl Default for Fabricated {
    fn default() -> Self {
        Self { set: "mnist10k", method: "rank1_gaussian", seed: 0, handicap: 0.0 }
    }
}

impl Fabricated {
    /// A number around `center` that depends on the seed, the method's handicap and a label.
    fn near(&self, center: f64, salt: usize) -> f64 {
        let angle = self.seed as f64 * 2.4 + salt as f64 * 1.7 + self.method.len() as f64;
        center * (1.0 + 0.35 * self.handicap + 0.03 * angle.sin())
    }

    fn has_posterior(&self) -> bool {
        self.method.starts_with("rank1") || self.method.starts_with("mean_field")
    }

    fn run(&self, task: &str) -> RunJson {
        let members = if self.method == "deterministic" { 1 } else { 4 };
        RunJson {
            name: format!("{}/mlp_{}", self.set, self.method),
            task: task.to_owned(),
            set: self.set.to_owned(),
            method: self.method.to_owned(),
            seed: self.seed,
            split: (task == "regression").then_some(self.seed),
            gap: false,
            device: "cpu, 2 threads".to_owned(),
            version: "0.1.0".to_owned(),
            commit: Some("0123abc".to_owned()),
            wall_seconds: self.near(21.0, 90),
            parameters: 101_770 + 1_000 * self.method.len() as u64,
            n_members: members,
            samples: if self.has_posterior() { 16 } else { 1 },
            microseconds_per_prediction: Some(self.near(140.0, 91)),
            published: None,
        }
    }

    fn document(&self, task: &str, evaluation: Evaluation) -> RunDocument {
        RunDocument {
            name: format!("{}-{}-seed{}", self.set, self.method, self.seed),
            method: self.method.to_owned(),
            recipe_text: format!("seed = {}\n\n[method]\nkind = \"{}\"\n", self.seed, self.method),
            run: self.run(task),
            evaluation,
            history: self.history(),
        }
    }

    fn history(&self) -> Vec<HistoryRow> {
        let layers = ["layer0", "layer1", "layer2"];
        (1..=40_u32)
            .map(|epoch| {
                let progress = (-f64::from(epoch) / 9.0).exp();
                let level = if self.has_posterior() { 1.0 } else { 0.0 };
                let kl: Vec<(String, f64)> = layers
                    .iter()
                    .enumerate()
                    .map(|(index, layer)| {
                        (
                            (*layer).to_owned(),
                            level * self.near(90.0 / (index + 1) as f64, index) * (1.2 - progress),
                        )
                    })
                    .collect();
                let sides = ["input", "output"].iter().enumerate();
                let spread = sides.flat_map(|(side, name)| {
                    layers.iter().enumerate().map(move |(index, layer)| {
                        let value = self.near(0.02 + 0.03 * (index + 2 * side) as f64, index);
                        (format!("{layer}/{name}"), level * value * (1.1 - progress))
                    })
                });
                HistoryRow {
                    network: 0,
                    epoch: f64::from(epoch),
                    step: f64::from(epoch) * 63.0,
                    train_nll: self.near(0.04 + 0.6 * progress, 1),
                    kl: kl.iter().map(|(_, value)| value).sum(),
                    kl_per_example: 0.02 * level,
                    kl_weight: (f64::from(epoch) / 20.0).min(1.0),
                    penalty: 0.3,
                    learning_rate: 0.1 * progress,
                    valid_nll: self.near(0.1 + 0.5 * progress, 2),
                    layer_kl: if self.has_posterior() { kl } else { Vec::new() },
                    spread: spread.collect(),
                }
            })
            .collect()
    }

    fn shifts(&self, kind: &str, severities: &[f64], nll: f64) -> Vec<ShiftPoint> {
        severities
            .iter()
            .enumerate()
            .map(|(index, severity)| ShiftPoint {
                kind: kind.to_owned(),
                severity: *severity,
                metrics: Metrics::from([(
                    "nll".to_owned(),
                    self.near(nll * (1.0 + (index as f64).powi(2)), index),
                )]),
            })
            .collect()
    }

    fn nll_by_samples(&self, nll: f64) -> Vec<[f64; 2]> {
        let draws: &[f64] = if self.has_posterior() { &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0] } else { &[1.0] };
        draws.iter().map(|draws| [*draws, self.near(nll * (1.0 + 0.2 / draws), 3)]).collect()
    }
}

impl Fabricated {
    /// Rows and columns of a table, with a long name among them.
    fn table(&self, nll: f64) -> TableDocument {
        let names = [
            "speed",
            "length / breadth, corrected for the displacement of the hull",
            "beam",
            "draft",
            "crew",
        ];
        let row = |index: u32| {
            let mean = f64::from(index % 40);
            let wide = 1.0 + 0.05 * mean;
            [mean + 1.2 * wide * f64::from(index).sin(), mean, mean - 1.64 * wide, mean + 1.64 * wide]
        };
        let bins = || (1..=10).map(|bin| 0.4 * f64::from(bin));
        let columns = names.iter().enumerate().map(|(place, name)| ColumnImportance {
            column: (*name).to_owned(),
            increase: self.near(1.5 / (1 + place * place) as f64, place),
            standard_error: 0.04,
        });
        let slices = names.iter().enumerate().map(|(place, name)| SliceScore {
            slice: format!("0.25 < {name} ≤ 1.75"),
            count: 21 + place,
            nll: nll + 1.0 / (1 + place) as f64,
            standard_error: 0.1,
        });
        TableDocument {
            target: "resistance".to_owned(),
            rows: (0..120).map(row).collect(),
            errors: bins()
                .map(|stated| ErrorBin {
                    count: 5,
                    stated,
                    observed: self.near(stated, 7),
                    standard_error: 0.1,
                })
                .collect(),
            coverage: bins()
                .map(|at| CoverageBin {
                    count: 5,
                    prediction: 10.0 * at,
                    covered: 0.9 - 0.02 * at,
                    standard_error: 0.03,
                })
                .collect(),
            importance: Some(Importance {
                rows: 51,
                samples: 8,
                nll,
                n_columns: 6,
                columns: columns.collect(),
            }),
            slices: slices.collect(),
            n_slices: 24,
        }
    }
}

fn metrics(pairs: &[(&str, f64)]) -> Metrics {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect::<BTreeMap<_, _>>()
}

/// A run on images of ten classes, with every curve a classification has.
#[must_use]
pub(crate) fn classification(of: &Fabricated) -> RunDocument {
    let nll = of.near(0.09, 0);
    let reliability = (0..15_u32)
        .map(|index| {
            let (lower, upper) = (f64::from(index) / 15.0, f64::from(index + 1) / 15.0);
            let count = if index < 4 { 0 } else { 2 + (usize::pow(2, index) / 24).min(1500) };
            let confidence = if count == 0 { f64::NAN } else { (lower + upper) / 2.0 };
            let accuracy = (confidence - of.near(0.05, index as usize) * (1.0 - confidence) * 4.0).max(0.0);
            ReliabilityBin { lower, upper, count, confidence, accuracy }
        })
        .collect();
    let risk = |coverage: f64| of.near(0.03, 5) * coverage.powi(6);
    let share = |bin: u32, center: f64| (-(f64::from(bin) - center).powi(2) / 18.0).exp() / 7.52;
    let evaluation = Evaluation {
        set: of.set.to_owned(),
        split: "test".to_owned(),
        shift: None,
        n: 2000,
        members: 4,
        samples: 16,
        metrics: metrics(&[
            ("nll", nll),
            ("nll_gibbs", nll * 1.15),
            ("accuracy", 1.0 - of.near(0.027, 1)),
            ("ece", of.near(0.008, 2)),
            ("mce", of.near(0.2, 2)),
            ("brier", of.near(0.04, 3)),
            ("aurc", of.near(0.0015, 4)),
            ("ood_auroc", 1.0 - of.near(0.03, 6)),
            ("ood_fpr95", of.near(0.15, 6)),
            ("disagreement", if of.method == "deterministic" { f64::NAN } else { of.near(0.02, 7) }),
            ("pairwise_kl", of.near(0.05, 8)),
        ]),
        member_metrics: (0..if of.method == "deterministic" { 1 } else { 4 })
            .map(|member| {
                metrics(&[("nll", of.near(0.11, member)), ("accuracy", 1.0 - of.near(0.031, member))])
            })
            .collect(),
        reliability,
        risk_coverage: (1..=200).map(|step| f64::from(step) / 200.0).map(|at| [at, risk(at)]).collect(),
        quantile_calibration: Vec::new(),
        entropy: Some(EntropyHistogram {
            edges: (0..=23).map(|edge| f64::from(edge) * 0.1).collect(),
            in_distribution: (0..23).map(|bin| if bin == 0 { 0.55 } else { 0.9 * share(bin, 1.0) }).collect(),
            ood: Some((0..23).map(|bin| share(bin, 15.0 - 4.0 * of.handicap)).collect()),
            ood_set: Some("glyphs".to_owned()),
        }),
        shifts: [
            of.shifts("rotation", &[15.0, 30.0, 45.0, 60.0], nll * 1.4),
            of.shifts("gaussian_noise", &[0.1, 0.2, 0.4], nll * 1.2),
        ]
        .concat(),
        shift_rows: None,
        nll_by_samples: of.nll_by_samples(nll),
        ..Evaluation::default()
    };
    of.document("classification", evaluation)
}

/// A run on a table of numbers, with every curve a regression has.
#[must_use]
pub(crate) fn regression(of: &Fabricated) -> RunDocument {
    let (nll, width) = (of.near(2.4, 0), 0.3 * (of.handicap - 0.4));
    let evaluation = Evaluation {
        set: of.set.to_owned(),
        split: "test".to_owned(),
        n: 51,
        members: 4,
        samples: 16,
        metrics: metrics(&[
            ("rmse", of.near(2.9, 1)),
            ("nll", nll),
            ("nll_gibbs", nll + 0.05),
            ("crps", of.near(1.5, 2)),
            ("coverage_90", 0.92 - 0.05 * of.handicap),
            ("width_90", of.near(11.0, 3)),
            ("epistemic", of.near(1.1, 4)),
        ]),
        member_metrics: (0..if of.method == "deterministic" { 1 } else { 4 })
            .map(|member| metrics(&[("nll", of.near(2.5, member)), ("rmse", of.near(3.0, member))]))
            .collect(),
        risk_coverage: (1..=51)
            .map(|step| f64::from(step) / 51.0)
            .map(|at| [at, of.near(8.0, 5) * (0.3 + 0.7 * at)])
            .collect(),
        quantile_calibration: (1..20)
            .map(|step| f64::from(step) / 20.0)
            .map(|level| [level, level + width * (std::f64::consts::TAU * level).sin() / 4.0])
            .collect(),
        shifts: of.shifts("gaussian_noise", &[0.25, 0.5, 1.0], nll * 1.1),
        shift_rows: None,
        nll_by_samples: of.nll_by_samples(nll),
        baselines: vec![BaselineDocument {
            name: "ridge".to_owned(),
            strength: Some(0.01),
            metrics: metrics(&[("rmse", of.near(4.0, 6)), ("nll", nll + 0.6)]),
            left_out: None,
        }],
        table: Some(of.table(nll)),
        ..Evaluation::default()
    };
    of.document("regression", evaluation)
}

/// `metrics.csv` of a history whose rows all have the columns of the first.
#[must_use]
pub(crate) fn history_csv(rows: &[HistoryRow]) -> String {
    let mut text =
        "network,epoch,step,train_nll,kl,kl_per_example,kl_weight,penalty,learning_rate,valid_nll".to_owned();
    if let Some(first) = rows.first() {
        let layers = first.layer_kl.iter().map(|(name, _)| format!(",kl/{name}"));
        text.extend(layers.chain(first.spread.iter().map(|(name, _)| format!(",spread/{name}"))));
    }
    for row in rows {
        let plain = [
            row.network as f64,
            row.epoch,
            row.step,
            row.train_nll,
            row.kl,
            row.kl_per_example,
            row.kl_weight,
        ];
        let plain = plain.into_iter().chain([row.penalty, row.learning_rate, row.valid_nll]);
        let named = row.layer_kl.iter().chain(&row.spread).map(|(_, value)| *value);
        let cells: Vec<String> = plain.chain(named).map(|value| value.to_string()).collect();
        text.push('\n');
        text.push_str(&cells.join(","));
    }
    text.push('\n');
    text
}
