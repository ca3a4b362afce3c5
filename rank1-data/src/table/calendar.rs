//! The Gregorian calendar as numbers: days since 1970, days of a year and of a week.
//!
//! Not for reading texts; see [`super::date_format`].

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) year: i64,
    /// From 1 to 12.
    pub(super) month: i64,
    /// From 1.
    pub(super) day: i64,
}

impl Day {
    /// The day, if the year has four digits and the month has that many days.
    pub(super) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let exists = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=month_length(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// The day so many days after 1970-01-01, if its year has at most four digits.
    #[cfg(feature = "parquet")]
    pub(super) fn at(since_1970: i64) -> Option<Self> {
        let since_first = since_1970.checked_add(days_before_year(1970))?;
        if !(0..days_before_year(10_000)).contains(&since_first) {
            return None;
        }
        // Never too late a year, and hardly too early.
        let mut year = (since_first * 400 / 146_097).max(1);
        while days_before_year(year + 1) <= since_first {
            year += 1;
        }
        let mut day = since_first - days_before_year(year);
        let mut month = 1;
        while day >= month_length(year, month) {
            day -= month_length(year, month);
            month += 1;
        }
        Some(Self { year, month, day: day + 1 })
    }

    /// Days since 1970-01-01, negative before it.
    pub(super) fn since_1970(self) -> i64 {
        days_before_year(self.year) - days_before_year(1970) + self.of_year()
    }

    /// Days since the first of January.
    pub(super) fn of_year(self) -> i64 {
        (1..self.month).map(|month| month_length(self.year, month)).sum::<i64>() + self.day - 1
    }

    /// 0 for Monday to 6 for Sunday; 1970 began with a Thursday.
    pub(super) fn of_week(self) -> i64 {
        (self.since_1970() + 3).rem_euclid(7)
    }
}

/// 365 or 366.
pub(super) fn year_length(year: i64) -> i64 {
    365 + i64::from(is_leap(year))
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first day of year 1 to that of `year`.
fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    365 * before + before / 4 - before / 100 + before / 400
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[cfg(feature = "parquet")]
    #[test]
    fn every_day_is_found_by_its_number() {
        for since in (-719_162..2_932_897).step_by(1).filter(|day| day % 97 == 0 || day % 365 < 2) {
            let day = Day::at(since).unwrap();
            assert_eq!(day.since_1970(), since);
            assert_eq!(Day::new(day.year, day.month, day.day), Some(day));
        }
        assert_eq!(Day::at(-719_162).map(|day| (day.year, day.month, day.day)), Some((1, 1, 1)));
        assert_eq!(Day::at(2_932_896).map(|day| (day.year, day.month, day.day)), Some((9999, 12, 31)));
        assert_eq!([Day::at(-719_163), Day::at(2_932_897), Day::at(i64::MAX)], [None; 3]);
    }

    #[test]
    fn days_are_counted_and_named_as_in_the_calendar() {
        for ((year, month, day), since, of_year, of_week) in [
            ((1970, 1, 1), 0, 0, 3),
            ((1969, 12, 31), -1, 364, 2),
            ((2000, 2, 29), 11_016, 59, 1),
            ((2024, 12, 31), 20_088, 365, 1),
            ((2026, 11, 30), 20_787, 333, 0),
            ((1900, 3, 1), -25_508, 59, 3),
        ] {
            let got = Day::new(year, month, day).unwrap();
            assert_eq!(
                (got.since_1970(), got.of_year(), got.of_week()),
                (since, of_year, of_week),
                "{got:?}"
            );
        }
    }

    #[test]
    fn days_that_do_not_exist_are_none() {
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2024, 4, 31),
            (2024, 13, 1),
            (2024, 0, 1),
            (2024, 1, 0),
            (0, 1, 1),
        ] {
            assert_eq!(Day::new(year, month, day), None);
        }
        assert_eq!([2023, 2024, 1900, 2000].map(year_length), [365, 366, 365, 366]);
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut expected = Day::new(1896, 1, 1).unwrap().since_1970();
        for year in 1896..2104 {
            for month in 1..=12 {
                for day in 1..=month_length(year, month) {
                    assert_eq!(Day::new(year, month, day).unwrap().since_1970(), expected);
                    expected += 1;
                }
            }
        }
    }
}
