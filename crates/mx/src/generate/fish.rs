//! The completion for fish: a `complete` for each subcommand, option and argument.

use clap::{Arg, Command};

use super::{
    Values, about, excluded_by, help, is_repeated, options, spellings, stands_alone, values,
    visible,
};

const HEAD: &str = r#"# Completion of mx for fish. Generated from the definitions of the commands.

# __mx_parse: reads what is typed before the cursor, once for all conditions:
# the command, how many arguments it has, the options given, and what can follow.
function __mx_parse
    set -l line (commandline -cp)
    test "$line" = "$__mx_line"
    and return
    set -g __mx_line $line
    set -l path mx
    set -l position 0
    # What can follow: anything, only arguments (literal), the command line
    # behind `--` (last), names of commands (help), or nothing (none).
    set -l follows any
    set -l given
    set -l skip no
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $skip = yes
            set skip no
        else if test $follows = literal
            set position (math $position + 1)
        else if test "$word" = --
            set follows literal
            switch $path
"#;

const OPTIONS: &str = r#"            end
            test $follows = last
            and break
        else if string match -qr -- '^-.' $word
            set -a given (string replace -r '=.*' '' -- $word)
            string match -qr -- '^-[^-].' $word
            and set -a given -(string sub -s 2 -- $word | string split '')
            switch "$path $word"
"#;

const COMMANDS: &str = r#"            end
        else
            # A word may hold a blank, as "ports kill", which is no command.
            switch "$path/$word"
"#;

const TAIL: &str = r#"                case '*'
                    set position (math $position + 1)
            end
        end
    end
    # An option that waits for its value is not hidden, or fish would not complete it.
    test $skip = yes
    and set -e given[-1]
    set -g __mx_path $path
    set -g __mx_position $position
    set -g __mx_follows $follows
    set -g __mx_given $given
end

# __mx_at KIND PATH [WORD…]: whether an option, a command or an argument of the
# command PATH (of any, if that is empty) can stand here: an option unless one of
# the WORDs is given, an argument from the first to the last place, which the
# WORDs are then. `last` is the command line behind `--`.
function __mx_at -a kind wanted
    __mx_parse
    test -z "$wanted" -o "$__mx_path" = "$wanted"
    or return
    switch $kind:$__mx_follows
        case command:any command:help
            test $__mx_position = 0
        case option:any
            for word in $argv[3..-1]
                contains -- $word $__mx_given
                and return 1
            end
            true
        case argument:any argument:literal
            test $__mx_position -ge $argv[3] -a $__mx_position -le $argv[4]
        case last:last
            true
        case '*'
            false
    end
end

# __mx_live NOUN: what `mx __complete NOUN` lists, also behind an address.
function __mx_live
    # fish reports a program that is gone, whatever becomes of its errors.
    builtin command -sq mx
    or return
    set -l typed (commandline -ct)
    set -l address
    test $argv = ports
    and set address (string match -r '.*:' -- $typed)
    for line in (command mx __complete $argv fish -- "$typed" 2>/dev/null)
        if not set -q address[1]
            printf '%s\n' $line
        else if string match -qr '^[0-9]+\t' -- $line
            # Behind an address only a port can follow.
            printf '%s\n' $address$line
        end
    end
end

# __mx_command_line: completes the command line behind `--`.
function __mx_command_line
    # Not the words, which would be without their quotes.
    set -l line (commandline -cp | string collect)
    complete -C (string replace -r -- '(?s)^.*?\s--\s+' '' $line | string collect)
end

complete -c mx -f
"#;

pub(super) fn script(mx: &Command) -> String {
    let mut text = String::from(HEAD);
    each(mx, "mx", &mut |command, path| {
        if command.get_positionals().any(Arg::is_last_set) {
            case(&[path.to_owned()], "set follows last", &mut text);
        }
    });
    text.push_str(OPTIONS);
    each(mx, "mx", &mut |command, path| {
        let words = |wanted: &dyn Fn(&Arg) -> bool| -> Vec<String> {
            let spellings = options(command).filter(|arg| wanted(arg)).flat_map(spellings);
            spellings.map(|spelling| format!("{path} {spelling}")).collect()
        };
        case(&words(&|arg| arg.get_action().takes_values()), "set skip yes", &mut text);
        case(&words(&stands_alone), "set follows none", &mut text);
    });
    text.push_str(COMMANDS);
    each(mx, "mx", &mut |command, path| {
        for sub in visible(command) {
            let name = sub.get_name();
            let names = std::iter::once(name).chain(sub.get_visible_aliases());
            let words: Vec<String> = names.map(|name| format!("{path}/{name}")).collect();
            case(&words, &then(name, path), &mut text);
        }
    });
    text.push_str(TAIL);
    let common = common_options(mx);
    text.push_str(&common.concat());
    each(mx, "mx", &mut |command, path| lines(command, path, &common, &mut text));
    text
}

