//! `cargo xtask bench gpu`: builds the kernels of `rank1-gpu`, checks every one of them on the device, times them and prints
//! one table, so that one visit to a device is enough.
//!
//! Times come from criterion's own files. A case is named `op/[variant/]sizes`; its variants (`unfused`, `copy`, `product`)
//! do the same work another way in the same run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::Verdict;
use crate::args::{GpuOptions, GpuProfile, Runtime};
use crate::process::{cargo, succeeds, timed};
use crate::workspace::Workspace;

/// Ways to do the work of a case, in the order of the table's columns.
const VARIANTS: [&str; 3] = ["unfused", "copy", "product"];

/// Checks and times the kernels; the suite has to pass first.
pub(super) fn run(workspace: &Workspace, options: &GpuOptions) -> Result<Verdict> {
    let runtime = match options.runtime {
        Runtime::Wgpu => "wgpu",
        Runtime::Cuda => "cuda",
    };
    let by_device = if may_have_card() { GpuProfile::Release } else { GpuProfile::Device };
    let profile = match options.profile.unwrap_or(by_device) {
        GpuProfile::Release => "release",
        GpuProfile::Device => "device",
    };
    let package = ["-p", "rank1-gpu", "--features", runtime, "--profile", profile];
    let suite = || {
        let mut command = cargo(workspace);
        command.arg("test").args(package).args(["--test", runtime]);
        succeeds(command.env("RANK1_REQUIRE_DEVICE", "1"))
    };
    eprintln!("profile: {profile}");
    let (passed, took) = timed(suite)?;
    if !passed {
        bail!("the kernels do not pass their suite on `{runtime}`; nothing was timed");
    }
    eprintln!("built and checked in {:.0} s", took.as_secs_f64());
    // A folder of its own, so that cases of earlier runs are not read.
    let home = workspace.root.join("out/gpu-bench");
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("cannot empty {}", home.display()))?;
    }
    let mut command = cargo(workspace);
    command.arg("bench").args(package).args(["--bench", "kernels", "--"]).args(&options.filters);
    if !succeeds(command.env("CRITERION_HOME", &home))? {
        bail!("the bench of the kernels failed");
    }
    let cases = read(&home)?;
    if cases.is_empty() {
        bail!("no kernel was timed on `{runtime}`");
    }
    print(&cases, options.json);
    Ok(Verdict::Passed)
}

/// Whether there may be anything but a software adapter: elsewhere than on Linux nobody is asked.
fn may_have_card() -> bool {
    let is_card =
        |entry: std::io::Result<fs::DirEntry>| entry.is_ok_and(|entry| is_render_node(&entry.file_name()));
    let devices = ["/dev/nvidia0", "/dev/dxg"];
    !cfg!(target_os = "linux")
        || devices.iter().any(|path| Path::new(path).exists())
        || fs::read_dir("/dev/dri").is_ok_and(|mut nodes| nodes.any(is_card))
}

fn is_render_node(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with("renderD")
}

/// What criterion found for one case.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Timing {
    /// Median of an iteration, nanoseconds.
    median: f64,
    /// Median absolute deviation, nanoseconds.
    deviation: f64,
    /// Bytes or operations of an iteration.
    work: Option<Work>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Work {
    Bytes(f64),
    Operations(f64),
}

impl Timing {
    /// GB/s or GFLOP/s with its unit.
    fn rate(&self) -> Option<(f64, &'static str)> {
        self.work.map(|work| match work {
            Work::Bytes(bytes) => (bytes / self.median, "GB/s"),
            Work::Operations(operations) => (operations / self.median, "GFLOP/s"),
        })
    }
}

/// The fused kernel under the empty name, variants under theirs.
type Variants = BTreeMap<String, Timing>;

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
    throughput: Option<BTreeMap<String, f64>>,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
    median_abs_dev: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// Every case below criterion's folder, by its name without the variant.
fn read(home: &Path) -> Result<BTreeMap<String, Variants>> {
    let mut cases = BTreeMap::<String, Variants>::new();
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name == "new") {
                let benchmark: Benchmark = document(&path.join("benchmark.json"))?;
                let estimates: Estimates = document(&path.join("estimates.json"))?;
                let (case, variant) = split(&benchmark.full_id);
                cases.entry(case).or_default().insert(variant, timing(&benchmark, &estimates));
            } else if path.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(cases)
}

