//! Memory that small changed files can ask for: counted over all allocations, below a stated bound.

#![allow(clippy::unwrap_used)]

#[path = "mutations/corpus.rs"]
mod corpus;
#[path = "mutations/readers.rs"]
mod readers;

use corpus::{changed, changes};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use readers::Bench;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// A picture's file of a few kilobytes: 64 MiB of pixels and 1,100 bytes for each of its own, and what decoders need beside
/// them (see `decode_image`).
const PICTURE: usize = 300 << 20;

/// Every other small file: what gzip can make of it, and the buffers of decoders of packed streams.
const OTHER: usize = 32 << 20;

/// A reader of bytes; whether it accepted them.
type Read = fn(&Bench, &[u8]) -> bool;

/// Changes of every file. Counting takes long, so that there are few.
const CASES: usize = 24;

/// The most bytes that are held at a time while every change is read.
fn peak(read: impl Fn(&[corpus::Change])) -> usize {
    let mut runner = TestRunner::deterministic();
    let all: Vec<_> = (0..CASES).map(|_| changes().new_tree(&mut runner).unwrap().current()).collect();
    let profiler = dhat::Profiler::builder().testing().build();
    all.iter().for_each(|changes| read(changes));
    let peak = dhat::HeapStats::get().max_bytes;
    drop(profiler);
    peak
}

// One test: the count is of the whole program.
#[test]
fn small_files_take_no_more_memory_than_stated() {
    for (name, file) in corpus::pictures() {
        let got = peak(|changes| {
            readers::picture(&changed(&file, changes));
        });
        assert!(got <= PICTURE, "{name}: {got} bytes");
    }
    let bench = Bench::new();
    let others: [(&str, Vec<u8>, Read); 8] = [
        ("idx", corpus::idx(), |_, file| readers::idx(file)),
        ("idx.gz", corpus::gzip(&corpus::idx()), |_, file| readers::idx(file)),
        ("npy", corpus::npy("(3, 5)", &[1; 15]), |bench, file| bench.npy(file)),
        ("labels", corpus::npy("(2,)", &[3, 3]), |bench, file| bench.cifar_c("labels.npy", file)),
        ("binary", corpus::cifar_binary(), Bench::cifar_binary),
        ("pickle", corpus::cifar_pickle(), Bench::cifar_pickle),
        ("tar", corpus::tar(), Bench::archive),
        ("tar.gz", corpus::gzip(&corpus::tar()), Bench::archive),
    ];
    for (name, file, read) in others {
        let got = peak(|changes| {
            read(&bench, &changed(&file, changes));
        });
        assert!(got <= OTHER, "{name}: {got} bytes");
    }
    // Headers that lie: 30,000 x 30,000 pixels, and memory is not asked for before the data are there.
    let mut idx = corpus::idx();
    idx[4..8].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    let mut tiff = corpus::pictures().into_iter().find(|(name, _)| *name == "tiff").unwrap().1;
    let sides: Vec<usize> =
        (0..tiff.len() - 12).filter(|&at| matches!(tiff[at..at + 2], [0, 1] | [1, 1])).collect();
    sides.iter().for_each(|&at| tiff[at + 8..at + 10].copy_from_slice(&[0x30, 0x75]));
    let profiler = dhat::Profiler::builder().testing().build();
    assert!(!readers::idx(&idx) && !readers::picture(&tiff));
    let got = dhat::HeapStats::get().max_bytes;
    drop(profiler);
    assert!(got <= OTHER, "{got} bytes");
}