/// Calls a function with each command that has a completion, and its path.
fn each(command: &Command, path: &str, act: &mut dyn FnMut(&Command, &str)) {
    act(command, path);
    for sub in visible(command).filter(|sub| sub.get_name() != "help") {
        each(sub, &format!("{path} {}", sub.get_name()), act);
    }
}

/// A case of these words, if there are any.
fn case(words: &[String], then: &str, text: &mut String) {
    if !words.is_empty() {
        let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let words = words.join(" ");
        text.push_str(&format!("                case {words}\n                    {then}\n"));
    }
}

/// What the name of a subcommand does, unless it is an argument of its own.
fn then(name: &str, path: &str) -> String {
    if name == "help" {
        return "set follows help".to_owned();
    }
    format!(
        "test $position = 0\n                    and set path {}\n                    \
         or set position (math $position + 1)",
        quote(&format!("{path} {name}"))
    )
}

fn lines(command: &Command, path: &str, common: &[String], text: &mut String) {
    let here = double_quote(path);
    let subcommand = |sub: &Command| {
        line(
            &format!("command {here}"),
            &format!("-a {} -d {}", sub.get_name(), quote(&about(sub))),
        )
    };
    text.extend(visible(command).map(subcommand));
    let own = options(command).filter(|arg| !common.contains(&option(command, "", arg)));
    text.extend(own.map(|arg| option(command, path, arg)));
    let mut index = 0;
    for arg in command.get_positionals() {
        let completed = kind(arg);
        let place = if arg.is_last_set() {
            format!("last {here}")
        } else {
            let last = if is_repeated(arg) { 9999 } else { index };
            index += 1;
            format!("argument {here} {} {last}", index - 1)
        };
        if !completed.is_empty() {
            text.push_str(&line(&place, completed.trim_end()));
        }
    }
}

/// The options that every command has. fish tests each condition at each TAB, so
/// that one for every command would take long.
fn common_options(mx: &Command) -> Vec<String> {
    let mut common: Vec<String> = options(mx).map(|arg| option(mx, "", arg)).collect();
    each(mx, "mx", &mut |command, _| {
        let own: Vec<String> = options(command).map(|arg| option(command, "", arg)).collect();
        common.retain(|line| own.contains(line));
    });
    common
}

fn option(command: &Command, path: &str, arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-s {short} ")).unwrap_or_default();
    let long = arg.get_long().map(|long| format!("-l {long} ")).unwrap_or_default();
    let value = match (arg.get_action().takes_values(), kind(arg)) {
        (false, _) => String::new(),
        // Without -x, fish offers files beside the values.
        (true, kind) if kind.is_empty() => "-x ".to_owned(),
        (true, kind) if kind == FILES => format!("-r {kind}"),
        (true, kind) => format!("-x {kind}"),
    };
    let excluded = excluded_by(command, arg).join(" ");
    line(
        format!("option {} {excluded}", double_quote(path)).trim_end(),
        &format!("{short}{long}{value}-d {}", quote(&help(arg))),
    )
}

fn line(condition: &str, rest: &str) -> String {
    format!("complete -c mx -n {} {rest}\n", quote(&format!("__mx_at {condition}")))
}

const FILES: &str = "-F ";

/// The options of `complete` for the values of an argument, with a blank behind.
fn kind(arg: &Arg) -> String {
    let list = match values(arg) {
        Values::Live(noun) => format!("(__mx_live {noun})"),
        Values::Words(words) => {
            let word = |(name, help): &(String, String)| format!("{name}\\t{}", double_quote(help));
            words.iter().map(word).collect::<Vec<_>>().join(" ")
        }
        Values::Users => "(__fish_complete_users)".to_owned(),
        Values::Hosts => "(__fish_print_hostnames)".to_owned(),
        Values::Directories => "(__fish_complete_directories)".to_owned(),
        Values::Programs => "(__fish_complete_command)".to_owned(),
        Values::CommandLine => "(__mx_command_line)".to_owned(),
        Values::Files => return FILES.to_owned(),
        Values::Unknown => return String::new(),
    };
    format!("-k -a {} ", quote(&list))
}

/// A word that fish reads as exactly this text.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The same between other quotes, for a word inside a quoted list.
fn double_quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
}
