//! One marked block in a shell's start-up file, which belongs to the user.
//!
//! Adding and removing are functions over bytes, so that removing gives back
//! exactly what was there: the first line of the block records what the file
//! lacked before. [`replace`] is the only code that writes.

use std::borrow::Cow;
use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::attributes;
use crate::exit::Failure;

const BEGIN: &str = "# >>> mx >>>";
/// The block was put behind a last line without a newline, which it supplied.
const BEGIN_AFTER_OPEN_LINE: &str = "# >>> mx (added a newline before) >>>";
/// The same behind a line that a backslash continues, which an empty line ends.
const BEGIN_AFTER_BACKSLASH: &str = "# >>> mx (added two newlines before) >>>";
/// The block was put into a file that did not exist.
const BEGIN_NEW_FILE: &str = "# >>> mx (made this file) >>>";
const END: &str = "# <<< mx <<<";
/// Begins the limits that are kept in the block; the block's end is theirs.
const LIMITS: &str = "# Limits, kept by `mx limits persist`; --undo removes them.";

/// Begins the names of files that are written, before they take the place of others.
const TEMPORARY: &str = ".mx-";

/// The file's text with `body` in the block: replaced in place, else added at the end.
/// Limits that are kept in the block stay there.
pub(crate) fn with_block(original: Option<&[u8]>, body: &str) -> Result<Vec<u8>, Failure> {
    let text = original.unwrap_or_default();
    let block = |begin: &str| format!("{begin}\n{body}{END}\n").into_bytes();
    if let Some(found) = find(text)? {
        let (_, limits) = split_limits(&text[found.start..found.end]);
        let begin = format!("{}\n{body}", found.begin).into_bytes();
        let end = format!("{END}\n").into_bytes();
        let parts = [&text[..found.start], &begin, limits, &end, &text[found.end..]];
        return Ok(parts.concat());
    }
    let (newline, begin) = match original {
        None => ("", BEGIN_NEW_FILE),
        Some(text) if is_continued(text) && text.ends_with(b"\n") => ("\n", BEGIN_AFTER_OPEN_LINE),
        Some(text) if is_continued(text) => ("\n\n", BEGIN_AFTER_BACKSLASH),
        Some(text) if text.is_empty() || text.ends_with(b"\n") => ("", BEGIN),
        Some(_) => ("\n", BEGIN_AFTER_OPEN_LINE),
    };
    Ok([text, newline.as_bytes(), &block(begin)].concat())
}

/// The file's text without the block. `None` stands for no file: the block made it and nothing else is in it.
pub(crate) fn without_block(text: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let Some(found) = find(text)? else { return Ok(Some(text.to_vec())) };
    let (mut before, after) = (&text[..found.start], &text[found.end..]);
    let added: &[u8] = match found.begin {
        BEGIN_AFTER_OPEN_LINE => b"\n",
        BEGIN_AFTER_BACKSLASH => b"\n\n",
        _ => b"",
    };
    if after.is_empty() {
        before = before.strip_suffix(added).unwrap_or(before);
    }
    let rest = [before, after].concat();
    Ok(if found.begin == BEGIN_NEW_FILE && rest.is_empty() { None } else { Some(rest) })
}

/// The block with its marks, if there is exactly one.
pub(crate) fn block(text: &[u8]) -> Option<Cow<'_, str>> {
    let found = find(text).ok()??;
    Some(String::from_utf8_lossy(&text[found.start..found.end]))
}

/// Reads a file; `None` if it does not exist.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let read = || match existing(path)? {
        Some(_) => fs::read(path).map(Some),
        None => Ok(None),
    };
    read().map_err(|error| failure("read", path, &error))
}

/// An error if [`replace`] would refuse the file.
pub(crate) fn check_writable(path: &Path) -> Result<(), Failure> {
    let target = target(path).map_err(|error| failure("follow", path, &error))?;
    writable(&target).map(drop).map_err(|error| failure("write", path, &error))
}

