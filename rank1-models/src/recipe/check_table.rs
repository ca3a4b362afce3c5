//! Values of the keys of a user's own table.
//!
//! Not for keys of other sets; see [`super::check`].

use super::check::Values;
use super::{DataRecipe, ModelRecipe};
use crate::network::Body;

/// Refuses impossible values of the keys that say how a table is read.
pub(super) fn values(d: &DataRecipe, v: &mut Values<'_>) {
    if let Some(missing) = &d.missing {
        let known = ["refuse", "mean", "median", "indicator"].contains(&missing.as_str());
        v.need(known, "data.missing", "`refuse`, `mean`, `median` or `indicator`", format!("`{missing}`"));
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
    let division = d.division();
    if let [first, second, ..] = division[..] {
        v.need(false, first, "no other key that divides the rows", second);
    }
    let own_level = d.unknown == Some(super::UnknownLevel::OwnLevel);
    if let Some(rows) = d.rare_below {
        v.need(own_level, "data.rare_below", "data.unknown = \"own_level\" beside this key", rows);
    }
    if let Some(most) = d.max_levels {
        v.need(most >= 2, "data.max_levels", "at least 2", most);
    }
}

/// Most values of the vector of a category.
const WIDEST_VECTOR: usize = 10_000;

/// Embeddings of categories need a table that has some.
pub(super) fn categories(d: &DataRecipe, m: &ModelRecipe, v: &mut Values<'_>) {
    let (Body::Mlp { category_embedding, .. } | Body::Tabm { category_embedding, .. }) = &m.body else {
        return;
    };
    let Some(rule) = category_embedding else { return };
    let key = "model.category_embedding";
    v.need(d.set == "csv", key, "data.set = \"csv\" beside this key", format!("`{}`", d.set));
    let rule_of_codes = "data.numbers beside this key: without it codes are standardized and pick no vector";
    v.need(d.numbers.is_some(), key, rule_of_codes, "none");
    v.need(rule.above > 0, "model.category_embedding.above", "at least 1", 0);
    if let Some(dim) = rule.dim {
        v.need((1..=WIDEST_VECTOR).contains(&dim), "model.category_embedding.dim", "1 to 10000", dim);
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
            "data.keep_index=true",
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
            ("data.keep_index=yes", "data.keep_index: "),
            ("data.keepindex=true", "data.keepindex: unknown key; did you mean `keep_index`?"),
            ("data.missing_tokens=NA", "data.missing_tokens: "),
        ] {
            let got = problem(bad).unwrap_or_default();
            assert!(got.contains(expected), "{bad}: {got}");
        }
    }

    /// The keys of tables and predictions with what the README of the command says of each, and a value that is refused.
    #[test]
    fn each_key_of_reading_is_documented_with_its_default_and_refuses_by_one_line() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../rank1-cli/README.md");
        let readme = std::fs::read_to_string(readme).unwrap();
        for (key, default, bad) in [
            ("data.delimiter", "found out", "';;'"),
            ("data.decimal", "found out", "'x'"),
            ("data.categorical", "`[]`", "1"),
            ("data.ignore", "`[]`", "1"),
            ("data.keep_index", "`false`", "1"),
            ("data.missing", "`\"refuse\"`", "'mode'"),
            ("data.missing_tokens", "see below", "'NA'"),
            ("data.unknown", "`\"refuse\"`", "'zero'"),
            ("data.max_levels", "128", "1"),
            ("data.test_fraction", "0.1", "1.5"),
            ("data.formats", "none if absent", "['gif']"),
            ("data.bad_images", "(also if absent)", "'ignore'"),
            ("data.image_size", "absent", "0"),
            ("data.rare_below", "1", "-1"),
            ("data.booleans", "`false`", "1"),
            ("data.dates", "`\"refuse\"`", "'maybe'"),
            ("data.date_columns", "`[]`", "1"),
            ("data.day_first", "found out", "1"),
            ("data.leave_out_useless", "`false`", "1"),
            ("data.keep", "`[]`", "1"),
            ("data.numbers", "see below", "'ranks'"),
            ("data.time_column", "none", "1"),
            ("data.group_column", "none", "1"),
            ("data.part_column", "none", "1"),
            ("data.rows_file", "none", "1"),
            ("data.validation_file", "none", "1"),
            ("data.test_file", "none", "1"),
            ("predict.draws", "`\"shared\"` (the default)", "'both'"),
        ] {
            let name = key.strip_prefix("data.").unwrap_or(key);
            let said =
                readme.lines().any(|line| line.contains(&format!("`{name}`")) && line.contains(default));
            assert!(said, "the README says nothing of {key} and its default {default}");
            let set = if matches!(name, "formats" | "bad_images" | "image_size") { "images" } else { "csv" };
            let table = TABLE.replace("\"csv\"", &format!("{set:?}"));
            let refused = match parse(&table, &[format!("{key}={bad}").parse().unwrap()]) {
                Err(Error::Recipe(problems)) => problems,
                other => panic!("{key} = {bad}: {other:?}"),
            };
            let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
            let own = refused.iter().find(|line| line.starts_with(&format!("{key}: ")) || line.contains(key));
            assert!(own.is_some_and(|line| !line.contains('\n')), "{key} = {bad}: {refused:?}");
        }
    }
}
