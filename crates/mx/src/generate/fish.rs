//! The completion for fish: a `complete` for each subcommand, option and argument.

use clap::{Arg, Command};

use super::{Values, about, help, is_repeated, options, values, visible};

const HEAD: &str = r#"# Completion of mx for fish. Generated from the definitions of the commands.

# __mx_at KIND PATH [FIRST [LAST]]: whether an option, a command or an argument
# of the command PATH can stand here; an argument only from the FIRST to the
# LAST place. `last` is the command line behind `--`.
function __mx_at -a kind wanted first last
    set -l path mx
    set -l position 0
    set -l helping no
    set -l skip no
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $skip = yes
            set skip no
            continue
        end
        switch "$path $word"
            case '* --'
                test $kind = last -a "$path" = "$wanted"
                return
"#;

const TAIL: &str = r#"            case '* -?*'
            case '*'
                set position (math $position + 1)
        end
    end
    test "$path" = "$wanted"
    or return
    switch $kind
        case command
            test $position = 0
        case option
            test $helping = no
        case argument
            test $helping = no -a $position -ge $first -a $position -le $last
        case '*'
            false
    end
end

# __mx_live NOUN: what `mx __complete NOUN` lists, also behind an address.
function __mx_live
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
    set -l words (commandline -opc)
    set -e words[1..(contains -i -- -- $words)]
    complete -C "$words "(commandline -ct)
end

complete -c mx -f
"#;

pub(super) fn script(mx: &Command) -> String {
    let mut text = String::from(HEAD);
    cases(mx, "mx", &mut text);
    text.push_str(TAIL);
    lines(mx, "mx", &mut text);
    text
}

/// The words that lead from a command to another, and those that take a value.
fn cases(command: &Command, path: &str, text: &mut String) {
    for sub in visible(command) {
        let name = sub.get_name();
        let names = std::iter::once(name).chain(sub.get_visible_aliases());
        let words: Vec<String> = names.map(|name| quote(&format!("{path} {name}"))).collect();
        let then = if name == "help" {
            "set helping yes".to_owned()
        } else {
            format!(
                "test $position = 0\n                and set path {}\n                or set position (math $position + 1)",
                quote(&format!("{path} {name}"))
            )
        };
        text.push_str(&format!("            case {}\n                {then}\n", words.join(" ")));
    }
    let takes_value = options(command).filter(|arg| arg.get_action().takes_values());
    let words: Vec<String> = takes_value
        .flat_map(super::spellings)
        .map(|spelling| quote(&format!("{path} {spelling}")))
        .collect();
    if !words.is_empty() {
        text.push_str(&format!(
            "            case {}\n                set skip yes\n",
            words.join(" ")
        ));
    }
    for sub in visible(command).filter(|sub| sub.get_name() != "help") {
        cases(sub, &format!("{path} {}", sub.get_name()), text);
    }
}

fn lines(command: &Command, path: &str, text: &mut String) {
    let mut line = |condition: &str, rest: &str| {
        let condition = quote(&format!("__mx_at {condition}"));
        text.push_str(&format!("complete -c mx -n {condition} {rest}\n"));
    };
    let here = double_quote(path);
    for sub in visible(command) {
        line(
            &format!("command {here}"),
            &format!("-a {} -d {}", sub.get_name(), quote(&about(sub))),
        );
    }
    for arg in options(command) {
        let short = arg.get_short().map(|short| format!("-s {short} ")).unwrap_or_default();
        let long = arg.get_long().map(|long| format!("-l {long} ")).unwrap_or_default();
        let value = match (arg.get_action().takes_values(), kind(arg)) {
            (false, _) => String::new(),
            // Without -x, fish offers files beside the values.
            (true, kind) if kind.is_empty() => "-x ".to_owned(),
            (true, kind) if kind == FILES => format!("-r {kind}"),
            (true, kind) => format!("-x {kind}"),
        };
        line(&format!("option {here}"), &format!("{short}{long}{value}-d {}", quote(&help(arg))));
    }
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
            line(&place, completed.trim_end());
        }
    }
    for sub in visible(command).filter(|sub| sub.get_name() != "help") {
        lines(sub, &format!("{path} {}", sub.get_name()), text);
    }
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
