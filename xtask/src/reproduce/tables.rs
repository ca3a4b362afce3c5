//! The tables that people read, in Markdown.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::ASCII_MARKDOWN};

use super::claims::Claims;
use super::experiment::{Better, Block, Column, Comparison, Layout, Published, Set};
use super::summary::{Cell, Estimate, is_better, paired_difference};

/// One block with its runs and the published figures.
#[derive(Debug)]
pub(crate) struct BlockView<'a> {
    pub(crate) block: &'a Block,
    pub(crate) cells: &'a [Cell],
    pub(crate) claims: &'a Claims,
}

/// Every block with its cells.
pub(crate) fn views<'a>(
    blocks: &'a [Block],
    cells: &'a [Vec<Cell>],
    claims: &'a Claims,
) -> Vec<BlockView<'a>> {
    blocks.iter().zip(cells).map(|(block, cells)| BlockView { block, cells, claims }).collect()
}

impl BlockView<'_> {
    /// Tables and notes of the block.
    pub(crate) fn print(&self) -> String {
        let mut text = format!("## {}\n", self.block.title);
        if self.block.sets.is_empty() {
            let reason = self.block.left_out.first().map_or("no set", |(_, reason)| reason.as_str());
            return format!("{text}\nNot run here: {reason}.\n");
        }
        match self.block.layout {
            Layout::Methods => text.push_str(&format!("\n{}\n{}\n", self.repetitions(), self.by_method())),
            Layout::Sets => {
                for column in &self.block.columns {
                    let header = &column.header;
                    let direction = direction(column.better);
                    text.push_str(&format!("\n### {header}{direction}\n\n{}\n", self.repetitions()));
                    text.push_str(&format!("{}\n", self.by_set(column)));
                }
            }
        }
        let mut notes: Vec<String> =
            self.block.comparisons.iter().filter_map(|item| self.compare(item)).collect();
        notes.extend(self.published_sources());
        if !notes.is_empty() {
            text.push_str(&format!("\n{}\n", notes.join("\n")));
        }
        if let Some(failures) = self.failures() {
            text.push_str(&format!("\nRuns that failed:\n\n{failures}\n"));
        }
        text
    }

    /// The tables of a block that has columns of times only.
    pub(crate) fn print_times(&self) -> String {
        let text = self.print();
        text.replacen("## ", "## Times: ", 1)
    }

    fn repetitions(&self) -> String {
        let mut counts: Vec<usize> = self.block.sets.iter().map(|set| self.block.repetitions(set)).collect();
        counts.sort_unstable();
        let (least, most) = (counts.first().copied().unwrap_or(0), counts.last().copied().unwrap_or(0));
        let number = if least == most { format!("{most}") } else { format!("{least} to {most}") };
        let kind = if self.block.sets.iter().any(|set| set.splits.is_some()) { "splits" } else { "seeds" };
        let published = if self.block.published.is_empty() { "" } else { "; † published, sources below" };
        format!("Mean±standard error over {number} {kind}; `*` the best mean of ours{published}.\n")
    }

    fn by_method(&self) -> Table {
        let columns = &self.block.columns;
        let mut table =
            table(std::iter::once("method").chain(columns.iter().map(|column| column.header.as_str())));
        for method in &self.block.methods {
            let cell =
                |column| self.cells.iter().find(|cell| cell.method == method.name).map(|cell| (cell, column));
            let texts = columns
                .iter()
                .map(|column| cell(column).map_or_else(missing, |(cell, column)| self.ours(cell, column)));
            table.add_row(std::iter::once(method.label.clone()).chain(texts));
        }
        let Some(set) = self.block.sets.first() else { return table };
        for published in &self.block.published {
            let texts = columns.iter().map(|column| {
                let claim = self.claim(&set.name, published, &column.metric);
                claim.map_or_else(missing, |estimate| as_printed(estimate, column))
            });
            table.add_row(std::iter::once(format!("{}†", published.label)).chain(texts));
        }
        table
    }

    fn claim(&self, set: &str, published: &Published, metric: &str) -> Option<Estimate> {
        let benchmark = self.block.benchmark.as_deref()?;
        self.claims.find(benchmark, set, published, metric).map(|claim| claim.estimate)
    }

    fn by_set(&self, column: &Column) -> Table {
        let block = self.block;
        let published = block.published.iter().map(|published| format!("{}†", published.label));
        let headers: Vec<String> =
            block.methods.iter().map(|method| method.label.clone()).chain(published).collect();
        let mut table = table(std::iter::once("set").chain(headers.iter().map(String::as_str)));
        for set in &block.sets {
            let cells =
                self.cells.iter().filter(|cell| cell.set == set.name).map(|cell| self.ours(cell, column));
            table.add_row(
                std::iter::once(set.name.clone()).chain(cells).chain(self.published(&set.name, column)),
            );
        }
        for (set, _) in &block.left_out {
            let cells = block
                .methods
                .iter()
                .enumerate()
                .map(|(i, _)| if i == 0 { "not run here".into() } else { missing() });
            table.add_row(std::iter::once(set.clone()).chain(cells).chain(self.published(set, column)));
        }
        table
    }

    fn ours(&self, cell: &Cell, column: &Column) -> String {
        let Some(estimate) = cell.estimate(&column.metric) else {
            return if cell.failed.is_empty() { missing() } else { "failed".into() };
        };
        let mut text = formatted(estimate, column);
        if estimate.n < cell.planned() {
            text.push_str(&format!(" (n={})", estimate.n));
        }
        let rivals = self.cells.iter().filter(|rival| rival.set == cell.set && rival.method != cell.method);
        let beaten = |rival: &Cell| {
            rival
                .estimate(&column.metric)
                .is_none_or(|other| !is_better(column.better, other.mean, estimate.mean))
        };
        if column.better != Better::Neither && rivals.into_iter().all(beaten) {
            text.push('*');
        }
        text
    }

    fn published<'b>(&'b self, set: &'b str, column: &'b Column) -> impl Iterator<Item = String> + 'b {
        self.block.published.iter().map(move |published| {
            let claim = self.claim(set, published, &column.metric);
            // Printed with two decimals in its source, whatever our column uses.
            claim.map_or_else(missing, |estimate| number(estimate, 2))
        })
    }

    /// One line that holds a method of ours against another one or a published one.
    pub(crate) fn compare(&self, comparison: &Comparison) -> Option<String> {
        let column = self.block.columns.iter().find(|column| column.metric == comparison.metric)?;
        let label = |name: &str| {
            let method = self.block.methods.iter().find(|method| method.name == name);
            method.map_or(name, |method| method.label.as_str()).to_owned()
        };
        let ours = label(&comparison.ours);
        let cell =
            |set: &str, method: &str| self.cells.iter().find(|cell| cell.set == set && cell.method == method);
        if let ([set], Some(rival)) = (self.block.sets.as_slice(), &comparison.method) {
            let difference = paired_difference(
                cell(&set.name, &comparison.ours)?,
                cell(&set.name, rival)?,
                &comparison.metric,
            )?;
            let text = formatted(difference, column);
            let interval = interval(difference, column);
            return Some(format!(
                "- {}: {ours} minus {}: {text} (paired{interval}, n = {})",
                column.header,
                label(rival),
                difference.n
            ));
        }
        let rival = match (&comparison.method, &comparison.published) {
            (Some(method), _) => label(method),
            (None, published) => {
                let published =
                    self.block.published.iter().find(|item| Some(&item.method) == published.as_ref())?;
                format!("{} (published)", published.label)
            }
        };
        let (mut wins, mut losses) = (0, Vec::new());
        for set in &self.block.sets {
            let mine = cell(&set.name, &comparison.ours).and_then(|cell| cell.estimate(&comparison.metric));
            let theirs = match &comparison.method {
                Some(method) => cell(&set.name, method).and_then(|cell| cell.estimate(&comparison.metric)),
                None => self
                    .block
                    .published
                    .iter()
                    .find(|item| Some(&item.method) == comparison.published.as_ref())
                    .and_then(|item| self.claim(&set.name, item, &comparison.metric)),
            };
            match (mine, theirs) {
                (Some(mine), Some(theirs)) if is_better(column.better, mine.mean, theirs.mean) => wins += 1,
                (Some(mine), Some(theirs)) => {
                    losses.push(format!(
                        "{} {:.2} against {:.2}",
                        set.name,
                        mine.mean * column.scale,
                        theirs.mean * column.scale
                    ));
                }
                _ => losses.push(format!("{} not comparable", set.name)),
            }
        }
        let rest = if losses.is_empty() { String::new() } else { format!("; not on: {}", losses.join(", ")) };
        let total = wins + losses.len();
        let paired = self.paired(comparison, column);
        Some(format!(
            "- {}: {ours} has a better mean than {rival} on {wins} of {total} sets{rest}{paired}",
            column.header
        ))
    }

    /// The paired differences of every set, each with its interval; empty beside a published method.
    fn paired(&self, comparison: &Comparison, column: &Column) -> String {
        let Some(rival) = &comparison.method else { return String::new() };
        let cell = |set: &str, method: &str| self.cells.iter().find(|c| c.set == set && c.method == method);
        let of_set = |set: &Set| {
            let (mine, theirs) = (cell(&set.name, &comparison.ours)?, cell(&set.name, rival)?);
            let difference = paired_difference(mine, theirs, &comparison.metric)?;
            let interval = interval(difference, column);
            let mean = difference.mean * column.scale;
            Some(format!("{} {mean:+.*}{interval} (n = {})", set.name, column.decimals, difference.n))
        };
        let all: Vec<String> = self.block.sets.iter().filter_map(of_set).collect();
        if all.is_empty() { String::new() } else { format!("; paired differences: {}", all.join("; ")) }
    }

    fn published_sources(&self) -> Vec<String> {
        let Some(benchmark) = &self.block.benchmark else { return Vec::new() };
        let mut notes: Vec<String> = self
            .claims
            .sources(benchmark, &self.block.published)
            .into_iter()
            .map(|source| format!("- published {source}"))
            .collect();
        notes.extend(
            self.block.left_out.iter().map(|(set, reason)| format!("- {set} not run here: {reason}")),
        );
        notes
    }

    fn failures(&self) -> Option<Table> {
        let mut table = table(["run", "result"]);
        let failed = self.cells.iter().flat_map(|cell| &cell.failed);
        table.add_rows(failed.map(|(job, reason)| [job.title(), format!("failed: {reason}")]));
        (table.row_count() > 0).then_some(table)
    }
}

