//! Tells the crate which compiler built it and for which platform, for the manifest of every result.

use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "cargo speaks to a build script through the environment")]
fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let version = Command::new(variable("RUSTC")).arg("--version").output();
    let version =
        version.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default();
    // Not `LLMLAB_...`: cargo also hands these to what it runs, where they would look like settings.
    println!("cargo::rustc-env=BUILT_BY_RUSTC={version}");
    println!("cargo::rustc-env=BUILT_FOR_PLATFORM={}", variable("TARGET"));
    println!("cargo::rerun-if-changed=build.rs");
}
