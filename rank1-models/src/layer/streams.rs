//! Noise streams and initial values of a network's layers, each handed out once.

use burn::tensor::Device;

/// Gives every layer of a network its device, its noise stream and the seed of its initial values.
///
/// One for each network, passed down through its constructors: no two layers that it made draw equal noise or start equal. A network
/// that is built again, in the same order, has the same streams, so that a loaded record goes on as it was.
///
/// # Example
/// ```
/// use rank1_models::burn::tensor::Device;
/// use rank1_models::layer::{LayerStreams, Rank1LinearConfig};
///
/// let mut streams = LayerStreams::new(7, &Device::flex());
/// let config = Rank1LinearConfig::new(5, 5, 3);
/// let (first, second) = (config.init(&mut streams)?, config.init(&mut streams)?);
/// assert_eq!((first.stream, second.stream), (0, 1));
/// # Ok::<(), rank1_models::Error>(())
/// ```
// No clone: its copies would hand the same streams out.
#[derive(Debug)]
pub struct LayerStreams {
    seed: u64,
    next: usize,
    device: Device,
}

/// What a layer starts by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) stream: usize,
    pub(super) seed: u64,
}

impl LayerStreams {
    /// Streams from 0, for layers on `device` whose initial values come from `seed`.
    #[must_use]
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { seed, next: 0, device: device.clone() }
    }

    /// Where the layers are.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The next stream, for [`super::Dropout`] and for layers of one's own.
    pub fn next_stream(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    /// The next stream and a seed of its own; the first layer has the seed itself.
    pub(super) fn start(&mut self) -> Start {
        let stream = self.next_stream();
        Start { stream, seed: self.seed ^ mixed(stream as u64) }
    }
}

/// The last step of SplitMix64: zero stays zero, and neighbours go far apart.
pub(super) fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layer::{MeanFieldLinearConfig, Rank1LinearConfig};

    #[test]
    fn layers_of_one_network_start_apart_and_a_second_network_starts_alike() {
        let network = |seed| {
            let mut streams = LayerStreams::new(seed, &Device::flex());
            let config = Rank1LinearConfig::new(5, 7, 3);
            let layers = [config.init(&mut streams).unwrap(), config.init(&mut streams).unwrap()];
            let other = MeanFieldLinearConfig::new(5, 7).init(&mut streams).unwrap();
            assert_eq!([layers[0].stream, layers[1].stream, other.stream], [0, 1, 2]);
            let [a, b] = layers.map(|layer| layer.weight.val());
            [a, b, other.mean.val()].map(|weight| weight.into_data().try_to_vec::<f32>().unwrap())
        };
        let [a, b, c] = network(4);
        assert!(a != b && b != c && a != c);
        assert_eq!(network(4), [a.clone(), b, c]);
        assert_ne!(network(5)[0], a);
    }
}
