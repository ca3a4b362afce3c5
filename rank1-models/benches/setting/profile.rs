//! Where the time of a step goes, by kind of layer.

use std::collections::BTreeMap;
use std::time::Duration;

use rank1_models::engine::analytic::OperationTimes;
use rank1_models::network::{Network, Op, Product};
use rank1_models::train::StepTimes;

/// Seconds forward and backward, and multiply-adds of a row, by kind of layer.
pub(crate) type Kinds = BTreeMap<String, ([Duration; 2], u64)>;

pub(crate) fn by_kind(network: &Network, times: &[OperationTimes]) -> Kinds {
    let mut kinds = Kinds::new();
    for (node, times) in network.nodes.iter().zip(times) {
        let (kind, multiply_adds) = match node.op {
            Op::Layer(index) => {
                let layer = &network.layers[index];
                let kind = match layer.product {
                    Product::Conv(shape) => format!(
                        "convolution {}x{}, stride {}, {} channels",
                        shape.kernel.0, shape.kernel.1, shape.stride.0, shape.c_out
                    ),
                    Product::Linear | Product::Recurrent => "matrix product".to_owned(),
                    Product::PerMember(_) => "matrix product per member".to_owned(),
                };
                (kind, layer.multiply_adds())
            }
            Op::Norm(_) => ("batch normalization".to_owned(), 0),
            Op::Activation(_) => ("nonlinearity".to_owned(), 0),
            Op::Add(_) => ("residual sum".to_owned(), 0),
            _ => ("pooling and others".to_owned(), 0),
        };
        let entry = kinds.entry(kind).or_default();
        entry.0[0] += times.forward;
        entry.0[1] += times.backward;
        entry.1 += multiply_adds;
    }
    kinds
}

pub(crate) fn print_table(whole: Duration, times: StepTimes, kinds: &Kinds, rows: f64) {
    let share = |part: Duration| 100.0 * part.as_secs_f64() / whole.as_secs_f64();
    println!("{:<44}{:>11}{:>11}{:>8}{:>10}", "kind", "forward s", "backward s", "%", "GFLOP/s");
    let mut sum = Duration::ZERO;
    for (kind, ([forward, backward], multiply_adds)) in kinds {
        let both = *forward + *backward;
        sum += both;
        // Forward, and backward for inputs and for weights.
        let rate = 6.0 * *multiply_adds as f64 * rows / both.as_secs_f64() / 1e9;
        let rate = if *multiply_adds > 0 { format!("{rate:.1}") } else { String::new() };
        println!(
            "{kind:<44}{:>11.3}{:>11.3}{:>8.1}{rate:>10}",
            forward.as_secs_f64(),
            backward.as_secs_f64(),
            share(both),
        );
    }
    let likelihood = times.passes.saturating_sub(sum);
    for (kind, part) in [
        ("likelihood and zeroing of gradients", likelihood),
        ("KL divergence and L2", times.penalty),
        ("clipping and optimizer", times.update),
    ] {
        sum += part;
        println!("{kind:<44}{:>22.3}{:>8.1}", part.as_secs_f64(), share(part));
    }
    println!("{:<44}{:>22.3}{:>8.1}", "sum of the parts", sum.as_secs_f64(), share(sum));
    println!("{:<44}{:>22.3}{:>8.1}", "whole step", whole.as_secs_f64(), 100.0);
}
