//! The texts that make up the integration of each shell.

use crate::shell::Shell;

/// A file of the integration.
pub(crate) struct File {
    /// Where it is installed, below the integration's directory.
    pub(crate) path: &'static str,
    pub(crate) text: &'static str,
}

/// Loads the functions, and hooks the completion in.
pub(crate) const ZSH_PLUGIN: File =
    File { path: "shell/mx.plugin.zsh", text: include_str!("../../../shell/mx.plugin.zsh") };
/// The function `mx`.
pub(crate) const ZSH_FUNCTION: File =
    File { path: "shell/functions/mx", text: include_str!("../../../shell/functions/mx") };
/// Registers the completion.
pub(crate) const ZSH_REGISTER: File = File {
    path: "shell/functions/_mx_register",
    text: include_str!("../../../shell/functions/_mx_register"),
};
/// Takes everything back.
pub(crate) const ZSH_UNLOAD: File = File {
    path: "shell/functions/mx_plugin_unload",
    text: include_str!("../../../shell/functions/mx_plugin_unload"),
};
pub(crate) const ZSH_COMPLETION: File =
    File { path: "completions/_mx", text: include_str!("../../../completions/_mx") };

/// The function `mx`, and the loader of the completion.
pub(crate) const BASH_PLUGIN: File =
    File { path: "shell/mx.bash", text: include_str!("../../../shell/mx.bash") };
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
        Shell::Zsh => &[ZSH_PLUGIN, ZSH_FUNCTION, ZSH_REGISTER, ZSH_UNLOAD, ZSH_COMPLETION],
        Shell::Bash => &[BASH_PLUGIN, BASH_COMPLETION],
        Shell::Fish => &[FISH_FUNCTION, FISH_COMPLETION],
    }
}
