//! Members alone and together: what the mixture is worth beside its parts.

use super::super::super::group::SetGroups;
use super::super::super::metric::NLL;
use super::super::axis::Axis;
use super::super::figure::{Figure, Panel};
use super::super::ink::Ink;
use super::super::plot::{LARGE, Layer, PANEL, Plot};
use super::{Shown, first_only, heading, shown};

/// Series of single members and of all together.
const ALONE: usize = 0;
const TOGETHER: usize = 1;

/// NLL of every member and of the mixture; `None` where no method has several.
pub(crate) fn alone(set: &SetGroups<'_>) -> Option<Figure> {
    let mut shown = shown(set);
    shown.retain(|one| one.evaluation.member_metrics.len() > 1);
    let size = if shown.len() > 1 { PANEL } else { LARGE };
    let panels: Vec<Panel> = shown
        .iter()
        .filter_map(|one| Some(Panel { heading: heading(&shown, one), plot: plot(one, size)?.into() }))
        .collect();
    (!panels.is_empty()).then(|| Figure {
        title: "Members alone and together".to_owned(),
        caption: format!(
            "NLL of every member predicting by itself, and of the mixture of all. The distance from the marks to the line is what \
             averaging gains.{}",
            first_only(&shown)
        ),
        legend: vec![("one member alone".to_owned(), ALONE), ("all members together".to_owned(), TOGETHER)],
        panels,
    })
}

fn plot(one: &Shown<'_>, size: (u32, u32)) -> Option<Plot> {
    let together = NLL.value(&one.evaluation.metrics)?;
    let members = one.evaluation.member_metrics.iter().enumerate();
    let points: Vec<(f64, f64)> =
        members.filter_map(|(member, metrics)| Some(((member + 1) as f64, NLL.value(metrics)?))).collect();
    let y = Axis::around("NLL (nats)", points.iter().map(|point| point.1).chain([together]));
    // Half a member of room on both sides.
    let last = one.evaluation.member_metrics.len() as f64;
    let mut x = Axis::within("member", [0.5, last + 0.5]);
    x.ticks.retain(|tick| (tick - tick.round()).abs() < 1e-9 && *tick >= 1.0);
    if last <= 8.0 {
        x.ticks = (1..=last as usize).map(|member| member as f64).collect();
    }
    let layers = vec![
        Layer::Line(vec![(0.5, together), (last + 0.5, together)], Ink::Series(TOGETHER)),
        Layer::Markers(points, ALONE),
    ];
    Some(Plot { name: format!("NLL of the members of {}", one.group.label), size, x, y, layers })
}
