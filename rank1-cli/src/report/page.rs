//! Puts the report together: what comes in which order, and the words between.

use std::fmt::Write as _;

use super::calibrated;
use super::charts::figure::Figure;
use super::charts::{calibration, entropy, referral, selective, shift, table as on_table, training};
use super::comparison::{Comparison, SummaryTable};
use super::group::{SetGroups, group_runs};
use super::input::RunDocument;
use super::metric::method_label;
use super::number::{counted, escape};
use super::overview::overview;
use super::provenance::provenance;
use super::style::sheet;
use super::summary::{headline, members, remaining, size_and_cost};
use super::tables::table;

/// The whole page as one self-contained HTML document: no script, and nothing is loaded from anywhere.
///
/// Runs are grouped by data set and method; tables hold means over the runs of a group, figures one curve per group.
/// Without any run the page holds what the comparison holds. The same input gives the same bytes.
#[must_use]
pub fn render(runs: &[RunDocument], comparison: &Comparison, title: &str) -> String {
    let sets = group_runs(runs);
    let tables: Vec<SummaryTable> =
        comparison.tables.iter().cloned().chain(overview(&sets, comparison)).collect();
    let mut page = String::with_capacity(1 << 18);
    let title = escape(title);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n\
         <header>\n<h1>{title}</h1>\n<p class=\"lead\">{}</p>\n</header>\n",
        sheet(),
        lead(&sets)
    );
    page.push_str(&contents(&sets, !tables.is_empty()));
    page.push_str("<main>\n");
    page.push_str(READING);
    if !tables.is_empty() {
        page.push_str("<section id=\"overview\">\n<h2>Overview</h2>\n");
        tables.iter().for_each(|summary| page.push_str(&table(summary, 3)));
        page.push_str("</section>\n");
    }
    for (index, set) in sets.iter().enumerate() {
        page.push_str(&section(index, set, comparison));
    }
    page.push_str(&absent(&sets, comparison));
    page.push_str(&provenance(&sets));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn lead(sets: &[SetGroups<'_>]) -> String {
    let runs: usize = sets.iter().flat_map(|set| &set.groups).map(super::group::Group::n).sum();
    let mut methods: Vec<&str> =
        sets.iter().flat_map(|set| &set.groups).map(|group| group.label.as_str()).collect();
    methods.sort_unstable();
    methods.dedup();
    format!(
        "{} of {} on {}.",
        counted(runs, "run"),
        counted(methods.len(), "method"),
        counted(sets.len(), "data set")
    )
}

fn contents(sets: &[SetGroups<'_>], overview: bool) -> String {
    let mut html = String::from("<nav aria-label=\"Contents\"><ul>");
    if overview {
        html.push_str("<li><a href=\"#overview\">Overview</a></li>");
    }
    for (index, set) in sets.iter().enumerate() {
        let _ = write!(html, "<li><a href=\"#set{index}\">{}</a></li>", escape(&set.set));
    }
    html.push_str("<li><a href=\"#provenance\">Recipes and provenance</a></li></ul></nav>\n");
    html
}

const READING: &str = "<details id=\"reading\">\n<summary>How to read the numbers</summary>\n<dl class=\"key\">\n\
<dt>0.0912 ± 0.0011</dt><dd>mean over runs (seeds or splits) ± standard error of that mean; a single run has no ±</dd>\n\
<dt>↓ ↑</dt><dd>lower or higher is better; columns without an arrow describe and do not rank</dd>\n\
<dt><strong>bold</strong></dt><dd>best mean among the methods run here (it may be within the noise of the next); published \
figures do not compete</dd>\n\
<dt>–</dt><dd>does not apply or was not measured</dd>\n\
<dt>NLL, mixture</dt><dd>negative log of the predictive, that is of the average probability over draws and members: the loss \
of the prediction that is used</dd>\n\
<dt>NLL, Gibbs</dt><dd>average over draws and members of the NLL each has alone; never below the mixture NLL, and the gap is \
what averaging gains</dd>\n\
<dt>NLL, rotation</dt><dd>mean of the mixture NLL over all measured strengths of that shift of the inputs; likewise for \
other shifts</dd>\n\
<dt>ECE</dt><dd>expected calibration error: mean distance between confidence and accuracy over bins of confidence</dd>\n\
<dt>Ridge, logistic regression</dt><dd>linear models of the same encoded columns, the strength of their penalty chosen on rows \
held out; what a network must beat on a table</dd>\n\
<dt>AURC</dt><dd>area under the curve of risk against coverage</dd>\n\
<dt>OOD AUROC</dt><dd>chance that an input from another data set gets a higher entropy than a test input</dd>\n\
<dt>Disagreement</dt><dd>share of inputs on which two members predict different classes</dd>\n\
<dt>Units</dt><dd>NLL, KL and entropy in nats (natural logarithms), per example unless a caption says otherwise; for regression \
the NLL is that of the target in its own unit</dd>\n\
</dl>\n</details>\n";

fn section(index: usize, set: &SetGroups<'_>, comparison: &Comparison) -> String {
    let first = &set.groups[0].runs[0].evaluation;
    let task = if set.regression { "Regression" } else { "Classification" };
    let mut html = format!("<section id=\"set{index}\">\n<h2>{}</h2>\n", escape(&set.set));
    let shift = match first.shift.as_deref() {
        Some(shift) => format!(" under the shift {}", escape(shift)),
        None => String::new(),
    };
    let _ = writeln!(
        html,
        "<p class=\"caption\">{task}, evaluated on {}{shift}.</p>",
        counted(first.n, "example")
    );
    if let Some(event) = &first.event {
        let _ = writeln!(
            html,
            "<p class=\"caption\">The event is the class <strong>{}</strong>: AUROC and average precision are about it.</p>",
            escape(event)
        );
    }
    html.push_str(&table(&headline(set, comparison), 3));
    for group in set.groups.iter().filter(|group| group.recipes_differ()) {
        let _ = writeln!(
            html,
            "<p class=\"note\">the recipes of {} differ in more than the seed; its row averages over different settings.</p>",
            escape(&group.label)
        );
    }
    if let Some(summary) = remaining(set) {
        let _ =
            write!(html, "<details><summary>Further metrics</summary>\n{}</details>\n", table(&summary, 3));
    }
    if let Some(summary) = members(set) {
        html.push_str(&table(&summary, 3));
    }
    html.push_str(&table(&size_and_cost(set), 3));
    for further in [calibrated::calibrated(set), calibrated::referral(set)].into_iter().flatten() {
        html.push_str(&table(&further, 3));
    }
    html.push_str(&drawn("Rows and columns", &on_table::figures(set)));
    html.push_str(&figures(set));
    html.push_str("</section>\n");
    html
}

/// Figures of one frame stand together, between those of one panel per method, so that rows fill up.
fn figures(set: &SetGroups<'_>) -> String {
    let mut figures: Vec<Figure> = Vec::new();
    figures.extend(calibration::reliability(set));
    figures.extend(calibration::quantiles(set));
    figures.extend(selective::risk_coverage(set));
    figures.extend(referral::referral(set));
    figures.extend(shift::shifts(set));
    figures.extend(shift::nll_by_samples(set));
    figures.extend(training::learning_curves(set));
    figures.extend(entropy::entropy(set));
    figures.extend(training::layer_kl(set));
    figures.extend(training::factor_spread(set));
    drawn("Figures", &figures)
}

/// Figures under their own heading.
fn drawn(title: &str, figures: &[Figure]) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let drawn: String = figures.iter().map(Figure::html).collect();
    format!("<h3>{title}</h3>\n<div class=\"figures\">\n{drawn}</div>\n")
}

/// What was not run on data sets that have no section.
fn absent(sets: &[SetGroups<'_>], comparison: &Comparison) -> String {
    let rows: Vec<_> =
        comparison.not_run.iter().filter(|row| sets.iter().all(|set| set.set != row.set)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut html = String::from("<section id=\"absent\">\n<h2>Not run here</h2>\n<ul>\n");
    for row in rows {
        let method = escape(&method_label(&row.method));
        let _ = writeln!(html, "<li>{}, {method}: {}</li>", escape(&row.set), escape(&row.reason));
    }
    html.push_str("</ul>\n</section>\n");
    html
}
