//! What was compared and how it came out; comparisons themselves are here so that every file uses the same rules.

use std::cell::{Cell, RefCell};

use crate::json::{Fault, Outcome, Record, Values};

/// How close a value must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Precision {
    /// The f64 implementations: each entry to 1e-9 of itself (or of 1e-6 of the largest, where entries cancel).
    Double,
    /// An f32 constant is involved in the stored value: as `Double` at 1e-8.
    DoubleWithSingleConstant,
    /// The stored value was computed in f32 throughout, so that only a few ulps of f32 can be asked for.
    SingleStored,
    /// The Burn layers: each entry to 1e-5 of the largest magnitude.
    Burn,
    /// Exactly equal integers or flags.
    Exact,
    /// Within this distance: moments of random draws.
    Within(f64),
}

impl Precision {
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Double => "f64",
            Self::DoubleWithSingleConstant => "f64 with an f32 constant",
            Self::SingleStored => "stored f32",
            Self::Burn => "Burn f32",
            Self::Exact => "exact",
            Self::Within(_) => "within",
        }
    }

    /// Largest allowed absolute error of one entry.
    fn allowance(self, expected: f64, largest: f64) -> f64 {
        let each = |rtol: f64| rtol * expected.abs().max(1e-6 * largest);
        let whole_zero = |allowance: f64, rtol: f64| if largest == 0.0 { rtol } else { allowance };
        match self {
            Self::Double => whole_zero(each(1e-9), 1e-9),
            Self::DoubleWithSingleConstant => whole_zero(each(1e-8), 1e-8),
            Self::SingleStored => whole_zero(1e-6 * largest, 1e-6),
            Self::Burn => whole_zero(1e-5 * largest, 1e-5),
            Self::Exact => 0.0,
            Self::Within(distance) => distance,
        }
    }
}

/// The rule of compared texts.
pub(crate) const TEXT: &str = "text";
/// The rule of values that are random and must only be of some kind.
const STRUCTURE: &str = "structure";

/// A compared field: where it lies and how much its first entry may move before the comparison must fail.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checked {
    pub(crate) path: String,
    /// Name of the rule, as failures print it.
    pub(crate) rule: &'static str,
    pub(crate) allowance: f64,
}

/// Everything about one file.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) passed: Cell<usize>,
    pub(crate) failed: Cell<usize>,
    pub(crate) worst_double: Cell<f64>,
    pub(crate) worst_burn: Cell<f64>,
    pub(crate) checked: RefCell<Vec<Checked>>,
    pub(crate) failures: RefCell<Vec<String>>,
    pub(crate) unread: RefCell<Vec<String>>,
    pub(crate) not_implemented: RefCell<Vec<String>>,
}

/// How a case ended, apart from its comparisons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Compared,
    NotImplemented(String),
}

impl Report {
    pub(crate) fn fail(&self, message: String) {
        self.failures.borrow_mut().push(message);
    }

    pub(crate) fn malformed(&self, fault: &Fault) {
        self.fail(format!("malformed: {} {}", fault.path, fault.what));
    }

    /// Runs one case and books it as passed or failed.
    pub(crate) fn case(&self, record: &Record<'_>, run: impl FnOnce(&Record<'_>) -> Outcome<Verdict>) {
        let before = (self.failures.borrow().len(), self.checked.borrow().len());
        match run(record) {
            Ok(Verdict::Compared) if self.checked.borrow().len() == before.1 => {
                self.fail(format!("{} compared nothing", record.path));
            }
            Ok(Verdict::Compared) => {}
            Ok(Verdict::NotImplemented(what)) => {
                self.not_implemented.borrow_mut().push(format!("{}: {what}", record.path));
                return;
            }
            Err(fault) => self.malformed(&fault),
        }
        self.unread.borrow_mut().extend(record.unread());
        let slot = if self.failures.borrow().len() == before.0 { &self.passed } else { &self.failed };
        slot.set(slot.get() + 1);
    }
}

impl Record<'_> {
    /// Compares a field of this record with a computed value.
    pub(crate) fn check(&self, key: &str, got: impl Into<Values>, precision: Precision) -> Outcome<()> {
        let expected = self.values(key)?;
        self.compare(key, &expected, &got.into(), precision);
        Ok(())
    }

    /// Compares a flag of this record.
    pub(crate) fn check_flag(&self, key: &str, got: bool) -> Outcome<()> {
        let expected = f64::from(self.flag(key)?);
        self.compare(key, &expected.into(), &f64::from(got).into(), Precision::Exact);
        Ok(())
    }

    /// Compares a text of this record.
    pub(crate) fn check_text(&self, key: &str, got: &str) -> Outcome<()> {
        let expected = self.text(key)?;
        self.report.checked.borrow_mut().push(Checked { path: self.at(key), rule: TEXT, allowance: 0.0 });
        if got != expected {
            self.report.fail(format!("{} ({TEXT}): expected {expected:?}, got {got:?}", self.at(key)));
        }
        Ok(())
    }

    /// Books a claim about a field of random values, which must not hold once one of them has moved by three times `distance`.
    pub(crate) fn check_claim(&self, key: &str, holds: bool, claim: &str, distance: f64) {
        let path = self.at(key);
        if !holds {
            self.report.fail(format!("{path} ({STRUCTURE}): not {claim}"));
        }
        self.report.checked.borrow_mut().push(Checked { path, rule: STRUCTURE, allowance: distance });
    }

    fn compare(&self, key: &str, expected: &Values, got: &Values, precision: Precision) {
        let path = self.at(key);
        let largest = expected.data.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let first = expected.data.first().copied().unwrap_or_default();
        let allowance = precision.allowance(first, largest);
        self.report.checked.borrow_mut().push(Checked {
            path: path.clone(),
            rule: precision.rule(),
            allowance,
        });
        if expected.shape != got.shape {
            self.report.fail(format!(
                "{path} ({}): expected shape {:?}, got {:?}",
                precision.rule(),
                expected.shape,
                got.shape
            ));
            return;
        }
        let mut wrong = 0;
        let mut message = String::new();
        for (i, (e, g)) in expected.data.iter().zip(&got.data).enumerate() {
            let allowance = precision.allowance(*e, largest);
            // NaN is never within.
            let within = (e - g).abs() <= allowance;
            if !within {
                wrong += 1;
                if wrong == 1 {
                    message = format!("entry {i}: expected {e:e}, got {g:e}, allowed {allowance:.1e}");
                }
            }
            self.book_error(precision, (e - g).abs(), e.abs(), largest);
        }
        if wrong > 0 {
            let n = expected.data.len();
            self.report
                .fail(format!("{path} ({}): {wrong} of {n} entries differ; {message}", precision.rule()));
        }
    }

    fn book_error(&self, precision: Precision, error: f64, expected: f64, largest: f64) {
        if largest == 0.0 {
            return;
        }
        let (slot, relative) = match precision {
            Precision::Double => (&self.report.worst_double, error / expected.max(1e-6 * largest)),
            Precision::Burn => (&self.report.worst_burn, error / largest),
            _ => return,
        };
        // `max` of a NaN error would hide it.
        slot.set(if relative.is_nan() { f64::NAN } else { slot.get().max(relative) });
    }
}
