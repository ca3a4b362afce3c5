//! A share of rows that follow one another: part I of N.
//!
//! Not for reading them; see [`crate::commands::predict`].

use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Result, bail};

/// Part `index` of `count`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// The rows of this part, of `rows`: parts follow one another, hold every row once, and differ by at most one row.
    #[must_use]
    pub fn rows(self, rows: usize) -> Range<usize> {
        let end = |index: usize| (index as u128 * rows as u128 / self.count as u128) as usize;
        end(self.index - 1)..end(self.index)
    }

    /// Refuses what can be read only once, because rows are counted before they are predicted.
    ///
    /// # Errors
    /// A pipe or a device.
    pub fn check_counted(self, path: &Path) -> Result<()> {
        match path.metadata() {
            Ok(there) if !there.is_file() && !there.is_dir() => bail!(
                "--shard {self}: {} is a stream, which is read only once, and rows are counted first; expected a file (--input FILE)",
                path.display()
            ),
            _ => Ok(()),
        }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected I/N, for example 1/4, got `{text}`");
        let (index, count) = text.split_once('/').ok_or_else(expected)?;
        let number = |text: &str| text.parse::<usize>().map_err(|_| expected());
        let (index, count) = (number(index)?, number(count)?);
        if count == 0 {
            return Err(format!("expected a number of parts N of at least 1, got `{text}`"));
        }
        if !(1..=count).contains(&index) {
            return Err(format!("expected a part I from 1 to {count}, got `{text}`"));
        }
        Ok(Self { index, count })
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_every_row_once_and_differ_by_one() {
        for rows in [0, 1, 2, 7, 11, 1000] {
            for count in 1..=13 {
                let parts: Vec<Range<usize>> =
                    (1..=count).map(|index| Shard { index, count }.rows(rows)).collect();
                assert_eq!((parts[0].start, parts[count - 1].end), (0, rows));
                assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start), "{rows} in {count}");
                let sizes = || parts.iter().map(ExactSizeIterator::len);
                assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1, "{rows} in {count}");
            }
        }
        let (index, count) = (usize::MAX, usize::MAX);
        assert_eq!(Shard { index, count }.rows(usize::MAX).end, usize::MAX);
    }

    #[test]
    fn parts_are_counted_from_one_and_there_is_at_least_one() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
        assert_eq!("2/3".parse::<Shard>().unwrap().to_string(), "2/3");
        for (text, said) in [
            ("0/3", "a part I from 1 to 3, got `0/3`"),
            ("4/3", "a part I from 1 to 3, got `4/3`"),
            ("1/0", "a number of parts N of at least 1, got `1/0`"),
            ("1", "expected I/N, for example 1/4, got `1`"),
            ("1/x", "got `1/x`"),
            ("-1/2", "got `-1/2`"),
            ("1/2/3", "got `1/2/3`"),
        ] {
            let refusal = text.parse::<Shard>().unwrap_err();
            assert!(refusal.contains(said), "{text}: {refusal}");
        }
    }
}
