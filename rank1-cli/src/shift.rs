//! Every shift of the inputs that is written `KIND:SEVERITY`: rotation, Gaussian noise and the image corruptions.
//!
//! Not for what a shift does to the rows; see [`rank1_data::Shift`] and [`rank1_data::Corruption`].

use std::fmt;
use std::str::FromStr;

use rank1_data::{
    Corruption, CorruptionKind, Error, ImageKey, InputLayout, Shift, Split, corrupt_row, corrupt_split,
};

/// What tells a corruption from a shift of the same name.
const CORRUPT: &str = "corrupt/";

/// A shift of either family.
///
/// `gaussian_noise:0.2` adds noise of that standard deviation, `corrupt/gaussian_noise:2` is the corruption of severity 2;
/// every other corruption is understood with and without the prefix, and shown with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum InputShift {
    /// Rotation or additive noise, at a severity in its own unit.
    Shift(Shift),
    /// An image corruption at a severity from 1 to 5.
    Corruption(Corruption),
}

/// What the rows of a split are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// Height and width of gray images.
    pub image: Option<(usize, usize)>,
    /// What the columns of a row are.
    pub layout: InputLayout,
}

impl InputShift {
    /// The shifted rows with unchanged targets.
    ///
    /// # Errors
    /// Rows that are no images where images are needed, and values that are no pixels where pixels are.
    pub fn apply(&self, split: &Split, rows: Rows, seed: u64) -> Result<Split, Error> {
        match self {
            Self::Shift(shift) => shift.apply(split, rows.image, seed),
            Self::Corruption(corruption) => corrupt_split(split, rows.layout, *corruption, seed),
        }
    }

    /// Shifts the row with this number in place, as [`InputShift::apply`] shifts it among all rows.
    ///
    /// # Errors
    /// As [`InputShift::apply`]; pixels beyond 0 and 1 are clipped where pixels are needed.
    pub fn apply_row(&self, values: &mut [f32], rows: Rows, row: usize, seed: u64) -> Result<(), Error> {
        match self {
            Self::Shift(shift) => shift.apply_row(values, rows.image, row, seed),
            Self::Corruption(corruption) => {
                corrupt_row(values, rows.layout, *corruption, ImageKey { seed, index: row as u64 })
            }
        }
    }

    /// The kind, as it is stored with the metrics.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Shift(shift) => shift.kind.name().to_owned(),
            Self::Corruption(corruption) => format!("{CORRUPT}{}", corruption.kind()),
        }
    }

    /// The severity in the unit of the kind.
    #[must_use]
    pub fn severity(&self) -> f64 {
        match self {
            Self::Shift(shift) => shift.severity,
            Self::Corruption(corruption) => f64::from(corruption.severity()),
        }
    }
}

impl fmt::Display for InputShift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shift(shift) => write!(f, "{shift}"),
            Self::Corruption(corruption) => write!(f, "{CORRUPT}{corruption}"),
        }
    }
}

impl FromStr for InputShift {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(corruption) = text.trim().strip_prefix(CORRUPT) {
            return Ok(Self::Corruption(corruption.parse()?));
        }
        let refused = match text.parse::<Shift>() {
            Ok(shift) => return Ok(Self::Shift(shift)),
            Err(refused) => refused,
        };
        let kind = text.split_once(':').map_or("", |(kind, _)| kind.trim());
        let is_shift = ["rotation", "gaussian_noise"].contains(&kind);
        let corruption = kind.parse::<CorruptionKind>();
        match (is_shift, corruption) {
            (false, Ok(_)) => Ok(Self::Corruption(text.parse()?)),
            // A typing error that is near to a corruption, and not to a shift.
            (false, Err(error)) if has_hint(&error.to_string()) && !has_hint(&refused.to_string()) => {
                Err(error.into())
            }
            _ => Err(refused),
        }
    }
}

fn has_hint(message: &str) -> bool {
    message.contains("did you mean")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<InputShift>().unwrap().to_string()
    }

    #[test]
    fn both_families_are_read_and_the_shared_name_is_told_apart_by_the_prefix() {
        assert_eq!(shown("rotation:30"), "rotation:30");
        assert_eq!(shown("gaussian_noise:0.5"), "gaussian_noise:0.5");
        assert_eq!(shown("corrupt/gaussian_noise:5"), "corrupt/gaussian_noise:5");
        for &kind in CorruptionKind::all().iter().filter(|&&kind| kind != CorruptionKind::GaussianNoise) {
            let canonical = format!("corrupt/{kind}:4");
            assert_eq!((shown(&format!("{kind}:4")), shown(&canonical)), (canonical.clone(), canonical));
        }
        let fog: InputShift = "fog:2".parse().unwrap();
        assert_eq!((fog.kind(), fog.severity()), ("corrupt/fog".to_owned(), 2.0));
    }

    #[test]
    fn refusals_hint_at_the_nearer_family() {
        let refusal = |text: &str| text.parse::<InputShift>().unwrap_err().to_string();
        for (text, expected) in [
            ("frots:3", "did you mean `frost`?"),
            ("corrupt/fogg:3", "did you mean `fog`?"),
            ("rotatoin:3", "did you mean `rotation`?"),
            ("fog:6", "a whole number from 1 to 5"),
            ("fog:1.5", "a whole number from 1 to 5"),
            ("fog", "no colon"),
            ("corrupt/rotation:30", "unknown corruption"),
        ] {
            assert!(refusal(text).contains(expected), "{text}: {}", refusal(text));
        }
    }
}
