//! Values of the keys of a user's own table.
//!
//! Not for keys of other sets; see [`super::check`].

use super::DataRecipe;
use super::check::Values;

/// Refuses impossible values of the keys that say how a table is read.
pub(super) fn values(d: &DataRecipe, v: &mut Values<'_>) {
    if let Some(missing) = &d.missing {
        let known = ["refuse", "mean", "median"].contains(&missing.as_str());
        v.need(known, "data.missing", "`refuse`, `mean` or `median`", format!("`{missing}`"));
    }
    if let Some(delimiter) = &d.delimiter {
        let one = matches!(delimiter.as_bytes(), [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte));
        let expected = "one ASCII character other than a quote or a line end";
        v.need(one, "data.delimiter", expected, format!("{delimiter:?}"));
    }
    if let Some(decimal) = &d.decimal {
        let known = [".", ","].contains(&decimal.as_str());
        v.need(known, "data.decimal", "`.` or `,`", format!("`{decimal}`"));
    }
    if let (Some(delimiter), Some(decimal)) = (&d.delimiter, &d.decimal) {
        let expected = "another character than data.delimiter";
        v.need(delimiter != decimal || decimal == ",", "data.decimal", expected, format!("`{decimal}`"));
    }
    if let Some(most) = d.max_levels {
        v.need(most >= 2, "data.max_levels", "at least 2", most);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::Error;
    use crate::recipe::{Override, parse};

    const TABLE: &str = r#"
name = "test/table"
data = { set = "csv", file = "table.csv", target = "y" }
model = { kind = "mlp", hidden = [7] }
method = { kind = "deterministic" }
train = { epochs = 1, batch_size = 8, optimizer = { kind = "adam", learning_rate = 0.01 } }
"#;

    fn problem(text: &str) -> Option<String> {
        match parse(TABLE, &[text.parse::<Override>().unwrap()]) {
            Ok(_) => None,
            Err(Error::Recipe(problems)) => {
                assert_eq!(problems.len(), 1, "{problems:?}");
                Some(problems[0].to_string())
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn each_key_of_a_table_takes_its_values_and_refuses_others_by_name() {
        for good in [
            "data.delimiter=\";\"",
            "data.delimiter=\"\\t\"",
            "data.decimal=\",\"",
            "data.missing_tokens=[\"-999\", \"n/a\"]",
            "data.missing_tokens=[]",
            "data.ignore=[\"\"]",
            "data.max_levels=2",
            "data.unknown=missing",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
        for (bad, expected) in [
            ("data.delimiter=\";;\"", "data.delimiter: expected one ASCII character"),
            ("data.delimiter=\"\"", "data.delimiter: expected one ASCII character"),
            ("data.delimiter=\"→\"", "data.delimiter: expected one ASCII character"),
            ("data.decimal=comma", "data.decimal: expected `.` or `,`, got `comma`"),
            ("data.max_levels=1", "data.max_levels: expected at least 2, got 1"),
            ("data.unknown=zero", "data.unknown: "),
            ("data.ignore=id", "data.ignore: "),
            ("data.missing_tokens=NA", "data.missing_tokens: "),
        ] {
            let got = problem(bad).unwrap_or_default();
            assert!(got.contains(expected), "{bad}: {got}");
        }
    }
}
