//! Changes of files: bits, bytes, pieces, numbers in bytes and in text, lines, words of the format.
//!
//! Not for formats whose checksums are to be mended after a change; see `Reader::mend`.

use super::random::Random;

/// Longest file after changes: "small" is what bounds of memory are stated for.
pub(crate) const LONGEST: usize = 1 << 16;

/// Bytes that mean something to some format.
const BYTES: &[u8] = b"\0\x01\x7f\x80\xff\xfe \n\r\t\"',;|.:=+-eE09[]{}()#%/\\NxX";

/// Numbers as text: extremes of their kinds, and what is no number.
const NUMBERS: [&str; 24] = [
    "0",
    "-0",
    "-1",
    "1",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999999999999999",
    "1e308",
    "1e400",
    "1e-400",
    "0.1",
    "nan",
    "inf",
];

/// Extremes of numbers in bytes.
const EXTREMES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// Makes up to six changes, more often few; `other` is a file of the format whose pieces are taken.
pub(crate) fn mutate(bytes: &mut Vec<u8>, other: &[u8], words: &[Vec<u8>], random: &mut Random) {
    let changes = 1 + random.below(6).min(random.below(6));
    for _ in 0..changes {
        change(bytes, other, words, random);
    }
    bytes.truncate(LONGEST);
}

fn change(bytes: &mut Vec<u8>, other: &[u8], words: &[Vec<u8>], random: &mut Random) {
    if bytes.is_empty() {
        bytes.extend_from_slice(other);
        return;
    }
    match random.below(20) {
        0..=2 => {
            let at = place(bytes, random);
            bytes[at] ^= 1 << random.below(8);
        }
        3 | 4 => {
            let at = place(bytes, random);
            bytes[at] = if random.below(2) == 0 { random.next() as u8 } else { *random.pick(BYTES) };
        }
        5 => {
            let at = place(bytes, random);
            let more: Vec<u8> = (0..1 + random.below(4)).map(|_| *random.pick(BYTES)).collect();
            bytes.splice(at..at, more);
        }
        6 => {
            let (from, to) = piece(bytes, random);
            bytes.drain(from..to);
        }
        7 => {
            let (from, to) = piece(bytes, random);
            let times = if random.below(8) == 0 { 1 + random.below(200) } else { 1 + random.below(4) };
            let times = times.min(LONGEST / (to - from).max(1));
            let more = bytes[from..to].repeat(times);
            bytes.splice(from..from, more);
        }
        8 => {
            let (from, to) = piece(bytes, random);
            let at = place(bytes, random).min(bytes.len() - (to - from));
            bytes.copy_within(from..to, at);
        }
        9 => {
            let (from, to) = piece(bytes, random);
            if !other.is_empty() {
                let (start, end) = piece(other, random);
                bytes.splice(from..to, other[start..end].iter().copied());
            }
        }
        10 => bytes.truncate(place(bytes, random)),
        11..=13 => number(bytes, random),
        14 | 15 if !words.is_empty() => {
            let at = place(bytes, random);
            let word = random.pick(words);
            let end = if random.below(2) == 0 { at } else { (at + word.len()).min(bytes.len()) };
            bytes.splice(at..end, word.iter().copied());
        }
        16 | 17 => digits(bytes, random),
        18 => line(bytes, random),
        _ => {
            let at = place(bytes, random);
            let fill = *random.pick(&[0, 0xff, b' ', b'9', b'\n']);
            let end = (at + 1 + random.below(16)).min(bytes.len());
            bytes[at..end].fill(fill);
        }
    }
}

/// A position; headers are short and decide most.
fn place(bytes: &[u8], random: &mut Random) -> usize {
    let reach = if random.below(2) == 0 { bytes.len().min(64) } else { bytes.len() };
    random.below(reach)
}

