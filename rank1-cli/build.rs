//! Notes the commit that the binary is built from, for `run.json`; absent outside a git checkout.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=../.git/HEAD");
    println!("cargo:rerun-if-changed=../.git/refs/heads");
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    if let Ok(output) = output
        && output.status.success()
    {
        println!("cargo:rustc-env=RANK1_COMMIT={}", String::from_utf8_lossy(&output.stdout).trim());
    }
}
