//! Draws lines, markers, error bars and filled steps between two axes; what they mean is decided by the caller.

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{
    Cartesian2d, Circle, DrawingArea, IntoDrawingArea, IntoFont, LineSeries, PathElement, Polygon, SVGBackend,
};
use plotters::style::{Color, ShapeStyle, TextStyle};

use super::axis::Axis;
use super::ink::{Ink, themed};

/// Drawn units per unit of the view: the drawing crate rounds to whole units.
pub(super) const FINE: u32 = 4;
/// Text size in view units.
pub(super) const TEXT: u32 = 13;

/// One figure's drawing.
#[derive(Debug)]
pub(crate) struct Plot {
    /// What a screen reader says.
    pub(crate) name: String,
    /// Width and height in view units.
    pub(crate) size: (u32, u32),
    /// Horizontal axis.
    pub(crate) x: Axis,
    /// Vertical axis.
    pub(crate) y: Axis,
    /// What is drawn, from the back to the front.
    pub(crate) layers: Vec<Layer>,
}

/// One thing drawn between the axes, in the axes' coordinates.
#[derive(Debug)]
pub(crate) enum Layer {
    /// Connected points.
    Line(Vec<(f64, f64)>, Ink),
    /// The marker of a series at points.
    Markers(Vec<(f64, f64)>, usize),
    /// Small marks in the style of a series at many points.
    Dots(Vec<(f64, f64)>, usize),
    /// Arrows at the top of the frame, where the line of a series leaves it.
    Leaving(Vec<(f64, f64)>, usize),
    /// Faint vertical bars of ± the third number, behind many marks.
    Intervals(Vec<(f64, f64, f64)>, usize),
    /// Vertical bars of ± the third number.
    Errors(Vec<(f64, f64, f64)>, usize),
    /// A filled polygon, closed by itself, half transparent.
    Area(Vec<(f64, f64)>, usize),
}

/// Size of a figure that stands alone.
pub(crate) const LARGE: (u32, u32) = (400, 290);
/// Size of one of several small panels.
pub(crate) const PANEL: (u32, u32) = (300, 220);

type Failure<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as plotters::backend::DrawingBackend>::ErrorType>;
type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Frame<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;

/// Draws a plot as an inline SVG element.
///
/// Writing into a `String` has no way to fail; should the drawing crate refuse all the same, a sentence stands in.
pub(crate) fn draw(plot: &Plot) -> String {
    let mut svg = String::new();
    let size = (plot.size.0 * FINE, plot.size.1 * FINE);
    let drawn = draw_on(&SVGBackend::with_string(&mut svg, size).into_drawing_area(), plot)
        .map_err(|error| error.to_string());
    match drawn {
        Ok(()) => themed(&svg, &plot.name, size),
        Err(reason) => {
            format!("<p class=\"refused\">Not drawn: {}</p>", super::super::number::escape(&reason))
        }
    }
}

fn draw_on<'a>(canvas: &Canvas<'a>, plot: &Plot) -> Result<(), Failure<'a>> {
    let text = text_style(Ink::Text);
    let mut frame = ChartBuilder::on(canvas)
        .margin_top(28 * FINE)
        .margin_right(14 * FINE)
        .margin_left(2 * FINE)
        .margin_bottom(2 * FINE)
        .x_label_area_size(42 * FINE)
        .y_label_area_size((plot.y.longest_label() as u32 * 7 + 11) * FINE)
        .build_cartesian_2d(plot.x.clone(), plot.y.clone())?;
    frame
        .configure_mesh()
        .bold_line_style(stroke(Ink::Grid, 1))
        .light_line_style(plotters::style::TRANSPARENT)
        .axis_style(stroke(Ink::Text, 1))
        .set_all_tick_mark_size(4 * FINE)
        .label_style(text.clone())
        .axis_desc_style(text.clone())
        .x_desc(plot.x.label.as_str())
        .draw()?;
    // Horizontal above its axis: easier to read than turned by a quarter.
    canvas.draw_text(&plot.y.label, &text, (2 * FINE as i32, 3 * FINE as i32))?;
    for layer in &plot.layers {
        draw_layer(canvas, &mut frame, layer)?;
    }
    canvas.present()
}

fn text_style(ink: Ink) -> TextStyle<'static> {
    // The drawing crate divides sizes by 1.24.
    ("sans-serif", f64::from(TEXT * FINE) * 1.24).into_font().color(&ink.stand_in())
}

fn stroke(ink: Ink, width: u32) -> ShapeStyle {
    ink.stand_in().stroke_width(width * FINE)
}

