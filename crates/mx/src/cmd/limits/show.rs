//! Limits as a table.

use limits::{Holder, KernelLimit, Limit, Pair, State, Unit, Value};

use crate::table::{Align, Cell, Column, DIM, KEY, Table, WARN};

/// Columns that these always have, where the table is too wide.
const NAME: usize = 10;
const SOURCE: usize = 10;

pub(super) fn table(limits: &[Limit], kernel: &[KernelLimit]) -> Table {
    table_with(limits, kernel, &[])
}

/// With the processes that hold watches below.
pub(super) fn table_with(limits: &[Limit], kernel: &[KernelLimit], holders: &[Holder]) -> Table {
    let column = |heading, align| Column { heading, align };
    let limits = limits.iter().map(limit_row);
    let kernel = kernel.iter().map(kernel_row);
    Table {
        columns: vec![
            column("NAME", Align::Left),
            column("SOFT", Align::Right),
            column("HARD", Align::Right),
            column("CEILING", Align::Right),
            column("USED", Align::Right),
            column("STATE", Align::Left),
            column("SOURCE", Align::Left),
            column("LIMITS", Align::Left),
        ],
        rows: limits.chain(kernel).chain(holders.iter().map(holder_row)).collect(),
    }
}

fn limit_row(limit: &Limit) -> Vec<Cell> {
    let unit = limit.resource.unit;
    let used = match (limit.used, limit.used_at_most) {
        (Some(used), _) => number(used, unit),
        (None, Some(most)) => format!("≤{}", number(most, unit)),
        (None, None) => String::new(),
    };
    vec![
        Cell::new(limit.resource.name).style(KEY),
        Cell::new(human(limit.value.soft, unit)),
        Cell::new(human(limit.value.hard, unit)),
        Cell::new(limit.ceiling.map(|ceiling| number(ceiling, unit)).unwrap_or_default()),
        Cell::new(used),
        state(limit.state),
        Cell::new(limit.ceiling_source.as_deref().unwrap_or_default()).at_least(SOURCE),
        Cell::new(limit.resource.description).style(DIM),
    ]
}

fn kernel_row(limit: &KernelLimit) -> Vec<Cell> {
    let source = if limit.cgroup.is_some() { "cgroup" } else { "system" };
    let place = limit.cgroup.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
    vec![
        Cell::new(limit.name).at_least(NAME).style(KEY),
        Cell::new(""),
        Cell::new(""),
        Cell::new(number(limit.value, limit.unit)),
        Cell::new(limit.used.map(|used| number(used, limit.unit)).unwrap_or_default()),
        state(limit.state),
        Cell::new(source),
        Cell::new(format!("{}{place}", limit.description)).style(DIM),
    ]
}

fn holder_row(holder: &Holder) -> Vec<Cell> {
    let name = |uid: u32| sys::user::name(uid).unwrap_or_else(|| uid.to_string());
    let user = holder.uid.map(|uid| format!(", of {}", name(uid))).unwrap_or_default();
    let plural = if holder.instances == 1 { "" } else { "s" };
    vec![
        Cell::new(format!("pid:{}", holder.pid)).style(KEY),
        Cell::new(""),
        Cell::new(""),
        Cell::new(""),
        Cell::new(holder.watches.to_string()),
        Cell::new(""),
        Cell::new("inotify"),
        Cell::new(format!("{}: {} instance{plural}{user}", holder.name, holder.instances))
            .style(DIM),
    ]
}

fn state(state: Option<State>) -> Cell {
    match state {
        None | Some(State::Ok) => Cell::new(""),
        Some(State::Near) => Cell::new("near").style(WARN),
        Some(State::Reached) => Cell::new("reached").style(WARN),
    }
}

/// A value in the unit that is easiest to read.
pub(super) fn human(value: Value, unit: Unit) -> String {
    value.number().map_or_else(|| value.to_string(), |count| number(count, unit))
}

/// Soft and hard limit, as `mx limits set` takes them.
pub(super) fn pair(pair: Pair, unit: Unit) -> String {
    format!("{}:{}", human(pair.soft, unit), human(pair.hard, unit))
}

fn number(number: u64, unit: Unit) -> String {
    match unit {
        Unit::Count => number.to_string(),
        Unit::Bytes => bytes(number),
        Unit::Seconds => format!("{number}s"),
        Unit::Microseconds => format!("{number}us"),
    }
}

/// Exact where it is a whole number of a unit, else with one decimal, cut off.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["", "k", "M", "G", "T"];

    let mut power = 0;
    while power + 1 < UNITS.len() && bytes >> (10 * (power + 1)) > 0 {
        power += 1;
    }
    let shift = 10 * power;
    let (whole, rest) = (bytes >> shift, bytes & ((1 << shift) - 1));
    // The rest is below 2⁴⁰, so that ten times as much fits.
    match (rest * 10) >> shift {
        0 => format!("{whole}{}", UNITS[power]),
        tenth => format!("{whole}.{tenth}{}", UNITS[power]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_for_people() {
        for (value, unit, text) in [
            (0, Unit::Bytes, "0"),
            (1023, Unit::Bytes, "1023"),
            (1024, Unit::Bytes, "1k"),
            (8 << 20, Unit::Bytes, "8M"),
            (819_200, Unit::Bytes, "800k"),
            (1536 << 20, Unit::Bytes, "1.5G"),
            ((1 << 30) - 1, Unit::Bytes, "1023.9M"),
            (1 << 50, Unit::Bytes, "1024T"),
            (1_048_576, Unit::Count, "1048576"),
            (90, Unit::Seconds, "90s"),
            (200, Unit::Microseconds, "200us"),
        ] {
            assert_eq!(human(Value::Number(value), unit), text);
        }
        assert_eq!(human(Value::Unlimited, Unit::Bytes), "unlimited");
        assert_eq!(number(u64::MAX, Unit::Bytes), "16777215.9T");
    }
}
