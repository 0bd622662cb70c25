//! The profiles: those that come with the program, and the user's own.

use std::env;
use std::path::PathBuf;

use limits::profile::{self, Profile};

use crate::exit::Failure;
use crate::startup_file;

/// The file of the user's own profiles; `None` if there is no home directory.
pub(super) fn path() -> Option<PathBuf> {
    let directory = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = directory("XDG_CONFIG_HOME")
        .or_else(|| directory("HOME").map(|home| home.join(".config")))?;
    Some(config.join("mx/limits.toml"))
}

/// Every profile by name; the user's own take the place of those that come with the program.
pub(super) fn all() -> Result<Vec<Profile>, Failure> {
    let own = own()?;
    let is_own = |name: &str| own.iter().any(|profile| profile.name == name);
    let mut profiles: Vec<Profile> =
        profile::built_in().into_iter().filter(|profile| !is_own(&profile.name)).collect();
    profiles.extend(own);
    profiles.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(profiles)
}

fn own() -> Result<Vec<Profile>, Failure> {
    let Some(path) = path() else { return Ok(Vec::new()) };
    let Some(bytes) = startup_file::read(&path)? else { return Ok(Vec::new()) };
    let unusable = |why: String| {
        Failure::unable(format!("cannot use {}: {why}", path.display()))
            .hint("mx limits check --template prints a file that explains the form")
    };
    let text = String::from_utf8(bytes).map_err(|_| unusable("it is not UTF-8".to_owned()))?;
    profile::parse(&text).map_err(|error| unusable(error.to_string()))
}

/// The profile of this name, or what to say instead.
pub(super) fn find(name: &str) -> Result<Profile, Failure> {
    let profiles = all()?;
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    let accepted = format!("profiles are: {}", names.join(", "));
    profiles.into_iter().find(|profile| profile.name == name).ok_or_else(|| {
        let message = format!("cannot use '{name}' as a profile: there is no profile of this name");
        Failure::usage(message, accepted)
    })
}
