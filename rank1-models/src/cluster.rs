//! Data-parallel training on paper: the time of a step and the memory of a rank, for any number of ranks.
//!
//! Not for running it. Formulas only; what a network costs comes from [`crate::summary`].

use serde::Serialize;

use crate::summary::Summary;

/// Products of a step over those of a prediction: forward, gradient of the inputs, gradient of the weight.
const PASSES: f64 = 3.0;

/// Bytes of a parameter, and of its gradient.
const BYTES: u64 = 4;

/// What the ranks and the network between them can do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Machine {
    /// Floating-point operations per second of one rank.
    pub flops_per_second: f64,
    /// Bytes per second of a rank's link, in each direction.
    pub bytes_per_second: f64,
    /// Seconds from a message's start on one rank to its first byte on another.
    pub latency_seconds: f64,
    /// Seconds of a rank to decode one example; 0 for rows in memory.
    pub decode_seconds: f64,
    /// Whether examples are decoded beside the arithmetic, as for a device, and not by the cores that do it.
    pub decodes_beside: bool,
}

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Independently trained networks.
    pub networks: usize,
    /// Floating-point operations of a prediction of one example by one network, one sample of every member.
    pub flops_per_example: u64,
    /// Bytes of the gradient of one network.
    pub gradient_bytes: u64,
    /// Examples of a step, over all ranks.
    pub batch_size: usize,
    /// Samples S of a step.
    pub samples: usize,
    /// Steps of one network.
    pub steps: u64,
    /// Bytes of a step that do not grow with the batch, and those of the whole batch.
    pub fixed_bytes: u64,
    /// Bytes of a step that grow with the batch, of the whole batch.
    pub activation_bytes: u64,
}

/// A training on so many ranks; times in seconds, of one network's step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Plan {
    /// Ranks P.
    pub ranks: usize,
    /// Ranks that share the rows of one network: whole networks are dealt to ranks first.
    pub ranks_per_network: usize,
    /// Most examples of a step on one rank.
    pub examples: usize,
    /// Arithmetic of a step.
    pub compute_seconds: f64,
    /// Decoding of a step's examples.
    pub decode_seconds: f64,
    /// Sum of the gradients.
    pub all_reduce_seconds: f64,
    /// A step.
    pub step_seconds: f64,
    /// Speed over that of one rank, by the number of ranks: 1 where nothing is lost.
    pub efficiency: f64,
    /// All steps of all networks, without validation and checkpoints.
    pub training_seconds: f64,
    /// Bytes of a step on one rank.
    pub memory_bytes: u64,
}

/// Where adding ranks stops helping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// The most ranks of which at least half are used: efficiency 0.5 or more.
    pub half_used: usize,
    /// The ranks of the shortest training; more make it longer or change nothing.
    pub fastest: usize,
}

impl Work {
    /// The training that a summary of one network and a length in steps make.
    #[must_use]
    pub fn new(summary: &Summary, batch_size: usize, samples: usize, steps: u64) -> Self {
        let networks = summary.networks.max(1);
        Self {
            networks,
            flops_per_example: summary.flops_per_example / networks as u64,
            gradient_bytes: BYTES.saturating_mul(summary.counts.trainable() as u64),
            batch_size,
            samples,
            steps,
            fixed_bytes: summary.step_bytes.saturating_sub(summary.activation_bytes),
            activation_bytes: summary.activation_bytes,
        }
    }

    /// The training on `ranks` ranks (at least one).
    #[must_use]
    pub fn on(&self, ranks: usize, machine: &Machine) -> Plan {
        let alone = self.on_ranks(1, machine);
        let plan = self.on_ranks(ranks, machine);
        Plan { efficiency: alone.training_seconds / (plan.training_seconds * ranks.max(1) as f64), ..plan }
    }

    /// Looks at every number of ranks up to one for each example of a batch of each network.
    #[must_use]
    pub fn limits(&self, machine: &Machine) -> Limits {
        let most = self.networks.saturating_mul(self.batch_size).clamp(1, MOST_RANKS);
        let (mut half_used, mut fastest) = (1, self.on_ranks(1, machine));
        for ranks in 2..=most {
            let plan = self.on(ranks, machine);
            if plan.efficiency >= 0.5 {
                half_used = ranks;
            }
            if plan.training_seconds < fastest.training_seconds {
                fastest = plan;
            }
        }
        Limits { half_used, fastest: fastest.ranks }
    }

    fn on_ranks(&self, ranks: usize, machine: &Machine) -> Plan {
        let ranks = ranks.max(1);
        let ranks_per_network = (ranks / self.networks).clamp(1, self.batch_size.max(1));
        let rounds = self.networks.div_ceil(ranks);
        let examples = self.batch_size.div_ceil(ranks_per_network);
        let flops = PASSES * self.flops_per_example as f64 * self.samples as f64 * examples as f64;
        let compute = flops / machine.flops_per_second;
        let decode = machine.decode_seconds * examples as f64;
        let all_reduce = ring_seconds(self.gradient_bytes, ranks_per_network, machine);
        let step = if machine.decodes_beside { compute.max(decode) } else { compute + decode } + all_reduce;
        let share = self.activation_bytes as f64 * examples as f64 / self.batch_size.max(1) as f64;
        // What comes from the others has a place beside the own gradient.
        let received = if ranks_per_network > 1 { self.gradient_bytes } else { 0 };
        Plan {
            ranks,
            ranks_per_network,
            examples,
            compute_seconds: compute,
            decode_seconds: decode,
            all_reduce_seconds: all_reduce,
            step_seconds: step,
            efficiency: 1.0,
            training_seconds: rounds as f64 * self.steps as f64 * step,
            memory_bytes: self.fixed_bytes.saturating_add(received).saturating_add(share as u64),
        }
    }
}

