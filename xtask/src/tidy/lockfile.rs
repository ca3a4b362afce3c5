//! Rule on `Cargo.lock`: one version of each package whose types cross crate borders.

use std::path::Path;

use serde::Deserialize;

use super::Violation;

const SINGLE: [&str; 3] = ["burn", "cubecl", "ndarray"];

/// Packages that cargo locks for a feature that is off and never builds; what only they need does not count.
const NEVER_BUILT: [&str; 1] = [
    // The bindings of Burn's LibTorch back end.
    "tch",
];

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

pub(super) fn single_versions(file: &Path, text: &str) -> Vec<Violation> {
    let lock: Lock = match toml::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return vec![Violation::new(file, 1, format!("cannot be read: {}", error.message()))],
    };
    let mut found = Vec::new();
    for name in SINGLE {
        let versions: Vec<&str> = lock
            .package
            .iter()
            .filter(|package| package.name == name && is_built(&lock, package))
            .map(|package| package.version.as_str())
            .collect();
        if versions.len() > 1 {
            let message = format!("{} versions of {name}: {}", versions.len(), versions.join(", "));
            found.push(Violation::new(file, 1, message));
        }
    }
    found
}

/// False when every package that needs this one is never built.
fn is_built(lock: &Lock, package: &Package) -> bool {
    // A dependency is named with its version where the name alone is ambiguous.
    let full = format!("{} {}", package.name, package.version);
    let needs =
        |other: &&Package| other.dependencies.iter().any(|name| *name == package.name || *name == full);
    let mut dependents = lock.package.iter().filter(needs).peekable();
    dependents.peek().is_none() || dependents.any(|other| !NEVER_BUILT.contains(&other.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        single_versions(Path::new("Cargo.lock"), text).iter().map(ToString::to_string).collect()
    }

    fn package(name: &str, version: &str, dependencies: &[&str]) -> String {
        format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\ndependencies = {dependencies:?}\n")
    }

    #[test]
    fn two_versions_of_a_shared_package_are_refused() {
        let text = [package("ndarray", "0.16.1", &[]), package("ndarray", "0.17.2", &[])].concat();
        let expected = ["Cargo.lock:1: 2 versions of ndarray: 0.16.1, 0.17.2"];
        assert_eq!(found(&text), expected);
        let user = package("statistics", "1.0.0", &["ndarray 0.16.1"]);
        assert_eq!(found(&[text, user].concat()), expected);
    }

    #[test]
    fn a_version_that_only_a_disabled_back_end_needs_does_not_count() {
        let text = [
            package("ndarray", "0.16.1", &[]),
            package("ndarray", "0.17.2", &[]),
            package("rank1-core", "0.1.0", &["ndarray 0.17.2"]),
            package("tch", "0.22.0", &["ndarray 0.16.1"]),
        ];
        assert!(found(&text.concat()).is_empty());
        let user = package("statistics", "1.0.0", &["ndarray 0.16.1"]);
        assert_eq!(found(&[text.concat(), user].concat()).len(), 1);
    }

    #[test]
    fn two_versions_of_another_package_are_no_concern_of_this_rule() {
        let text =
            [package("rand", "0.8.5", &[]), package("rand", "0.10.0", &[]), package("burn", "0.22.1", &[])];
        assert!(found(&text.concat()).is_empty());
    }

    #[test]
    fn a_broken_lock_file_is_a_violation() {
        assert_eq!(found("[[package").len(), 1);
    }
}
