//! A network on paper: its layers, its parameters by kind, its costs.
//!
//! Not for counting; every number comes from [`Summary`].

use anyhow::Result;
use rank1_models::network::InputShape;
use rank1_models::summary::Summary;

use super::{plain, say};

/// Prints the layers, the parameters by kind and the costs; `step` says what a training step is made of.
///
/// # Errors
/// A stdout that takes no more.
pub fn print_summary(recipe: &str, set: &str, input: InputShape, step: &str, s: &Summary) -> Result<()> {
    let networks = if s.networks > 1 { format!("{} networks of ", s.networks) } else { String::new() };
    let members = if s.members > 1 { format!(", {} members", s.members) } else { String::new() };
    say(&format!("{recipe}: {networks}{}{members}, inputs of {set}: {}", s.method, shape_text(input)))?;
    let mut table = plain(&["layer", "operation", "output", "weight", "parameters", "multiply-adds"]);
    for row in &s.rows {
        table.add_row([
            row.name.clone(),
            row.operation.clone(),
            output(row.output),
            row.weight.map_or_else(String::new, |[d_in, d_out]| format!("{d_in}x{d_out}")),
            unless_zero(row.parameters as u64),
            unless_zero(row.multiply_adds),
        ]);
    }
    say(&table.to_string())?;
    let one = if s.networks > 1 { "parameters of one network" } else { "parameters" };
    let mut table = plain(&[one, "number"]);
    let c = &s.counts;
    for (kind, number) in [
        ("slow weights", c.weights),
        ("weight scales", c.weight_scales),
        ("factor locations", c.factor_locations),
        ("factor scales", c.factor_scales),
        ("biases", c.biases),
        ("batch norm scales and shifts", c.norms),
        ("others", c.others),
        ("running statistics (not trained)", c.statistics),
    ] {
        if number > 0 {
            table.add_row([kind.to_string(), grouped(number as u64)]);
        }
    }
    say(&table.to_string())?;
    let all = if s.networks > 1 { " of all networks" } else { "" };
    let mut table = plain(&["cost", "value"]);
    for (what, value) in [
        (format!("trainable parameters{all}"), grouped(s.trainable as u64)),
        (format!("parameters and statistics{all}"), grouped(s.total as u64)),
        ("trainable, deterministic network".into(), grouped(s.deterministic_trainable as u64)),
        ("trainable, over deterministic".into(), format!("{:+.3} %", s.percent_over_deterministic)),
        ("FLOPs per example, one sample of every member".into(), grouped(s.flops_per_example)),
        (format!("memory of a training step ({step})"), bytes(s.step_bytes)),
        ("of it, growing with the batch".into(), bytes(s.activation_bytes)),
        ("more while a checkpoint is written".into(), bytes(s.save_bytes)),
    ] {
        table.add_row([what, value]);
    }
    say(&table.to_string())
}

/// The shape of an input as text: `13 columns`, `32x32x3`, `48 steps of 112, 156 more`.
fn shape_text(input: InputShape) -> String {
    match input {
        InputShape::Columns { width } => format!("{width} columns"),
        InputShape::Image { height, width, channels } => format!("{height}x{width}x{channels}"),
        InputShape::Sequence { steps, features, context, .. } => {
            format!("{steps} steps of {features}, {context} more")
        }
    }
}

fn output([height, width, channels]: [usize; 3]) -> String {
    if (height, width) == (1, 1) { channels.to_string() } else { format!("{height}x{width}x{channels}") }
}

fn unless_zero(number: u64) -> String {
    if number == 0 { String::new() } else { grouped(number) }
}

/// A number with a comma before every third digit from the right.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in the largest unit that it fills.
pub(crate) fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return format!("{value:.1} {unit}").replace(".0 B", " B");
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_in_threes_and_bytes_have_a_unit() {
        let texts = [0, 7, 999, 1_000, 36_653_824].map(grouped);
        assert_eq!(texts, ["0", "7", "999", "1,000", "36,653,824"]);
        assert_eq!([1000, 1536, 5 << 30].map(bytes), ["1000 B", "1.5 KiB", "5.0 GiB"]);
        assert_eq!(bytes(3 << 40), "3.0 TiB");
    }
}
