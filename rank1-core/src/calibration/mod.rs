//! Maps that make a trained model's probabilities come true, fitted to rows that training never saw.
//!
//! Each leaves the posterior as it is and changes what is read off the predictive: the mixture over samples and members,
//! never single draws or members. Numbers of the fitted rows after the fit are in-sample. Sets and intervals with a guarantee are in
//! [`crate::conformal`].
//!
//! | map | fitted | file |
//! |---|---|---|
//! | [`Temperature`] | one number for all classes: `softmax(log p / T)` | `temperature.rs` |
//! | [`Scale`] | one number for a regression: the mixture spread about its mean | `scale.rs` |
//! | [`Isotonic`] | a monotone function of one variable | `isotonic.rs` |
//! | [`IsotonicClasses`] | such a function of every class's probability | `isotonic_classes.rs` |

mod isotonic;
mod isotonic_classes;
mod scale;
mod temperature;

pub use isotonic::{Isotonic, IsotonicOptions};
pub use isotonic_classes::IsotonicClasses;
pub use scale::{SCALE_BRACKET, Scale};
pub use temperature::{TEMPERATURE_BRACKET, Temperature};
