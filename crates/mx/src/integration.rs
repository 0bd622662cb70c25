//! The texts that make up the integration of each shell, and the tag by which an
//! installed integration is known.
//!
//! The function `mx` passes its tag to the binary in [`CALLER`]. In the source
//! tree it says `source`; what is installed names the shell, the version and a
//! hash of all texts, so that another binary sees what it was installed by.

use crate::shell::Shell;

/// A file of the integration.
pub(crate) struct File {
    /// Where it is installed, below the integration's directory.
    pub(crate) path: &'static str,
    pub(crate) text: &'static str,
}

/// Loads the functions.
pub(crate) const ZSH_PLUGIN: File =
    File { path: "shell/mx.plugin.zsh", text: include_str!("../../../shell/mx.plugin.zsh") };
/// The function `mx`.
pub(crate) const ZSH_FUNCTION: File =
    File { path: "shell/functions/mx", text: include_str!("../../../shell/functions/mx") };
/// Hooks the functions in.
pub(crate) const ZSH_LOAD: File = File {
    path: "shell/functions/_mx_load",
    text: include_str!("../../../shell/functions/_mx_load"),
};
/// Registers the completion, and what else waits for the first prompt.
pub(crate) const ZSH_REGISTER: File = File {
    path: "shell/functions/_mx_register",
    text: include_str!("../../../shell/functions/_mx_register"),
};
/// The widgets of the command line's editor.
pub(crate) const ZSH_COPY: File = File {
    path: "shell/functions/_mx_copy_line",
    text: include_str!("../../../shell/functions/_mx_copy_line"),
};
pub(crate) const ZSH_PASTE: File = File {
    path: "shell/functions/_mx_paste",
    text: include_str!("../../../shell/functions/_mx_paste"),
};
/// Defines short names, where the user asks for them.
pub(crate) const ZSH_NAMES: File = File {
    path: "shell/functions/_mx_names",
    text: include_str!("../../../shell/functions/_mx_names"),
};
/// Takes everything back.
pub(crate) const ZSH_UNLOAD: File = File {
    path: "shell/functions/mx_plugin_unload",
    text: include_str!("../../../shell/functions/mx_plugin_unload"),
};
pub(crate) const ZSH_COMPLETION: File =
    File { path: "completions/_mx", text: include_str!("../../../completions/_mx") };

/// Loads the function and the completion at their first use.
pub(crate) const BASH_PLUGIN: File =
    File { path: "shell/mx.bash", text: include_str!("../../../shell/mx.bash") };
/// The function `mx`.
pub(crate) const BASH_FUNCTION: File =
    File { path: "shell/function.bash", text: include_str!("../../../shell/function.bash") };
pub(crate) const BASH_COMPLETION: File =
    File { path: "completions/mx.bash", text: include_str!("../../../completions/mx.bash") };

/// Both are found by fish itself, by their names.
pub(crate) const FISH_FUNCTION: File =
    File { path: "functions/mx.fish", text: include_str!("../../../shell/mx.fish") };
pub(crate) const FISH_COMPLETION: File =
    File { path: "completions/mx.fish", text: include_str!("../../../completions/mx.fish") };

/// The files of a shell's integration; the first is the one that its start-up file loads.
pub(crate) const fn files(shell: Shell) -> &'static [File] {
    match shell {
        Shell::Zsh => &[
            ZSH_PLUGIN,
            ZSH_FUNCTION,
            ZSH_LOAD,
            ZSH_REGISTER,
            ZSH_COPY,
            ZSH_PASTE,
            ZSH_NAMES,
            ZSH_UNLOAD,
            ZSH_COMPLETION,
        ],
        Shell::Bash => &[BASH_PLUGIN, BASH_FUNCTION, BASH_COMPLETION],
        Shell::Fish => &[FISH_FUNCTION, FISH_COMPLETION],
    }
}

/// Holds the tag of the function that calls.
pub(crate) const CALLER: &str = "MX_INTEGRATION";

/// The tag of the integration of this version.
pub(crate) fn tag(shell: Shell) -> String {
    const HASHES: [u64; 3] = [hash(Shell::Zsh), hash(Shell::Bash), hash(Shell::Fish)];
    let version = env!("CARGO_PKG_VERSION");
    format!("{}:{version}:{:016x}", shell.name(), HASHES[shell as usize])
}

/// The shell of a tag that this version replaces: its own and those of newer
/// versions stay.
pub(crate) fn outdated(tag: &str) -> Option<Shell> {
    let mut parts = tag.split(':');
    let (shell, version) = (Shell::named(parts.next()?)?, numbers(parts.next()?)?);
    let older = Some(version) <= numbers(env!("CARGO_PKG_VERSION"));
    (older && tag != self::tag(shell)).then_some(shell)
}

/// A file as it is installed.
pub(crate) fn installed(shell: Shell, file: &File) -> String {
    file.text.replace(
        &format!("{CALLER}{}source", separator(shell)),
        &format!("{CALLER}{}{}", separator(shell), tag(shell)),
    )
}

/// What stands between a variable and its value.
fn separator(shell: Shell) -> char {
    if shell == Shell::Fish { ' ' } else { '=' }
}

fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut numbers = version.split(['.', '-', '+']).map(|part| part.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

/// A hash of the texts, taken by the compiler: calls must not take time.
const fn hash(shell: Shell) -> u64 {
    let files = files(shell);
    let mut hash = 0;
    let mut at = 0;
    while at < files.len() {
        let (words, rest) = files[at].text.as_bytes().as_chunks::<8>();
        let mut word = 0;
        while word < words.len() {
            hash = mix(hash, u64::from_le_bytes(words[word]));
            word += 1;
        }
        let mut byte = 0;
        while byte < rest.len() {
            hash = mix(hash, rest[byte] as u64);
            byte += 1;
        }
        at += 1;
    }
    hash
}

/// A step of FNV-1a, with words in place of bytes.
const fn mix(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_carries_the_tag_once() {
        for shell in [Shell::Zsh, Shell::Bash, Shell::Fish] {
            let texts: String = files(shell).iter().map(|file| installed(shell, file)).collect();
            assert_eq!(texts.matches(&tag(shell)).count(), 1, "{shell:?}");
            assert!(!texts.contains("source\n") || !texts.contains(&format!("{CALLER}=source")));
        }
    }

    #[test]
    fn older_and_differing_tags_are_outdated() {
        let own = tag(Shell::Zsh);
        assert_eq!(outdated(&own), None);
        assert_eq!(outdated(&own.replace(env!("CARGO_PKG_VERSION"), "0.0.9")), Some(Shell::Zsh));
        assert_eq!(outdated(&format!("{own}0")), Some(Shell::Zsh));
        for other in ["", "source", "zsh", "zsh:", "zsh:x:1", "zsh:999.0.0:1", "tcsh:0.0.1:1"] {
            assert_eq!(outdated(other), None, "{other}");
        }
    }

    #[test]
    fn each_shell_has_a_hash_of_its_own() {
        let hashes = [hash(Shell::Zsh), hash(Shell::Bash), hash(Shell::Fish)];
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
    }
}
