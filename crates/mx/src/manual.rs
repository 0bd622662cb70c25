//! Manual pages, from the definitions of the commands.
//!
//! What `mx help COMMAND` says, in the sections that man(7) knows: a paragraph
//! "Exit codes:" becomes EXIT STATUS, the text behind the help EXAMPLES.

use clap::{Arg, ArgAction, Command};

/// A page for the command and one for each of its subcommands: file name and text.
pub(crate) fn pages(mut mx: Command) -> Vec<(String, String)> {
    mx.build();
    let mut pages = Vec::new();
    collect(&mx, &[], &mut pages);
    pages
}

fn collect(command: &Command, parents: &[&str], pages: &mut Vec<(String, String)>) {
    let path = [parents, &[command.get_name()]].concat();
    pages.push((format!("{}.1", path.join("-")), page(command, &path)));
    for sub in subcommands(command) {
        collect(sub, &path, pages);
    }
}

/// Those that have a page.
fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn page(command: &Command, path: &[&str]) -> String {
    let name = path.join("-");
    let version = env!("CARGO_PKG_VERSION");
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text = format!(
        ".TH {} 1 \"\" \"mx {version}\" \"mx\"\n.SH NAME\n{} \\- {}\n",
        escape(&name.to_uppercase()),
        escape(&name),
        escape(about.trim_end_matches('.'))
    );
    let usage = command.clone().render_usage().to_string();
    let mut sections = vec![("SYNOPSIS", synopsis(&usage, &path.join(" ")))];
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let paragraphs: Vec<&str> = long.split("\n\n").skip(1).collect();
    let is_status = |text: &&&str| text.starts_with("Exit codes:");
    let described: Vec<&str> = paragraphs.iter().filter(|text| !is_status(text)).copied().collect();
    sections.push(("DESCRIPTION", self::paragraphs(&described)));
    sections.push(("COMMANDS", commands(command, path)));
    sections.push(("OPTIONS", options(command)));
    let examples = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let examples = examples.strip_prefix("Examples:\n").unwrap_or(&examples);
    sections
        .push(("EXAMPLES", if examples.is_empty() { String::new() } else { verbatim(examples) }));
    let status = paragraphs.iter().find(is_status).copied().unwrap_or_default();
    sections.push(("EXIT STATUS", exit_status(status)));
    sections.push(("SEE ALSO", see_also(command, path)));
    for (heading, body) in sections.iter().filter(|(_, body)| !body.is_empty()) {
        text.push_str(&format!(".SH {heading}\n{body}"));
    }
    text
}

fn synopsis(usage: &str, command: &str) -> String {
    let lines = usage.trim_start_matches("Usage:").lines().map(|line| {
        let words = line.trim().trim_start_matches(command);
        format!("\\fB{}\\fR{}\n", escape(command), escape(words))
    });
    format!(".nf\n{}.fi\n", lines.collect::<String>())
}

/// Text that is filled, and text that stands as it is because it is indented.
fn paragraphs(texts: &[&str]) -> String {
    let paragraph = |text: &&str| match text.strip_prefix("    ") {
        Some(_) => verbatim(text),
        None => format!("{}\n", lines(text)),
    };
    texts.iter().map(paragraph).collect::<Vec<_>>().join(".PP\n")
}

fn verbatim(text: &str) -> String {
    let indent = text.lines().filter(|line| !line.is_empty());
    let indent = indent.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let line = |line: &str| format!("{}\n", escape(line.get(indent..).unwrap_or_default()));
    format!(".RS 4\n.nf\n{}.fi\n.RE\n", text.trim_end().lines().map(line).collect::<String>())
}

