//! The call of this program that works with sudo, for hints.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cmd::quote;

/// Where sudo looks for programs (secure_path in sudoers(5), as distributions set it).
const SECURE_PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// What may do what this call cannot: `sudo`, or where sudo would not find this program,
/// the whole command line.
pub(crate) fn call() -> String {
    program().map_or_else(|| "sudo".to_owned(), |program| line(&program, env::args_os().skip(1)))
}

/// The path of this program, if sudo needs it.
pub(crate) fn program() -> Option<PathBuf> {
    // Of a program that was replaced, Linux knows only where it was.
    let program = env::current_exe().ok().filter(|program| program.exists())?;
    let name = program.file_name()?;
    let is_found = |directory: &str| is_same(&Path::new(directory).join(name), &program);
    (!SECURE_PATH.iter().any(|directory| is_found(directory))).then_some(program)
}

/// Whether both are one file, perhaps through a link.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path| fs::canonicalize(path).ok();
    one == other || real(one).is_some_and(|one| Some(one) == real(other))
}

fn line(program: &Path, arguments: impl Iterator<Item = impl AsRef<OsStr>>) -> String {
    let mut line = "sudo".to_owned();
    let program = std::iter::once(program.as_os_str().to_owned());
    for word in program.chain(arguments.map(|word| word.as_ref().to_owned())) {
        line.push(' ');
        line.push_str(&shown(&word.to_string_lossy()));
    }
    line
}

/// A word as a shell takes it.
fn shown(word: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "-_./:@%+,".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { quote(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_what_a_shell_takes_for_the_call() {
        let call = |program: &str, words: &[&str]| line(Path::new(program), words.iter());
        let program = "/home/ana/.cargo/bin/mx";
        assert_eq!(call(program, &["ports", "8080"]), format!("sudo {program} ports 8080"));
        assert_eq!(
            call("/a b/mx", &["p", "[::1]:80", "it's", "", "--user=x"]),
            r"sudo '/a b/mx' p '[::1]:80' 'it'\''s' '' '--user=x'"
        );
    }

    #[test]
    fn a_link_is_the_same_program() {
        let directory = tempfile::tempdir().expect("a directory");
        let (file, link) = (directory.path().join("mx"), directory.path().join("link"));
        fs::write(&file, "").expect("a file");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        assert!(is_same(&link, &file) && is_same(&file, &file));
        assert!(!is_same(&directory.path().join("none"), &file));
    }

    #[test]
    fn a_program_elsewhere_needs_its_path() {
        // Tests run from a build directory.
        let own = env::current_exe().expect("a path");
        assert_eq!(program(), Some(own));
    }
}
