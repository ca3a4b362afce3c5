//! The 37 time-series parameters of the challenge: units, plausible ranges, unit slips that can be undone, scales.
//!
//! Not for statistics of the data; see [`super::PhysionetScaler`].

/// How a parameter is transformed before it is standardized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// As it is.
    Linear,
    /// Natural logarithm: concentrations that spread over orders of magnitude.
    Log,
    /// Logarithm of one plus the value: amounts that may be zero.
    Log1p,
    /// Neither transformed nor standardized, and 0 until first seen: a state that is only recorded when it is on.
    Flag,
}

impl Scale {
    pub(super) fn apply(self, value: f32) -> f64 {
        let value = f64::from(value);
        match self {
            Self::Linear | Self::Flag => value,
            Self::Log => value.ln(),
            Self::Log1p => value.ln_1p(),
        }
    }
}

/// One time-series parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// The name in the files.
    pub name: &'static str,
    /// The unit of the files.
    pub unit: &'static str,
    /// Least plausible value; below it a reading is an artifact and left out.
    pub low: f32,
    /// Greatest plausible value; above it a reading is an artifact and left out.
    pub high: f32,
    /// The transformation before standardization.
    pub scale: Scale,
    /// Whether the readings of an hour add up (volumes) instead of the last one being taken.
    pub summed: bool,
}

const fn parameter(name: &'static str, unit: &'static str, low: f32, high: f32, scale: Scale) -> Parameter {
    Parameter { name, unit, low, high, scale, summed: false }
}

/// The parameters, in the order of the last axis of [`super::Physionet2012::values`].
///
/// The ranges are wide: they drop what no living adult shows (a blood pressure of 0 from a disconnected line, a
/// temperature of 1.9 C), not what is merely abnormal.
pub static PARAMETERS: [Parameter; 37] = {
    use Scale::{Flag, Linear, Log, Log1p};
    [
        parameter("Albumin", "g/dL", 0.5, 7.0, Linear),
        parameter("ALP", "IU/L", 5.0, 5_000.0, Log),
        parameter("ALT", "IU/L", 1.0, 20_000.0, Log),
        parameter("AST", "IU/L", 1.0, 30_000.0, Log),
        parameter("Bilirubin", "mg/dL", 0.05, 80.0, Log),
        parameter("BUN", "mg/dL", 1.0, 300.0, Log),
        parameter("Cholesterol", "mg/dL", 20.0, 600.0, Linear),
        parameter("Creatinine", "mg/dL", 0.05, 30.0, Log),
        parameter("DiasABP", "mmHg", 5.0, 200.0, Linear),
        parameter("FiO2", "fraction", 0.2, 1.0, Linear),
        parameter("GCS", "points", 3.0, 15.0, Linear),
        parameter("Glucose", "mg/dL", 10.0, 2_000.0, Log),
        parameter("HCO3", "mmol/L", 2.0, 60.0, Linear),
        parameter("HCT", "%", 5.0, 75.0, Linear),
        parameter("HR", "1/min", 10.0, 300.0, Linear),
        parameter("K", "mEq/L", 1.0, 15.0, Linear),
        parameter("Lactate", "mmol/L", 0.1, 40.0, Log),
        parameter("MAP", "mmHg", 10.0, 250.0, Linear),
        parameter("MechVent", "0 or 1", 0.0, 1.0, Flag),
        parameter("Mg", "mmol/L", 0.3, 12.0, Linear),
        parameter("NIDiasABP", "mmHg", 5.0, 200.0, Linear),
        parameter("NIMAP", "mmHg", 10.0, 250.0, Linear),
        parameter("NISysABP", "mmHg", 20.0, 320.0, Linear),
        parameter("Na", "mEq/L", 90.0, 200.0, Linear),
        parameter("PaCO2", "mmHg", 5.0, 200.0, Log),
        parameter("PaO2", "mmHg", 15.0, 700.0, Log),
        parameter("Platelets", "1000/uL", 1.0, 3_000.0, Log),
        parameter("RespRate", "1/min", 1.0, 80.0, Linear),
        parameter("SaO2", "%", 20.0, 100.0, Linear),
        parameter("SysABP", "mmHg", 20.0, 320.0, Linear),
        parameter("Temp", "C", 25.0, 45.0, Linear),
        parameter("TroponinI", "ug/L", 0.01, 500.0, Log),
        parameter("TroponinT", "ug/L", 0.005, 100.0, Log),
        Parameter { summed: true, ..parameter("Urine", "mL", 0.0, 10_000.0, Log1p) },
        parameter("WBC", "1000/uL", 0.05, 600.0, Log),
        parameter("Weight", "kg", 25.0, 350.0, Linear),
        parameter("pH", "pH", 6.5, 8.0, Linear),
    ]
};