/// Replaces a file's text in one step, or makes the file. `old` is what was
/// read: nothing is written if the file has changed since.
///
/// A symbolic link keeps pointing to its target, which is replaced; mode, owner
/// and extended attributes stay. If anything fails, the file is as it was.
pub(crate) fn replace(path: &Path, old: Option<&[u8]>, text: &[u8]) -> Result<(), Failure> {
    let target = target(path).map_err(|error| failure("follow", path, &error))?;
    write(&target, old, text).map_err(|error| failure("write", path, &error))
}

/// Removes a file that has not changed since `old` was read, or what a symbolic
/// link points to.
pub(crate) fn remove(path: &Path, old: Option<&[u8]>) -> Result<(), Failure> {
    let target = target(path).map_err(|error| failure("follow", path, &error))?;
    let remove = || {
        let Some(_) = existing(&target)? else { return Ok(()) };
        unchanged(&target, old)?;
        fs::remove_file(&target)
    };
    remove().map_err(|error| failure("remove", path, &error))
}

pub(crate) fn failure(doing: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::unable(format!("cannot {doing} {}: {error}", path.display()))
}

/// The file's text with these lines as the limits that the block keeps, or
/// without any. `None` if there is no block.
pub(crate) fn with_limits(text: &[u8], lines: Option<&str>) -> Result<Option<Vec<u8>>, Failure> {
    let Some(found) = find(text)? else { return Ok(None) };
    let (before, limits) = split_limits(&text[found.start..found.end]);
    let kept = lines.map(|lines| format!("{LIMITS}\n{lines}")).unwrap_or_default();
    let start = found.start + before.len();
    let rest = &text[start + limits.len()..];
    Ok(Some([&text[..start], kept.as_bytes(), rest].concat()))
}

/// What stands in a block before the limits that it keeps, and those with their first line.
fn split_limits(block: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    let mut start = None;
    for line in block.split_inclusive(|&byte| byte == b'\n') {
        match line.trim_ascii_end() {
            line if line == LIMITS.as_bytes() => start = Some(at),
            line if line == END.as_bytes() => break,
            _ => {}
        }
        at += line.len();
    }
    let start = start.unwrap_or(at);
    (&block[..start], &block[start..at])
}

/// Whether the last line ends in a backslash that takes the next line to it.
fn is_continued(text: &[u8]) -> bool {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    line.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

struct Block {
    begin: &'static str,
    start: usize,
    end: usize,
}

/// Finds the block. Half a block, or two, is the user's to sort out.
fn find(text: &[u8]) -> Result<Option<Block>, Failure> {
    let mut begins = Vec::new();
    let mut ends = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let trimmed = line.trim_ascii_end();
        let kinds = [BEGIN, BEGIN_AFTER_OPEN_LINE, BEGIN_AFTER_BACKSLASH, BEGIN_NEW_FILE];
        if let Some(begin) = kinds.into_iter().find(|begin| begin.as_bytes() == trimmed) {
            begins.push((begin, at));
        }
        at += line.len();
        if trimmed == END.as_bytes() {
            ends.push(at);
        }
    }
    match (begins.as_slice(), ends.as_slice()) {
        ([], []) => Ok(None),
        (&[(begin, start)], &[end]) if start < end => Ok(Some(Block { begin, start, end })),
        _ => Err(Failure::unable(format!(
            "cannot change the start-up file: it holds more or less than one pair of '{BEGIN}' and '{END}'"
        ))
        .hint("remove these lines and what is between them, then try again")),
    }
}

