//! Which severities the files of a corrupted copy hold one after the other: told by the folder, by the caller, or by the labels.
//!
//! Not for the pixels.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ImageError;
use super::section::Section;
use crate::{Corruption, Error};

/// The file beside the arrays that tells their severities.
pub const SEVERITIES_FILE: &str = "severities.json";

/// Images of a CIFAR test set: as many labels are those of one severity, whatever they repeat.
const TEST_IMAGES: usize = 10_000;

/// What [`SEVERITIES_FILE`] holds, as in `{"severities": [1, 3]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Severities {
    /// From 1 to 5, each once and ascending, in the order of the arrays.
    pub severities: Vec<u8>,
}

impl Severities {
    /// Checked constructor.
    ///
    /// # Errors
    /// [`ImageError::Severities`] for none, another number than 1 to 5, or a wrong order; `path` is for the message.
    pub fn new(severities: Vec<u8>, path: &Path) -> Result<Self, ImageError> {
        let known = |severity: &u8| (1..=Corruption::SEVERITIES).contains(severity);
        let ascending = severities.windows(2).all(|pair| pair[0] < pair[1]);
        if severities.is_empty() || !ascending || !severities.iter().all(known) {
            let problem = format!("severities {severities:?}, expected numbers from 1 to 5, ascending");
            return Err(ImageError::Severities { path: path.into(), problem });
        }
        Ok(Self { severities })
    }

    /// Reads [`SEVERITIES_FILE`].
    pub(super) fn read(section: &Section) -> Result<Self, Error> {
        let refuse = |problem: String| ImageError::Severities { path: section.name.clone(), problem };
        if section.length > 4_096 {
            return Err(refuse(format!("{} bytes, expected a short list", section.length)).into());
        }
        let read: Self = serde_json::from_slice(&section.read()?)
            .map_err(|error| refuse(format!("expected {{\"severities\": [1, 2, 3, 4, 5]}}: {error}")))?;
        Ok(Self::new(read.severities, &section.name)?)
    }

    /// The severities of files with these labels: those that are told or asked for, else the five of the published files.
    ///
    /// Published files are known by their labels: five times those of the test set.
    ///
    /// # Errors
    /// [`ImageError::Severities`] if both are given and differ, if labels do not divide among them, or if none are given and
    /// the labels are not those of five severities.
    pub(super) fn of(
        told: Option<&Self>,
        asked: Option<&[u8]>,
        labels: &[usize],
        path: &Path,
    ) -> Result<Vec<u8>, ImageError> {
        let refuse = |problem: String| ImageError::Severities { path: path.into(), problem };
        let given = match (told, asked) {
            (Some(told), Some(asked)) if told.severities != asked => {
                let told = &told.severities;
                return Err(refuse(format!(
                    "{SEVERITIES_FILE} says severities {told:?}, asked for are {asked:?}"
                )));
            }
            (Some(told), _) => Some(told.severities.clone()),
            (None, Some(asked)) => Some(Self::new(asked.to_vec(), path)?.severities),
            (None, None) => None,
        };
        let n = labels.len();
        let (severities, guessed) =
            given.map_or(((1..=Corruption::SEVERITIES).collect(), true), |s| (s, false));
        let one = n / severities.len().max(1);
        let repeats =
            one > 0 && n.is_multiple_of(one) && labels.chunks(one).all(|part| part == &labels[..one]);
        if guessed && (n == TEST_IMAGES || !repeats || n != one * severities.len()) {
            return Err(refuse(format!(
                "{n} labels that are not those of five severities, and no {SEVERITIES_FILE} that tells which severities these are; say it with --severities"
            )));
        }
        if !repeats || n != one * severities.len() {
            return Err(refuse(format!(
                "{n} labels, expected the labels of the test set once for each of the severities {severities:?}"
            )));
        }
        Ok(severities)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(told: Option<&[u8]>, asked: Option<&[u8]>, labels: &[usize]) -> Result<Vec<u8>, String> {
        let told = told.map(|told| Severities { severities: told.to_vec() });
        Severities::of(told.as_ref(), asked, labels, Path::new("labels.npy")).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_told_or_asked_for_counts_and_five_are_known_by_their_labels() {
        let three = [3, 8, 1];
        assert_eq!(of(None, None, &three.repeat(5)).unwrap(), [1, 2, 3, 4, 5]);
        assert_eq!(of(Some(&[3]), None, &three.repeat(5)).unwrap(), [3], "a set of 15 that repeats");
        assert_eq!(of(Some(&[2, 4]), Some(&[2, 4]), &three.repeat(2)).unwrap(), [2, 4]);
        assert_eq!(of(None, Some(&[5]), &three).unwrap(), [5]);
        for (labels, text) in [
            (vec![0, 1, 2, 3, 4], "not those of five severities"),
            (three.repeat(4), "say it with --severities"),
            (three.to_vec(), "no severities.json"),
            (vec![], "0 labels"),
            // Labels of one severity that repeat by chance.
            ((0..TEST_IMAGES).map(|i| i % 10).collect(), "not those of five severities"),
        ] {
            let got = of(None, None, &labels).unwrap_err();
            assert!(got.contains(text), "{got}");
        }
        let got = of(Some(&[3]), Some(&[4]), &three).unwrap_err();
        assert!(got.contains("says severities [3], asked for are [4]"), "{got}");
        let got = of(None, Some(&[1, 2]), &three).unwrap_err();
        assert!(got.contains("once for each of the severities [1, 2]"), "{got}");
        assert!(of(None, Some(&[1, 2]), &[1, 2]).is_err(), "two severities of other images");
        for wrong in [&[][..], &[0], &[6], &[2, 1], &[3, 3]] {
            assert!(of(None, Some(wrong), &three).is_err(), "{wrong:?}");
        }
    }
}
