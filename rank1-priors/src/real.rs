//! The scalar trait of this crate; no arithmetic.

/// A floating-point scalar that slices may hold: `f32` or `f64`.
///
/// Entries are widened to double, computed there and rounded once on the way out.
pub trait Real: Copy + std::fmt::Debug + Send + Sync + 'static {
    /// Rounds a double to this type.
    ///
    /// # Source
    /// IEEE 754 round to nearest.
    fn of(value: f64) -> Self;
    /// Widens to a double, exactly.
    ///
    /// # Source
    /// IEEE 754; every `f32` is an `f64`.
    fn wide(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
}
