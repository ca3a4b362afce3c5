//! The table of files that may be downloaded, with their addresses, sizes and digests, and of sets that may not.
//!
//! Not for the download itself. A digest or size that is not published is `None`; none is made up.

use super::error::FetchError;
use crate::nearest::nearest;

/// One file to download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceFile<'a> {
    /// Path below the data folder, with `/` between its parts.
    pub path: &'a str,
    /// Addresses, the preferred one first.
    pub urls: &'a [&'a str],
    /// Size in bytes, where known.
    pub bytes: Option<u64>,
    /// SHA-256 in lowercase hexadecimal digits, where published.
    pub sha256: Option<&'a str>,
}

impl SourceFile<'_> {
    /// The file name without its folder.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

/// A set that may be downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The name it is asked for by.
    pub set: &'static str,
    /// What is downloaded, in a few words.
    pub about: &'static str,
    /// Terms of use.
    pub licence: &'static str,
    /// Its files.
    pub files: &'static [SourceFile<'static>],
}

impl Source {
    /// Size of all files, where every size is known.
    pub fn bytes(&self) -> Option<u64> {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// A set that a person must apply for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withheld {
    /// The name it is asked for by.
    pub set: &'static str,
    /// Why this program cannot download it.
    pub reason: &'static str,
    /// Where to apply.
    pub apply_at: &'static str,
}

const fn file<'a>(
    path: &'a str,
    urls: &'a [&'a str],
    bytes: Option<u64>,
    sha256: Option<&'a str>,
) -> SourceFile<'a> {
    SourceFile { path, urls, bytes, sha256 }
}

