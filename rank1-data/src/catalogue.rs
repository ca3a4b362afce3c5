//! The known sets with their sizes, sources and licences.
//!
//! Not for reading them; see [`crate::load()`].

use serde::Serialize;

use crate::nearest::nearest;
use crate::{Error, InputLayout, Task, physionet2012_layout};

/// What a set is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Training and testing, by [`crate::load()`].
    Benchmark,
    /// Out-of-distribution inputs, by [`crate::load_ood`].
    OutOfDistribution,
}

/// Facts about one known set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetInfo {
    /// The name it is asked for by.
    pub name: &'static str,
    /// What it is used for.
    pub role: Role,
    /// What is predicted.
    pub task: Task,
    /// Training and test rows together.
    pub rows: usize,
    /// Input columns.
    pub features: usize,
    /// Classes; `None` for regression.
    pub n_classes: Option<usize>,
    /// Standard splits.
    pub splits: usize,
    /// Gap splits; 0 where there are none.
    pub gap_splits: usize,
    /// Whether it needs no data folder.
    pub embedded: bool,
    /// Where the data come from.
    pub source: &'static str,
    /// The licence of the data.
    pub licence: &'static str,
    /// Names of the input columns, separated by blanks; empty for images.
    #[serde(skip)]
    pub(crate) feature_names: &'static str,
}

impl SetInfo {
    /// What the columns of a row are; known without reading any file.
    #[must_use]
    pub fn layout(&self) -> InputLayout {
        if self.name == "physionet2012" {
            return physionet2012_layout();
        }
        let image = |side, channels| InputLayout::Image { height: side, width: side, channels };
        match (self.is_uci(), self.features) {
            (true, _) => InputLayout::Columns,
            (false, 784) => image(28, 1),
            (false, _) => image(32, 3),
        }
    }

    pub(crate) fn is_uci(&self) -> bool {
        self.task == Task::Regression
    }
}

const fn uci(
    name: &'static str,
    (rows, features): (usize, usize),
    (splits, gap_splits): (usize, usize),
    embedded: bool,
    source: &'static str,
    feature_names: &'static str,
) -> SetInfo {
    SetInfo {
        name,
        role: Role::Benchmark,
        task: Task::Regression,
        rows,
        features,
        n_classes: None,
        splits,
        gap_splits,
        embedded,
        source,
        licence: "data CC BY 4.0, index files MIT",
        feature_names,
    }
}

const fn images(
    name: &'static str,
    role: Role,
    rows: usize,
    embedded: bool,
    source: &'static str,
    licence: &'static str,
) -> SetInfo {
    SetInfo {
        name,
        role,
        task: Task::Classification,
        rows,
        features: 784,
        n_classes: Some(10),
        splits: if matches!(role, Role::Benchmark) { 1 } else { 0 },
        gap_splits: 0,
        embedded,
        source,
        licence,
        feature_names: "",
    }
}

const fn color_images(
    name: &'static str,
    n_classes: usize,
    source: &'static str,
    licence: &'static str,
) -> SetInfo {
    SetInfo {
        features: 32 * 32 * 3,
        n_classes: Some(n_classes),
        ..images(name, Role::Benchmark, 60_000, false, source, licence)
    }
}

