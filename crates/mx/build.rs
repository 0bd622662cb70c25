//! Links for a quick start, where that is possible.
//!
//! Rust on glibc links `libgcc_s.so.1` for backtraces. Loading that library
//! takes an eighth of the run time of `mx --version`, so the linker is given a
//! `libgcc_s.so` that stands for `libgcc_eh.a`, which comes with the same gcc.
//! And what glibc has to relocate is packed, which takes a twentieth less; glibc
//! before 2.36 does not know that form. Elsewhere nothing changes.

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
    if knows_packed_relocations() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    // gcc prints the bare name back if it has no such file.
    let Some(archive) = said(&linker, "-print-file-name=libgcc_eh.a")
        .filter(|path| Path::new(path).is_absolute() && Path::new(path).exists())
    else {
        return;
    };
    let out = variable("OUT_DIR");
    if fs::write(Path::new(&out).join("libgcc_s.so"), format!("INPUT({archive})\n")).is_ok() {
        println!("cargo::rustc-link-search=native={out}");
    }
}

/// Whether glibc is 2.36 or later: `getconf` prints "glibc 2.36".
fn knows_packed_relocations() -> bool {
    let version = said("getconf", "GNU_LIBC_VERSION").unwrap_or_default();
    let minor = version.strip_prefix("glibc 2.").and_then(|minor| minor.parse::<u32>().ok());
    minor.is_some_and(|minor| minor >= 36)
}

/// What a program prints; `None` if it cannot be run.
fn said(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
