//! Reading the small files of a kernel, without asking for their size first:
//! it is always given as zero.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The whole of a file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    const PAGE: usize = 4096;

    let mut file = File::open(path)?;
    let mut bytes = Vec::with_capacity(PAGE);
    let mut buffer = [0; PAGE];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A file that holds a number; `None` if it is not there or holds a word.
pub(crate) fn number(path: &Path) -> Option<u64> {
    // More than a number has: one read is all of it.
    let mut buffer = [0; 64];
    let length = File::open(path).ok()?.read(&mut buffer).ok()?;
    std::str::from_utf8(&buffer[..length]).ok()?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_files_and_numbers() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let long = b"x\n".repeat(10_000);
        std::fs::write(&path, &long).expect("a file");
        assert!(read(&path).expect("readable") == long);
        for (text, value) in
            [("42\n", Some(42)), ("0", Some(0)), ("max\n", None), ("", None), ("-1\n", None)]
        {
            std::fs::write(&path, text).expect("a file");
            assert_eq!(number(&path), value, "{text:?}");
        }
        assert_eq!(number(&directory.path().join("none")), None);
    }
}
