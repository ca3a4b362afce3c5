//! Draws named values as horizontal bars from a common base, each below its name; what they mean is decided by the caller.

use std::fmt::Write as _;

use super::super::number::escape;
use super::axis::Axis;
use super::plot::{FINE, TEXT};

/// Height of one bar with its name, in view units.
const ROW: u32 = 36;
/// Height of the axis below.
const FOOT: u32 = 44;
/// Room at the right, for half a tick label.
const MARGIN: u32 = 16;
/// Letters that fit on a line, for a view unit of width.
const LETTERS: f64 = 1.0 / 7.2;

/// Named values.
#[derive(Debug)]
pub(crate) struct Bars {
    /// What a screen reader says.
    pub(crate) name: String,
    /// Width in view units; the height is that of the bars.
    pub(crate) width: u32,
    /// The values.
    pub(crate) x: Axis,
    /// Where bars begin.
    pub(crate) base: f64,
    /// From the top.
    pub(crate) bars: Vec<Bar>,
}

/// One named value.
#[derive(Debug)]
pub(crate) struct Bar {
    /// At the left above the bar.
    pub(crate) label: String,
    /// At the right above the bar.
    pub(crate) note: String,
    /// The value.
    pub(crate) value: f64,
    /// Length of a line to both sides of it.
    pub(crate) error: f64,
    /// Style.
    pub(crate) series: usize,
}

/// The inline SVG element.
pub(crate) fn draw(bars: &Bars) -> String {
    let frame = Frame { bars, bottom: (bars.bars.len() as u32 * ROW + 4) * FINE };
    let (width, height) = (bars.width * FINE, frame.bottom + FOOT * FINE);
    let name = escape(&bars.name);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{name}\"><title>{name}</title>\n"
    );
    frame.axis(&mut svg);
    bars.bars.iter().enumerate().for_each(|(row, bar)| frame.bar(&mut svg, row as u32, bar));
    svg.push_str("</svg>\n");
    svg
}

struct Frame<'a> {
    bars: &'a Bars,
    bottom: u32,
}

impl Frame<'_> {
    /// Place of a value, in drawn units; values beyond the axis end with it.
    fn x(&self, value: f64) -> u32 {
        let (low, high) = self.bars.x.range;
        let room = f64::from((self.bars.width - 2 * MARGIN) * FINE);
        (f64::from(MARGIN * FINE) + ((value - low) / (high - low)).clamp(0.0, 1.0) * room).round() as u32
    }

    fn axis(&self, svg: &mut String) {
        let axis = &self.bars.x;
        line(svg, "text", (self.x(axis.range.0), self.bottom), (self.x(axis.range.1), self.bottom));
        for &tick in &axis.ticks {
            let x = self.x(tick);
            line(svg, "text", (x, self.bottom), (x, self.bottom + 4 * FINE));
            // Beside the bars only: a line through a name makes it hard to read.
            for row in 0..self.bars.bars.len() as u32 {
                let (from, to) = strip(row);
                line(svg, "grid", (x, from), (x, to));
            }
            text(svg, (x, self.bottom + 17 * FINE), "middle", &axis.tick_label(tick));
        }
        let middle = self.bars.width * FINE / 2;
        text(svg, (middle, self.bottom + 37 * FINE), "middle", &axis.label);
    }

    fn bar(&self, svg: &mut String, row: u32, bar: &Bar) {
        let top = row * ROW * FINE;
        let letters = (f64::from(self.bars.width) * LETTERS) as usize;
        let label = shortened(&bar.label, letters.saturating_sub(bar.note.chars().count() + 2));
        text(svg, (2 * FINE, top + 16 * FINE), "start", &label);
        text(svg, ((self.bars.width - 2) * FINE, top + 16 * FINE), "end", &bar.note);
        let (base, end) = (self.x(self.bars.base), self.x(bar.value));
        let _ = writeln!(
            svg,
            "<rect class=\"fill tint{}\" opacity=\"0.7\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            bar.series,
            base.min(end),
            top + 21 * FINE,
            base.abs_diff(end),
            10 * FINE
        );
        let (from, to) = strip(row);
        line(svg, "text", (base, from), (base, to));
        if bar.error > 0.0 {
            let y = top + 26 * FINE;
            line(svg, "text", (self.x(bar.value - bar.error), y), (self.x(bar.value + bar.error), y));
        }
    }
}

/// Heights of the upper and the lower end of what is beside a bar.
fn strip(row: u32) -> (u32, u32) {
    let top = row * ROW * FINE;
    (top + 20 * FINE, top + 32 * FINE)
}

fn line(svg: &mut String, class: &str, from: (u32, u32), to: (u32, u32)) {
    let _ = writeln!(
        svg,
        "<line class=\"line {class}\" stroke-width=\"{FINE}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(svg: &mut String, (x, y): (u32, u32), anchor: &str, words: &str) {
    let size = TEXT * FINE;
    let words = escape(words);
    let _ = writeln!(
        svg,
        "<text class=\"fill text\" x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

/// At most so many letters; where some are left out the beginning and the end stay, which hold the name and the level.
fn shortened(label: &str, letters: usize) -> String {
    if label.chars().count() <= letters {
        return label.to_owned();
    }
    let tail = letters.saturating_sub(1) / 2;
    let head = letters.saturating_sub(1) - tail;
    let skipped = label.chars().count() - tail;
    label.chars().take(head).chain(['…']).chain(label.chars().skip(skipped)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(value: f64, error: f64) -> Bars {
        let bar = Bar { label: "a<b".to_owned(), note: "n = 3".to_owned(), value, error, series: 2 };
        Bars {
            name: "\"x\"".to_owned(),
            width: 400,
            x: Axis::around("NLL", [0.0, 4.0]),
            base: 1.0,
            bars: vec![bar],
        }
    }

    #[test]
    fn a_bar_goes_from_the_base_to_its_value_on_either_side() {
        // 368 view units for 4: one is 368 drawn units.
        let right = draw(&bars(3.0, 0.0));
        assert!(right.contains("x=\"432\" y=\"84\" width=\"736\""), "{right}");
        let left = draw(&bars(0.5, 0.0));
        assert!(left.contains("x=\"248\" y=\"84\" width=\"184\""), "{left}");
    }

    #[test]
    fn text_is_escaped_and_an_error_has_its_line() {
        let svg = draw(&bars(3.0, 0.5));
        assert!(svg.contains("a&lt;b</text>") && svg.contains("aria-label=\"&quot;x&quot;\""), "{svg}");
        assert!(svg.contains("x1=\"984\" y1=\"104\" x2=\"1352\" y2=\"104\""), "{svg}");
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shortened("abcdef", 4), "ab…f");
        assert_eq!(shortened("abcdef", 5), "ab…ef");
        assert_eq!(shortened("abcd", 4), "abcd");
    }
}
