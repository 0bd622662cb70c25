//! What must hold of the parsers, whatever the bytes.
//!
//! A function for each family of parsers. It panics where a parser does, and
//! where the answer contradicts the bytes. Random bytes seldom get far, so each
//! also builds well-formed data around them. `tests/fuzz` runs these functions
//! with coverage-guided bytes, and the test below with random ones.

mod darwin;
mod diag;
mod procfs;
mod selector;

pub use darwin::darwin;
pub use diag::diag;
pub use procfs::procfs;
pub use selector::selector;

/// Takes bytes from the front; zeros where there are no more.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let mut taken = [0; N];
    let (front, rest) = bytes.split_at(bytes.len().min(N));
    taken[..front.len()].copy_from_slice(front);
    *bytes = rest;
    taken
}

/// Whether `bytes` hold `part` somewhere.
fn holds(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::collection::vec;
    use proptest::num::u8::ANY;
    use proptest::prop_oneof;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 4] = [
        ("darwin", super::darwin),
        ("diag", super::diag),
        ("procfs", super::procfs),
        ("selector", super::selector),
    ];

    #[test]
    fn each_target_is_fuzzed() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let read = |file: &str| {
            std::fs::read_to_string(directory.join(file)).expect("a file of the fuzz targets")
        };
        let manifest = read("Cargo.toml");
        for (name, _) in TARGETS {
            let file = format!("fuzz_targets/{name}.rs");
            let call = format!("ports::fuzz::{name}(bytes)");
            assert!(manifest.contains(&file) && read(&file).contains(&call), "{file}");
        }
        let files = std::fs::read_dir(directory.join("fuzz_targets")).expect("a directory");
        assert_eq!(files.count(), TARGETS.len());
    }

    #[test]
    fn no_bytes_at_all() {
        for (_, target) in TARGETS {
            target(&[]);
        }
    }

    proptest::proptest! {
        #[test]
        fn they_hold_for_random_bytes(
            // Small numbers stand for kinds, versions and separators.
            bytes in prop_oneof![vec(ANY, 0..900), vec(0..16u8, 0..90)],
        ) {
            for (_, target) in TARGETS {
                target(&bytes);
            }
        }
    }
}
