//! Heading, legend, panels and caption around drawings.

use std::fmt::Write as _;

use super::super::average::Curve;
use super::super::number::escape;
use super::axis::Axis;
use super::bars::{self, Bars};
use super::ink::{Ink, SERIES};
use super::plot::{self, LARGE, Layer, Plot, marker};

/// A drawing with its own small heading.
#[derive(Debug)]
pub(crate) struct Panel {
    /// Heading; may be empty.
    pub(crate) heading: String,
    /// What is drawn.
    pub(crate) plot: Drawing,
}

/// What is in the frame of a panel.
#[derive(Debug)]
pub(crate) enum Drawing {
    /// Lines and marks between two axes.
    Plot(Plot),
    /// Named values.
    Bars(Bars),
}

impl From<Plot> for Drawing {
    fn from(plot: Plot) -> Self {
        Self::Plot(plot)
    }
}

impl From<Bars> for Drawing {
    fn from(bars: Bars) -> Self {
        Self::Bars(bars)
    }
}

impl Drawing {
    fn svg(&self) -> String {
        match self {
            Self::Plot(drawn) => plot::draw(drawn),
            Self::Bars(drawn) => bars::draw(drawn),
        }
    }
}

/// A figure of the report.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Heading.
    pub(crate) title: String,
    /// How to read it, one to three sentences.
    pub(crate) caption: String,
    /// Names and styles of its series; empty if there is nothing to tell apart.
    pub(crate) legend: Vec<(String, usize)>,
    /// Its drawings; several share the legend and the caption.
    pub(crate) panels: Vec<Panel>,
}

/// A named mean curve in the style of its series.
#[derive(Debug)]
pub(crate) struct NamedCurve {
    /// Name in the legend.
    pub(crate) label: String,
    /// Style.
    pub(crate) series: usize,
    /// Means over runs.
    pub(crate) curve: Curve,
}

impl Figure {
    /// A figure of curves in one frame; `None` without any point. Markers and error bars are drawn for short curves.
    pub(crate) fn of_curves(
        title: &str,
        caption: &str,
        (x, y): (Axis, Axis),
        curves: &[NamedCurve],
        reference: Option<Vec<(f64, f64)>>,
    ) -> Option<Self> {
        let legend = legend(curves);
        if legend.is_empty() {
            return None;
        }
        let panel = Panel {
            heading: String::new(),
            plot: curve_plot(title, LARGE, (x, y), curves, reference).into(),
        };
        Some(Self { title: title.to_owned(), caption: caption.to_owned(), legend, panels: vec![panel] })
    }

    /// The HTML element.
    pub(crate) fn html(&self) -> String {
        let mut html = String::new();
        let wide = if self.panels.len() > 1 { " class=\"wide\"" } else { "" };
        let _ = write!(html, "<figure{wide}>\n<h4>{}</h4>\n", escape(&self.title));
        if !self.legend.is_empty() {
            html.push_str("<ul class=\"legend\">");
            for (label, series) in &self.legend {
                let _ = write!(html, "<li>{}{}</li>", key(*series), escape(label));
            }
            html.push_str("</ul>\n");
        }
        html.push_str("<div class=\"panels\">\n");
        for panel in &self.panels {
            html.push_str("<div>");
            if !panel.heading.is_empty() {
                let _ = write!(html, "<p class=\"panel\">{}</p>", escape(&panel.heading));
            }
            html.push_str(&panel.plot.svg());
            html.push_str("</div>\n");
        }
        let _ = write!(html, "</div>\n<figcaption>{}</figcaption>\n</figure>\n", escape(&self.caption));
        html
    }
}

/// Names and styles of the curves that have points.
pub(crate) fn legend(curves: &[NamedCurve]) -> Vec<(String, usize)> {
    let drawn = curves.iter().filter(|named| !named.curve.points.is_empty());
    drawn.map(|named| (named.label.clone(), named.series)).collect()
}

/// The plot behind [`Figure::of_curves`], for figures of several panels.
pub(crate) fn curve_plot(
    name: &str,
    size: (u32, u32),
    (x, y): (Axis, Axis),
    curves: &[NamedCurve],
    reference: Option<Vec<(f64, f64)>>,
) -> Plot {
    /// Markers on longer curves would cover them.
    const MOST_MARKERS: usize = 14;
    let mut layers: Vec<Layer> =
        reference.into_iter().map(|points| Layer::Line(points, Ink::Reference)).collect();
    for NamedCurve { series, curve, .. } in curves.iter().filter(|named| !named.curve.points.is_empty()) {
        let points = curve.line();
        let stride = points.len().div_ceil(MOST_MARKERS);
        // Each series starts its markers elsewhere so that those of equal curves do not hide each other.
        let first = if stride > 1 { series % stride } else { 0 };
        let marked = points.iter().copied().skip(first).step_by(stride).collect();
        let errors = curve
            .points
            .iter()
            .skip(first)
            .step_by(stride)
            .map(|p| (p.x, p.mean, p.standard_error))
            .collect();
        layers.push(Layer::Errors(errors, *series));
        layers.push(Layer::Line(points, Ink::Series(*series)));
        layers.push(Layer::Markers(marked, *series));
    }
    Plot { name: name.to_owned(), size, x, y, layers }
}

/// The sample of line and marker beside a name.
fn key(series: usize) -> String {
    let (series, mut shape) = (series % SERIES, String::new());
    match marker(series) {
        Some(outline) => {
            for (x, y) in outline {
                let _ = write!(shape, "{},{} ", x + 72, y + 28);
            }
            shape = format!("<polygon class=\"fill tint{series}\" points=\"{}\"/>", shape.trim_end());
        }
        None => {
            let _ = write!(shape, "<circle class=\"fill tint{series}\" cx=\"72\" cy=\"28\" r=\"13\"/>");
        }
    }
    format!(
        "<svg class=\"key\" viewBox=\"0 0 144 56\" aria-hidden=\"true\"><path class=\"line dash{series} tint{series}\" \
         stroke-width=\"8\" d=\"M0 28H144\"/>{shape}</svg>"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::super::average::CurvePoint;
    use super::*;

    fn curve(label: &str, series: usize, points: usize) -> NamedCurve {
        let points =
            (0..points).map(|index| CurvePoint { x: index as f64, mean: 1.0, standard_error: 0.1 }).collect();
        NamedCurve { label: label.to_owned(), series, curve: Curve { points } }
    }

    fn axes() -> (Axis, Axis) {
        (Axis::within("x", [0.0, 3.0]), Axis::around("y", [1.0]))
    }

    #[test]
    fn a_figure_without_points_does_not_exist() {
        assert!(Figure::of_curves("t", "c", axes(), &[curve("a", 0, 0)], None).is_none());
    }

    #[test]
    fn the_legend_names_only_what_is_drawn_and_is_escaped() {
        let figure = Figure::of_curves("t", "c", axes(), &[curve("a<b", 0, 3), curve("gone", 1, 0)], None);
        let html = figure.unwrap().html();
        assert!(html.contains("a&lt;b</li>") && !html.contains("gone"), "{html}");
    }

    #[test]
    fn a_long_curve_has_a_marker_here_and_there_only() {
        let plot = curve_plot("n", LARGE, axes(), &[curve("a", 5, 100)], None);
        let markers = plot.layers.iter().find_map(|layer| match layer {
            Layer::Markers(points, _) => Some(points.len()),
            _ => None,
        });
        assert!((8..=14).contains(&markers.unwrap()), "{markers:?}");
    }
}
