//! Predictive entropy on the evaluated set beside a set the method has never seen.

use super::super::group::{Group, SetGroups};
use super::super::input::EntropyHistogram;
use super::super::metric::known;
use super::super::number::fixed;
use super::axis::Axis;
use super::figure::{Figure, Panel};
use super::ink::Ink;
use super::plot::{LARGE, Layer, PANEL, Plot};

/// Series styles of the two histograms; methods are told apart by panel.
const KNOWN: usize = 0;
const UNKNOWN: usize = 1;

/// One pair of histograms per method; `None` where no entropy was measured.
pub(crate) fn entropy(set: &SetGroups<'_>) -> Option<Figure> {
    let histograms: Vec<(&Group<'_>, EntropyHistogram)> =
        set.groups.iter().filter_map(|group| Some((group, mean_histogram(group)?))).collect();
    let other = histograms.iter().find_map(|(_, histogram)| histogram.ood_set.clone());
    let any_other = histograms.iter().any(|(_, histogram)| histogram.ood.is_some());
    let greatest = histograms
        .iter()
        .flat_map(|(_, histogram)| histogram.in_distribution.iter().chain(histogram.ood.iter().flatten()))
        .fold(0.0, |greatest: f64, share| greatest.max(*share));
    let size = if histograms.len() > 1 { PANEL } else { LARGE };
    let panels: Vec<Panel> = histograms
        .iter()
        .map(|(group, histogram)| Panel {
            heading: heading(group),
            plot: plot(group, histogram, greatest, size).into(),
        })
        .collect();
    let mut legend = vec![(format!("{} (test)", set.set), KNOWN)];
    if any_other {
        legend.push((format!("{} (never seen)", other.as_deref().unwrap_or("other set")), UNKNOWN));
    }
    (!panels.is_empty()).then(|| Figure {
        title: "Entropy of known and unknown inputs".to_owned(),
        caption: "Share of inputs per bin of predictive entropy (nats). The two should separate: known inputs at the \
                  left, unknown ones at the right, as wide apart as AUROC says (0.5 is no separation, 1 a perfect \
                  one). Mean over runs; all panels have the same scale."
            .to_owned(),
        legend,
        panels,
    })
}

fn heading(group: &Group<'_>) -> String {
    match known("ood_auroc").and_then(|auroc| group.metric(auroc)) {
        Some(auroc) => format!("{} · AUROC {}", group.label, fixed(auroc.mean, 3)),
        None => group.label.clone(),
    }
}

/// Mean shares over the runs whose bins are those of the first.
fn mean_histogram(group: &Group<'_>) -> Option<EntropyHistogram> {
    let all: Vec<&EntropyHistogram> =
        group.evaluations().filter_map(|evaluation| evaluation.entropy.as_ref()).collect();
    let first = *all.first()?;
    let alike: Vec<_> = all.into_iter().filter(|histogram| histogram.edges == first.edges).collect();
    let with_other: Vec<&Vec<f64>> = alike.iter().filter_map(|histogram| histogram.ood.as_ref()).collect();
    let known: Vec<&Vec<f64>> = alike.iter().map(|histogram| &histogram.in_distribution).collect();
    Some(EntropyHistogram {
        edges: first.edges.clone(),
        in_distribution: mean_shares(&known),
        ood: (!with_other.is_empty()).then(|| mean_shares(&with_other)),
        ood_set: first.ood_set.clone(),
    })
}

fn mean_shares(runs: &[&Vec<f64>]) -> Vec<f64> {
    let bins = runs.first().map_or(0, |run| run.len());
    (0..bins).map(|bin| runs.iter().map(|run| run[bin]).sum::<f64>() / runs.len() as f64).collect()
}

fn plot(group: &Group<'_>, histogram: &EntropyHistogram, greatest: f64, size: (u32, u32)) -> Plot {
    let mut layers = Vec::new();
    let mut add = |shares: &[f64], series: usize| {
        let outline = steps(&histogram.edges, shares);
        layers.push(Layer::Area(outline.clone(), series));
        layers.push(Layer::Line(outline, Ink::Series(series)));
    };
    add(&histogram.in_distribution, KNOWN);
    if let Some(ood) = &histogram.ood {
        add(ood, UNKNOWN);
    }
    Plot {
        name: format!("Histogram of predictive entropy of {}", group.label),
        size,
        x: Axis::within("entropy (nats)", histogram.edges.iter().copied()),
        y: Axis::from_zero("share", [greatest]),
        layers,
    }
}

/// The outline of a histogram from the left foot to the right one.
fn steps(edges: &[f64], shares: &[f64]) -> Vec<(f64, f64)> {
    let mut outline = vec![(edges[0], 0.0)];
    for (edge, share) in edges.windows(2).zip(shares) {
        outline.extend([(edge[0], *share), (edge[1], *share)]);
    }
    outline.push((edges[edges.len() - 1], 0.0));
    outline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outline_starts_and_ends_on_the_floor() {
        assert_eq!(
            steps(&[0.0, 1.0, 2.0], &[0.7, 0.3]),
            [(0.0, 0.0), (0.0, 0.7), (1.0, 0.7), (1.0, 0.3), (2.0, 0.3), (2.0, 0.0)]
        );
    }

    #[test]
    fn shares_are_averaged_bin_by_bin() {
        assert_eq!(mean_shares(&[&vec![1.0, 0.0], &vec![0.5, 0.5]]), [0.75, 0.25]);
    }
}
