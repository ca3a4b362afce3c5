//! How the dates of a column are written, found out from all its cells, and reading them.
//!
//! Not for what inputs are made of them; see [`super::date_column`].

use serde::{Deserialize, Serialize};

use super::calendar::Day;
use super::error::TableError;
use super::read::Cell;

/// Seconds of a day.
pub(super) const DAY: f64 = 86_400.0;

/// How the date of a cell is written; a time of day may follow it behind `T` or a space, as `HH:MM`, `HH:MM:SS` or with a
/// fraction of seconds, and a `Z` or an offset such as `+01:00` behind that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum DateFormat {
    /// `2024-01-31` or `2024/1/31`.
    YearMonthDay {
        /// Between the numbers.
        mark: char,
    },
    /// `31.1.2024` or `31/01/2024`.
    DayMonthYear {
        /// Between the numbers.
        mark: char,
    },
    /// `1/31/2024`.
    MonthDayYear {
        /// Between the numbers.
        mark: char,
    },
    /// `20240131`.
    Compact,
}

/// A cell that was read as a date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    /// The day as it is written.
    pub(super) day: Day,
    /// Seconds since midnight as they are written; `None` for a date without a time.
    pub(super) seconds: Option<f64>,
    /// How far the clock that wrote it is ahead of universal time, in seconds.
    offset: f64,
}

impl Moment {
    /// Days since the beginning of 1970 in universal time.
    pub(super) fn elapsed(self) -> f64 {
        self.day.since_1970() as f64 + (self.seconds.unwrap_or(0.0) - self.offset) / DAY
    }
}

impl DateFormat {
    /// The cell as a date and time.
    pub(super) fn read(self, text: &str) -> Option<Moment> {
        let (date, time) = match text.split_once(['T', 't', ' ']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let day = match self {
            Self::YearMonthDay { mark } => {
                let [year, month, day] = numbers(date, mark, [4, 2, 2])?;
                Day::new(year, month, day)
            }
            Self::DayMonthYear { mark } => {
                let [day, month, year] = numbers(date, mark, [2, 2, 4])?;
                Day::new(year, month, day)
            }
            Self::MonthDayYear { mark } => {
                let [month, day, year] = numbers(date, mark, [2, 2, 4])?;
                Day::new(year, month, day)
            }
            Self::Compact => {
                let whole = (date.len() == 8).then(|| number(date, 8)).flatten()?;
                Day::new(whole / 10_000, whole / 100 % 100, whole % 100)
            }
        }?;
        let Some(time) = time else { return Some(Moment { day, seconds: None, offset: 0.0 }) };
        let (seconds, offset) = clock(time)?;
        Some(Moment { day, seconds: Some(seconds), offset })
    }

    /// As [`DateFormat::read`]; the error names the cell and what was expected.
    pub(super) fn read_cell(self, cell: Cell<'_>) -> Result<Moment, TableError> {
        self.read(cell.text()).ok_or_else(|| {
            let (path, row, column, value) = cell.place();
            TableError::UnreadableDate { path, row, column, value, expected: self.pattern() }
        })
    }

    /// The form in letters, such as `YYYY-MM-DD`.
    pub fn pattern(self) -> String {
        match self {
            Self::YearMonthDay { mark } => format!("YYYY{mark}MM{mark}DD"),
            Self::DayMonthYear { mark } => format!("DD{mark}MM{mark}YYYY"),
            Self::MonthDayYear { mark } => format!("MM{mark}DD{mark}YYYY"),
            Self::Compact => "YYYYMMDD".into(),
        }
    }

    /// The one form in which all of some cells are dates.
    ///
    /// `day_first` decides between days and months where both forms fit.
    pub(super) fn of_cells<'a>(
        cells: impl Iterator<Item = Cell<'a>> + Clone,
        day_first: Option<bool>,
    ) -> Result<Option<Self>, TableError> {
        let Some(first) = cells.clone().next() else { return Ok(None) };
        let forms = forms(first.text(), day_first);
        let failing = |form: &Self| cells.clone().find(|cell| form.read(cell.text()).is_none());
        let fitting: Vec<Self> = forms.iter().copied().filter(|form| failing(form).is_none()).collect();
        match (fitting.as_slice(), forms.as_slice()) {
            ([form], _) => Ok(Some(*form)),
            ([_, _, ..], _) => {
                let (path, row, column, value) = first.place();
                Err(TableError::AmbiguousDates { path, row, column, value })
            }
            ([], []) => Ok(None),
            // The form that lasts longest says what is wrong.
            ([], [one, others @ ..]) => {
                let row = |form: &Self| failing(form).map_or(0, |cell| cell.named().row.row);
                let best =
                    others.iter().fold(one, |best, form| if row(form) > row(best) { form } else { best });
                failing(best).map_or(Ok(Some(*best)), |cell| best.read_cell(cell).map(|_| Some(*best)))
            }
        }
    }
}

