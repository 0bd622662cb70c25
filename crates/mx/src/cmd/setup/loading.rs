//! The line of a start-up file that loads the integration.

use std::path::{Path, PathBuf};

use crate::cmd::init;
use crate::exit::Failure;
use crate::shell::Shell;
use crate::startup_file;

/// The line that loads the integration, if it is there.
pub(super) fn line(shell: Shell, plugin: &Path) -> Result<String, Failure> {
    let plugin = plugin.to_str().ok_or_else(|| {
        Failure::unable(format!("cannot write {} into a script: it is not UTF-8", plugin.display()))
    })?;
    let plugin = init::quote(plugin);
    Ok(match shell {
        // Other shells read some of the start-up files of bash.
        Shell::Bash => {
            format!("if [ -n \"${{BASH_VERSION-}}\" ] && [ -r {plugin} ]; then . {plugin}; fi\n")
        }
        _ => format!("if [[ -r {plugin} ]]; then builtin source {plugin}; fi\n"),
    })
}

/// The lines between the marks.
pub(super) fn block(shell: Shell, line: &str) -> String {
    let shell = shell.name();
    format!("# Managed by `mx setup {shell}`; `mx setup {shell} --uninstall` removes it.\n{line}")
}

/// The file that the block of a start-up file loads.
pub(super) fn plugin(text: &[u8]) -> Option<PathBuf> {
    let block = startup_file::block(text)?;
    let (_, word) = block.split_once(" -r ")?;
    unquote(word).map(PathBuf::from)
}

/// The text of a word that [`init::quote`] wrote.
fn unquote(word: &str) -> Option<String> {
    let mut rest = word.strip_prefix('\'')?;
    let mut text = String::new();
    loop {
        let (part, behind) = rest.split_once('\'')?;
        text.push_str(part);
        let Some(next) = behind.strip_prefix("\\''") else { return Some(text) };
        text.push('\'');
        rest = next;
    }
}

/// What bash reads first that exists, as a login shell.
const BASH_LOGIN: [&str; 3] = [".bash_profile", ".bash_login", ".profile"];

/// `.bashrc`, and what a login shell reads unless that reads `.bashrc` itself:
/// Terminal on macOS starts login shells, which read no `.bashrc`. Where there
/// is none it is `.profile`: bash reads it last, so it hides no other file that
/// is made later, as a new `.bash_profile` would hide `.profile`.
pub(super) fn bash_startup(home: &Path) -> Vec<PathBuf> {
    let mut startup = vec![home.join(".bashrc")];
    let login = BASH_LOGIN.map(|name| home.join(name));
    let Some(first) = login.iter().find(|path| path.exists()) else {
        startup.push(home.join(".profile"));
        return startup;
    };
    // What cannot be read is refused when it is to be changed.
    let text = startup_file::read(first).ok().flatten().unwrap_or_default();
    if !text.windows(6).any(|window| window == b"bashrc") {
        startup.push(first.clone());
    }
    startup
}

/// Every file that [`bash_startup`] may have named before.
pub(super) fn bash_former(home: &Path) -> Vec<PathBuf> {
    std::iter::once(".bashrc").chain(BASH_LOGIN).map(|name| home.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_tells_what_it_loads() {
        for path in ["/home/ana/x/mx/zsh/shell/mx.plugin.zsh", "/it's ' ]/x"] {
            for shell in [Shell::Zsh, Shell::Bash] {
                let line = line(shell, Path::new(path)).expect("a path");
                let text = startup_file::with_block(Some(b"a\n"), &block(shell, &line));
                let text = text.expect("a file without a block");
                assert_eq!(plugin(&text), Some(PathBuf::from(path)));
            }
        }
        assert_eq!(plugin(b"if [[ -r '/x' ]]; then\n"), None, "outside of a block");
    }
}
