//! Links gcc's unwinder statically where that is possible.
//!
//! Rust on glibc links `libgcc_s.so.1` for backtraces. Loading that library
//! takes an eighth of the run time of `mx --version`, so the linker is given a
//! `libgcc_s.so` that stands for `libgcc_eh.a`, which comes with the same gcc.
//! Elsewhere, or without that archive, nothing changes.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name| env::var(name).unwrap_or_default();
    let native = variable("HOST") == variable("TARGET");
    if !native
        || variable("CARGO_CFG_TARGET_OS") != "linux"
        || variable("CARGO_CFG_TARGET_ENV") != "gnu"
    {
        return;
    }
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let Ok(found) = Command::new(linker).arg("-print-file-name=libgcc_eh.a").output() else {
        return;
    };
    // gcc prints the bare name back if it has no such file.
    let archive = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    if !Path::new(&archive).is_absolute() || !Path::new(&archive).exists() {
        return;
    }
    let out = variable("OUT_DIR");
    if fs::write(Path::new(&out).join("libgcc_s.so"), format!("INPUT({archive})\n")).is_ok() {
        println!("cargo::rustc-link-search=native={out}");
    }
}