fn document<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not what criterion writes", path.display()))
}

fn timing(benchmark: &Benchmark, estimates: &Estimates) -> Timing {
    let of = |name: &str| benchmark.throughput.as_ref().and_then(|all| all.get(name)).copied();
    Timing {
        median: estimates.median.point_estimate,
        deviation: estimates.median_abs_dev.point_estimate,
        work: of("Bytes").map(Work::Bytes).or(of("Elements").map(Work::Operations)),
    }
}

/// `op/variant/sizes` as `op/sizes` and the variant.
fn split(id: &str) -> (String, String) {
    let (variants, rest): (Vec<&str>, Vec<&str>) = id.split('/').partition(|part| VARIANTS.contains(part));
    (rest.join("/"), variants.concat())
}

fn print(cases: &BTreeMap<String, Variants>, as_json: bool) {
    let name = cases.keys().map(String::len).max().unwrap_or(0);
    if !as_json {
        println!(
            "{:<name$}{:>12}{:>9}{:>18}{:>11}{:>9}{:>12}",
            "case", "median us", "spread", "rate", "unfused /", "of copy", "of product"
        );
    }
    for (case, variants) in cases {
        let Some(fused) = variants.get("") else { continue };
        // Of their own variant: how many times faster than it, or which share of its rate.
        let [unfused, copy, product] =
            VARIANTS.map(|name| variants.get(name).map(|other| other.median / fused.median));
        let (micros, spread) = (fused.median / 1e3, fused.deviation / fused.median);
        let rate = fused.rate();
        if as_json {
            let line = json!({
                "case": case, "median_us": micros, "spread": spread,
                "rate": rate.map(|(value, _)| value), "unit": rate.map(|(_, unit)| unit),
                "times_faster_than_unfused": unfused, "share_of_copy": copy, "share_of_product": product,
            });
            println!("{line}");
            continue;
        }
        let rate = rate.map_or_else(String::new, |(value, unit)| format!("{value:.2} {unit}"));
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        println!(
            "{case:<name$}{micros:>12.1}{:>9}{rate:>18}{:>11}{:>9}{:>12}",
            format!("{:.0} %", 100.0 * spread),
            number(unfused),
            number(copy),
            number(product)
        );
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn write(home: &Path, id: &str, throughput: &str, median: f64) {
        let folder = home.join(id.replace('/', "_")).join("new");
        fs::create_dir_all(&folder).unwrap();
        let benchmark = format!(r#"{{"full_id": "{id}", "throughput": {throughput}}}"#);
        fs::write(folder.join("benchmark.json"), benchmark).unwrap();
        let estimates = format!(
            r#"{{"median": {{"point_estimate": {median}}}, "median_abs_dev": {{"point_estimate": 2.0}}}}"#
        );
        fs::write(folder.join("estimates.json"), estimates).unwrap();
    }

    #[test]
    fn variants_of_a_case_are_brought_together() {
        let home = tempfile::tempdir().unwrap();
        write(home.path(), "scale/k4/d7/f32", r#"{"Bytes": 400}"#, 100.0);
        write(home.path(), "scale/unfused/k4/d7/f32", r#"{"Bytes": 400}"#, 250.0);
        write(home.path(), "scale/copy/k4/d7/f32", "null", 80.0);
        write(home.path(), "linear/k4/f32", r#"{"Elements": 1000}"#, 10.0);
        let cases = read(home.path()).unwrap();
        assert_eq!(cases.keys().collect::<Vec<_>>(), ["linear/k4/f32", "scale/k4/d7/f32"]);
        let scale = &cases["scale/k4/d7/f32"];
        assert_eq!(scale.keys().collect::<Vec<_>>(), ["", "copy", "unfused"]);
        assert_eq!(scale[""].rate(), Some((4.0, "GB/s")));
        assert_eq!(scale["copy"].rate(), None);
        assert_eq!(cases["linear/k4/f32"][""].rate(), Some((100.0, "GFLOP/s")));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        write(home.path(), "scale/f32", "null", 1.0);
        fs::write(home.path().join("scale_f32/new/estimates.json"), "{").unwrap();
        assert!(read(home.path()).unwrap_err().to_string().contains("estimates.json is not what"));
    }

    #[test]
    fn a_render_node_may_be_a_card() {
        assert!(is_render_node("renderD128".as_ref()) && !is_render_node("card0".as_ref()));
    }
}