/// A code and its meaning for each of "Exit codes: 0 this, 1 that.".
fn exit_status(text: &str) -> String {
    let text =
        text.trim_start_matches("Exit codes:").trim().trim_end_matches('.').replace('\n', " ");
    let mut entries = String::new();
    for part in text.split(", ") {
        match part.split_once(' ') {
            Some((code, meaning)) if code.parse::<u8>().is_ok() => {
                entries.push_str(&format!(".TP\n\\fB{code}\\fR\n{}\n", lines(meaning)));
            }
            // A comma inside of a meaning.
            _ if !entries.is_empty() => {
                entries.truncate(entries.trim_end().len());
                entries.push_str(&format!(",\n{}\n", lines(part)));
            }
            _ => {}
        }
    }
    entries
}

fn commands(command: &Command, path: &[&str]) -> String {
    let entry = |sub: &Command| {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        format!(".TP\n\\fB{}\\fR(1)\n{}\n", escape(&name_of(path, sub)), lines(&about))
    };
    subcommands(command).map(entry).collect()
}

fn name_of(path: &[&str], sub: &Command) -> String {
    format!("{}-{}", path.join("-"), sub.get_name())
}

/// Arguments, options, and the groups of options that have a heading.
fn options(command: &Command) -> String {
    let mut text: String = command.get_positionals().map(argument).collect();
    let options =
        || command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
    text.extend(options().filter(|arg| arg.get_help_heading().is_none()).map(argument));
    let mut headings: Vec<&str> = options().filter_map(Arg::get_help_heading).collect();
    headings.dedup();
    for heading in headings {
        text.push_str(&format!(".SS {}\n", escape(heading)));
        text.extend(options().filter(|arg| arg.get_help_heading() == Some(heading)).map(argument));
    }
    text
}

fn argument(arg: &Arg) -> String {
    let value = arg.get_value_names().map(|names| names[0].as_str()).unwrap_or_default();
    let value = format!("\\fI{}\\fR", escape(value));
    let takes_value = arg.get_action().takes_values();
    let repeated = arg.get_num_args().is_some_and(|range| range.max_values() > 1)
        || matches!(arg.get_action(), ArgAction::Append);
    let dots = if repeated { " ..." } else { "" };
    let short = arg.get_short().map(|short| format!("\\fB\\-{short}\\fR"));
    let long = arg.get_long().map(|long| format!("\\fB{}\\fR", escape(&format!("--{long}"))));
    let spelled: Vec<String> = short.into_iter().chain(long).collect();
    let tag = match (arg.is_positional(), takes_value) {
        (true, _) => format!("{value}{dots}"),
        (false, true) => format!("{}={value}", spelled.join(", ")),
        (false, false) => spelled.join(", "),
    };
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = format!(".TP\n{tag}\n{}\n", lines(&help.replace("\n\n", "\n")));
    for value in
        arg.get_possible_values().iter().filter(|value| takes_value && !value.is_hide_set())
    {
        let help = value.get_help().map(|help| format!(": {help}")).unwrap_or_default();
        text.push_str(&format!(".br\n\\fB{}\\fR{}\n", escape(value.get_name()), escape(&help)));
    }
    let defaults: Vec<_> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_value && !defaults.is_empty() {
        text.push_str(&format!(".br\nDefault: {}\n", escape(&defaults.join(" "))));
    }
    text
}

/// The page above, and those below.
fn see_also(command: &Command, path: &[&str]) -> String {
    let above = path.split_last().map(|(_, above)| above.join("-")).filter(|name| !name.is_empty());
    let below = subcommands(command).map(|sub| name_of(path, sub));
    let names: Vec<String> = above
        .into_iter()
        .chain(below)
        .map(|name| format!("\\fB{}\\fR(1)", escape(&name)))
        .collect();
    if names.is_empty() { String::new() } else { format!("{}\n", names.join(",\n")) }
}

/// Lines of text, none of which is a request.
fn lines(text: &str) -> String {
    text.lines().map(|line| escape(line.trim_start())).collect::<Vec<_>>().join("\n")
}

