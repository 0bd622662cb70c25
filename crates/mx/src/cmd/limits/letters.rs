//! The options of `ulimit`, as in `mx limits raise -n 4096`, spelled out as
//! `nofile=4096` before clap reads them.
//!
//! As options of clap they would be built, for every verb, at each start of the
//! program: a tenth of the time that `mx --version` takes.

use std::ffi::OsString;

use limits::Resource;

use super::explain;

/// The words of a call with letters of `ulimit` spelled out, if it is about limits.
pub(crate) fn spell_out(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    let Some(limits) = command(&words, 1).filter(|&at| words[at] == "limits" || words[at] == "l")
    else {
        return words;
    };
    // A message may hold anything.
    if let Some(explain) = command(&words, limits + 1).filter(|&at| words[at] == "explain") {
        return explain::set_apart(words, explain + 1);
    }
    let mut at = limits + 1;
    while at < words.len() && words[at] != "--" {
        if let Some((resource, value)) = words[at].to_str().and_then(letter) {
            let value = value.map(str::to_owned).or_else(|| {
                let next = words.get(at + 1)?.to_str().filter(|next| is_value(next))?.to_owned();
                words.remove(at + 1);
                Some(next)
            });
            let value = value.map(|value| format!("={value}")).unwrap_or_default();
            words[at] = format!("{}{value}", resource.name).into();
        }
        at += 1;
    }
    words
}

/// Where the first word stands that is no option, nor the value of `--color`.
fn command(words: &[OsString], from: usize) -> Option<usize> {
    (from..words.len()).find(|&at| {
        let is_option = words[at].as_encoded_bytes().starts_with(b"-");
        !(is_option || words[at - 1] == "--color")
    })
}

/// `-n`, `-n=4096` and `-n4096`. The letter of `--quiet` stays that.
fn letter(word: &str) -> Option<(&'static Resource, Option<&str>)> {
    let mut rest = word.strip_prefix('-')?.chars();
    let letter = rest.next().filter(|letter| !matches!(letter, '-' | 'q'))?;
    let resource = Resource::find(&letter.to_string()).ok()?;
    match rest.as_str() {
        "" => Some((resource, None)),
        rest => {
            let value = rest.strip_prefix('=').or_else(|| is_value(rest).then_some(rest))?;
            Some((resource, Some(value)))
        }
    }
}

fn is_value(word: &str) -> bool {
    word.starts_with(|char: char| char.is_ascii_digit()) || matches!(word, "max" | "unlimited")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_become_names() {
        for (call, spelled) in [
            ("mx limits -n", "mx limits nofile"),
            ("mx l -n -s core", "mx l nofile stack core"),
            ("mx limits -q -n", "mx limits -q nofile"),
            ("mx limits --pid 7 -R", "mx limits --pid 7 rttime"),
            ("mx limits raise -n 4096 -c unlimited", "mx limits raise nofile=4096 core=unlimited"),
            ("mx limits raise -n=64k -s8M", "mx limits raise nofile=64k stack=8M"),
            ("mx limits raise -n -u max ml", "mx limits raise nofile nproc=max ml"),
            ("mx --json l set --pid 3 -n 1:2", "mx --json l set --pid 3 nofile=1:2"),
            ("mx --color never limits -n", "mx --color never limits nofile"),
            ("mx limits run -n 9 -- sh -c -n", "mx limits run nofile=9 -- sh -c -n"),
            ("mx limits -n=-1", "mx limits nofile=-1"),
            ("mx limits -z -nofile -n4x", "mx limits -z -nofile nofile=4x"),
            ("mx limits explain -n 4", "mx limits explain -- -n 4"),
            ("mx ports -n", "mx ports -n"),
            ("mx help limits -n", "mx help limits -n"),
            ("mx -n", "mx -n"),
            ("mx", "mx"),
        ] {
            let words = spell_out(call.split(' ').map(OsString::from));
            assert_eq!(words.join(&OsString::from(" ")), spelled, "{call}");
        }
    }
}