/// What `path` stands for: the end of a chain of links, which need not exist.
fn target(path: &Path) -> io::Result<PathBuf> {
    /// As many links as Linux follows (path_resolution(7)).
    const MOST_LINKS: usize = 40;

    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Removes what a run that was killed has left in a directory. Nothing else may
/// write files there meanwhile.
pub(crate) fn remove_leftovers(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours =
            name.to_str().and_then(|name| name.strip_prefix(TEMPORARY)).is_some_and(|rest| {
                rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // The next run tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What is known of a file; `None` if it does not exist. Start-up files are
/// sometimes links to `/dev/null`, which must be neither read nor replaced.
fn existing(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(_) => Err(io::Error::other("it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same, or an error if the file must not be replaced.
fn writable(target: &Path) -> io::Result<Option<Metadata>> {
    let existing = existing(target)?;
    match &existing {
        Some(metadata) if metadata.permissions().readonly() => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"))
        }
        Some(metadata) if metadata.nlink() > 1 => {
            Err(io::Error::other("it has several hard links, which would be parted"))
        }
        Some(metadata) if !may_keep_owner(metadata) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "its owner or its group is not yours, and would be lost",
        )),
        Some(_) if is_mount_point(target) => {
            Err(io::Error::other("it is mounted from elsewhere, and cannot be replaced"))
        }
        _ => Ok(existing),
    }
}

/// Whether a file that replaces this one can be given to the same owner and group.
fn may_keep_owner(metadata: &Metadata) -> bool {
    let user = rustix::process::geteuid();
    let group = rustix::process::getegid().as_raw();
    let others = || rustix::process::getgroups().unwrap_or_default();
    let is_in_group = || others().iter().any(|group| group.as_raw() == metadata.gid());
    user.is_root()
        || (metadata.uid() == user.as_raw() && (metadata.gid() == group || is_in_group()))
}

/// Whether a file is mounted by itself, as containers do with files of the host. Linux
/// lists mounts with blanks as \040 (proc(5)); elsewhere only directories are mounted.
fn is_mount_point(target: &Path) -> bool {
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else { return false };
    let Ok(target) = fs::canonicalize(target) else { return false };
    let target = target.to_string_lossy().replace('\\', "\\134").replace(' ', "\\040");
    mounts.lines().any(|line| line.split(' ').nth(4) == Some(target.as_str()))
}

fn write(target: &Path, old: Option<&[u8]>, text: &[u8]) -> io::Result<()> {
    let existing = writable(target)?;
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        // The umask applies, as to any file that a user makes.
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(text)?;
    if existing.is_some() {
        attributes::copy(&fs::File::open(target)?, file.as_file())?;
    }
    file.as_file().sync_all()?;
    unchanged(target, old)?;
    file.persist(target)?;
    Ok(())
}

/// An error unless the file holds what it held when it was read.
fn unchanged(target: &Path, old: Option<&[u8]>) -> io::Result<()> {
    let now = existing(target)?.map(|_| fs::read(target)).transpose()?;
    if now.as_deref() == old {
        return Ok(());
    }
    Err(io::Error::other("something else changed it in the meantime"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(original: Option<&[u8]>) -> Vec<u8> {
        with_block(original, "source x\n").expect("a file without a block")
    }

    #[test]
    fn removing_the_block_gives_back_the_bytes() {
        let originals: [Option<&[u8]>; 11] = [
            None,
            Some(b"a=b\\"),
            Some(b"a=b\\\n"),
            Some(b"a=b\\\\\n"),
            Some(b"\\"),
            Some(b""),
            Some(b"\n"),
            Some(b"alias x=y\n"),
            Some(b"no final newline"),
            Some(b"crlf\r\nlines\r\n"),
            Some(b"\xff\xfe not utf-8\n\n\n"),
        ];
        for original in originals {
            let with = added(original);
            assert_ne!(with, original.unwrap_or_default());
            assert_eq!(without_block(&with).expect("one block"), original.map(<[u8]>::to_vec));
            assert_eq!(added(Some(&with)), with, "a second time changes nothing");
        }
    }

    #[test]
    fn what_the_user_added_behind_the_block_stays() {
        for original in [None, Some(&b"a"[..]), Some(b"a\n")] {
            let with = [added(original).as_slice(), b"mine\n"].concat();
            let replaced = with_block(Some(&with), "source y\n").expect("one block");
            assert!(replaced.ends_with(b"source y\n# <<< mx <<<\nmine\n"));
            let rest = without_block(&replaced).expect("one block").expect("more than the block");
            assert!(rest.ends_with(b"mine\n") && !rest.windows(3).any(|word| word == b"mx "));
        }
    }

    #[test]
    fn limits_in_the_block_are_replaced_kept_and_removed() {
        for original in [None, Some(&b"a"[..]), Some(b"a\n")] {
            let with = added(original);
            let limits =
                |text: &[u8], lines| with_limits(text, lines).expect("one block").expect("a block");
            let one = limits(&with, Some("ulimit -Sn 1\n"));
            assert!(one.ends_with(
                b"source x\n# Limits, kept by `mx limits persist`; --undo removes \
                them.\nulimit -Sn 1\n# <<< mx <<<\n"
            ));
            let two = limits(&one, Some("ulimit -Sn 2\nulimit -Sc 2\n"));
            assert!(two.ends_with(b"ulimit -Sn 2\nulimit -Sc 2\n# <<< mx <<<\n"));
            assert!(!two.windows(6).any(|word| word == b"-Sn 1\n"));
            // The integration is set up again, and the other way round.
            assert_eq!(with_block(Some(&two), "source x\n").expect("one block"), two);
            let again = with_block(Some(&two), "source y\n").expect("one block");
            assert!(again.ends_with(b"ulimit -Sc 2\n# <<< mx <<<\n"));
            assert_eq!(limits(&two, None), with);
            assert_eq!(limits(&with, None), with);
            assert_eq!(without_block(&two).expect("one block"), original.map(<[u8]>::to_vec));
        }
        assert_eq!(with_limits(b"no block\n", Some("x\n")).expect("no block"), None);
    }

    #[test]
    fn a_damaged_block_is_not_touched() {
        for text in ["# >>> mx >>>\nx\n", "# <<< mx <<<\n", "# <<< mx <<<\n# >>> mx >>>\n"] {
            assert!(with_block(Some(text.as_bytes()), "").is_err(), "{text}");
            assert!(without_block(text.as_bytes()).is_err(), "{text}");
        }
        let twice = [added(None), added(None)].concat();
        assert!(without_block(&twice).is_err());
    }

    #[test]
    fn a_link_stays_a_link_and_the_mode_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "old").expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
        std::os::unix::fs::symlink("file", &link).expect("a link");
        replace(&link, Some(b"old"), b"new").expect("a writable file");
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).expect("a file"), b"new");
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 2);

        fs::hard_link(&file, directory.path().join("twin")).expect("a link");
        assert!(replace(&link, Some(b"new"), b"newer").is_err(), "hard links would be parted");
        fs::remove_file(directory.path().join("twin")).expect("a link");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).expect("a mode");
        assert!(replace(&link, Some(b"new"), b"newer").is_err());
        assert_eq!(fs::read(&file).expect("a file"), b"new");
    }

    #[test]
    fn a_device_is_neither_read_nor_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).expect("a link");
        for refused in [
            read(&link).map(drop),
            check_writable(&link),
            replace(&link, None, b"x"),
            remove(&link, None),
        ] {
            let failure = refused.expect_err("a device");
            assert!(failure.message.ends_with("it is not a regular file"), "{failure}");
        }
    }

    #[test]
    fn what_changed_since_it_was_read_is_neither_replaced_nor_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        fs::write(&file, "theirs").expect("a file");
        for old in [None, Some(&b"older"[..])] {
            for refused in [replace(&file, old, b"mine"), remove(&file, old)] {
                let failure = refused.expect_err("another text");
                assert!(failure.message.contains("something else changed it"), "{failure}");
            }
        }
        let gone = directory.path().join("gone");
        assert!(replace(&gone, Some(b"old"), b"mine").is_err());
        assert_eq!(fs::read(&file).expect("a file"), b"theirs");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    }

    #[test]
    fn a_link_to_nothing_gets_its_file_and_loses_it_again() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join("dotfiles")).expect("a directory");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("dotfiles/file", &link).expect("a link");
        replace(&link, None, b"text").expect("a place");
        assert_eq!(fs::read(directory.path().join("dotfiles/file")).expect("a file"), b"text");
        remove(&link, Some(b"text")).expect("a file");
        assert!(link.is_symlink() && !link.exists());
    }

    #[test]
    fn a_block_with_other_line_ends_is_found() {
        let with = String::from_utf8(added(Some(b"a\r\n"))).expect("text").replace('\n', "\r\n");
        let with = with.replace("\r\r", "\r");
        assert_eq!(without_block(with.as_bytes()).expect("one block"), Some(b"a\r\n".to_vec()));
    }
}
