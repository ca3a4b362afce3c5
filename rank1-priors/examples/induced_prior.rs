//! Prints the densities that normal, Cauchy, half-Cauchy and root-inverse-gamma factors induce on a standard normal weight, one row per
//! weight: the curves of the paper's figure 1.
#![allow(clippy::print_stdout)]

use rank1_priors::dist::{Cauchy, HalfCauchy, LogDensity, Normal, RootInverseGamma};
use rank1_priors::{Error, induced_density};

fn main() -> Result<(), Error> {
    let normal = Normal::new(1.0, 1.0)?;
    let cauchy = Cauchy::new(1.0, 1.0)?;
    let half_cauchy = HalfCauchy::new(0.0, 1.0)?;
    // The square is inverse-gamma(1, 1), so that the weight is Student-t with two degrees of freedom.
    let student = RootInverseGamma::new(1.0, 1.0)?;
    let columns: [(&str, &[&dyn LogDensity]); 6] = [
        ("no factor", &[]),
        ("normal r", &[&normal]),
        ("Cauchy r", &[&cauchy]),
        ("half-Cauchy r", &[&half_cauchy]),
        ("r^2 inv-gamma", &[&student]),
        ("normal r and s", &[&normal, &normal]),
    ];

    print!("{:>7}", "w'");
    columns.iter().for_each(|(name, _)| print!("{name:>16}"));
    println!();
    for w in [0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0] {
        print!("{w:>7}");
        for (_, factors) in columns {
            print!("{:>16.3e}", induced_density(w, 1.0, factors)?);
        }
        println!();
    }
    println!("\nSpike: at w' = 0 the densities of real-valued and half-Cauchy factors are infinite:");
    for (name, factors) in columns {
        println!("{name:>16} {}", induced_density(0.0, 1.0, factors)?);
    }
    Ok(())
}
