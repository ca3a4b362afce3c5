//! Batches whose NLL is out of all proportion: a sign of draws without a variance and no bound on the gradient.

use super::Spike;

/// Steps whose median is the measure.
const WINDOW: usize = 100;

/// How many times the median, or a nat where that is less, makes a spike.
const FACTOR: f64 = 100.0;

/// The NLLs of the last hundred steps; tells of the first spike only.
#[derive(Debug, Default)]
pub(super) struct SpikeWatch {
    last: Vec<f64>,
    next: usize,
    told: bool,
}

impl SpikeWatch {
    /// Takes in the NLL of a step; the spike, if this is the first.
    pub(super) fn see(&mut self, step: u64, nll: f64) -> Option<Spike> {
        let mut found = None;
        // No smaller NLL can be a spike, and no median has to be taken for it.
        if !self.told && self.last.len() == WINDOW && nll > FACTOR {
            let mut sorted = self.last.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let median = sorted[WINDOW / 2];
            if nll > FACTOR * median.abs().max(1.0) {
                self.told = true;
                found = Some(Spike { step, nll, median });
            }
        }
        if self.last.len() < WINDOW {
            self.last.push(nll);
        } else {
            self.last[self.next] = nll;
            self.next = (self.next + 1) % WINDOW;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_spike_is_told_once_and_a_rough_start_is_none() {
        let mut watch = SpikeWatch::default();
        assert_eq!(watch.see(0, 1e9), None, "nothing to compare with yet");
        for step in 1..150 {
            assert_eq!(watch.see(step, 2.0 + (step % 7) as f64), None);
        }
        assert_eq!(watch.see(150, 300.0), None, "not a hundred times the median of 5");
        let spike = watch.see(151, 5e8);
        assert_eq!(spike, Some(Spike { step: 151, nll: 5e8, median: 5.0 }));
        assert_eq!(watch.see(152, 5e8), None);
    }

    #[test]
    fn an_nll_that_falls_from_far_above_is_no_spike() {
        let mut watch = SpikeWatch::default();
        assert!((0..1000).all(|step| watch.see(step, 1e6 * 0.99_f64.powi(step as i32)).is_none()));
    }
}
