//! What a menu such as fzf-tab's gets to see of a completion: it puts a function in the
//! place of `compadd`, and shows the headings, words and descriptions that come through.

use std::fs;

use super::{home, zsh};
use crate::fixture::Fixture;

/// Such a function: it asks the real one, with `-A` and `-D`, what would match and how it
/// would be shown, and writes down a line for each. Then the real one does its work.
const MENU: &str = r#"
compinit; source $plugin
# Its own names must not hide arrays that the real one is given by name.
compadd() {
  local -a menu_flags menu_display menu_heading menu_asked menu_words menu_shown
  zparseopts -E -a menu_flags P: S: p: s: i: I: W: J: V: r: R: M+: F: E: x: \
    a k l o:: 1 2 f e q Q n U C \
    d:=menu_display X:=menu_heading O:=menu_asked A:=menu_asked D:=menu_asked
  if (( ! $#menu_asked )); then
    (( ! $#menu_display )) || menu_shown=("${(@P)menu_display[2]}")
    builtin compadd -A menu_words -D menu_shown "$@"
    local -i menu_at
    for (( menu_at = 1; menu_at <= $#menu_words; menu_at++ )); do
      print -r -- "$menu_heading[2]"$'\t'"$menu_words[menu_at]"$'\t'"${menu_shown[menu_at]-}" \
        >>$ZDOTDIR/seen
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
