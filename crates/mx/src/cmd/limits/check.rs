//! `mx limits check`: whether there is enough for a kind of work.

use std::collections::BTreeMap;

use limits::mend::{Fix, HAS_SYSCTL_FILES};
use limits::profile::{self, Check, Profile};
use limits::{Name, Value};
use serde::Serialize;

use super::{fix, profiles, show};
use crate::exit::{Exit, Outcome};
use crate::out::Out;
use crate::table::{Align, Cell, Column, DIM, KEY, Table, WARN};

/// Check whether there is enough for a kind of work
///
/// Compares the limits here with those of a profile, a line for each: ml, web,
/// jvm, watch, db, or one of your own. Without a profile it lists them.
///
/// Your own profiles are in $XDG_CONFIG_HOME/mx/limits.toml
/// (~/.config/mx/limits.toml); --template prints a file to begin with, which
/// explains its form and holds those that come with mx.
///
/// Exit codes: 0 everything is enough, 1 something is not, 2 wrong usage, 3 it
/// cannot be told.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx limits check               the profiles
  mx limits check ml            whether there is enough for one
  mx limits check --template    a file for profiles of your own")]
pub(crate) struct CheckArgs {
    /// The profile
    profile: Option<String>,
    /// Print the file of the built-in profiles, to begin your own with
    #[arg(long, conflicts_with = "profile")]
    template: bool,
}

#[derive(Serialize)]
struct Checked<'a> {
    profile: &'a str,
    ok: bool,
    checks: Vec<CheckedLimit<'a>>,
}

#[derive(Serialize)]
struct CheckedLimit<'a> {
    #[serde(flatten)]
    check: &'a Check,
    fix: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    profiles: Vec<ListedProfile>,
}

#[derive(Serialize)]
struct ListedProfile {
    name: String,
    description: String,
    limits: BTreeMap<&'static str, Value>,
    /// The same, for people.
    #[serde(skip)]
    shown: String,
}

#[derive(Serialize)]
struct Template {
    text: &'static str,
}

pub(super) fn check(args: &CheckArgs, out: &Out) -> Outcome {
    if args.template {
        let template = Template { text: profile::TEMPLATE };
        out.script("mx.limits-template/1", &template, template.text)?;
        return Ok(Exit::Yes);
    }
    let Some(name) = &args.profile else {
        let listed = Listed { profiles: profiles::all()?.into_iter().map(listed).collect() };
        out.document("mx.limits-profiles/1", &listed, || list(&listed.profiles))?;
        return Ok(Exit::Yes);
    };
    let profile = profiles::find(name)?;
    let checks = profile::check(&profile)?;
    let ok = checks.iter().all(|check| check.ok);
    let row = |check| CheckedLimit { check, fix: check.fix.as_ref().map(fix::command) };
    let checked = Checked { profile: &profile.name, ok, checks: checks.iter().map(row).collect() };
    out.document("mx.limits-check/1", &checked, || table(&checked.checks))?;
    let any = |is: fn(&Fix) -> bool| checks.iter().filter_map(|check| check.fix.as_ref()).any(is);
    if any(|fix| matches!(fix, Fix::Sysctl { .. })) {
        let for_good = if HAS_SYSCTL_FILES {
            "; lines NAME = VALUE in /etc/sysctl.d/60-mx.conf are for good"
        } else {
            ""
        };
        out.note(&format!("sudo sysctl lasts until the next reboot{for_good}"));
    }
    if any(|fix| matches!(fix, Fix::Raise { .. })) {
        out.hint(&format!("mx limits raise {name} lifts what this shell may lift"));
    }
    Ok(Exit::found(ok))
}

fn listed(profile: Profile) -> ListedProfile {
    let limits = profile.wants.iter().map(|(name, value)| (name.name(), *value)).collect();
    let show = |(name, value): &(Name, Value)| {
        format!("{}={}", name.name(), show::human(*value, name.unit()))
    };
    let shown = profile.wants.iter().map(show).collect::<Vec<_>>().join(" ");
    ListedProfile { name: profile.name, description: profile.description, limits, shown }
}

fn list(profiles: &[ListedProfile]) -> Table {
    let column = |heading| Column { heading, align: Align::Left };
    let row = |profile: &ListedProfile| {
        vec![
            Cell::new(&profile.name).style(KEY),
            Cell::new(&profile.description),
            Cell::new(&profile.shown).style(DIM),
        ]
    };
    Table {
        columns: vec![column("PROFILE"), column("FOR"), column("LIMITS")],
        rows: profiles.iter().map(row).collect(),
    }
}

fn table(checks: &[CheckedLimit]) -> Table {
    let column = |heading, align| Column { heading, align };
    let row = |CheckedLimit { check, fix }: &CheckedLimit| {
        let (state, style) = match (check.ok, check.value) {
            (true, Some(_)) => ("ok", KEY),
            (true, None) => ("not here", DIM),
            (false, _) => ("low", WARN),
        };
        let value = check.value.map(|value| show::human(value, check.unit));
        vec![
            Cell::new(check.name),
            Cell::new(show::human(check.wanted, check.unit)),
            Cell::new(value.unwrap_or_default()),
            Cell::new(state).style(style),
            Cell::new(fix.as_deref().unwrap_or_default()),
        ]
    };
    Table {
        columns: vec![
            column("NAME", Align::Left),
            column("WANTED", Align::Right),
            column("IS", Align::Right),
            column("STATE", Align::Left),
            column("FIX", Align::Left),
        ],
        rows: checks.iter().map(row).collect(),
    }
}
