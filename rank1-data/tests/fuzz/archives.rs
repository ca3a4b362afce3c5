//! Archives of class folders; bad pictures are skipped, so that all are looked at.

use rank1_data::image::{FolderOptions, OnBadImage, TestShare, read_own_images};

use crate::corpus;
use crate::harness::{Entry, Input, Reader};
use crate::place::{Place, text};

/// Four pictures one after the other, each within the bound of a picture.
const MOST: usize = 384 << 20;

fn read(place: &Place, input: Input<'_>, bytes: &[u8]) -> Result<(), String> {
    let on_bad = if input.variation % 4 == 3 { OnBadImage::Stop } else { OnBadImage::Skip };
    let options = FolderOptions { on_bad, ..FolderOptions::default() };
    let test = TestShare { fraction: Some(0.5), seed: 1 };
    read_own_images(&place.put("x.tar", bytes), &options, test).map(drop).map_err(text)
}

const WORDS: &[&str] = &[
    "ustar",
    "ustar  \0",
    "././@LongLink",
    "train/",
    "test/",
    "../",
    "/",
    "path=",
    "size=",
    "GNU.sparse",
    "__MACOSX",
    "L",
    "K",
    "x",
    "g",
    "S",
];

pub(crate) fn tar() -> Reader<'static> {
    let place = Place::new();
    Reader {
        name: "tar",
        most_bytes: MOST,
        entries: vec![Entry::new("tar", corpus::tar()), Entry::refused("endless", corpus::endless_tar())],
        words: WORDS,
        mend: Some(corpus::mend_tar),
        read: Box::new(move |input| read(&place, input, input.bytes)),
    }
}

/// Packed and then changed, or changed and then packed.
pub(crate) fn packed() -> Reader<'static> {
    let place = Place::new();
    Reader {
        name: "packed_tar",
        most_bytes: MOST,
        entries: vec![
            Entry::new("tar.gz", corpus::gzip(&corpus::tar())),
            Entry::new("tar.xz", corpus::tar_xz()),
            Entry::new("tar", corpus::tar()),
        ],
        words: WORDS,
        mend: None,
        read: Box::new(move |input| {
            let bytes = if input.entry == 2 { corpus::gzip(input.bytes) } else { input.bytes.to_vec() };
            read(&place, input, &bytes)
        }),
    }
}