/// The most ranks that are looked at.
const MOST_RANKS: usize = 1 << 16;

/// Seconds of an all-reduce of `bytes` over P ranks in a ring: every rank sends and receives `2 (P - 1)` messages of a P-th each.
///
/// `2 (P - 1) (latency + bytes / (P bandwidth))`; 0 for one rank.
#[must_use]
pub fn ring_seconds(bytes: u64, ranks: usize, machine: &Machine) -> f64 {
    let messages = 2.0 * ranks.saturating_sub(1) as f64;
    messages * (machine.latency_seconds + bytes as f64 / (ranks.max(1) as f64 * machine.bytes_per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 TFLOP/s, 1 GB/s, 10 µs.
    const MACHINE: Machine = Machine {
        flops_per_second: 1e12,
        bytes_per_second: 1e9,
        latency_seconds: 1e-5,
        decode_seconds: 0.0,
        decodes_beside: false,
    };

    /// A step of 3 x 1e9 x 100 operations: 0.3 s on one rank; a gradient of 8 MB.
    const WORK: Work = Work {
        networks: 1,
        flops_per_example: 1_000_000_000,
        gradient_bytes: 8_000_000,
        batch_size: 100,
        samples: 1,
        steps: 1000,
        fixed_bytes: 50,
        activation_bytes: 1000,
    };

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * b.abs()
    }

    #[test]
    fn a_ring_sends_twice_the_gradient_but_for_a_share() {
        assert_eq!(ring_seconds(8_000_000, 1, &MACHINE), 0.0);
        // Two messages of 4 MB, each 10 µs and 4 ms; six of 2 MB.
        assert!(close(ring_seconds(8_000_000, 2, &MACHINE), 2.0 * (1e-5 + 4e-3)));
        assert!(close(ring_seconds(8_000_000, 4, &MACHINE), 6.0 * (1e-5 + 2e-3)));
    }

    #[test]
    fn a_step_is_arithmetic_and_the_sum_of_gradients() {
        let one = WORK.on(1, &MACHINE);
        assert!(close(one.step_seconds, 0.3) && one.all_reduce_seconds == 0.0 && one.efficiency == 1.0);
        assert!(close(one.training_seconds, 300.0));
        assert_eq!((one.examples, one.memory_bytes), (100, 1050));
        let two = WORK.on(2, &MACHINE);
        assert!(close(two.step_seconds, 0.15 + 0.00802));
        assert!(close(two.efficiency, 0.3 / (2.0 * 0.15802)));
        assert_eq!((two.examples, two.memory_bytes), (50, 550 + 8_000_000));
        // Three ranks share 100 examples as 34, 33 and 33: the step waits for the first.
        assert_eq!(WORK.on(3, &MACHINE).examples, 34);
        assert!(close(WORK.on(3, &MACHINE).compute_seconds, 0.102));
        let samples = Work { samples: 5, ..WORK };
        assert!(close(samples.on(1, &MACHINE).step_seconds, 1.5));
    }

    #[test]
    fn examples_are_decoded_by_the_same_cores_or_beside_the_arithmetic() {
        let shared = Machine { decode_seconds: 0.001, ..MACHINE };
        assert!(close(WORK.on(1, &shared).step_seconds, 0.3 + 0.1));
        let beside = Machine { decodes_beside: true, ..shared };
        assert!(close(WORK.on(1, &beside).step_seconds, 0.3));
        let slow = Machine { decode_seconds: 0.01, ..beside };
        assert!(close(WORK.on(1, &slow).step_seconds, 1.0));
    }

    #[test]
    fn more_ranks_help_until_messages_take_as_long_as_arithmetic() {
        let Limits { half_used, fastest } = WORK.limits(&MACHINE);
        let time = |ranks| WORK.on(ranks, &MACHINE).training_seconds;
        assert!((1..=100).all(|ranks| time(ranks) >= time(fastest)), "{fastest}");
        assert!(WORK.on(half_used, &MACHINE).efficiency >= 0.5);
        assert!((half_used + 1..=100).all(|ranks| WORK.on(ranks, &MACHINE).efficiency < 0.5));
        assert!(1 < half_used && half_used < fastest, "{half_used} {fastest}");
        // Over a slow link the sum alone takes longer than the arithmetic of one rank.
        let slow = Machine { bytes_per_second: 1e7, ..MACHINE };
        assert_eq!(WORK.limits(&slow), Limits { half_used: 1, fastest: 1 });
    }

    #[test]
    fn whole_networks_are_dealt_first() {
        let four = Work { networks: 4, ..WORK };
        let time = |ranks| four.on(ranks, &MACHINE).training_seconds;
        assert!(close(time(1), 1200.0) && close(time(2), 600.0) && close(time(4), 300.0));
        // Three ranks train three networks, then the fourth.
        assert!(close(time(3), 600.0));
        let eight = four.on(8, &MACHINE);
        assert_eq!((eight.ranks_per_network, eight.examples), (2, 50));
        assert!(close(eight.training_seconds, 1000.0 * (0.15 + 0.00802)));
    }
}
