//! Tables of estimates as HTML: arrows, best values, published rows, rows that were not run.

use std::fmt::Write as _;

use super::comparison::{Better, Estimate, Notation, Origin, SummaryColumn, SummaryRow, SummaryTable};
use super::number::{NOT_AVAILABLE, decimals, escape, written};

/// The whole table with its heading and caption, `level` being the heading's.
pub(crate) fn table(table: &SummaryTable, level: u8) -> String {
    let mut html = String::new();
    if !table.title.is_empty() {
        let _ = writeln!(html, "<h{level}>{}</h{level}>", escape(&table.title));
    }
    if !table.caption.is_empty() {
        let _ = writeln!(html, "<p class=\"caption\">{}</p>", escape(&table.caption));
    }
    let name = if table.title.is_empty() { &table.row_header } else { &table.title };
    let _ = write!(
        html,
        "<div class=\"scroll\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">{}</th>",
        escape(name),
        escape(&table.row_header)
    );
    for column in &table.columns {
        html.push_str(&head(column));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    let columns: Vec<Column> = (0..table.columns.len()).map(|index| Column::of(table, index)).collect();
    let mut sources: Vec<&str> = Vec::new();
    for row in &table.rows {
        html.push_str(&body_row(table, row, &columns, &mut sources));
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
    if !sources.is_empty() {
        html.push_str("<ol class=\"sources\">");
        for source in sources {
            let _ = write!(html, "<li>{}</li>", escape(source));
        }
        html.push_str("</ol>\n");
    }
    html
}

fn head(column: &SummaryColumn) -> String {
    let arrow = match column.better {
        Better::Lower => "&nbsp;<span class=\"way\" title=\"lower is better\">↓</span>",
        Better::Higher => "&nbsp;<span class=\"way\" title=\"higher is better\">↑</span>",
        Better::Neither => "",
    };
    let unit =
        column.unit.as_ref().map_or_else(String::new, |unit| format!("<small>{}</small>", escape(unit)));
    format!("<th scope=\"col\">{}{arrow}{unit}</th>", escape(&column.label))
}

/// What the cells of a column share.
struct Column {
    decimals: usize,
    notation: Notation,
    best: Option<f64>,
}

impl Column {
    fn of(table: &SummaryTable, index: usize) -> Self {
        let SummaryColumn { better, notation, .. } = table.columns[index];
        let of_rows = |ours_only: bool| -> Vec<Estimate> {
            let rows = table.rows.iter().filter(|row| !ours_only || row.origin == Origin::Ours);
            rows.filter_map(|row| estimate(row, index)).collect()
        };
        let ours = of_rows(true);
        let decimals =
            decimals(if ours.is_empty() { of_rows(false) } else { ours.clone() }.as_slice(), notation);
        let means = ours.iter().map(|estimate| estimate.mean);
        let best = match better {
            _ if ours.len() < 2 => None,
            Better::Lower => means.reduce(f64::min),
            Better::Higher => means.reduce(f64::max),
            Better::Neither => None,
        };
        Self { decimals, notation, best }
    }

    /// The mean, bold if it is best as far as its printed digits show, and the standard error below it.
    fn cell(&self, estimate: Estimate, may_be_best: bool) -> String {
        let (mean, error) = written(estimate, self.notation, self.decimals);
        let best = self.best.map(|best| {
            written(Estimate { mean: best, standard_error: None, n: 1 }, self.notation, self.decimals).0
        });
        let error =
            error.map_or_else(String::new, |error| format!(" <span class=\"error\">± {error}</span>"));
        if may_be_best && best.as_ref() == Some(&mean) {
            format!("<td><strong>{mean}</strong>{error}</td>")
        } else {
            format!("<td>{mean}{error}</td>")
        }
    }
}

fn estimate(row: &SummaryRow, index: usize) -> Option<Estimate> {
    row.cells.get(index).copied().flatten().filter(|estimate| estimate.mean.is_finite())
}

fn body_row<'a>(
    table: &SummaryTable,
    row: &'a SummaryRow,
    columns: &[Column],
    sources: &mut Vec<&'a str>,
) -> String {
    let label = escape(&row.label);
    match &row.origin {
        Origin::NotRun { reason } => {
            format!(
                "<tr class=\"absent\"><th scope=\"row\">{label}</th><td class=\"reason\" colspan=\"{}\">not run here: {}</td></tr>\n",
                table.columns.len().max(1),
                escape(reason)
            )
        }
        Origin::Published { source } => {
            let number = sources.iter().position(|known| known == source).unwrap_or_else(|| {
                sources.push(source);
                sources.len() - 1
            });
            format!(
                "<tr class=\"published\"><th scope=\"row\">{label} <small>published [{}]</small></th>{}</tr>\n",
                number + 1,
                cells(row, columns)
            )
        }
        Origin::Ours => format!("<tr><th scope=\"row\">{label}</th>{}</tr>\n", cells(row, columns)),
    }
}

fn cells(row: &SummaryRow, columns: &[Column]) -> String {
    let cell = |(index, column): (usize, &Column)| match estimate(row, index) {
        Some(estimate) => column.cell(estimate, row.origin == Origin::Ours),
        None => format!("<td>{NOT_AVAILABLE}</td>"),
    };
    columns.iter().enumerate().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SummaryTable {
        let estimate = |mean| Some(Estimate { mean, standard_error: Some(0.01), n: 3 });
        let row = |label: &str, origin, cells| SummaryRow { label: label.to_owned(), origin, cells };
        SummaryTable {
            title: "UCI".to_owned(),
            caption: String::new(),
            row_header: "Method".to_owned(),
            columns: vec![SummaryColumn {
                label: "RMSE <m>".to_owned(),
                better: Better::Lower,
                ..SummaryColumn::default()
            }],
            rows: vec![
                row("A", Origin::Ours, vec![estimate(0.52)]),
                row("B", Origin::Ours, vec![estimate(0.61)]),
                row("C", Origin::Published { source: "Paper 1".to_owned() }, vec![estimate(0.4)]),
                row("D", Origin::NotRun { reason: "no data".to_owned() }, Vec::new()),
                row("E", Origin::Ours, Vec::new()),
            ],
        }
    }

    #[test]
    fn the_best_of_ours_is_bold_and_a_better_published_one_is_not() {
        let html = table(&sample(), 3);
        assert!(html.contains("<strong>0.520</strong> <span class=\"error\">± 0.010</span>"), "{html}");
        assert_eq!(html.matches("<strong>").count(), 1);
    }

    #[test]
    fn published_rows_name_their_source_and_absent_ones_their_reason() {
        let html = table(&sample(), 3);
        assert!(html.contains("published [1]") && html.contains("<li>Paper 1</li>"), "{html}");
        assert!(html.contains("colspan=\"1\">not run here: no data"), "{html}");
    }

    #[test]
    fn a_cell_without_a_number_is_a_dash_and_text_is_escaped() {
        let html = table(&sample(), 3);
        assert!(html.contains("<th scope=\"row\">E</th><td>–</td>"), "{html}");
        assert!(
            html.contains("RMSE &lt;m&gt;&nbsp;<span class=\"way\" title=\"lower is better\">↓</span>"),
            "{html}"
        );
    }

    #[test]
    fn values_equal_as_printed_are_both_best() {
        let mut tied = sample();
        tied.rows[1].cells[0] = Some(Estimate { mean: 0.520_01, standard_error: Some(0.01), n: 3 });
        assert_eq!(table(&tied, 3).matches("<strong>").count(), 2);
    }
}
