//! Changes of files that belong to the user's shells: planned, shown, made.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::exit::Failure;
use crate::startup_file;
use crate::table::{Align, Cell, Column, Table};

/// A file that is written, edited or removed.
#[derive(Serialize)]
pub(crate) struct Edit {
    action: Action,
    pub(crate) path: PathBuf,
    /// The lines that an edit puts into a file of the user.
    lines: Option<String>,
    /// One of the manual pages.
    #[serde(skip)]
    pub(crate) manual_page: bool,
    /// What a table shows, once, for this and the edits after it that have the same.
    #[serde(skip)]
    pub(crate) shown_as: Option<PathBuf>,
    /// What the file holds now; `None` if it does not exist.
    #[serde(skip)]
    pub(crate) old: Option<Vec<u8>>,
    /// The file's whole new text; `None` removes the file.
    #[serde(skip)]
    text: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Write,
    Add,
    Cut,
    Remove,
}

impl Edit {
    /// A file that mx owns.
    pub(crate) fn write(path: PathBuf, old: Option<Vec<u8>>, text: Vec<u8>) -> Self {
        Self::new(Action::Write, path, old, Some(text))
    }

    /// Lines in a file of the user, in place of others or anew.
    pub(crate) fn add(path: &Path, lines: String, old: Option<Vec<u8>>, text: Vec<u8>) -> Self {
        let edit = Self::new(Action::Add, path.to_path_buf(), old, Some(text));
        Self { lines: Some(lines), ..edit }
    }

    /// Lines taken away, and with `None` the file, which held nothing else.
    pub(crate) fn cut(path: &Path, old: Vec<u8>, text: Option<Vec<u8>>) -> Self {
        let action = if text.is_some() { Action::Cut } else { Action::Remove };
        Self::new(action, path.to_path_buf(), Some(old), text)
    }

    pub(crate) fn remove(path: PathBuf, old: Vec<u8>) -> Self {
        Self::new(Action::Remove, path, Some(old), None)
    }

    fn new(action: Action, path: PathBuf, old: Option<Vec<u8>>, text: Option<Vec<u8>>) -> Self {
        Self { action, path, lines: None, manual_page: false, shown_as: None, old, text }
    }

    pub(crate) fn apply(&self) -> Result<(), Failure> {
        let old = self.old.as_deref();
        let Some(text) = &self.text else { return startup_file::remove(&self.path, old) };
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent)
                .map_err(|error| startup_file::failure("make", parent, &error))?;
        }
        startup_file::replace(&self.path, old, text)
    }

    fn row(&self, added: &str) -> Vec<Cell> {
        let action = match self.action {
            Action::Write => "write",
            Action::Add => "add",
            Action::Cut => "cut",
            Action::Remove => "remove",
        };
        let path = self.shown_as.as_ref().unwrap_or(&self.path);
        vec![Cell::new(action), Cell::new(path.to_string_lossy()), Cell::new(added)]
    }
}

/// A row for each edit; `added` says what an edit with lines adds, under `heading`.
pub(crate) fn table<'a>(
    edits: &'a [Edit],
    heading: &'static str,
    added: impl Fn(&'a str) -> &'a str,
) -> Table {
    let column = |heading| Column { heading, align: Align::Left };
    let shown = |(index, edit): &(usize, &Edit)| {
        *index == 0 || edit.shown_as.is_none() || edit.shown_as != edits[index - 1].shown_as
    };
    let row = |(_, edit): (usize, &'a Edit)| edit.row(edit.lines.as_deref().map_or("", &added));
    Table {
        columns: vec![column("CHANGE"), column("FILE"), column(heading)],
        rows: edits.iter().enumerate().filter(shown).map(row).collect(),
    }
}
