//! `mx init`: print the shell integration.

use std::ffi::OsString;

use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::integration::{
    BASH_COMPLETION, BASH_FUNCTION, CALLER, FISH_COMPLETION, FISH_FUNCTION, ZSH_LOAD, ZSH_PLUGIN,
    ZSH_REGISTER, files,
};
use crate::out::Out;
use crate::shell::Shell;

/// Print the integration for a shell
///
/// Prints a script for a start-up file, which loads the rest when it is first
/// used. `mx setup` does it without starting a program with each shell.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  eval \"$(mx init zsh)\"       in .zshrc
  eval \"$(mx init bash)\"      in .bashrc
  mx init fish | source        in config.fish")]
pub(crate) struct InitArgs {
    /// The shell
    shell: Shell,
    /// What the script loads when it is first used
    #[arg(long, hide = true)]
    whole: bool,
}

#[derive(Serialize)]
struct Integration {
    shell: Shell,
    script: String,
}

/// The script that a start-up file asks for with each new shell: `mx init SHELL`, and
/// nothing more. clap is not needed to read that, and would be a tenth of the time.
pub(crate) fn for_new_shell(mut words: impl Iterator<Item = OsString>) -> Option<String> {
    let (_, init, shell) = (words.next()?, words.next()?, words.next()?);
    if init != "init" || words.next().is_some() {
        return None;
    }
    Shell::named(shell.to_str()?).map(|shell| match shell {
        Shell::Zsh => zsh(),
        Shell::Bash => bash(),
        Shell::Fish => fish(),
    })
}

pub(crate) fn init(args: &InitArgs, out: &Out) -> Outcome {
    let script = match (args.shell, args.whole) {
        (Shell::Zsh, false) => zsh(),
        (Shell::Zsh, true) => zsh_whole(),
        (Shell::Bash, false) => bash(),
        (Shell::Bash, true) => bash_whole(),
        (Shell::Fish, false) => fish(),
        (Shell::Fish, true) => fish_whole(),
    };
    let integration = Integration { shell: args.shell, script };
    out.script("mx.init/1", &integration, &integration.script)?;
    Ok(Exit::Yes)
}

/// The function `mx` until it is first used. It needs no other function, as tools
/// copy single ones, and runs a ZERR trap only once, as the whole function does.
const ZSH_FIRST: &str = r#"builtin emulate -L zsh -o no_aliases
builtin trap - ZERR
builtin unfunction mx
builtin eval "$(MX_INTEGRATION=source builtin command mx init zsh --whole 2>/dev/null)"
if mx "$@"; then; else return; fi
"#;

/// Replaces the functions that are defined by whole ones.
const ZSH_WHOLE: &str = r#"function _mx_whole {
builtin emulate -L zsh -o no_aliases
local whole
whole="$(MX_INTEGRATION=source builtin command mx init zsh --whole 2>/dev/null)" || return
builtin eval "$whole"
}
"#;

/// Without the program, files complete as they do for every program.
const ZSH_COMPLETION: &str = r#"function _mx {
if _mx_whole; then _mx "$@"; else builtin unset '_comps[mx]'; _default "$@"; fi
}
"#;

/// The options that the completion system sets, as far as they are not those of zsh.
/// `emulate -c` fixes the options of the functions that it defines, and of what they
/// define: so these must have the ones that a completion function needs.
const ZSH_OPTIONS: &str = "-o extended_glob -o null_glob -o rc_expand_param -o no_aliases";

/// The functions of the first prompt as a text, which zsh parses when it is needed, and
/// for all others one that loads them. Each character that zsh parses takes time at the
/// start of a shell, and so does the module that knows all functions; `emulate -c`
/// needs none.
fn zsh() -> String {
    let (mut first, mut later, mut all) = (ZSH_WHOLE.to_owned(), Vec::new(), Vec::new());
    for file in files(Shell::Zsh) {
        let name = zsh_name(file.path);
        match name {
            "mx" | "mx.plugin.zsh" => continue,
            _ if [ZSH_LOAD.path, ZSH_REGISTER.path].contains(&file.path) => {
                first += &format!("function {name} {{\n{}}}\n", without_comments(file.text));
            }
            _ => later.push(name),
        }
        all.push(name);
    }
    // %N is the function's own name under every option.
    let call = "&& \"${(%):-%N}\" \"$@\"";
    later.retain(|name| *name != "_mx");
    first += &format!("{ZSH_COMPLETION}function {} {{ _mx_whole {call} }}\n", later.join(" "));
    let functions = format!(
        "builtin functions +W mx || function mx {{\n{ZSH_FIRST}}}\n\
         function {} {{ builtin eval \"$_mx[first]\" {call} }}\n",
        all.join(" ")
    );
    format!(
        "# The zsh integration of mx {version}: eval \"$(mx init zsh)\"\n\
         \\builtin typeset -gA '_mx'\n\
         _mx[first]={first}\n\
         \\builtin emulate zsh {ZSH_OPTIONS} -c {functions}\\\n{hook}",
        version = env!("CARGO_PKG_VERSION"),
        first = quote(&first),
        functions = quote(&functions),
        hook = hook(),
    )
}

