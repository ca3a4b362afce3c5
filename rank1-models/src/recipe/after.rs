//! What follows training: the scales of a posterior, and which members are kept.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How the scales of a posterior are trained once everything else is.
///
/// Until then factors are points at their locations and have no divergence. Then the scales alone minimize the objective, from
/// their start, with the KL divergence as [`super::TrainRecipe::posterior_temperature`] weighs it; of their multiples, and none, the one
/// with the lowest validation NLL is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalesAfter {
    /// Steps in which only scales move.
    pub steps: u64,
    /// Learning rate of Adam in these steps.
    #[serde(default = "default_scales_rate")]
    pub learning_rate: f64,
    /// Multiples of the trained scales that validation rows choose from, beside none.
    #[serde(default = "default_multiples")]
    pub multiples: Vec<f64>,
}

fn default_scales_rate() -> f64 {
    0.05
}

fn default_multiples() -> Vec<f64> {
    vec![0.5, 1.0, 2.0]
}

/// Which members are kept after training: a number, or as many as the validation rows ask for.
///
/// Members are added one by one, each time the one with which the mixture has the lowest validation NLL. The others are
/// removed from the network, so that a prediction costs what the kept ones do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneMembers {
    /// Until no further member lowers the NLL; all members where fewer are not better.
    Auto,
    /// This many.
    To(usize),
}

const AUTO: &str = "auto";

impl Serialize for PruneMembers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str(AUTO),
            Self::To(members) => members.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PruneMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(usize),
            Word(String),
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Number(members)) => Ok(Self::To(members)),
            Ok(Written::Word(word)) if word == AUTO => Ok(Self::Auto),
            _ => Err(de::Error::custom("expected a number of members or `\"auto\"`")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_the_word_are_read_and_written_back() {
        for (text, expected) in [("8", PruneMembers::To(8)), ("\"auto\"", PruneMembers::Auto)] {
            let read: PruneMembers = serde_json::from_str(text).unwrap();
            assert_eq!(read, expected);
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        for text in ["\"all\"", "-1", "2.5", "true"] {
            let told = serde_json::from_str::<PruneMembers>(text).unwrap_err().to_string();
            assert!(told.contains("expected a number of members or `\"auto\"`"), "{told}");
        }
    }
}
