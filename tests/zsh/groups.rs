//! What a menu such as fzf-tab's gets to see of a completion: it puts a function in the
//! place of `compadd`, and shows the headings, words and descriptions that come through.

use std::fs;

use super::{home, zsh};
use crate::fixture::Fixture;

/// Such a function: it asks the real one, with `-A` and `-D`, what would match and how it
/// would be shown, and writes down a line for each. Then the real one does its work.
const MENU: &str = r#"
compinit; source $plugin
compadd() {
  local -a flags display heading asked words shown
  zparseopts -E -a flags P: S: p: s: i: I: W: J: V: r: R: M+: F: E: x: a k l o:: 1 2 f e q Q n U C \
    d:=display X:=heading O:=asked A:=asked D:=asked
  if (( ! $#asked )); then
    (( ! $#display )) || shown=("${(@P)display[2]}")
    builtin compadd -A words -D shown "$@"
    local -i at
    for (( at = 1; at <= $#words; at++ )); do
      print -r -- "$heading[2]"$'\t'"$words[at]"$'\t'"${shown[at]-}" >>$ZDOTDIR/seen
    done
  fi
  builtin compadd "$@"
}
"#;

#[test]
fn a_menu_in_place_of_compadd_sees_groups_words_and_descriptions() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let home = home(MENU);
    let mut terminal = zsh(&home);
    terminal.type_text("mx ports \t");
    terminal.wait_for("all groups", |text| {
        ["<command>", "<ports>", "<processes>"].iter().all(|heading| text.contains(heading))
    });
    let seen = fs::read_to_string(home.path().join("seen")).expect("what was seen");
    let rows: Vec<[&str; 3]> = seen
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            fields.try_into().unwrap_or_else(|_| panic!("{line:?}"))
        })
        .collect();
    for [heading, word, shown] in &rows {
        assert!(["<command>", "<ports>", "<processes>"].contains(heading), "{seen}");
        // The word alone, as it is inserted; what is shown begins with it and says more.
        assert!(!word.is_empty() && word.trim() == *word, "{word:?}");
        assert!(shown.starts_with(word) && shown.contains(" -- "), "{shown:?}");
        assert_eq!(shown.trim_end(), *shown);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }
    let words = |heading: &str| -> Vec<&str> {
        rows.iter().filter(|row| row[0] == heading).map(|row| row[1]).collect()
    };
    let port = fixture.port(0).to_string();
    assert!(words("<command>").contains(&"kill"), "{seen}");
    assert!(words("<ports>").contains(&port.as_str()), "{seen}");
    assert!(words("<ports>").iter().all(|word| word.parse::<u16>().is_ok()), "{seen}");
    assert!(!words("<processes>").is_empty(), "{seen}");
}