/// A range, more often short.
fn piece(bytes: &[u8], random: &mut Random) -> (usize, usize) {
    let from = place(bytes, random);
    let longest = 1 << (1 + random.below(12));
    (from, (from + 1 + random.below(longest)).min(bytes.len()))
}

/// A number of 1 to 8 bytes becomes an extreme one, a near one, or that of all bytes of the file.
fn number(bytes: &mut [u8], random: &mut Random) {
    let width = *random.pick(&[1, 2, 4, 4, 8]);
    if bytes.len() < width {
        return;
    }
    let at = place(bytes, random).min(bytes.len() - width);
    let big = random.below(2) == 0;
    let field = &bytes[at..at + width];
    let shift = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
    let old = if big { field.iter().fold(0, shift) } else { field.iter().rev().fold(0, shift) };
    let new = match random.below(4) {
        0 => *random.pick(&EXTREMES),
        1 => old.wrapping_add(1 + random.below(4) as u64),
        2 => old.wrapping_sub(1 + random.below(4) as u64),
        _ => (bytes.len() as u64).wrapping_add(random.below(9) as u64).wrapping_sub(4),
    };
    let little = new.to_le_bytes();
    for (i, byte) in bytes[at..at + width].iter_mut().enumerate() {
        *byte = little[if big { width - 1 - i } else { i }];
    }
}

/// A number in text becomes another one.
fn digits(bytes: &mut Vec<u8>, random: &mut Random) {
    let from = place(bytes, random);
    let Some(start) = (from..bytes.len()).find(|&at| bytes[at].is_ascii_digit()) else { return };
    let end = (start..bytes.len()).find(|&at| !bytes[at].is_ascii_digit()).unwrap_or(bytes.len());
    let new = match random.below(4) {
        0 => format!("{}", random.next() >> random.below(64)),
        1 => format!("{}.{}", random.below(1000), random.below(1000)),
        _ => (*random.pick(&NUMBERS)).to_owned(),
    };
    bytes.splice(start..end, new.into_bytes());
}

/// A line is removed, repeated, or changes its place.
fn line(bytes: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    let (one, two) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(3) {
        0 => drop(lines.remove(one)),
        1 => lines.insert(two, lines[one]),
        _ => lines.swap(one, two),
    }
    *bytes = lines.concat();
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn mutated(number: u64) -> Vec<u8> {
        let mut bytes = b"\x89PNG 12,3.5\nred,7\nblue,8\n".to_vec();
        mutate(&mut bytes, b"other,1\n", &[b"word".to_vec()], &mut Random::of(3, number));
        bytes
    }

    #[test]
    fn a_change_is_repeated_by_seed_and_number_and_nearly_all_differ() {
        assert_eq!(mutated(7), mutated(7));
        let all: HashSet<Vec<u8>> = (0..2_000).map(mutated).collect();
        assert!(all.len() > 1_700, "{}", all.len());
    }

    #[test]
    fn every_kind_of_change_comes_and_no_file_grows_beyond_the_longest() {
        let all: Vec<Vec<u8>> = (0..5_000).map(mutated).collect();
        let holds =
            |text: &[u8]| all.iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text));
        for text in ["word", "other", "1e400", "18446744073709551616", "red,7\nred,7\n", "blue,8\nred,7\n"] {
            assert!(holds(text.as_bytes()), "{text}");
        }
        assert!(holds(&[0xff; 8]) && all.iter().any(Vec::is_empty));
        let mut long = vec![b'1'; LONGEST];
        (0..200).for_each(|number| {
            mutate(&mut long, &[b'2'; 5_000], &[], &mut Random::of(0, number));
            assert!(long.len() <= LONGEST);
        });
    }

    #[test]
    fn an_empty_file_becomes_another_one() {
        let mut bytes = Vec::new();
        change(&mut bytes, b"abc", &[], &mut Random::of(0, 0));
        assert_eq!(bytes, b"abc");
        change(&mut bytes, b"", &[], &mut Random::of(0, 1));
    }
}