static SOURCES: &[Source] = &[
    Source {
        set: "mnist",
        about: "the four gzipped IDX files of MNIST",
        licence: "CC BY-SA 3.0",
        files: &[
            file(
                "mnist/train-images-idx3-ubyte.gz",
                &[
                    "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
                    "https://storage.googleapis.com/cvdf-datasets/mnist/train-images-idx3-ubyte.gz",
                ],
                Some(9_912_422),
                Some("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            ),
            file(
                "mnist/train-labels-idx1-ubyte.gz",
                &[
                    "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
                    "https://storage.googleapis.com/cvdf-datasets/mnist/train-labels-idx1-ubyte.gz",
                ],
                Some(28_881),
                Some("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            ),
            file(
                "mnist/t10k-images-idx3-ubyte.gz",
                &[
                    "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
                    "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-images-idx3-ubyte.gz",
                ],
                Some(1_648_877),
                Some("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            ),
            file(
                "mnist/t10k-labels-idx1-ubyte.gz",
                &[
                    "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
                    "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz",
                ],
                Some(4_542),
                Some("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            ),
        ],
    },
    Source {
        set: "fashion-mnist",
        about: "the four gzipped IDX files of Fashion-MNIST",
        licence: "MIT",
        files: &[
            file(
                "fashion-mnist/train-images-idx3-ubyte.gz",
                &[
                    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/train-images-idx3-ubyte.gz",
                    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/train-images-idx3-ubyte.gz",
                ],
                Some(26_421_880),
                Some("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            ),
            file(
                "fashion-mnist/train-labels-idx1-ubyte.gz",
                &[
                    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/train-labels-idx1-ubyte.gz",
                    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/train-labels-idx1-ubyte.gz",
                ],
                Some(29_515),
                Some("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            ),
            file(
                "fashion-mnist/t10k-images-idx3-ubyte.gz",
                &[
                    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/t10k-images-idx3-ubyte.gz",
                    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/t10k-images-idx3-ubyte.gz",
                ],
                Some(4_422_102),
                Some("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            ),
            file(
                "fashion-mnist/t10k-labels-idx1-ubyte.gz",
                &[
                    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/t10k-labels-idx1-ubyte.gz",
                    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/t10k-labels-idx1-ubyte.gz",
                ],
                Some(5_148),
                Some("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
            ),
        ],
    },
    Source {
        set: "cifar10",
        about: "CIFAR-10, binary version",
        licence: "no explicit licence; cite Krizhevsky 2009",
        files: &[file(
            "cifar10/cifar-10-binary.tar.gz",
            &["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"],
            Some(170_052_171),
            Some("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
        )],
    },
    Source {
        set: "cifar10-python",
        about: "CIFAR-10, Python version",
        licence: "no explicit licence; cite Krizhevsky 2009",
        files: &[file(
            "cifar10/cifar-10-python.tar.gz",
            &["https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"],
            Some(170_498_071),
            Some("6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),
        )],
    },
    Source {
        set: "cifar100",
        about: "CIFAR-100, binary version",
        licence: "no explicit licence; cite Krizhevsky 2009",
        files: &[file(
            "cifar100/cifar-100-binary.tar.gz",
            &["https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"],
            Some(168_513_733),
            Some("58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"),
        )],
    },
    Source {
        set: "cifar100-python",
        about: "CIFAR-100, Python version",
        licence: "no explicit licence; cite Krizhevsky 2009",
        files: &[file(
            "cifar100/cifar-100-python.tar.gz",
            &["https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"],
            Some(169_001_437),
            Some("85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"),
        )],
    },
    Source {
        set: "cifar10-c",
        about: "CIFAR-10-C: 19 corruptions of the test images at five severities",
        licence: "CC BY 4.0",
        files: &[file(
            "cifar10-c/CIFAR-10-C.tar",
            &["https://zenodo.org/records/2535967/files/CIFAR-10-C.tar"],
            Some(2_918_471_680),
            Some("c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7"),
        )],
    },
    Source {
        set: "cifar100-c",
        about: "CIFAR-100-C: 19 corruptions of the test images at five severities",
        licence: "CC BY 4.0",
        files: &[file(
            "cifar100-c/CIFAR-100-C.tar",
            &["https://zenodo.org/records/3555552/files/CIFAR-100-C.tar"],
            Some(2_918_473_216),
            Some("30ee6543a1bfd049fa33834b7c1ada301e7064b7fbe8fc38340eb8b62ced4b33"),
        )],
    },
    Source {
        set: "mnist-c",
        about: "MNIST-C: 15 corruptions of MNIST",
        licence: "CC BY 4.0",
        files: &[file(
            "mnist-c/mnist_c.zip",
            &["https://zenodo.org/records/3239543/files/mnist_c.zip"],
            Some(246_661_575),
            Some("af9ee8c6a815870c7fdde5af84c7bf8db0bcfa1f41056db83871037fba70e493"),
        )],
    },
    Source {
        set: "physionet2012",
        about: "PhysioNet/CinC Challenge 2012: sets a, b and c with their outcomes",
        licence: "Open Data Commons Attribution 1.0",
        files: &[
            file(
                "physionet2012/set-a.tar.gz",
                &["https://physionet.org/files/challenge-2012/1.0.0/set-a.tar.gz"],
                None,
                Some("8cb250f179cd0952b4b9ebcf8954b63d70383131670fac1cfee13deaa13ca920"),
            ),
            file(
                "physionet2012/set-b.tar.gz",
                &["https://physionet.org/files/challenge-2012/1.0.0/set-b.tar.gz"],
                None,
                Some("b1637a2a423a8e76f8f087896cfc5fdf28f88519e1f4e874fbda69b2a64dac30"),
            ),
            file(
                "physionet2012/set-c.tar.gz",
                &["https://physionet.org/files/challenge-2012/1.0.0/set-c.tar.gz"],
                None,
                Some("a4a56b95bcee4d50a3874fe298bf2998f2ed0dd98a676579573dc10419329ee1"),
            ),
            file(
                "physionet2012/Outcomes-a.txt",
                &["https://physionet.org/files/challenge-2012/1.0.0/Outcomes-a.txt"],
                Some(79_219),
                Some("2613ea60ccda29f87571a7d6b09ad130858a8ccd66325bd073365925026883c2"),
            ),
            file(
                "physionet2012/Outcomes-b.txt",
                &["https://physionet.org/files/challenge-2012/1.0.0/Outcomes-b.txt"],
                Some(79_149),
                Some("1305f29734da374a809483229a99f33a9230aa8d4fa74b1a2d6ad788136423d5"),
            ),
            file(
                "physionet2012/Outcomes-c.txt",
                &["https://physionet.org/files/challenge-2012/1.0.0/Outcomes-c.txt"],
                None,
                Some("0b32dcb7753c0f18f2f5fde498a28618b8879c5e527ce0dae8ad120dd7e205c9"),
            ),
        ],
    },
    Source {
        set: "uci",
        about: "the UCI regression sets with their standard and gap splits, in the archive of their repository",
        licence: "data CC BY 4.0, index files MIT",
        // Packed by the host on request, so that neither its size nor its digest is published.
        files: &[file(
            "uci/uci_regression_splits.tar.gz",
            &[
                "https://codeload.github.com/cambridge-mlg/DUN/tar.gz/4fc85182f911d48c0de8b71f901866f42f7955e4",
            ],
            None,
            None,
        )],
    },
];

static WITHHELD: &[Withheld] = &[
    Withheld {
        set: "imagenet",
        reason: "each person must accept its terms of access, for research and education only",
        apply_at: "https://www.image-net.org/download.php",
    },
    Withheld {
        set: "mimic3",
        reason: "patient records for credentialed persons only, after a training course and a signed agreement",
        apply_at: "https://physionet.org/content/mimiciii/1.4/",
    },
];

/// All sets that may be downloaded.
pub fn sources() -> &'static [Source] {
    SOURCES
}

/// All sets that a person must apply for.
pub fn withheld() -> &'static [Withheld] {
    WITHHELD
}

/// The set of this name.
///
/// # Errors
///
/// [`FetchError::Withheld`] for a set that must be applied for, [`FetchError::UnknownSource`] for any other name.
pub fn source(set: &str) -> Result<&'static Source, FetchError> {
    if let Some(source) = SOURCES.iter().find(|source| source.set == set) {
        return Ok(source);
    }
    if let Some(Withheld { set, reason, apply_at }) = WITHHELD.iter().find(|withheld| withheld.set == set) {
        return Err(FetchError::Withheld { set, reason, apply_at });
    }
    let known: Vec<&'static str> =
        SOURCES.iter().map(|source| source.set).chain(WITHHELD.iter().map(|withheld| withheld.set)).collect();
    Err(FetchError::UnknownSource { name: set.to_owned(), hint: nearest(set, known.iter()), known })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn digests_addresses_and_paths_are_well_formed() {
        let mut paths = std::collections::HashSet::new();
        for file in SOURCES.iter().flat_map(|source| source.files) {
            assert!(paths.insert(file.path), "{} twice", file.path);
            assert!(!file.path.contains("..") && !file.path.starts_with('/'), "{}", file.path);
            assert!(file.urls.iter().all(|url| url.starts_with("https://")), "{}", file.path);
            if let Some(digest) = file.sha256 {
                assert_eq!(digest.len(), 64, "{}", file.path);
                assert!(digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{}", file.path);
            }
        }
    }

    #[test]
    fn only_the_archive_that_is_packed_on_request_has_no_digest() {
        let bare: Vec<&str> = SOURCES
            .iter()
            .filter(|source| source.files.iter().any(|file| file.sha256.is_none()))
            .map(|source| source.set)
            .collect();
        assert_eq!(bare, ["uci"]);
    }

    #[test]
    fn withheld_sets_say_where_to_apply_and_typing_errors_get_a_hint() {
        assert!(matches!(source("mimic3"), Err(FetchError::Withheld { set: "mimic3", .. })));
        let message = source("imagenet").unwrap_err().to_string();
        assert!(message.contains("image-net.org/download"), "{message}");
        let message = source("cifar10c").unwrap_err().to_string();
        assert!(message.contains("did you mean `cifar10-c`"), "{message}");
        assert_eq!(source("mnist").unwrap().bytes(), Some(11_594_722));
        assert_eq!(source("physionet2012").unwrap().bytes(), None);
    }
}