/// A line that stands for exactly this text: man(7) gives some characters another shape.
fn escape(line: &str) -> String {
    let mut text = String::new();
    if line.starts_with(['.', '\'']) {
        text.push_str("\\&");
    }
    for char in line.chars() {
        match char {
            '\\' => text.push_str("\\e"),
            '-' => text.push_str("\\-"),
            '\'' => text.push_str("\\(aq"),
            '`' => text.push_str("\\(ga"),
            '^' => text.push_str("\\(ha"),
            '~' => text.push_str("\\(ti"),
            char => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::Mx;

    #[test]
    fn text_stays_what_it_is() {
        assert_eq!(escape(".x -y 'z' \\ ~`^"), "\\&.x \\-y \\(aqz\\(aq \\e \\(ti\\(ga\\(ha");
        assert_eq!(
            exit_status("Exit codes: 0 yes, 1 no, or\nnot yet, 3 .x."),
            ".TP\n\\fB0\\fR\nyes\n.TP\n\\fB1\\fR\nno,\nor not yet\n.TP\n\\fB3\\fR\n\\&.x\n"
        );
        assert_eq!(verbatim("    a\n      b\n"), ".RS 4\n.nf\na\n  b\n.fi\n.RE\n");
    }

    #[test]
    fn each_command_has_a_page_with_its_sections() {
        let pages = pages(Mx::command());
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.starts_with(&["mx.1", "mx-ports.1", "mx-ports-kill.1"]), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("help") || name.contains("__")));
        for (name, text) in &pages {
            let mut wanted =
                vec!["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "SEE ALSO"];
            wanted.extend(name.contains("ports").then_some("EXIT STATUS"));
            for heading in wanted {
                assert!(text.contains(&format!("\n.SH {heading}\n")), "{name}: {heading}");
            }
        }
    }

    #[test]
    fn pages_are_shown_without_a_warning() {
        // Only man-db can be asked for warnings; macOS has another man.
        let version = Process::new("man").arg("--version").output();
        if !version.is_ok_and(|output| output.stdout.starts_with(b"man 2.")) {
            return;
        }
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in pages(Mx::command()) {
            let file = directory.path().join(&name);
            std::fs::write(&file, &text).expect("a file");
            let shown = Process::new("man")
                .args(["--warnings=w", "-l"])
                .arg(&file)
                .env("MANWIDTH", "80")
                .env("LC_ALL", "C.UTF-8")
                .output()
                .expect("man runs");
            let output = String::from_utf8_lossy(&shown.stdout).into_owned();
            assert_eq!(String::from_utf8_lossy(&shown.stderr), "", "{name}");
            assert!(output.contains("SYNOPSIS") && output.contains("--json"), "{name}: {output}");
        }
    }

    /// The calls of mx in a line of shell.
    fn calls(line: &str) -> Vec<Vec<String>> {
        let (line, _) = line.trim().split_once("   ").unwrap_or((line.trim(), ""));
        let simple = line.split(['&', '|', ';', '(', ')']);
        simple
            .map(|part| part.split_whitespace().map(|word| word.replace('\'', "")).collect())
            .filter(|words: &Vec<String>| words.first().is_some_and(|word| word == "mx"))
            .collect()
    }

    #[test]
    fn examples_are_calls_that_parse() {
        fn check(command: &Command, count: &mut usize) {
            let examples = command.get_after_long_help().map(ToString::to_string);
            for call in examples.unwrap_or_default().lines().skip(1).flat_map(calls) {
                *count += 1;
                let error = Mx::try_parse_from(&call).err();
                let error = error.filter(|error| error.kind() != ErrorKind::DisplayHelp);
                assert!(error.is_none(), "{call:?}: {}", error.expect("an error"));
            }
            command.get_subcommands().for_each(|sub| check(sub, count));
        }
        let mut count = 0;
        let mut mx = Mx::command();
        mx.build();
        check(&mx, &mut count);
        assert!(count >= 10, "{count} examples");
    }
}
