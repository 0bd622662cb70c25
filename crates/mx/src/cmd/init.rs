//! `mx init`: print the shell integration.

use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::integration::{
    BASH_COMPLETION, BASH_FUNCTION, FISH_COMPLETION, FISH_FUNCTION, ZSH_PLUGIN, files,
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
    // Each file is the body of the function that it is called like.
    let bodies = files(Shell::Zsh).iter().filter(|file| file.path != ZSH_PLUGIN.path);
    let functions: String = bodies
        .map(|file| {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let function = format!("function {name} {{\n{body}}}\n", body = file.text);
            if name == "mx" {
                format!(
                    "if [[ ${{functions[mx]-MX_INTEGRATION}} == *MX_INTEGRATION* ]]; then\n{function}fi\n"
                )
            } else {
                function
            }
        })
        .collect();
    format!(
        "# The zsh integration of mx {version}: eval \"$(mx init zsh)\"\n\
         functions[_mx_define]='\\builtin emulate -L zsh -o no_aliases; \\builtin eval \"$1\"'\n\
         \\_mx_define {functions}\n\
         \\builtin unfunction _mx_define\n\
         \\builtin typeset -gA '_mx'\n\
         {hook}",
        version = env!("CARGO_PKG_VERSION"),
        functions = quote(&functions),
        hook = hook(),
    )
}

/// The lines of the plugin behind those that load the functions.
fn hook() -> &'static str {
    const FIRST: &str = "# Under options of its own";
    ZSH_PLUGIN.text.find(FIRST).map_or("", |at| &ZSH_PLUGIN.text[at..])
}

/// The function, and the completion while aliases are still set aside.
fn bash() -> String {
    let text = BASH_FUNCTION.text;
    let end = text.find("\n[[ $_mx_aliases ]]").unwrap_or(text.len());
    format!(
        "# mx {version}: eval \"$(mx init bash)\"\n{function}\n{completion}{aliases}",
        version = env!("CARGO_PKG_VERSION"),
        function = &text[..end],
        completion = BASH_COMPLETION.text,
        aliases = &text[end..],
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
