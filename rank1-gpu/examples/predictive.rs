//! Prints what two samples of three members say together of four examples, reduced on the device.
//!
//! `cargo run -p rank1-gpu --features wgpu --example predictive`

#![allow(clippy::print_stdout)]

use cubecl::Device;
use cubecl::device::{DeviceUnavailable, WgpuDeviceKind};
use rank1_gpu::launch::PredictiveAccumulator;
use rank1_gpu::{Error, Likelihood, NllForm, OutputShape, launch, transfer};

/// The example's own axes.
const SHAPE: OutputShape = OutputShape { n_samples: 2, n_members: 3, n_examples: 4, n_outputs: 3 };

/// Logits of one draw of a member: sure, torn between two classes, ignorant, and sure of a class of its own.
fn draw(sample: usize, member: usize) -> [[f32; 3]; 4] {
    let jitter = 0.3 * sample as f32;
    let mut own = [0.0; 3];
    own[member] = 6.0 + jitter;
    [[6.0, jitter, 0.0], [2.0 + jitter, 2.0, -4.0], [0.0, jitter, 0.0], own]
}

fn main() -> Result<(), Error> {
    let client = match Device::wgpu(WgpuDeviceKind::DefaultDevice) {
        Ok(device) => device.client(),
        Err(DeviceUnavailable::NotLinked(_)) => {
            println!(
                "No runtime in this build. Enable one: cargo run -p rank1-gpu --features wgpu --example predictive"
            );
            return Ok(());
        }
        Err(missing) => {
            println!("No adapter: {missing}. On Debian, mesa-vulkan-drivers brings a software one.");
            return Ok(());
        }
    };

    // One sample of all members at a time, as a test set would come: [K, N, C] each.
    let OutputShape { n_samples, n_members, n_examples, n_outputs } = SHAPE;
    let mut sums =
        PredictiveAccumulator::new(&client, Likelihood::Categorical, n_members, n_examples, n_outputs)?;
    let mut logits = Vec::new();
    for sample in 0..n_samples {
        let rows: Vec<f32> = (0..n_members).flat_map(|member| draw(sample, member)).flatten().collect();
        sums.add(&client, 1, &transfer::upload(&client, "sample", &rows)?)?;
        logits.extend(rows);
    }
    let predictive = sums.predictive(&client)?;
    let probs = transfer::download(&client, &predictive.probs)?;
    let summary = transfer::download(&client, &predictive.summary)?;
    let rows: Vec<&[f32]> = summary.chunks(n_examples).collect();
    println!("example  probabilities            total  aleatoric  epistemic  disagreement");
    for (example, probs) in probs.chunks(n_outputs).enumerate() {
        let [total, aleatoric, epistemic, disagreement] = [0, 1, 2, 3].map(|row| rows[row][example]);
        println!(
            "{example:7}  {probs:.3?}  {total:7.3}  {aleatoric:9.3}  {epistemic:9.3}  {disagreement:12.3}"
        );
    }

    // The loss of label 0 everywhere, as trained (average) and as evaluated (mixture).
    let outputs = transfer::upload(&client, "logits", &logits)?;
    let labels = transfer::upload_words(&client, "labels", &[0; 4])?;
    for form in [NllForm::AverageNll, NllForm::MixtureNll] {
        let values = launch::nll(&client, Likelihood::Categorical, form, SHAPE, &outputs, &labels, None)?;
        println!("{form:?} of class 0: {:.3?}", transfer::download(&client, &values)?);
    }
    Ok(())
}
