//! Rules on the manifests: the members, the arrows between them, and one place for versions.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Violation, line_of, package_of};

const MEMBERS: [&str; 7] =
    ["rank1-core", "rank1-priors", "rank1-gpu", "rank1-models", "rank1-data", "rank1-cli", "xtask"];

/// Every dependency between members that the architecture allows; `true` when it must be behind a feature.
const ARROWS: [(&str, &str, bool); 8] = [
    ("rank1-cli", "rank1-core", false),
    ("rank1-cli", "rank1-data", false),
    ("rank1-cli", "rank1-models", false),
    ("rank1-data", "rank1-core", false),
    ("rank1-gpu", "rank1-core", false),
    ("rank1-models", "rank1-core", false),
    ("rank1-models", "rank1-gpu", true),
    ("rank1-models", "rank1-priors", false),
];

const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

/// No package outside the seven folders.
pub(super) fn members(files: &[PathBuf]) -> Vec<Violation> {
    let manifests = files.iter().filter(|file| file.file_name().is_some_and(|name| name == "Cargo.toml"));
    let strangers = manifests.filter(|file| {
        let folder = file.parent().unwrap_or(Path::new(""));
        folder != Path::new("") && !MEMBERS.iter().any(|member| folder == Path::new(member))
    });
    strangers.map(|file| Violation::new(file, 1, "a package that is not one of the seven members")).collect()
}

/// Rules on the root manifest.
pub(super) fn workspace(file: &Path, text: &str) -> Vec<Violation> {
    let table = match parse(file, text) {
        Ok(table) => table,
        Err(violation) => return vec![violation],
    };
    let members =
        table.get("workspace").and_then(|workspace| workspace.get("members")).and_then(Value::as_array);
    let mut names: Vec<&str> = members.into_iter().flatten().filter_map(Value::as_str).collect();
    let mut expected = MEMBERS;
    names.sort_unstable();
    expected.sort_unstable();
    if names == expected {
        return Vec::new();
    }
    vec![Violation::new(file, line_of(text, "members"), format!("members must be {}", MEMBERS.join(", ")))]
}

/// Rules on the manifest of one member.
pub(super) fn package(file: &Path, text: &str) -> Vec<Violation> {
    let table = match parse(file, text) {
        Ok(table) => table,
        Err(violation) => return vec![violation],
    };
    let mut found = Vec::new();
    let name = package_of(file);
    let at = |needle: &str, message: String| Violation::new(file, line_of(text, needle), message);
    let package = table.get("package").and_then(Value::as_table).cloned().unwrap_or_default();
    if package.get("name").and_then(Value::as_str) != Some(name) {
        found.push(at("name", format!("the package in folder {name} must be called {name}")));
    }
    for key in INHERITED {
        if !inherits(package.get(key)) {
            found.push(at(key, format!("package.{key} must be inherited: {key}.workspace = true")));
        }
    }
    if !inherits(table.get("lints")) {
        found.push(at("[lints]", "must inherit the lints: [lints] workspace = true".into()));
    }
    for (kind, dependency, spec) in dependencies(&table) {
        let line = dependency_line(text, &dependency);
        if !inherits(Some(&spec)) {
            let message = format!(
                "dependency {dependency} must be `workspace = true`; versions live in the root manifest"
            );
            found.push(Violation::new(file, line, message));
        }
        // A renamed dependency is known by its package.
        let target = spec.get("package").and_then(Value::as_str).unwrap_or(&dependency);
        if let Some(message) = arrow(name, target, kind, &spec) {
            found.push(Violation::new(file, line, message));
        }
    }
    found
}

/// What is wrong with a dependency between two members, if anything is.
fn arrow(from: &str, to: &str, kind: &str, spec: &Value) -> Option<String> {
    if !MEMBERS.contains(&to) {
        return None;
    }
    let Some((_, _, behind_feature)) = ARROWS.iter().find(|(a, b, _)| *a == from && *b == to) else {
        return Some(format!("arrow {from} -> {to} ({kind}) is not in the architecture"));
    };
    let optional = spec.get("optional").and_then(Value::as_bool).unwrap_or(false);
    (*behind_feature && !optional)
        .then(|| format!("arrow {from} -> {to} ({kind}) must be optional, behind a feature"))
}

