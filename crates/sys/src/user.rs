//! User names and ids, as the name service of the system knows them.

use nix::unistd::{Uid, User};

use crate::{Error, Result};

/// The name of a user id, or `None` if the system knows no such user.
///
/// Asks `getpwuid_r(3)`, so LDAP and the like count too. A name service that
/// fails reads as "no name": the caller still has the number.
pub fn name(uid: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

/// The id of a user given by name or as a decimal number.
///
/// `Ok(None)` if there is no such user. A number needs no entry in the user
/// database: containers run under ids that have none.
pub fn id(user: &str) -> Result<Option<u32>> {
    let found = User::from_name(user)
        .map_err(|errno| Error::from_io(format!("look up user '{user}'"), errno))?;
    Ok(found.map(|user| user.uid.as_raw()).or_else(|| user.parse().ok()))
}

/// Whether this process runs with the rights of root.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_agree() {
        assert_eq!(name(0).as_deref(), Some("root"));
        assert_eq!(id("root").expect("the user database is readable"), Some(0));
        assert_eq!(id("4000000000").expect("the user database is readable"), Some(4_000_000_000));
        assert_eq!(id("no-such-user-here").expect("the user database is readable"), None);
    }
}
