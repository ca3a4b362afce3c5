//! Values of Parquet's types as the texts that stand in a CSV of the same table.
//!
//! Not for reading pages; see [`super::column`].

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::schema::types::{ColumnDescriptor, Type};

use super::super::calendar::Day;

/// Seconds of a day.
const DAY: i128 = 86_400;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` and `false`.
    Truth,
    /// Whole numbers, of 32 or 64 bits.
    Whole {
        /// Whether the first bit is no sign.
        unsigned: bool,
    },
    /// Whole numbers times a power of ten, also as bytes in two's complement.
    Decimal {
        /// Digits behind the mark.
        scale: usize,
    },
    /// Floating-point numbers of 16 bits; those of 32 and 64 bits are told by their physical type.
    Half,
    /// Floating-point numbers of 32 or 64 bits.
    Float,
    /// UTF-8.
    Text,
    /// Days since 1970.
    Date,
    /// Parts of a second since midnight, so many in a second.
    Clock(i64),
    /// Parts of a second since 1970, so many in a second; whether in universal time.
    Moment(i64, bool),
    /// Sixteen bytes.
    Uuid,
    /// Nothing but missing values.
    Nothing,
}

impl Kind {
    /// The kind of a column without levels below it; or the name of a type that no cell can hold.
    pub(super) fn of(column: &ColumnDescriptor) -> Result<Self, String> {
        let physical = column.physical_type();
        let scale = |scale: i32| usize::try_from(scale).unwrap_or(0);
        let kind = match column.logical_type_ref() {
            Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => Self::Text,
            Some(LogicalType::Decimal(decimal)) => Self::Decimal { scale: scale(decimal.scale) },
            Some(LogicalType::Date) => Self::Date,
            Some(LogicalType::Time(time)) => Self::Clock(per_second(&time.unit)),
            Some(LogicalType::Timestamp(time)) => {
                Self::Moment(per_second(&time.unit), time.is_adjusted_to_u_t_c)
            }
            Some(LogicalType::Integer(integer)) => Self::Whole { unsigned: !integer.is_signed },
            Some(LogicalType::Uuid) => Self::Uuid,
            Some(LogicalType::Float16) => Self::Half,
            Some(LogicalType::Unknown) => Self::Nothing,
            Some(LogicalType::Bson) => return Err("BSON".into()),
            Some(LogicalType::Variant(_)) => return Err("variant".into()),
            Some(LogicalType::Geometry(_) | LogicalType::Geography(_)) => return Err("geometry".into()),
            Some(_) => return Err("unknown".into()),
            None => match (column.converted_type(), physical) {
                (ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON, _) => Self::Text,
                (ConvertedType::DECIMAL, _) => Self::Decimal { scale: scale(column.type_scale()) },
                (ConvertedType::DATE, _) => Self::Date,
                (ConvertedType::TIME_MILLIS, _) => Self::Clock(1_000),
                (ConvertedType::TIME_MICROS, _) => Self::Clock(1_000_000),
                (ConvertedType::TIMESTAMP_MILLIS, _) => Self::Moment(1_000, true),
                (ConvertedType::TIMESTAMP_MICROS, _) => Self::Moment(1_000_000, true),
                (
                    ConvertedType::UINT_8
                    | ConvertedType::UINT_16
                    | ConvertedType::UINT_32
                    | ConvertedType::UINT_64,
                    _,
                ) => Self::Whole { unsigned: true },
                (ConvertedType::INTERVAL, _) => return Err("interval".into()),
                (ConvertedType::BSON, _) => return Err("BSON".into()),
                (_, Physical::BOOLEAN) => Self::Truth,
                (_, Physical::INT32 | Physical::INT64) => Self::Whole { unsigned: false },
                (_, Physical::INT96) => Self::Moment(1_000_000_000, false),
                (_, Physical::FLOAT | Physical::DOUBLE) => Self::Float,
                (_, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY) => return Err("binary".into()),
            },
        };
        Ok(kind)
    }

    /// A whole number of 32 bits as text.
    pub(super) fn of_i32(self, value: i32, mark: char) -> String {
        match self {
            Self::Whole { unsigned: true } => value.cast_unsigned().to_string(),
            _ => self.of_i64(i64::from(value), mark),
        }
    }

    /// A whole number of 64 bits as text.
    pub(super) fn of_i64(self, value: i64, mark: char) -> String {
        match self {
            Self::Whole { unsigned: true } => value.cast_unsigned().to_string(),
            Self::Decimal { scale } => decimal(value.to_string(), scale, mark),
            Self::Date => date(value),
            Self::Clock(per_second) => clock(i128::from(value), i128::from(per_second)),
            Self::Moment(per_second, universal) => moment(i128::from(value), per_second, universal),
            _ => value.to_string(),
        }
    }

    /// Bytes as text; `None` if they are none, or no value of the kind.
    pub(super) fn of_bytes(self, bytes: &[u8], mark: char) -> Option<String> {
        match self {
            Self::Text => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Decimal { scale } => Some(decimal(big_endian(bytes)?.to_string(), scale, mark)),
            Self::Half => {
                let bits = u16::from_le_bytes(bytes.try_into().ok()?);
                Some(float(f64::from(half(bits)), half(bits).to_string(), mark))
            }
            Self::Uuid => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let parts =
                    [hex.get(..8)?, hex.get(8..12)?, hex.get(12..16)?, hex.get(16..20)?, hex.get(20..)?];
                (bytes.len() == 16).then(|| parts.join("-"))
            }
            _ => None,
        }
    }
}

/// Parts of a second since 1970 in text.
pub(super) fn moment(value: i128, per_second: i64, universal: bool) -> String {
    let day = DAY * i128::from(per_second);
    let date = date(i64::try_from(value.div_euclid(day)).unwrap_or(i64::MAX));
    let time = clock(value.rem_euclid(day), i128::from(per_second));
    format!("{date}T{time}{}", if universal { "Z" } else { "" })
}

/// A number of single precision: the shortest text that reads as it.
pub(super) fn single(value: f32, mark: char) -> String {
    float(f64::from(value), format!("{value:?}"), mark)
}

/// A number of double precision: the shortest text that reads as it.
pub(super) fn double(value: f64, mark: char) -> String {
    float(value, format!("{value:?}"), mark)
}

fn float(value: f64, text: String, mark: char) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if mark == '.' { text } else { text.replace('.', &mark.to_string()) }
}

/// What a column with levels below it is.
pub(super) fn nested(field: &Type) -> &'static str {
    let info = field.get_basic_info();
    match (info.logical_type_ref(), info.converted_type()) {
        (Some(LogicalType::List), _) | (None, ConvertedType::LIST) => "list",
        (Some(LogicalType::Map), _) | (None, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE) => "map",
        (Some(LogicalType::Variant(_)), _) => "variant",
        _ if field.is_primitive() => "list",
        _ => "struct",
    }
}

fn per_second(unit: &TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000,
        TimeUnit::MICROS => 1_000_000,
        TimeUnit::NANOS => 1_000_000_000,
    }
}

/// Days since 1970 as `2024-01-31`; days of other years than 1 to 9999 as no date, which their reader names.
fn date(days: i64) -> String {
    match Day::at(days) {
        Some(Day { year, month, day }) => format!("{year:04}-{month:02}-{day:02}"),
        None => format!("day {days} from 1970"),
    }
}

/// Parts of a second since midnight as `18:30:05.25`.
fn clock(value: i128, per_second: i128) -> String {
    let (seconds, part) = (value.div_euclid(per_second), value.rem_euclid(per_second));
    let text = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if part == 0 {
        return text;
    }
    let digits = per_second.ilog10() as usize;
    format!("{text}.{}", format!("{part:0digits$}").trim_end_matches('0'))
}

/// The digits of a whole number with a mark before the last `scale` of them.
fn decimal(digits: String, scale: usize, mark: char) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    // No number has more digits than double precision has powers of ten.
    if scale == 0 || scale > 400 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>least$}", least = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}{mark}{fraction}")
}

/// Bytes in two's complement, the largest first; `None` above 128 bits.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    let fill = if first & 0x80 == 0 { 0 } else { 0xff };
    let mut padded = [fill; 16];
    if let Some(from) = 16_usize.checked_sub(bytes.len()) {
        padded[from..].copy_from_slice(bytes);
    } else {
        let (excess, rest) = bytes.split_at(bytes.len() - 16);
        if excess.iter().any(|&byte| byte != fill) || (rest[0] & 0x80) != (fill & 0x80) {
            return None;
        }
        padded.copy_from_slice(rest);
    }
    Some(i128::from_be_bytes(padded))
}

/// Half precision: sign, five bits of exponent, ten bits of fraction.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0_f32 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod unit {
    use super::*;

    #[test]
    fn times_and_decimals_are_written_as_people_write_them() {
        let micros = Kind::Moment(1_000_000, false);
        assert_eq!(micros.of_i64(1_706_725_805_250_000, '.'), "2024-01-31T18:30:05.25");
        assert_eq!(Kind::Moment(1_000, true).of_i64(-1, '.'), "1969-12-31T23:59:59.999Z");
        assert_eq!(Kind::Moment(1_000_000_000, false).of_i64(1, '.'), "1970-01-01T00:00:00.000000001");
        assert_eq!(
            (Kind::Date.of_i32(19_753, '.'), Kind::Date.of_i32(i32::MAX, '.').len()),
            ("2024-01-31".into(), 24)
        );
        assert_eq!(Kind::Clock(1_000).of_i32(45_000_000, '.'), "12:30:00");
        let money = Kind::Decimal { scale: 2 };
        let texts = [123_456, -5, 0, i64::MIN].map(|value| money.of_i64(value, '.'));
        assert_eq!(texts, ["1234.56", "-0.05", "0.00", "-92233720368547758.08"]);
        assert_eq!(money.of_bytes(&[0xff, 0x38], ','), Some("-2,00".into()));
        assert_eq!(money.of_bytes(&[1; 17], '.'), None);
        assert_eq!(big_endian(&[0; 20]), Some(0));
    }

    #[test]
    fn numbers_keep_every_digit() {
        for value in [0.1, 1.0, -0.0, 1e300, f64::MIN_POSITIVE, 123_456_789.123_456_79, 1e16] {
            assert_eq!(double(value, '.').parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
        assert_eq!(
            (single(0.1, '.'), single(16_777_216.0, '.'), double(2.5, ',')),
            ("0.1".into(), "16777216.0".into(), "2,5".into())
        );
        assert_eq!(double(-f64::NAN, '.'), "NaN");
        assert_eq!(Kind::Whole { unsigned: true }.of_i64(-1, '.'), u64::MAX.to_string());
        assert_eq!(Kind::Whole { unsigned: true }.of_i32(-1, '.'), u32::MAX.to_string());
        for (bits, expected) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65_504.0),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half(bits), expected);
        }
        assert!(half(0x7e00).is_nan() && half(0xfc00) == f32::NEG_INFINITY);
    }
}