/// The forms that a column may have whose first cell is this one.
fn forms(text: &str, day_first: Option<bool>) -> Vec<DateFormat> {
    let date = text.split(['T', 't', ' ']).next().unwrap_or("");
    let Some(mark) = date.chars().find(|character| ['-', '/', '.'].contains(character)) else {
        return if date.len() == 8 && number(date, 8).is_some() {
            vec![DateFormat::Compact]
        } else {
            Vec::new()
        };
    };
    if date.find(mark) == Some(4) {
        return vec![DateFormat::YearMonthDay { mark }];
    }
    let (day, month) = (DateFormat::DayMonthYear { mark }, DateFormat::MonthDayYear { mark });
    match day_first {
        Some(true) => vec![day],
        Some(false) => vec![month],
        // Points are written between days and months only in this order.
        None if mark == '.' => vec![day],
        None => vec![day, month],
    }
}

fn numbers(text: &str, mark: char, longest: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(mark);
    let mut next = |longest| number(parts.next()?, longest);
    let found = [next(longest[0])?, next(longest[1])?, next(longest[2])?];
    let years = text.split(mark).zip(longest).filter(|(_, longest)| *longest == 4);
    (parts.next().is_none() && years.into_iter().all(|(part, _)| part.len() == 4)).then_some(found)
}

/// Digits, at most `longest` of them.
fn number(text: &str, longest: usize) -> Option<i64> {
    let fits = !text.is_empty() && text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// Seconds since midnight and the offset from universal time.
fn clock(text: &str) -> Option<(f64, f64)> {
    let (time, offset) = match text.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0.0),
        None => match text.find(['+', '-']) {
            Some(at) => (&text[..at], offset(&text[at..])?),
            None => (text, 0.0),
        },
    };
    let mut parts = time.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let seconds = match parts.next() {
        None => 0.0,
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            number(whole, 2)?;
            let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<f64>().ok()).flatten()?
        }
    };
    let exists = hour < 24 && minute < 60 && seconds < 61.0 && parts.next().is_none();
    exists.then_some((3_600.0 * hour as f64 + 60.0 * minute as f64 + seconds, offset))
}

/// `+01:00`, `-0530` or `+01` in seconds.
fn offset(text: &str) -> Option<f64> {
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let digits = text[1..].replacen(':', "", 1);
    let whole = number(&digits, 4)?;
    let (hours, minutes) = match digits.len() {
        2 => (whole, 0),
        4 => (whole / 100, whole % 100),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (3_600.0 * hours as f64 + 60.0 * minutes as f64))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ISO: DateFormat = DateFormat::YearMonthDay { mark: '-' };

    #[test]
    fn dates_and_times_are_read_as_they_are_written() {
        let day = 19_753.0;
        for (text, expected) in [
            ("2024-01-31", day),
            ("2024-1-31", day),
            ("2024-01-31T12:00", day + 0.5),
            ("2024-01-31 06:00:00", day + 0.25),
            ("2024-01-31T18:00:00.5Z", day + 0.75 + 0.5 / DAY),
            ("2024-01-31T01:00:00+01:00", day),
            ("2024-01-30T18:30:00-0530", day),
            ("2024-01-31T02:00+02", day),
            ("2024-01-31T00:00:60", day + 60.0 / DAY),
        ] {
            assert_eq!(ISO.read(text).unwrap().elapsed(), expected, "{text}");
        }
        for (form, text) in [
            (DateFormat::DayMonthYear { mark: '.' }, "31.1.2024"),
            (DateFormat::MonthDayYear { mark: '/' }, "01/31/2024"),
            (DateFormat::YearMonthDay { mark: '/' }, "2024/01/31"),
            (DateFormat::Compact, "20240131"),
        ] {
            assert_eq!(form.read(text).unwrap().elapsed(), day, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_of_the_form_is_none() {
        for text in [
            "",
            "2024-01",
            "2024-01-31-1",
            "24-01-31",
            "2024-02-30",
            "2024/01/31",
            "31.1.2024",
            "2024-01-31T",
            "2024-01-31T24:00",
            "2024-01-31T12",
            "2024-01-31 12:60",
            "2024-01-31 12:00:61",
            "2024-01-31 12:00:0.",
            "2024-01-31 12:00+1",
            "2024-01-31 12:00+25:00",
            "2024-01-31 12:00+é",
            "2024-+1-31",
            "yesterday",
        ] {
            assert_eq!(ISO.read(text), None, "{text}");
        }
        assert_eq!(DateFormat::DayMonthYear { mark: '.' }.read("31.1.24"), None);
        assert_eq!(DateFormat::Compact.read("2024013"), None);
    }

    #[test]
    fn days_and_months_are_told_apart_by_a_number_above_twelve_or_by_the_user() {
        let slash = |text, day_first| forms(text, day_first).len();
        assert_eq!([slash("1/2/2024", None), slash("1/2/2024", Some(true))], [2, 1]);
        assert_eq!([slash("1.2.2024", None), slash("2024/2/1", None), slash("x", None)], [1, 1, 0]);
    }
}
