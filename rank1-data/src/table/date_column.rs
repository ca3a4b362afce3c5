//! Inputs made of a column of dates: elapsed days, and the place in the year, the week and the day on circles.
//!
//! Not for how dates are written; see [`super::date_format`].

use std::f64::consts::TAU;

use ndarray::ArrayViewMut2;
use serde::{Deserialize, Serialize};

use super::calendar::year_length;
use super::date_format::{DAY, DateFormat, Moment};
use super::error::TableError;
use super::fit::{mean, median};
use super::missing::Tokens;
use super::options::{CsvOptions, Dates, Missing};
use super::read::Cell;
use super::written::{Written, written};

/// A column of dates as calendar parts.
///
/// The inputs are the days since the first training date, then sine and cosine of the place in the year, whose length is that
/// of the year, and of the day of the week, then of the time of day if there are times, then the indicator if there is one. A
/// filled cell has no place on the circles: zeros.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DateColumn {
    /// How its cells are written.
    pub format: DateFormat,
    /// The first training date, in days since 1970 in universal time.
    pub first: f64,
    /// Whether cells have a time of day.
    pub times: bool,
    /// What replaces a missing cell, in days since the first training date; `None` refuses it.
    pub impute: Option<f64>,
    /// Whether one more input is 1 where the cell is missing.
    pub indicator: bool,
}

impl DateColumn {
    /// Learns a column from its cells; `None` if it is not one of dates, or dates are not to be read.
    ///
    /// `cells` are all cells of the column, `training` those of the training rows.
    pub(super) fn fit<'a>(
        column: &str,
        cells: impl Iterator<Item = Cell<'a>> + Clone,
        training: impl Iterator<Item = Cell<'a>> + Clone,
        options: &CsvOptions,
    ) -> Result<Option<Self>, TableError> {
        let tokens = Tokens(options.missing_tokens.as_deref());
        let is_missing = |cell: &Cell<'_>| tokens.in_numbers(cell.text());
        let present = cells.clone().filter(|cell| !is_missing(cell));
        let asked = options.date_columns.iter().any(|name| name == column);
        if !asked && (options.dates == Dates::Refuse || !mostly_dates(present.clone())) {
            return Ok(None);
        }
        if options.missing == Missing::Refuse
            && let Some(cell) = cells.clone().find(is_missing)
        {
            let (path, row, column, value) = cell.place();
            return Err(TableError::MissingValue { path, row, column, value });
        }
        let Some(format) = DateFormat::of_cells(present.clone(), options.day_first)? else {
            return match present.clone().next() {
                Some(cell) => {
                    let (path, row, column, value) = cell.place();
                    let expected = "a date with a year of four digits, such as YYYY-MM-DD".into();
                    Err(TableError::UnreadableDate { path, row, column, value, expected })
                }
                // Nothing but missing cells: refused like other such columns.
                None => Ok(None),
            };
        };
        let moments: Vec<Moment> = training
            .clone()
            .filter(|cell| !is_missing(cell))
            .map(|cell| format.read_cell(cell))
            .collect::<Result<_, _>>()?;
        let days: Vec<f64> = moments.iter().map(|moment| moment.elapsed()).collect();
        let first = days.iter().copied().fold(f64::INFINITY, f64::min);
        if days.is_empty() {
            return Ok(None);
        }
        let since: Vec<f64> = days.iter().map(|day| day - first).collect();
        let impute = match options.missing {
            Missing::Refuse => None,
            Missing::ImputeMean => Some(mean(&since)),
            Missing::ImputeMedian | Missing::Indicator => Some(median(since)),
        };
        let has_missing = training.clone().any(|cell| is_missing(&cell));
        Ok(Some(Self {
            format,
            first,
            times: moments.iter().any(|moment| moment.seconds.is_some_and(|seconds| seconds > 0.0)),
            impute,
            indicator: options.missing == Missing::Indicator && has_missing,
        }))
    }

    /// Names of the inputs behind the name of the column.
    pub(super) fn parts(&self) -> Vec<&'static str> {
        let mut parts =
            vec![": days", ": sine of year", ": cosine of year", ": sine of week", ": cosine of week"];
        if self.times {
            parts.extend([": sine of day", ": cosine of day"]);
        }
        if self.indicator {
            parts.push(" is missing");
        }
        parts
    }

    /// Number of inputs on circles.
    pub(super) fn n_cyclic(&self) -> usize {
        if self.times { 6 } else { 4 }
    }

    /// Fills the inputs of this column, which are zero; returns the number of filled cells.
    ///
    /// # Shapes
    /// `out`: `[N, parts]`.
    pub(super) fn encode<'a>(
        &self,
        cells: impl Iterator<Item = Cell<'a>>,
        tokens: Tokens<'_>,
        mut out: ArrayViewMut2<'_, f64>,
    ) -> Result<usize, TableError> {
        let mut n_filled = 0;
        for (cell, mut row) in cells.zip(out.rows_mut()) {
            if tokens.in_numbers(cell.text()) {
                let Some(value) = self.impute else {
                    let (path, row, column, value) = cell.place();
                    return Err(TableError::MissingValue { path, row, column, value });
                };
                n_filled += 1;
                row[0] = value;
                if self.indicator {
                    row[1 + self.n_cyclic()] = 1.0;
                }
                continue;
            }
            let moment = self.format.read_cell(cell)?;
            let seconds = moment.seconds.unwrap_or(0.0);
            row[0] = moment.elapsed() - self.first;
            let of_year = (moment.day.of_year() as f64 + seconds / DAY) / year_length(moment.day.year) as f64;
            let of_week = moment.day.of_week() as f64 / 7.0;
            for (i, turn) in
                [of_year, of_week, seconds / DAY].into_iter().take(self.n_cyclic() / 2).enumerate()
            {
                let (sine, cosine) = (TAU * turn).sin_cos();
                row[1 + 2 * i] = sine;
                row[2 + 2 * i] = cosine;
            }
        }
        Ok(n_filled)
    }
}

/// Whether more than half of some cells look like dates with a day; times of day alone are none.
fn mostly_dates<'a>(cells: impl Iterator<Item = Cell<'a>>) -> bool {
    let (mut n, mut dates) = (0, 0);
    for cell in cells {
        n += 1;
        let date = cell.text().split(['T', ' ']).next().unwrap_or("");
        dates += usize::from(!date.contains(':') && written(cell.text()) == Written::Date);
    }
    2 * dates > n
}
