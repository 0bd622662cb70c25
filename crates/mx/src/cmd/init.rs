//! `mx init`: print the shell integration.

use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::integration::{
    BASH_COMPLETION, BASH_PLUGIN, FISH_COMPLETION, FISH_FUNCTION, File, ZSH_COMPLETION,
    ZSH_FUNCTION, ZSH_LOAD, ZSH_REGISTER, ZSH_UNLOAD,
};
use crate::out::Out;
use crate::shell::Shell;

/// Print the integration for a shell
///
/// Prints one self-contained script for a start-up file. `mx setup` does it
/// without starting a program with each shell.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  eval \"$(mx init zsh)\"       in .zshrc
  eval \"$(mx init bash)\"      in .bashrc
  mx init fish | source        in config.fish")]
pub(crate) struct InitArgs {
    /// The shell
    shell: Shell,
}

#[derive(Serialize)]
struct Integration {
    shell: Shell,
    script: String,
}

pub(crate) fn init(args: &InitArgs, out: &Out) -> Outcome {
    let script = match args.shell {
        Shell::Zsh => zsh(),
        Shell::Bash => bash(),
        Shell::Fish => fish(),
    };
    let integration = Integration { shell: args.shell, script };
    out.script("mx.init/1", &integration, &integration.script)?;
    Ok(Exit::Yes)
}

/// The functions, defined by an `eval` of their own: the user's aliases and
/// options must not change how they are parsed, and `emulate -c` would fix
/// their options, which a completion function must not have. A function `mx`
/// that the user has stays, as it does where the functions are autoloaded.
fn zsh() -> String {
    let define =
        |name: &str, file: &File| format!("function {name} {{\n{body}}}\n", body = file.text);
    let functions = [
        "if [[ ${functions[mx]-MX_INTEGRATION} == *MX_INTEGRATION* ]]; then\n",
        &define("mx", &ZSH_FUNCTION),
        "fi\n",
        &define("_mx_load", &ZSH_LOAD),
        &define("_mx_register", &ZSH_REGISTER),
        &define("mx_plugin_unload", &ZSH_UNLOAD),
        &define("_mx", &ZSH_COMPLETION),
    ];
    format!(
        "# The zsh integration of mx {version}: eval \"$(mx init zsh)\"\n\
         functions[_mx_define]='\\builtin emulate -L zsh -o no_aliases; \\builtin eval \"$1\"'\n\
         \\_mx_define {functions}\n\
         \\builtin unfunction _mx_define\n\
         \\builtin typeset -gA '_mx'\n\
         \\_mx_load\n",
        version = env!("CARGO_PKG_VERSION"),
        functions = quote(&functions.concat()),
    )
}

/// The function, with the completion in place of its loader.
fn bash() -> String {
    const LOADER: &str = "# The completion is read at its first use.\n";
    const BEHIND: &str = "\n[[ $_mx_aliases ]]";
    let (function, rest) = BASH_PLUGIN.text.split_once(LOADER).unwrap_or_default();
    let behind = rest.find(BEHIND).map_or("", |at| &rest[at..]);
    format!(
        "# mx {version}: eval \"$(mx init bash)\"\n{function}{completion}{behind}",
        version = env!("CARGO_PKG_VERSION"),
        completion = BASH_COMPLETION.text,
    )
}

fn fish() -> String {
    format!(
        "# The fish integration of mx {version}: mx init fish | source\n{function}\n{completion}",
        version = env!("CARGO_PKG_VERSION"),
        function = FISH_FUNCTION.text,
        completion = FISH_COMPLETION.text,
    )
}

/// A word that every POSIX shell reads as exactly this text.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
