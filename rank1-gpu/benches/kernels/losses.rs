//! The loss of a batch.

use criterion::Criterion;
use rank1_gpu::{Likelihood, NllForm, OutputShape, launch, transfer};

use super::Setting;
use super::unfused::{self, Rows};

/// `[S, K, B, C]`: many classes, and few of a long batch.
fn shapes(setting: &Setting) -> Vec<OutputShape> {
    let shape = |[n_samples, n_members, n_examples, n_outputs]: [usize; 4]| OutputShape {
        n_samples,
        n_members,
        n_examples,
        n_outputs,
    };
    let small = vec![[2, 3, 17, 101], [2, 3, 257, 10]];
    let large = vec![[8, 4, 2048, 1000], [8, 4, 65_536, 10]];
    setting.shapes(small, large).into_iter().map(shape).collect()
}

fn sizes(OutputShape { n_samples, n_members, n_examples, n_outputs }: OutputShape) -> String {
    format!("s{n_samples}/k{n_members}/b{n_examples}/c{n_outputs}/f32")
}

fn rows(shape: OutputShape) -> Rows {
    let n_terms = shape.n_samples * shape.n_members;
    Rows { n_terms, n_examples: shape.n_examples, width: shape.n_outputs }
}

pub(super) fn nll_with_gradient(setting: &Setting, c: &mut Criterion) {
    let client = &setting.client;
    let mut group = setting.group(c, "nll_with_gradient");
    for shape in shapes(setting) {
        let (rows, sizes) = (rows(shape), sizes(shape));
        let outputs = setting.waves("outputs", rows.elements());
        let labels: Vec<u32> = (0..rows.n_examples).map(|b| (7 * b % rows.width) as u32).collect();
        let labels = transfer::upload_words(client, "labels", &labels).expect("a buffer that fits");
        // The fused kernel must read the outputs and write their gradient.
        let bytes = 8 * rows.elements() + 8 * rows.n_examples;
        let fused = |form| {
            let likelihood = Likelihood::Categorical;
            launch::nll_with_gradient(client, likelihood, form, shape, &outputs, &labels, None)
                .expect("shapes fit")
        };
        let separate = || unfused::mixture_nll(client, &outputs, &labels, rows);
        // The two must be the same work.
        let read = |buffer| transfer::download(client, buffer).expect("the device runs the kernels");
        let (got, expected) = (read(&separate().1), read(&fused(NllForm::MixtureNll).outputs));
        let largest = expected.iter().fold(0.0_f32, |a, d| a.max(d.abs()));
        assert!(got.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-4 * largest), "{sizes}");
        setting.time(&mut group, format!("average/{sizes}"), bytes, || fused(NllForm::AverageNll));
        setting.time(&mut group, format!("mixture/{sizes}"), bytes, || fused(NllForm::MixtureNll));
        setting.time(&mut group, format!("unfused/mixture/{sizes}"), bytes, separate);
        setting.time_copy(&mut group, &sizes, bytes);
    }
    group.finish();
}