static SETS: [SetInfo; 17] = [
    images(
        "mnist10k",
        Role::Benchmark,
        10_000,
        true,
        "the 10,000 MNIST test images, 8,000 train and 2,000 test by a fixed permutation",
        "CC BY-SA 3.0",
    ),
    images("mnist", Role::Benchmark, 70_000, false, "the full MNIST in its official parts", "CC BY-SA 3.0"),
    images(
        "fashion-mnist",
        Role::Benchmark,
        70_000,
        false,
        "Fashion-MNIST in its official parts, Zalando Research 2017",
        "MIT",
    ),
    uci(
        "boston",
        (506, 13),
        (20, 13),
        true,
        "Boston housing, Harrison and Rubinfeld 1978",
        "crim zn indus chas nox rm age dis rad tax ptratio b lstat",
    ),
    uci(
        "concrete",
        (1_030, 8),
        (20, 8),
        true,
        "UCI Concrete Compressive Strength",
        "cement slag fly_ash water superplasticizer coarse_aggregate fine_aggregate age",
    ),
    uci(
        "energy",
        (768, 8),
        (20, 8),
        true,
        "UCI Energy Efficiency, heating load",
        "compactness surface_area wall_area roof_area height orientation glazing_area glazing_distribution",
    ),
    uci(
        "yacht",
        (308, 6),
        (20, 6),
        true,
        "UCI Yacht Hydrodynamics",
        "buoyancy_position prismatic_coefficient length_displacement beam_draught length_beam froude_number",
    ),
    uci(
        "wine",
        (1_599, 11),
        (20, 11),
        true,
        "UCI Wine Quality, red",
        "fixed_acidity volatile_acidity citric_acid residual_sugar chlorides free_sulfur_dioxide \
         total_sulfur_dioxide density ph sulphates alcohol",
    ),
    uci(
        "kin8nm",
        (8_192, 8),
        (20, 8),
        false,
        "Kin8nm, forward dynamics of an 8-link robot arm (DELVE)",
        "theta1 theta2 theta3 theta4 theta5 theta6 theta7 theta8",
    ),
    uci(
        "naval",
        (11_934, 16),
        (20, 16),
        false,
        "UCI Condition Based Maintenance of Naval Propulsion Plants, compressor decay",
        "lever_position ship_speed turbine_torque turbine_rpm generator_rpm starboard_torque port_torque \
         turbine_exit_temperature inlet_temperature outlet_temperature turbine_exit_pressure inlet_pressure \
         outlet_pressure exhaust_pressure injection_control fuel_flow",
    ),
    uci(
        "power",
        (9_568, 4),
        (20, 4),
        false,
        "UCI Combined Cycle Power Plant",
        "temperature exhaust_vacuum ambient_pressure relative_humidity",
    ),
    uci(
        "protein",
        (45_730, 9),
        (5, 9),
        false,
        "UCI Physicochemical Properties of Protein Tertiary Structure",
        "f1 f2 f3 f4 f5 f6 f7 f8 f9",
    ),
    SetInfo {
        name: "physionet2012",
        role: Role::Benchmark,
        task: Task::Classification,
        rows: 8_000,
        features: 5_532,
        n_classes: Some(2),
        splits: 1,
        gap_splits: 0,
        embedded: false,
        source: "PhysioNet/CinC Challenge 2012, in-hospital death, 48 hours of 4,000 + 4,000 stays (sets a and b)",
        licence: "ODC-BY 1.0",
        feature_names: "",
    },
    color_images("cifar10", 10, "CIFAR-10, binary or Python version (Krizhevsky 2009)", "none stated"),
    color_images(
        "cifar100",
        100,
        "CIFAR-100, fine classes, binary or Python version (Krizhevsky 2009)",
        "none stated",
    ),
    color_images(
        "cifar10-jpeg",
        10,
        "CIFAR-10 as JPEG files: pixels differ from the published ones",
        "none stated",
    ),
    images(
        "glyphs",
        Role::OutOfDistribution,
        9_840,
        true,
        "letters A-J rendered from 984 open-licensed fonts",
        "free to use",
    ),
];

/// All known sets: benchmarks first, then out-of-distribution sets.
pub fn catalogue() -> &'static [SetInfo] {
    &SETS
}

/// The facts about one benchmark set; `physionet2012-c` and its like are `physionet2012`.
///
/// # Errors
/// [`Error::UnknownSet`] with the nearest name.
pub fn benchmark(name: &str) -> Result<&'static SetInfo, Error> {
    let name = match name.strip_prefix("physionet2012-") {
        Some(letter) if letter.len() == 1 => "physionet2012",
        _ => name,
    };
    find(name, |info| info.role == Role::Benchmark)
}

/// The set of this name among those that `accept` lets through; the error lists and hints only those.
pub(crate) fn find(name: &str, accept: impl Fn(&SetInfo) -> bool) -> Result<&'static SetInfo, Error> {
    let accepted: Vec<&'static SetInfo> = SETS.iter().filter(|info| accept(info)).collect();
    accepted.iter().find(|info| info.name == name).copied().ok_or_else(|| {
        let known: Vec<&'static str> = accepted.iter().map(|info| info.name).collect();
        Error::UnknownSet { name: name.to_owned(), hint: nearest(name, &known), known }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_of_every_set_has_its_number_of_features() {
        for info in &SETS {
            assert_eq!(info.layout().width().unwrap_or(info.features), info.features, "{}", info.name);
            assert_eq!(info.layout() == InputLayout::Columns, info.is_uci(), "{}", info.name);
        }
        assert_eq!(benchmark("physionet2012-c").unwrap().n_classes, Some(2));
        assert!(matches!(benchmark("glyphs"), Err(Error::UnknownSet { .. })));
    }

    #[test]
    fn names_are_unique_and_every_uci_set_names_its_columns() {
        let names: std::collections::HashSet<_> = SETS.iter().map(|info| info.name).collect();
        assert_eq!(names.len(), SETS.len());
        for info in SETS.iter().filter(|info| info.is_uci()) {
            assert_eq!(info.feature_names.split_whitespace().count(), info.features, "{}", info.name);
        }
    }
}