/// Names of the general descriptors, in the order of [`super::Physionet2012::descriptors`].
pub(super) const DESCRIPTORS: [&str; 4] = ["Age", "Gender", "Height", "ICUType"];

/// A reading after the plausibility rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reading {
    /// Taken as it is.
    Plain(f32),
    /// Taken after a recognized unit slip was undone.
    Corrected(f32),
    /// Left out.
    Implausible,
}

fn within(value: f32, low: f32, high: f32) -> Option<f32> {
    (value >= low && value <= high).then_some(value)
}

fn judge(value: f32, low: f32, high: f32, slip: Option<f32>) -> Reading {
    match (within(value, low, high), slip.and_then(|value| within(value, low, high))) {
        (Some(value), _) => Reading::Plain(value),
        (None, Some(value)) => Reading::Corrected(value),
        (None, None) => Reading::Implausible,
    }
}

/// Slips undone: pH without its point (73.5 or 735), oxygen in percent, Fahrenheit.
pub(super) fn judge_reading(parameter: &Parameter, value: f32) -> Reading {
    let slip = match parameter.name {
        "pH" if value > 600.0 => Some(value / 100.0),
        "pH" => Some(value / 10.0),
        "FiO2" if value > 1.0 => Some(value / 100.0),
        "Temp" => Some((value - 32.0) / 1.8).filter(|_| value > 80.0),
        _ => None,
    };
    judge(value, parameter.low, parameter.high, slip)
}

/// Slips undone: heights in meters, and centimeters that were taken for inches and multiplied by 2.54.
pub(super) fn judge_descriptor(descriptor: usize, value: f32) -> Reading {
    match DESCRIPTORS[descriptor] {
        "Age" => judge(value, 14.0, 120.0, None),
        "Gender" if value == 0.0 || value == 1.0 => Reading::Plain(value),
        "ICUType" if [1.0, 2.0, 3.0, 4.0].contains(&value) => Reading::Plain(value),
        "Height" if value > 300.0 => judge(value, 120.0, 230.0, Some(value / 2.54)),
        "Height" if value < 2.5 => judge(value, 120.0, 230.0, Some(value * 100.0)),
        "Height" => judge(value, 120.0, 230.0, None),
        _ => Reading::Implausible,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_ranges_are_ordered_and_logarithms_exist() {
        for (at, parameter) in PARAMETERS.iter().enumerate() {
            assert!(PARAMETERS[..at].iter().all(|other| other.name != parameter.name), "{}", parameter.name);
            assert!(parameter.low < parameter.high, "{}", parameter.name);
            assert!(parameter.scale.apply(parameter.low).is_finite(), "{}", parameter.name);
        }
    }

    #[test]
    fn unit_slips_are_undone_and_the_rest_is_implausible() {
        let judge = |name: &str, value| {
            let parameter = PARAMETERS.iter().find(|parameter| parameter.name == name);
            parameter.map(|parameter| judge_reading(parameter, value))
        };
        let cases = [
            ("pH", 7.35, Reading::Plain(7.35)),
            ("pH", 735.0, Reading::Corrected(7.35)),
            ("pH", 73.5, Reading::Corrected(7.35)),
            ("pH", 100.0, Reading::Implausible),
            ("pH", 1.0, Reading::Implausible),
            ("FiO2", 40.0, Reading::Corrected(0.4)),
            ("Temp", 98.6, Reading::Corrected(37.0)),
            ("Temp", 1.9, Reading::Implausible),
            ("SysABP", 0.0, Reading::Implausible),
            ("Weight", 3.4, Reading::Implausible),
            ("Urine", 0.0, Reading::Plain(0.0)),
        ];
        for (name, value, expected) in cases {
            let same = match (judge(name, value), expected) {
                (Some(Reading::Corrected(a)), Reading::Corrected(b)) => (a - b).abs() < 1e-4,
                (got, expected) => got == Some(expected),
            };
            assert!(same, "{name} {value}: {:?}", judge(name, value));
        }
        assert_eq!(judge_descriptor(2, 406.4), Reading::Corrected(406.4 / 2.54));
        assert_eq!(judge_descriptor(2, 1.8), Reading::Corrected(1.8 * 100.0));
        assert_eq!(judge_descriptor(2, 13.0), Reading::Implausible);
        assert_eq!(judge_descriptor(3, 5.0), Reading::Implausible);
        assert_eq!(judge_descriptor(1, 1.0), Reading::Plain(1.0));
    }
}