fn zsh_whole() -> String {
    let bodies = files(Shell::Zsh).iter().filter(|file| file.path != ZSH_PLUGIN.path);
    // Each file is the body of the function that it is called like.
    zsh_definitions(
        &bodies.map(|file| zsh_function(zsh_name(file.path), file.text)).collect::<String>(),
    )
}

/// The name of the function of a file.
fn zsh_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A function, where a function `mx` that the user has stays, as it does where the
/// functions are autoloaded.
fn zsh_function(name: &str, body: &str) -> String {
    let function = format!("function {name} {{\n{body}}}\n");
    if name != "mx" {
        return function;
    }
    format!("if [[ ${{functions[mx]-{CALLER}}} == *{CALLER}* ]]; then\n{function}fi\n")
}

/// The functions, defined by an `eval` of their own: the user's aliases and
/// options must not change how they are parsed, and `emulate -c` would fix
/// their options, which a completion function must not have.
fn zsh_definitions(functions: &str) -> String {
    format!(
        "functions[_mx_define]='\\builtin emulate -L zsh -o no_aliases; \\builtin eval \"$1\"'\n\
         \\_mx_define {functions}\n\
         \\builtin unfunction _mx_define\n",
        functions = quote(functions),
    )
}

/// A script without what only its reader needs.
fn without_comments(text: &str) -> String {
    let is_code = |line: &&str| !line.trim_start().starts_with('#');
    text.split_inclusive('\n').filter(is_code).collect()
}

/// The rest of a statement of the plugin, after what defines functions.
fn hook() -> String {
    const FIRST: &str = "[[ -v precmd_functions ]]";
    let hook = ZSH_PLUGIN.text.find(FIRST).map_or("", |at| &ZSH_PLUGIN.text[at..]);
    format!("'{}", without_comments(hook))
}

/// Both functions until they are first used. Aliases are set aside while bash reads them.
const BASH_FIRST: &str = r#"_mx_aliases=
\shopt -q expand_aliases && _mx_aliases=1
\shopt -u expand_aliases
function mx {
  unset -f mx
  builtin eval "$(MX_INTEGRATION=source builtin command mx init bash --whole 2>/dev/null)"
  mx "$@" || return
}
function _mx {
  local _mx_whole
  if _mx_whole=$(MX_INTEGRATION=source builtin command mx init bash --whole 2>/dev/null); then
    builtin eval "$_mx_whole" && _mx
  else
    complete -o bashdefault -o default mx
    return 124
  fi
}
complete -F _mx mx
[[ $_mx_aliases ]] && shopt -s expand_aliases
unset -v _mx_aliases
"#;

fn bash() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("# mx {version}: eval \"$(mx init bash)\"\n{BASH_FIRST}")
}

/// The function, and the completion while aliases are still set aside.
fn bash_whole() -> String {
    let text = BASH_FUNCTION.text;
    let end = text.find("\n[[ $_mx_aliases ]]").unwrap_or(text.len());
    format!(
        "{function}\n{completion}{aliases}",
        function = &text[..end],
        completion = BASH_COMPLETION.text,
        aliases = &text[end..],
    )
}

/// The function and the completion until they are first used.
const FISH_FIRST: &str = r"function mx --description 'Short answers to what developers ask a machine'
    functions -e mx
    MX_INTEGRATION=source command mx init fish --whole 2>/dev/null | source
    mx $argv
end
function __mx_first
    builtin command -sq mx
    or return
    functions -e __mx_first
    MX_INTEGRATION=source command mx init fish --whole 2>/dev/null | source
    complete -C (commandline -cp | string collect)
end
complete -c mx -f -k -a '(__mx_first)'
";

fn fish() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("# The fish integration of mx {version}: mx init fish | source\n{FISH_FIRST}")
}

/// What was there until now completes nothing any more.
fn fish_whole() -> String {
    let (function, completion) = (FISH_FUNCTION.text, FISH_COMPLETION.text);
    format!("{function}\ncomplete -c mx -e\n{completion}")
}

/// A word that every POSIX shell reads as exactly this text.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
