//! What a file has besides its text: owner, mode and extended attributes.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno;

/// More than Linux lets a value or a list of names be (xattr(7)).
const MOST: usize = 64 * 1024;

/// Gives a file that replaces another what the other has.
pub(crate) fn copy(old: &File, new: &File) -> io::Result<()> {
    let (from, to) = (old.metadata()?, new.metadata()?);
    if (to.uid(), to.gid()) != (from.uid(), from.gid()) {
        std::os::unix::fs::fchown(new, Some(from.uid()), Some(from.gid()))?;
    }
    new.set_permissions(from.permissions())?;
    copy_extended(old, new)
}

/// The attributes that others than the owner decide, as labels of SELinux, are
/// left to the system where it does not let them be set.
fn copy_extended(old: &File, new: &File) -> io::Result<()> {
    let mut names = vec![0; MOST];
    let length = match flistxattr(old, names.as_mut_slice()) {
        Ok(length) => length,
        Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for name in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; MOST];
        let set = fgetxattr(old, name, value.as_mut_slice())
            .and_then(|length| fsetxattr(new, name, &value[..length], XattrFlags::empty()));
        match set {
            Ok(()) | Err(Errno::PERM | Errno::ACCESS | Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn mode_and_attributes_are_copied() {
        // A file system that has attributes: that of the source tree, or of temporary files.
        let places = [PathBuf::from(env!("CARGO_MANIFEST_DIR")), std::env::temp_dir()];
        let file = |place: &Path| tempfile::tempfile_in(place).expect("a file");
        let (name, value) = ("user.mx.test", b"a\0\xff");
        let Some(place) = places
            .iter()
            .find(|place| fsetxattr(file(place), name, value, XattrFlags::empty()).is_ok())
        else {
            return; // No file system here has attributes.
        };
        let (old, new) = (file(place), file(place));
        fsetxattr(&old, name, value, XattrFlags::empty()).expect("an attribute");
        old.set_permissions(std::fs::Permissions::from_mode(0o640)).expect("a mode");
        copy(&old, &new).expect("a copy");
        let mut copied = [0; 16];
        let length = fgetxattr(&new, name, copied.as_mut_slice()).expect("the attribute");
        assert_eq!(&copied[..length], value);
        assert_eq!(new.metadata().expect("a file").permissions().mode() & 0o777, 0o640);
    }
}
