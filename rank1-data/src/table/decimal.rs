//! The decimal mark of a table, found out from all its columns of numbers.
//!
//! Not for single cells; see [`super::written`].

use super::error::TableError;
use super::missing::Tokens;
use super::read::{Cell, Table};
use super::written::{Written, written};

/// What the cells of one column say about the decimal mark.
#[derive(Default)]
struct Tally<'a> {
    present: usize,
    numbers: usize,
    point: Option<Cell<'a>>,
    comma: Option<Cell<'a>>,
    /// Whether a cell is written like `1.234`.
    unclear_point: bool,
}

impl<'a> Tally<'a> {
    fn of(cells: impl Iterator<Item = Cell<'a>>, tokens: Tokens<'_>) -> Self {
        let mut tally = Self::default();
        for cell in cells.filter(|cell| !tokens.in_numbers(cell.text())) {
            tally.present += 1;
            let (number, clear) = match written(cell.text()) {
                Written::Plain => (true, None),
                Written::Point => (true, Some('.')),
                Written::Comma => (true, Some(',')),
                Written::Grouped(mark) => (true, mark),
                Written::Unclear(mark) => {
                    tally.unclear_point |= mark == '.';
                    (true, None)
                }
                Written::WithUnit | Written::Date | Written::Text => (false, None),
            };
            tally.numbers += usize::from(number);
            match clear {
                Some('.') => tally.point = tally.point.or(Some(cell)),
                Some(_) => tally.comma = tally.comma.or(Some(cell)),
                None => {}
            }
        }
        tally
    }

    /// Columns of text with a few numbers among it do not count.
    fn counts(&self) -> bool {
        2 * self.numbers > self.present
    }
}

/// The decimal mark of the columns at `positions`; `expected` where none of them tells.
///
/// # Errors
/// [`TableError::TwoDecimalMarks`] if some tell one and some the other.
pub(super) fn decimal_mark(
    table: &Table,
    positions: impl Iterator<Item = usize>,
    tokens: Tokens<'_>,
    expected: char,
) -> Result<char, TableError> {
    let tallies: Vec<Tally> =
        positions.map(|position| Tally::of(table.column(position), tokens)).filter(Tally::counts).collect();
    let point = tallies.iter().find_map(|tally| tally.point);
    let comma = tallies.iter().find_map(|tally| tally.comma);
    match (point, comma) {
        (Some(point), Some(comma)) => {
            let path = table.path.clone();
            let (point, comma) = (Box::new(point.named()), Box::new(comma.named()));
            Err(TableError::TwoDecimalMarks { path, point, comma })
        }
        (Some(_), None) => Ok('.'),
        (None, Some(_)) => Ok(','),
        // `1.234` between commas has a decimal point. All else is read as expected, and refused cell by cell if it cannot be.
        (None, None) if table.separator == ',' && tallies.iter().any(|tally| tally.unclear_point) => Ok('.'),
        (None, None) => Ok(expected),
    }
}
