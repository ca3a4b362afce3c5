//! The bytes compiled into this crate; `assets/README.md` states provenance, licence and checksum of each.
//!
//! Not for decoding them.

/// One embedded file.
#[derive(Clone, Copy)]
pub(crate) struct Asset {
    /// Its name in `assets/`, also used in messages.
    pub(crate) name: &'static str,
    pub(crate) bytes: &'static [u8],
}

macro_rules! asset {
    ($name:literal) => {
        Asset { name: concat!("embedded:", $name), bytes: include_bytes!(concat!("../assets/", $name)) }
    };
}

pub(crate) const MNIST_IMAGES: Asset = asset!("t10k-images-idx3-ubyte.gz");
pub(crate) const MNIST_LABELS: Asset = asset!("t10k-labels-idx1-ubyte.gz");
pub(crate) const GLYPH_IMAGES: Asset = asset!("glyphs-images-idx3-ubyte.gz");
pub(crate) const GLYPH_LABELS: Asset = asset!("glyphs-labels-idx1-ubyte.gz");
pub(crate) const UCI: Asset = asset!("uci_five_sets.tar.xz");

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn embedded_assets_have_their_pinned_checksums() {
        let pinned = [
            (MNIST_IMAGES, "5634745efa576a17e7d4cf5cd9d09123c75e6538e5114267c2d156edaf519341"),
            (MNIST_LABELS, "ae18e77e031ccde52407f794d123116439864147d33ac992975f85dd4dc42af6"),
            (GLYPH_IMAGES, "0cad222b4c37b2b48f627460728079e2a1eeb4de6773de5a4a7744c0fcc5f477"),
            (GLYPH_LABELS, "1c2d5bd387a616919764d898676be94305a81dab881bf81146eb4f183cada555"),
            (UCI, "72f1791463e7ff35b6cbc9396ee10af5927aad1e1d51f63a0b253b650477cd51"),
        ];
        let readme = include_str!("../assets/README.md");
        for (asset, expected) in pinned {
            let digest: String =
                Sha256::digest(asset.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest, expected, "{}", asset.name);
            assert!(readme.contains(expected), "{} is not described in assets/README.md", asset.name);
        }
    }
}
