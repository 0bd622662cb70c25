//! `mx init`: print the shell integration.

use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::out::Out;

/// Loads the functions below, and hooks the completion in.
pub(crate) const PLUGIN: &str = include_str!("../../../../shell/mx.plugin.zsh");
/// The function `mx`.
pub(crate) const FUNCTION: &str = include_str!("../../../../shell/functions/mx");
/// Registers the completion.
pub(crate) const REGISTER: &str = include_str!("../../../../shell/functions/_mx_register");
/// The completion of `mx`.
pub(crate) const COMPLETION: &str = include_str!("../../../../completions/_mx");

/// Print the integration for a shell
///
/// Prints one self-contained script for a start-up file:
///
///     eval "$(mx init zsh)"
///
/// `mx setup zsh` does it without starting a program with each shell.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct InitArgs {
    /// The shell
    shell: Shell,
}

/// A shell with an integration.
#[derive(Clone, Copy, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shell {
    /// The Z shell
    Zsh,
}

#[derive(Serialize)]
struct Integration {
    shell: Shell,
    script: String,
}

pub(crate) fn init(args: &InitArgs, out: &Out) -> Outcome {
    let script = match args.shell {
        Shell::Zsh => zsh(),
    };
    let integration = Integration { shell: args.shell, script };
    out.script("mx.init/1", &integration, &integration.script)?;
    Ok(Exit::Yes)
}

/// The functions, defined by an `eval` of their own: the user's aliases and
/// options must not change how they are parsed, and `emulate -c` would fix
/// their options, which a completion function must not have.
fn zsh() -> String {
    let bodies = [("mx", FUNCTION), ("_mx_register", REGISTER), ("_mx", COMPLETION)];
    let functions: String =
        bodies.iter().map(|(name, body)| format!("function {name} {{\n{body}}}\n")).collect();
    format!(
        "# The zsh integration of mx {version}: eval \"$(mx init zsh)\"\n\
         function _mx_define {{\n\
         \\builtin emulate -L zsh -o no_aliases\n\
         \\builtin eval \"$1\"\n\
         }}\n\
         _mx_define {functions}\n\
         \\builtin unfunction _mx_define\n\
         {hook}",
        version = env!("CARGO_PKG_VERSION"),
        functions = quote(&functions),
        hook = hook(),
    )
}

/// The lines of the plugin behind those that load the functions.
fn hook() -> &'static str {
    const FIRST: &str = "\\builtin typeset -ga precmd_functions";
    PLUGIN.find(FIRST).map_or("", |at| &PLUGIN[at..])
}

/// A word that every POSIX shell reads as exactly this text.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