fn inherits(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

/// Kind, name and specification of each dependency, those under `[target.*]` included.
fn dependencies(table: &Table) -> Vec<(&'static str, String, Value)> {
    let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(table).chain(targets.filter_map(Value::as_table));
    let mut found = Vec::new();
    for table in tables {
        for kind in KINDS {
            let named = table.get(kind).and_then(Value::as_table).into_iter().flatten();
            found.extend(named.map(|(name, spec)| (kind, name.clone(), spec.clone())));
        }
    }
    found
}

fn dependency_line(text: &str, name: &str) -> usize {
    let starts = |line: &str| {
        let line = line.trim_start().trim_start_matches('"');
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=', '"']))
    };
    text.lines().position(starts).map_or_else(|| line_of(text, name), |index| index + 1)
}

fn parse(file: &Path, text: &str) -> Result<Table, Violation> {
    text.parse().map_err(|error: toml::de::Error| {
        Violation::new(file, 1, format!("cannot be read: {}", error.message()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "version.workspace = true\nedition.workspace = true\nrust-version.workspace = true\n\
                        license.workspace = true\n[lints]\nworkspace = true\n";

    fn messages(name: &str, dependencies: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n{HEAD}{dependencies}");
        package(&Path::new(name).join("Cargo.toml"), &text)
            .iter()
            .map(|found| found.message.clone())
            .collect()
    }

    #[test]
    fn every_allowed_arrow_is_accepted_and_every_other_refused() {
        for from in MEMBERS {
            for to in MEMBERS {
                let allowed = ARROWS.iter().find(|(a, b, _)| *a == from && *b == to);
                let optional = allowed.is_some_and(|(_, _, optional)| *optional);
                for kind in KINDS {
                    let spec = format!("{{ workspace = true, optional = {optional} }}");
                    let found = messages(from, &format!("[{kind}]\n{to} = {spec}\n"));
                    let expected = vec![format!("arrow {from} -> {to} ({kind}) is not in the architecture")];
                    assert_eq!(found, if allowed.is_some() { vec![] } else { expected });
                }
            }
        }
    }

    #[test]
    fn the_kernels_must_stay_behind_a_feature() {
        let expected = ["arrow rank1-models -> rank1-gpu (dependencies) must be optional, behind a feature"];
        assert_eq!(messages("rank1-models", "[dependencies]\nrank1-gpu.workspace = true\n"), expected);
    }

    #[test]
    fn arrows_hide_neither_under_a_target_nor_behind_a_new_name() {
        let expected = ["arrow rank1-core -> rank1-data (dependencies) is not in the architecture"];
        let hidden = "[target.'cfg(unix)'.dependencies]\nrank1-data.workspace = true\n";
        assert_eq!(messages("rank1-core", hidden), expected);
        let renamed = "[dependencies]\ntables = { workspace = true, package = \"rank1-data\" }\n";
        assert_eq!(messages("rank1-core", renamed), expected);
    }

    #[test]
    fn versions_in_a_member_are_refused_with_their_line() {
        for spec in
            ["\"1\"", "{ version = \"1\", features = [\"x\"] }", "{ path = \"../x\" }", "{ git = \"x\" }"]
        {
            let text = format!(
                "[package]\nname = \"rank1-core\"\n{HEAD}[dependencies]\nserde_json.workspace = true\nserde = {spec}\n"
            );
            let found = package(Path::new("rank1-core/Cargo.toml"), &text);
            assert_eq!(found.len(), 1, "{spec}");
            assert_eq!(found[0].line, 11, "{spec}");
            assert!(found[0].message.starts_with("dependency serde must be"), "{spec}");
        }
    }

    #[test]
    fn package_fields_lints_and_name_are_checked() {
        let found =
            package(Path::new("rank1-core/Cargo.toml"), "[package]\nname = \"core\"\nversion = \"1.0.0\"\n");
        let messages: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
        assert_eq!(messages.len(), 6, "{messages:?}");
        assert_eq!(messages[0], "the package in folder rank1-core must be called rank1-core");
        assert_eq!(messages[1], "package.version must be inherited: version.workspace = true");
        assert_eq!(messages[5], "must inherit the lints: [lints] workspace = true");
    }

    #[test]
    fn the_seven_members_are_exact() {
        let list = |names: &[&str]| format!("[workspace]\nresolver = \"3\"\nmembers = {names:?}\n");
        assert!(workspace(Path::new("Cargo.toml"), &list(&MEMBERS)).is_empty());
        assert_eq!(workspace(Path::new("Cargo.toml"), &list(&MEMBERS[1..]))[0].line, 3);
        assert_eq!(workspace(Path::new("Cargo.toml"), &list(&[&MEMBERS[..], &["extra"]].concat())).len(), 1);
    }

    #[test]
    fn an_eighth_package_is_found_wherever_it_lies() {
        let files = ["Cargo.toml", "rank1-core/Cargo.toml", "crates/extra/Cargo.toml"].map(PathBuf::from);
        let found = members(&files);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].file, Path::new("crates/extra/Cargo.toml"));
    }

    #[test]
    fn a_manifest_that_is_not_toml_is_a_violation() {
        assert_eq!(package(Path::new("rank1-core/Cargo.toml"), "[package").len(), 1);
        assert_eq!(workspace(Path::new("Cargo.toml"), "members = [").len(), 1);
    }
}
