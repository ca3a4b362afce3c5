//! Where the numbers come from: one line per run and the recipe of each group, folded away.

use std::fmt::Write as _;

use super::group::SetGroups;
use super::input::RunDocument;
use super::number::{NOT_AVAILABLE, counted, escape, fixed};

/// The last section of the page; empty without runs.
pub(crate) fn provenance(sets: &[SetGroups<'_>]) -> String {
    if sets.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<section id=\"provenance\">\n<h2>Recipes and provenance</h2>\n<p class=\"caption\">Every run by name, and the \
         recipe of the first run of each group; the other runs of a group differ in the seed or split unless a note at \
         their table says otherwise.</p>\n",
    );
    for set in sets {
        let runs = set.groups.iter().flat_map(|group| &group.runs);
        let count = runs.clone().count();
        let _ = write!(
            html,
            "<details><summary>{}: {}</summary>\n<div class=\"scroll\" role=\"region\" aria-label=\"Runs on {0}\" tabindex=\"0\">\
             <table><thead><tr><th scope=\"col\">Run</th><th scope=\"col\">Seed</th><th scope=\"col\">Split</th>\
             <th scope=\"col\">K</th><th scope=\"col\">S</th><th scope=\"col\">Training (s)</th><th scope=\"col\">Version</th>\
             <th scope=\"col\">Commit</th><th scope=\"col\">Device</th></tr></thead>\n<tbody>\n",
            escape(&set.set),
            counted(count, "run")
        );
        runs.for_each(|run| html.push_str(&row(run)));
        html.push_str("</tbody></table></div>\n");
        for group in &set.groups {
            let first = group.runs[0];
            let _ = write!(
                html,
                "<details><summary>Recipe of {} ({})</summary>\n<pre>{}</pre>\n</details>\n",
                escape(&group.label),
                escape(&first.run.name),
                escape(&first.recipe_text)
            );
        }
        html.push_str("</details>\n");
    }
    html.push_str("</section>\n");
    html
}

fn row(document: &RunDocument) -> String {
    let run = &document.run;
    let word = |text: &str| if text.is_empty() { NOT_AVAILABLE.to_owned() } else { escape(text) };
    format!(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
         <td class=\"word\">{}</td></tr>\n",
        escape(&document.name),
        run.seed,
        run.split.map_or_else(|| NOT_AVAILABLE.to_owned(), |split| split.to_string()),
        run.n_members,
        run.samples,
        fixed(run.wall_seconds, 1),
        word(&run.version),
        word(run.commit.as_deref().unwrap_or_default()),
        word(&run.device)
    )
}
