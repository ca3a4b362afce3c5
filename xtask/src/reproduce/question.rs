//! Questions of an experiment, each with the rule by which its runs decide it; the rule stands in the experiment file before
//! the runs are made.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::experiment::{Better, Block, Column, Layout};
use super::summary::{Cell, Estimate, paired_difference};
use super::tables::BlockView;

/// One question and its rule.
///
/// A difference is *for* when its 95 % interval lies wholly on the better side of zero, *against* when it excludes a gain
/// of `worthwhile`, and *open* else. The question is confirmed when at least `confirm` differences are for and none is
/// against, refuted when at least `refute` are against, and undecided else.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) text: String,
    #[serde(rename = "difference")]
    pub(crate) differences: Vec<Difference>,
    pub(crate) confirm: usize,
    pub(crate) refute: usize,
}

/// What is compared: two methods of a block by one of its columns, paired by seed, or by set where the block has several.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    pub(crate) block: String,
    pub(crate) ours: String,
    pub(crate) method: String,
    pub(crate) metric: String,
    /// A gain below which the difference counts against, in the unit of the metric.
    #[serde(default)]
    pub(crate) worthwhile: f64,
}

/// Which way a difference points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    For,
    Against,
    Open,
}

/// How a question was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    Confirmed,
    Refuted,
    Undecided,
}

/// A difference with its interval, as it is printed and written.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    /// "Rank-1 Gaussian minus Deterministic: NLL (fashion)".
    pub(crate) what: String,
    /// In the unit of the metric; absent where a run is missing.
    pub(crate) mean: Option<f64>,
    pub(crate) interval: Option<[f64; 2]>,
    /// Seeds or sets.
    pub(crate) n: usize,
    pub(crate) side: Side,
    #[serde(skip)]
    printed: String,
}

/// A question with what was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) rule: String,
    pub(crate) decision: Decision,
    pub(crate) findings: Vec<Finding>,
}

impl Question {
    /// Everything a typo could break after hours of training.
    pub(crate) fn check(&self, blocks: &[Block]) -> Result<()> {
        let (name, n) = (&self.name, self.differences.len());
        ensure!((1..=n).contains(&self.confirm), "question {name}: `confirm` is not within 1 to {n}");
        ensure!((1..=n).contains(&self.refute), "question {name}: `refute` is not within 1 to {n}");
        for difference in &self.differences {
            let Difference { block, ours, method, metric, worthwhile } = difference;
            let Some(found) = blocks.iter().find(|known| known.name == *block) else {
                anyhow::bail!("question {name} names the unknown block {block}")
            };
            for wanted in [ours, method] {
                let known = found.methods.iter().any(|known| known.name == *wanted);
                ensure!(known, "question {name}: block {block} has no method {wanted}");
            }
            let column = found.columns.iter().find(|column| column.metric == *metric);
            let directed = column.is_some_and(|column| column.better != Better::Neither);
            ensure!(directed, "question {name}: block {block} has no column {metric} with a better side");
            ensure!(*worthwhile >= 0.0, "question {name}: `worthwhile` of {metric} is below 0");
        }
        Ok(())
    }

    /// Decides the question by its rule.
    pub(crate) fn decide(&self, views: &[BlockView<'_>]) -> Verdict {
        let findings: Vec<Finding> = self.differences.iter().map(|d| d.find(views)).collect();
        let count = |side| findings.iter().filter(|finding| finding.side == side).count();
        let (favourable, against) = (count(Side::For), count(Side::Against));
        let decision = if favourable >= self.confirm && against == 0 {
            Decision::Confirmed
        } else if against >= self.refute {
            Decision::Refuted
        } else {
            Decision::Undecided
        };
        let rule = format!(
            "confirmed if at least {} of {} differences are for and none is against; refuted if at least {} are against",
            self.confirm,
            findings.len(),
            self.refute
        );
        Verdict { name: self.name.clone(), text: self.text.clone(), rule, decision, findings }
    }
}

impl Difference {
    fn find(&self, views: &[BlockView<'_>]) -> Finding {
        let view = views.iter().find(|view| view.block.name == self.block);
        let column = view.and_then(|view| view.block.columns.iter().find(|c| c.metric == self.metric));
        let (Some(view), Some(column)) = (view, column) else {
            unreachable!("checked when the experiment was read")
        };
        let estimate = self.estimate(view);
        let interval = estimate.and_then(|estimate| estimate.interval());
        let side = interval.map_or(Side::Open, |interval| self.side(interval, column.better));
        let label = |name: &str| {
            let known = view.block.methods.iter().find(|method| method.name == name);
            known.map_or_else(|| name.to_owned(), |method| method.label.clone())
        };
        let what = format!(
            "{} minus {}: {} ({})",
            label(&self.ours),
            label(&self.method),
            column.header,
            self.block
        );
        let unit = if view.block.layout == Layout::Sets { "sets" } else { "seeds" };
        Finding {
            printed: printed(estimate, interval, column, unit),
            what,
            mean: estimate.map(|estimate| estimate.mean),
            interval,
            n: estimate.map_or(0, |estimate| estimate.n),
            side,
        }
    }

    /// Over seeds in a block of one set; over the means of the sets where there are several.
    fn estimate(&self, view: &BlockView<'_>) -> Option<Estimate> {
        let cell = |set: &str, method: &str| -> Option<&Cell> {
            view.cells.iter().find(|cell| cell.set == set && cell.method == method)
        };
        let of_set =
            |set: &str| paired_difference(cell(set, &self.ours)?, cell(set, &self.method)?, &self.metric);
        let mut sets = view.block.sets.iter().map(|set| set.name.as_str());
        match view.block.layout {
            Layout::Methods => of_set(sets.next()?),
            Layout::Sets => {
                let means: Option<Vec<f64>> = sets.map(|set| Some(of_set(set)?.mean)).collect();
                Estimate::of(&means?)
            }
        }
    }

    fn side(&self, [lower, upper]: [f64; 2], better: Better) -> Side {
        // Gains are positive from here on.
        let (least, most) = match better {
            Better::Lower => (-upper, -lower),
            _ => (lower, upper),
        };
        if least > 0.0 {
            Side::For
        } else if most < self.worthwhile || most <= 0.0 {
            Side::Against
        } else {
            Side::Open
        }
    }
}

fn printed(estimate: Option<Estimate>, interval: Option<[f64; 2]>, column: &Column, unit: &str) -> String {
    let Some(estimate) = estimate else { return "not measured".into() };
    let (places, scale) = (column.decimals, column.scale);
    let mean = estimate.mean * scale;
    match interval {
        Some([lower, upper]) => format!(
            "{mean:+.places$}, 95 % [{:+.places$}, {:+.places$}], {} {unit}",
            lower * scale,
            upper * scale,
            estimate.n
        ),
        None => format!("{mean:+.places$}, one value, no interval"),
    }
}

impl Verdict {
    /// The question, its decision and every finding, in Markdown.
    pub(crate) fn print(&self) -> String {
        let decision = match self.decision {
            Decision::Confirmed => "confirmed",
            Decision::Refuted => "refuted",
            Decision::Undecided => "undecided",
        };
        let mut text = format!("### {}: {decision}\n\n{}\n\nRule: {}.\n\n", self.name, self.text, self.rule);
        for finding in &self.findings {
            let side = match finding.side {
                Side::For => "for",
                Side::Against => "against",
                Side::Open => "open",
            };
            text.push_str(&format!("- {side}: {} {}\n", finding.what, finding.printed));
        }
        text
    }
}

#[cfg(test)]
#[path = "question_tests.rs"]
mod tests;
