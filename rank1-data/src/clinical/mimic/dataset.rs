//! The cohort as a [`Dataset`], the validation patients behind the training patients.

use std::path::Path;

use ndarray::{Axis, concatenate};
use rank1_core::targets::Targets;

use super::MimicSet;
use crate::clinical::ClinicalError;
use crate::{Dataset, Error, Split, Task};

impl MimicSet {
    /// The cohort for training, and which of its training rows are those of validation patients.
    ///
    /// # Shapes
    /// Training rows: those of the training patients, then those of the validation patients, whose indices are the second
    /// value.
    ///
    /// # Errors
    /// [`ClinicalError::Choice`] if no patient is in the test part.
    pub fn into_dataset(self, root: &Path) -> Result<(Dataset, Vec<usize>), Error> {
        let feature_names = self.column_names();
        let Some(test) = self.test else {
            let problem = "no patient of the cohort is in the test part".to_owned();
            return Err(ClinicalError::Choice { option: "fractions", problem }.into());
        };
        let n_train = self.train.split.len();
        let train = match self.valid {
            Some(valid) => joined(&self.train.split, &valid.split)?,
            None => self.train.split,
        };
        let validation = (n_train..train.len()).collect();
        let dataset = Dataset {
            name: "mimic3".into(),
            task: Task::Classification,
            train,
            test: test.split,
            feature_names,
            class_names: vec!["survived".into(), "died".into()],
            image: None,
            layout: self.layout,
            provenance: format!(
                "MIMIC-III from {}: {} stays, {} numeric and {} counted features a step, scaled by the training patients",
                root.display(),
                self.cohort.kept,
                self.n_dense,
                self.n_bag
            ),
        };
        Ok((dataset, validation))
    }

    fn column_names(&self) -> Vec<String> {
        let steps = match self.layout {
            crate::InputLayout::Sequence { steps, .. } => steps,
            _ => 0,
        };
        let mut names = Vec::new();
        for step in 0..steps {
            for kind in ["value", "seen", "since"] {
                names.extend(self.dense_names.iter().map(|item| format!("s{step:02} {item} {kind}")));
            }
            names.extend(self.bag_names.iter().map(|item| format!("s{step:02} {item} count")));
            names.push(format!("s{step:02} place"));
        }
        names.extend(self.context_names.iter().cloned());
        names.push("length".into());
        names
    }
}

fn joined(first: &Split, second: &Split) -> Result<Split, Error> {
    let inputs = concatenate(Axis(0), &[first.inputs.view(), second.inputs.view()])
        .expect("both parts are of one layout");
    let labels = [&first.targets, &second.targets].map(|targets| match targets {
        Targets::Classes { labels, .. } => labels.view(),
        Targets::Values(_) => unreachable!("outcomes are classes"),
    });
    let labels = concatenate(Axis(0), &labels).expect("both are vectors");
    Split::new(inputs, Targets::Classes { labels, n_classes: 2 })
}
