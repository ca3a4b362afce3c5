//! Times as the tables write them (`2150-03-01 14:05:00`) in seconds, without time zones.
//!
//! Not for calendars beyond the proleptic Gregorian one; the shifted years of the tables (1800 to 2300) are in it.

/// Seconds since 1970-01-01 00:00:00; a date alone is its midnight. `None` for anything else, also for 30 February.
pub(super) fn parse_time(text: &[u8]) -> Option<i64> {
    let (date, clock) = match text.len() {
        10 => (text, None),
        19 if text[10] == b' ' || text[10] == b'T' => (&text[..10], Some(&text[11..])),
        _ => return None,
    };
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let seconds = match clock {
        None => 0,
        Some(clock) => {
            if clock[2] != b':' || clock[5] != b':' {
                return None;
            }
            let (hour, minute, second) = (number(&clock[..2])?, number(&clock[3..5])?, number(&clock[6..])?);
            if hour > 23 || minute > 59 || second > 59 {
                return None;
            }
            hour * 3_600 + minute * 60 + second
        }
    };
    Some(days_since_epoch(year, month, day) * 86_400 + seconds)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let whole_years = before * 365 + before / 4 - before / 100 + before / 400;
    let whole_months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    whole_years + whole_months + day - 1 - 719_162
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants_and_leap_days_are_exact() {
        assert_eq!(parse_time(b"1970-01-01 00:00:00"), Some(0));
        assert_eq!(parse_time(b"2001-09-09 01:46:40"), Some(1_000_000_000));
        assert_eq!(parse_time(b"2000-02-29"), Some(951_782_400));
        assert_eq!(parse_time(b"1969-12-31 23:59:59"), Some(-1));
        let span = |from: &[u8], to: &[u8]| parse_time(to).zip(parse_time(from)).map(|(to, from)| to - from);
        assert_eq!(span(b"2100-02-28 00:00:00", b"2100-03-01 00:00:00"), Some(86_400));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2100-02-29",
            "2101-13-01",
            "2101-00-10",
            "2101-04-31",
            "2101-1-1",
            "2101-01-01 24:00:00",
            "2101-01-01 10:60:00",
            "2101-01-01 10:00",
            "01/02/2101 10:00:00",
            "2101-01-01_10:00:00",
            "21x1-01-01",
        ] {
            assert_eq!(parse_time(text.as_bytes()), None, "{text}");
        }
    }
}