fn draw_layer<'a>(canvas: &Canvas<'a>, frame: &mut Frame<'a, '_>, layer: &Layer) -> Result<(), Failure<'a>> {
    match layer {
        Layer::Line(points, ink) => {
            let width = if *ink == Ink::Reference { 1 } else { 2 };
            frame.draw_series(LineSeries::new(points.iter().copied(), stroke(*ink, width)))?;
        }
        Layer::Area(points, series) => {
            let style = Ink::Solid(*series).stand_in().mix(0.3).filled();
            frame.draw_series([Polygon::new(points.clone(), style)])?;
        }
        Layer::Errors(points, series) => {
            let style = stroke(Ink::Solid(*series), 1);
            let bars = points.iter().filter(|point| point.2 > 0.0);
            frame.draw_series(
                bars.map(|&(x, y, error)| PathElement::new(vec![(x, y - error), (x, y + error)], style)),
            )?;
        }
        Layer::Intervals(points, series) => {
            let style = Ink::Solid(*series).stand_in().mix(0.35).stroke_width(2 * FINE);
            frame.draw_series(
                points
                    .iter()
                    .map(|&(x, y, half)| PathElement::new(vec![(x, y - half), (x, y + half)], style)),
            )?;
        }
        Layer::Leaving(points, series) => {
            let style = Ink::Solid(*series).stand_in().filled();
            for point in points {
                let (x, y) = frame.backend_coord(point);
                canvas.draw(&Polygon::new(vec![(x, y), (x + 16, y + 28), (x - 16, y + 28)], style))?;
            }
        }
        Layer::Dots(points, series) => {
            let style = Ink::Solid(*series).stand_in().filled();
            for point in points {
                let (x, y) = frame.backend_coord(point);
                match marker(*series) {
                    Some(outline) => {
                        let outline: Vec<_> =
                            outline.iter().map(|(dx, dy)| (x + dx * 2 / 3, y + dy * 2 / 3)).collect();
                        canvas.draw(&Polygon::new(outline, style))?;
                    }
                    None => canvas.draw(&Circle::new((x, y), 8, style))?,
                }
            }
        }
        Layer::Markers(points, series) => {
            let style = Ink::Solid(*series).stand_in().filled();
            for point in points {
                let (x, y) = frame.backend_coord(point);
                match marker(*series) {
                    Some(outline) => {
                        let outline: Vec<_> = outline.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
                        canvas.draw(&Polygon::new(outline, style))?;
                    }
                    None => canvas.draw(&Circle::new((x, y), 13, style))?,
                }
            }
        }
    }
    Ok(())
}

/// Outline of a series' marker around its point, in drawn units; `None` is a disc.
pub(crate) fn marker(series: usize) -> Option<&'static [(i32, i32)]> {
    const SQUARE: &[(i32, i32)] = &[(-12, -12), (12, -12), (12, 12), (-12, 12)];
    const UP: &[(i32, i32)] = &[(0, -17), (16, 11), (-16, 11)];
    const DIAMOND: &[(i32, i32)] = &[(0, -18), (15, 0), (0, 18), (-15, 0)];
    const DOWN: &[(i32, i32)] = &[(0, 17), (16, -11), (-16, -11)];
    const BAR: &[(i32, i32)] = &[(-18, -6), (18, -6), (18, 6), (-18, 6)];
    const POST: &[(i32, i32)] = &[(-6, -18), (6, -18), (6, 18), (-6, 18)];
    match (series + series / 8) % 7 {
        0 => None,
        1 => Some(SQUARE),
        2 => Some(UP),
        3 => Some(DIAMOND),
        4 => Some(DOWN),
        5 => Some(BAR),
        _ => Some(POST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        Plot {
            name: "NLL \"by\" epoch".to_owned(),
            size: LARGE,
            x: Axis::within("epoch", points.iter().map(|point| point.0)),
            y: Axis::around("NLL (nats)", points.iter().map(|point| point.1)),
            layers: vec![
                Layer::Area(points.clone(), 1),
                Layer::Line(points.clone(), Ink::Series(0)),
                Layer::Errors(points.iter().map(|&(x, y)| (x, y, 0.1)).collect(), 1),
                Layer::Markers(points, 3),
            ],
        }
    }

    #[test]
    fn no_fixed_color_size_or_font_is_left_in_a_figure() {
        let svg = draw(&plot(vec![(1.0, 0.5), (2.0, 0.4), (3.0, 0.35)]));
        assert!(svg.contains("class=\"line dash0 tint0\"") && svg.contains("class=\"fill tint3\""), "{svg}");
        for left_over in ["#0", "stroke=\"", "font-family", "xmlns", " width=\"1600\""] {
            assert!(!svg.contains(left_over), "{left_over} in {svg}");
        }
    }

    #[test]
    fn the_name_is_escaped_for_readers_without_eyes() {
        let svg = draw(&plot(vec![(1.0, 0.5)]));
        assert!(svg.contains("aria-label=\"NLL &quot;by&quot; epoch\""), "{svg}");
    }

    #[test]
    fn a_figure_without_points_is_an_empty_frame() {
        let svg = draw(&plot(Vec::new()));
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        assert!(!svg.contains("dash0"), "{svg}");
    }
}
