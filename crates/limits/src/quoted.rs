//! Lines that quote an error rather than report one: source code in the output
//! of a compiler, subjects of commits, names of tests.

use crate::matching::contains;

/// Whether a line, in lower case, only quotes what it holds.
pub(crate) fn is_quoted(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    is_source(line) || is_commit(line) || is_test(line)
}

/// `12 |     code`, as compilers show it, a comment, and a diff's headline.
fn is_source(line: &[u8]) -> bool {
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = line[digits..].trim_ascii_start();
    let is_excerpt = rest.starts_with(b"| ") || (digits > 0 && rest == b"|");
    let begins = ["//", "/*", "* ", "@@ ", "diff --git", "except ", "} catch", "catch (", "raise "];
    is_excerpt
        || is_literal(line)
        || begins.iter().any(|begin| line.starts_with(begin.as_bytes()))
        || contains(line, b"throw new ")
        // Indented code in a diff.
        || line.strip_prefix(b"+").or_else(|| line.strip_prefix(b"-")).is_some_and(|rest| rest.starts_with(b"    "))
        || line.ends_with(b"{")
}

/// A line of source code that ends in a text: `fail("…");`, and `"…",` in a list.
/// What programs print of a text ends in it, in `)`, or in JSON.
fn is_literal(line: &[u8]) -> bool {
    let Some(quote) = line.iter().rposition(|byte| *byte == b'"') else { return false };
    let (head, tail) = (&line[..quote], &line[quote + 1..]);
    if !tail.iter().all(|byte| b")],;}".contains(byte)) || !head.contains(&b'"') {
        return false;
    }
    match tail {
        b"" | b")" | b"]" | b"}" => false,
        b"," | b"]," => {
            let line = line.strip_prefix(b"+").or_else(|| line.strip_prefix(b"-")).unwrap_or(line);
            let is_item = tail == b"," && line.trim_ascii_start().starts_with(b"\"");
            (is_item || contains(line, b"&[\"")) && !contains(line, b"\":")
        }
        _ => tail.contains(&b';') || tail.starts_with(b")"),
    }
}

/// `a1b2c3d Subject`, `[main a1b2c3d] Subject`, `fix(scope): subject`.
fn is_commit(line: &[u8]) -> bool {
    const KINDS: [&[u8]; 10] = [
        b"fix",
        b"feat",
        b"docs",
        b"chore",
        b"refactor",
        b"perf",
        b"style",
        b"revert",
        b"ci",
        b"tests",
    ];
    // Graphs of git log, `HEAD is now at …` and the like.
    let line = line.trim_ascii_start();
    let graph = line.iter().take_while(|byte| b"*|\\/ ".contains(byte)).count();
    let line = &line[graph..];
    let mut words = line.split(|byte| *byte == b' ');
    let first = words.next().unwrap_or_default();
    if is_hash(first) || line.starts_with(b"head is now at ") || line.starts_with(b"subject: ") {
        return true;
    }
    let second = words.next().unwrap_or_default();
    if first.starts_with(b"[") && second.strip_suffix(b"]").is_some_and(is_hash) {
        return true;
    }
    let Some(kind) = first.strip_suffix(b":") else { return false };
    let kind = kind.strip_suffix(b"!").unwrap_or(kind);
    let end = kind.iter().position(|byte| *byte == b'(').unwrap_or(kind.len());
    KINDS.contains(&&kind[..end])
}

fn is_hash(word: &[u8]) -> bool {
    (7..=40).contains(&word.len())
        && word.iter().all(u8::is_ascii_hexdigit)
        && word.iter().any(u8::is_ascii_digit)
        && word.iter().any(u8::is_ascii_alphabetic)
}

fn is_test(line: &[u8]) -> bool {
    let begins = ["test ", "ok ", "not ok ", "✓ ", "✔ ", "✗ ", "√ ", "× ", "--- pass", "--- fail"];
    let ends = [" ... ok", " ... failed", " ... ignored", " passed", " ok"];
    begins.iter().any(|begin| line.starts_with(begin.as_bytes()))
        || ends.iter().any(|end| line.ends_with(end.as_bytes()))
        || contains(line, b" passed [")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_quotes_and_what_reports() {
        for line in [
            "12 |     panic!(\"too many open files\");",
            "   |     ^^^ emfile",
            "a1b2c3d emfile: too many open files is retried",
            "* | 0dd15ea retry: too many open files",
            "[main 1a2b3c4] retry: too many open files",
            "fix(io): too many open files",
            "test io::emfile ... ok",
            "ok 12 - emfile: too many open files",
            "✔ retries: too many open files",
            "// enomem: too many open files",
            "} catch (error) {",
            "    \"x: too many open files\",",
            "+   \"x: too many open files\",",
            "-        log('x: too many open files')",
            "messages: &[\"mq_open: too many open files\"],",
            "return fail(\"x: too many open files\");",
            "says(words(\"received 0 items of ancdata\")),",
            "src/x.c:12:    puts(\"error: too many open files\");",
        ] {
            assert!(is_quoted(line.as_bytes()), "{line}");
        }
        for line in [
            "cat: x: too many open files",
            "error: emfile: too many open files, open 'a'",
            "build: too many open files",
            "-bash: fork: retry: no child processes",
            "1234567 too many open files",
            "deadbeef: too many open files",
            "\"error\": \"open x: too many open files\",",
            "{\"error\":\"open x: too many open files\"}",
            "{\"error\":{\"text\":\"open x: too many open files\"}},",
            "error(\"open 'x': too many open files\")",
            "level=error err=\"accept tcp: too many open files\"",
        ] {
            assert!(!is_quoted(line.as_bytes()), "{line}");
        }
    }
}