fn table<'a>(headers: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table
        .load_style(ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headers);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn missing() -> String {
    "-".into()
}

fn direction(better: Better) -> &'static str {
    match better {
        Better::Lower => ", lower is better",
        Better::Higher => ", higher is better",
        Better::Neither => "",
    }
}

/// `, 95 % [a, b]`, or nothing for a single value.
fn interval(difference: Estimate, column: &Column) -> String {
    let Some([lower, upper]) = difference.interval() else { return String::new() };
    let places = column.decimals;
    format!(", 95 % [{:+.places$}, {:+.places$}]", lower * column.scale, upper * column.scale)
}

fn formatted(estimate: Estimate, column: &Column) -> String {
    let scale = column.scale;
    let scaled = Estimate {
        mean: estimate.mean * scale,
        error: estimate.error.map(|error| error * scale),
        ..estimate
    };
    // A metric of small size keeps two significant digits, unless its error says that they are noise.
    let small = scaled.mean.abs() < 0.095 && scaled.error.is_none_or(|error| error < 0.05);
    let extra = if matches!(column.decimals, 1 | 2) && small { 2 } else { 0 };
    number(scaled, column.decimals + extra)
}

/// A published figure without zeros at its end, which its source may not have printed.
fn as_printed(estimate: Estimate, column: &Column) -> String {
    let trimmed = |value: f64| {
        let text = format!("{:.*}", column.decimals, value * column.scale);
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    match estimate.error {
        Some(error) => format!("{}±{}", trimmed(estimate.mean), trimmed(error)),
        None => trimmed(estimate.mean),
    }
}

fn number(estimate: Estimate, decimals: usize) -> String {
    match estimate.error {
        // A count that is the same in every run needs no error.
        Some(error) if decimals > 0 || error > 0.0 => {
            format!("{:.decimals$}±{error:.decimals$}", estimate.mean)
        }
        _ => format!("{:.decimals$}", estimate.mean),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn column(decimals: usize, scale: f64) -> Column {
        Column { metric: "m".into(), header: "M".into(), better: Better::Lower, decimals, scale }
    }

    #[test]
    fn a_published_figure_gets_no_digits_that_its_source_lacks() {
        assert_eq!(as_printed(estimate(0.963, None), &column(2, 100.0)), "96.3");
        assert_eq!(as_printed(estimate(0.008, Some(0.0005)), &column(4, 1.0)), "0.008±0.0005");
        assert_eq!(as_printed(estimate(36.6e6, None), &column(0, 1.0)), "36600000");
    }

    fn estimate(mean: f64, error: Option<f64>) -> Estimate {
        Estimate { mean, error, n: 3 }
    }

    #[test]
    fn numbers_are_scaled_and_rounded_and_small_ones_keep_their_digits() {
        assert_eq!(formatted(estimate(0.98765, Some(0.001)), &column(2, 100.0)), "98.77±0.10");
        assert_eq!(formatted(estimate(2.345, None), &column(2, 1.0)), "2.35");
        assert_eq!(formatted(estimate(0.00512, Some(0.0003)), &column(2, 1.0)), "0.0051±0.0003");
        assert_eq!(formatted(estimate(0.0435, Some(0.1518)), &column(2, 1.0)), "0.04±0.15");
        assert_eq!(formatted(estimate(-5.63, Some(0.05)), &column(2, 1.0)), "-5.63±0.05");
        assert_eq!(formatted(estimate(1000.0, Some(0.0)), &column(0, 1.0)), "1000");
    }
}
