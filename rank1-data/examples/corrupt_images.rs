//! Corrupts sixteen embedded digits in every way and prints how much their pixels change, by severity.
//!
//! Run with `cargo run -p rank1-data --example corrupt_images`; needs no download.

#![allow(clippy::print_stdout)]

use std::error::Error;

use ndarray::s;
use rank1_data::{Corruption, CorruptionKind, InputLayout, LoadOptions, Split, corrupt_split, load};

const N: usize = 16;
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let set = load("mnist10k", &LoadOptions::default())?;
    let digits = set.test.select(&(0..N).collect::<Vec<_>>());
    let layout = InputLayout::Image { height: 28, width: 28, channels: 1 };

    println!("mean absolute change of {N} digits, in bytes of 255");
    println!("{:<20}{:>8}{:>8}{:>8}{:>8}{:>8}", "corruption", 1, 2, 3, 4, 5);
    for &kind in CorruptionKind::all() {
        let mut line = format!("{:<20}", kind.name());
        for severity in 1..=Corruption::SEVERITIES {
            let corrupted = corrupt_split(&digits, layout, Corruption::new(kind, severity)?, SEED)?;
            line += &format!("{:>8.2}", mean_change(&digits, &corrupted));
        }
        println!("{line}");
    }

    let fog: Corruption = "fog:5".parse()?;
    println!("\nthe first digit, and the same under {fog}:");
    let foggy = corrupt_split(&digits, layout, fog, SEED)?;
    for y in (0..28).step_by(2) {
        println!("{}  {}", row(&digits, y), row(&foggy, y));
    }
    if let Err(refusal) = "frots:3".parse::<Corruption>() {
        println!("\nrefused: {refusal}");
    }
    Ok(())
}

fn mean_change(before: &Split, after: &Split) -> f32 {
    let sum: f32 = before.inputs.iter().zip(&after.inputs).map(|(a, b)| (a - b).abs()).sum();
    255.0 * sum / before.inputs.len() as f32
}

/// One row of the first image in characters from dark to light.
fn row(split: &Split, y: usize) -> String {
    const SHADES: [char; 5] = [' ', '.', 'o', 'O', '@'];
    let pixels = split.inputs.slice(s![0, y * 28..(y + 1) * 28]);
    pixels.iter().map(|value| SHADES[((value * 5.0) as usize).min(4)]).collect()
}
