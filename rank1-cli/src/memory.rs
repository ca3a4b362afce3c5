//! The memory that a training needs on paper, held against the memory that is free, before anything is allocated.
//!
//! Not for counting a step; see [`rank1_models::summary`].

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rank1_models::device::Compute;
use rank1_models::network::NetworkShape;
use rank1_models::recipe::{CheckedRecipe, Override};
use rank1_models::summary::Summary;

use crate::tables::bytes;

/// Where the system tells of control groups.
const GROUPS: &str = "/sys/fs/cgroup";

/// A limit of this size, of version 1 of control groups, is none.
const NO_LIMIT: u64 = 1 << 60;

/// Refuses a training on `rows` rows that needs more memory than is free; `at_a_time` networks are trained at a time.
///
/// # Errors
/// Both figures, and what makes a plan smaller; an architecture that cannot be built.
pub fn check(
    recipe: &CheckedRecipe,
    shape: &NetworkShape,
    compute: &Compute,
    rows: usize,
    at_a_time: usize,
) -> Result<()> {
    let Some(free) = free() else { return Ok(()) };
    let needed = needed(recipe, shape, compute, rows)?.saturating_mul(at_a_time as u64);
    if needed > free {
        bail!(
            "training needs about {} of memory, {} are free; make `model`, `train.batch_size` or `train.samples` smaller, use fewer --threads, or go on with --force",
            bytes(needed),
            bytes(free)
        );
    }
    Ok(())
}

/// The most that one network of all settings that are tried needs; of a device's steps, only what stays on the host.
fn needed(recipe: &CheckedRecipe, shape: &NetworkShape, compute: &Compute, rows: usize) -> Result<u64> {
    let mut settings = vec![recipe.clone()];
    for (key, values) in &recipe.get().search {
        let mut next = Vec::new();
        for before in &settings {
            for value in values {
                next.push(before.with(&[Override::new(key, value.clone())])?);
            }
        }
        settings = next;
    }
    let mut most = 0;
    for candidate in &settings {
        let settings = candidate.get();
        let train = &settings.train;
        let shape = NetworkShape { body: settings.model.body.clone(), ..shape.clone() };
        // A batch has no more rows than there are.
        let batch = train.batch_size.min(rows);
        let plan = Summary::new(&shape, &settings.method, &train.optimizer, batch, train.samples)?;
        let step = if compute.is_cpu() { plan.step_bytes } else { plan.step_bytes - plan.activation_bytes };
        most = most.max(step.saturating_add(plan.save_bytes));
    }
    Ok(most)
}

/// Bytes that this process can still take: of the machine, its control groups and its own limit the least; none where the system
/// does not tell.
fn free() -> Option<u64> {
    let machine = field(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:").map(|kib| kib * 1024);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = groups.lines().filter_map(|line| of_group(line, Path::new(GROUPS))).min();
    [machine, group, of_process()].into_iter().flatten().min()
}

/// What the limits of one group and those above it leave; `line` is of `/proc/self/cgroup`.
fn of_group(line: &str, root: &Path) -> Option<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
    let (root, limit, used, kept) = match controllers {
        "" => (root.to_path_buf(), "memory.max", "memory.current", "inactive_file "),
        "memory" => {
            (root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
        }
        _ => return None,
    };
    let number = |file: PathBuf| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let mut least = None;
    for at in Path::new(path).ancestors() {
        let folder = root.join(at);
        let Some(limit) = number(folder.join(limit)).filter(|limit| *limit < NO_LIMIT) else { continue };
        let used = number(folder.join(used)).unwrap_or(0);
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        // Copies of files are given up when memory is wanted.
        let left = limit.saturating_sub(used.saturating_sub(field(&stat, kept).unwrap_or(0)));
        least = Some(least.map_or(left, |least: u64| least.min(left)));
    }
    least
}

/// What a limit on the address space leaves.
fn of_process() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let limit = field(&limits, "Max address space")?;
    let used = field(&fs::read_to_string("/proc/self/status").ok()?, "VmSize:")? * 1024;
    Some(limit.saturating_sub(used))
}

/// The number behind a name that begins a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_of_a_group_and_those_above_it_counts_and_cached_files_do_not() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        let write = |folder: &Path, name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write(&inner, "memory.max", "max\n");
        write(&inner, "memory.current", "10\n");
        let above = root.path().join("a");
        write(&above, "memory.max", "1000\n");
        write(&above, "memory.current", "700\n");
        write(&above, "memory.stat", "anon 5\ninactive_file 200\n");
        assert_eq!(of_group("0::/a/b", root.path()), Some(500));
        assert_eq!(of_group("0::/", root.path()), None);
        assert_eq!(of_group("3:cpu:/a/b", root.path()), None);
    }

    #[test]
    fn this_machine_tells_what_is_free() {
        if Path::new("/proc/meminfo").exists() {
            assert!(free().unwrap() > 1 << 20);
        }
    }

    #[test]
    fn fields_are_found_by_the_start_of_their_line() {
        let text =
            "MemTotal:  9 kB\nMemAvailable:  7 kB\nMax address space         unlimited  unlimited  bytes\n";
        assert_eq!(field(text, "MemAvailable:"), Some(7));
        assert_eq!(field(text, "Max address space"), None);
    }
}
