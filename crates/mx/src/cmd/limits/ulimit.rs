//! The `ulimit` builtin of each shell: its options and their units, as tried
//! with zsh 5.9, bash 5.2, fish 3.6 and dash 0.5.

use std::env;

use limits::{Resource, Unit, Value};

use crate::shell::Shell;

/// The block of POSIX, in bytes.
pub(super) const BLOCK: u64 = 512;

/// The option of a shell's `ulimit` for a limit, and its unit in that of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ulimit {
    pub(super) flag: char,
    pub(super) unit: u64,
}

/// How bash counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// In its own units.
    Own,
    /// In those of POSIX: `core` and `fsize` in blocks of 512 bytes.
    Posix,
}

impl Mode {
    /// The mode of a bash that started this program, as far as it shows in the
    /// environment: bash sets a variable, which not everybody exports.
    pub(super) fn of_caller() -> Self {
        let options = env::var("SHELLOPTS").unwrap_or_default();
        let is_posix = env::var_os("POSIXLY_CORRECT").is_some()
            || options.split(':').any(|one| one == "posix");
        if is_posix { Self::Posix } else { Self::Own }
    }
}

impl Ulimit {
    /// For this shell in this mode.
    pub(super) fn in_mode(shell: Shell, mode: Mode, resource: &Resource) -> Option<Self> {
        let own = Self::of(shell, resource)?;
        let is_block = matches!(resource.name, "core" | "fsize");
        let unit =
            if shell == Shell::Bash && mode == Mode::Posix && is_block { BLOCK } else { own.unit };
        Some(Self { unit, ..own })
    }

    /// For any other shell of the family of sh, as dash: what they all have.
    pub(super) fn of_sh(resource: &Resource) -> Option<Self> {
        let unit = match resource.name {
            "core" | "fsize" => BLOCK,
            "nofile" | "cpu" => 1,
            "stack" | "data" | "as" | "memlock" => 1024,
            _ => return None,
        };
        Some(Self { flag: resource.letter, unit })
    }

    /// `None` if the shell cannot set this limit.
    pub(super) fn of(shell: Shell, resource: &Resource) -> Option<Self> {
        let known = match (shell, resource.name) {
            (Shell::Zsh, "rttime") | (Shell::Fish, "rttime" | "locks") => return None,
            (Shell::Zsh, "core" | "fsize") => BLOCK,
            (Shell::Zsh | Shell::Bash, "msgqueue") => 1,
            _ if resource.unit == Unit::Bytes => 1024,
            _ => 1,
        };
        Some(Self { flag: resource.letter, unit: known })
    }

    /// The value in the unit of the option; `None` is unlimited. Rounded up, so
    /// that what was asked for fits, unless that is beyond the hard limit.
    pub(super) fn value(self, value: Value, hard: Value) -> Option<u64> {
        let number = value.number()?;
        let up = number.div_ceil(self.unit);
        let fits = hard.number().is_none_or(|hard| up.saturating_mul(self.unit) <= hard);
        Some(if fits { up } else { number / self.unit })
    }

    /// The call of `ulimit` that sets a soft limit.
    pub(super) fn call(self, value: Value, hard: Value) -> String {
        let value =
            self.value(value, hard).map_or_else(|| "unlimited".to_owned(), |n| n.to_string());
        format!("ulimit -S{} {value}", self.flag)
    }
}

/// Whether a shell that was asked for `wanted` has set it: it may have rounded
/// down to its unit, of 1,024 bytes at most.
pub(super) fn is_enough(now: Value, wanted: Value, unit: Unit) -> bool {
    let slack = if unit == Unit::Bytes { 1023 } else { 0 };
    match (now, wanted) {
        (Value::Number(now), Value::Number(wanted)) => now.saturating_add(slack) >= wanted,
        (now, wanted) => now >= wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(shell: Shell, name: &str, value: u64, hard: u64) -> String {
        let resource = Resource::find(name).expect("a limit");
        Ulimit::of(shell, resource)
            .map_or_else(String::new, |it| it.call(Value::Number(value), Value::Number(hard)))
    }

    #[test]
    fn each_shell_in_its_own_unit() {
        let big = 1 << 40;
        for (name, value, zsh, bash, fish) in [
            ("nofile", 4096, "ulimit -Sn 4096", "ulimit -Sn 4096", "ulimit -Sn 4096"),
            ("core", 1 << 20, "ulimit -Sc 2048", "ulimit -Sc 1024", "ulimit -Sc 1024"),
            ("fsize", 1 << 20, "ulimit -Sf 2048", "ulimit -Sf 1024", "ulimit -Sf 1024"),
            ("stack", 8 << 20, "ulimit -Ss 8192", "ulimit -Ss 8192", "ulimit -Ss 8192"),
            ("stack", 1025, "ulimit -Ss 2", "ulimit -Ss 2", "ulimit -Ss 2"),
            ("msgqueue", 2048, "ulimit -Sq 2048", "ulimit -Sq 2048", "ulimit -Sq 2"),
            ("cpu", 60, "ulimit -St 60", "ulimit -St 60", "ulimit -St 60"),
            ("locks", 9, "ulimit -Sx 9", "ulimit -Sx 9", ""),
            ("rttime", 9, "", "ulimit -SR 9", ""),
        ] {
            assert_eq!(call(Shell::Zsh, name, value, big), zsh);
            assert_eq!(call(Shell::Bash, name, value, big), bash);
            assert_eq!(call(Shell::Fish, name, value, big), fish);
        }
        assert_eq!(
            call(Shell::Bash, "stack", 1500, 1500),
            "ulimit -Ss 1",
            "not beyond the hard limit"
        );
        let stack = Resource::find("stack").expect("a limit");
        let unlimited = Ulimit::of(Shell::Zsh, stack).expect("an option");
        assert_eq!(unlimited.call(Value::Unlimited, Value::Unlimited), "ulimit -Ss unlimited");
    }

    #[test]
    fn bash_in_posix_mode_and_other_shells_count_blocks() {
        let unit = |name: &str, mode| {
            let resource = Resource::find(name).expect("a limit");
            Ulimit::in_mode(Shell::Bash, mode, resource).map(|it| it.unit)
        };
        for (name, own, posix) in
            [("core", 1024, 512), ("fsize", 1024, 512), ("stack", 1024, 1024), ("nofile", 1, 1)]
        {
            assert_eq!((unit(name, Mode::Own), unit(name, Mode::Posix)), (Some(own), Some(posix)));
        }
        let core = Resource::find("core").expect("a limit");
        let zsh = Ulimit::in_mode(Shell::Zsh, Mode::Posix, core);
        assert_eq!(zsh, Ulimit::of(Shell::Zsh, core), "others have one mode");
        let fish = Ulimit::in_mode(Shell::Fish, Mode::Posix, core);
        assert_eq!(fish.map(|it| it.unit), Some(1024));
        let sh = |name: &str| {
            let option = Ulimit::of_sh(Resource::find(name).expect("a limit"))?;
            Some(option.call(Value::Number(1 << 20), Value::Unlimited))
        };
        assert_eq!(sh("core").as_deref(), Some("ulimit -Sc 2048"));
        assert_eq!(sh("stack").as_deref(), Some("ulimit -Ss 1024"));
        assert_eq!(sh("nproc"), None, "-p in dash, -u in others");
    }

    #[test]
    fn what_was_rounded_is_enough() {
        let of = |now, wanted, unit| is_enough(Value::Number(now), Value::Number(wanted), unit);
        assert!(of(1024, 1500, Unit::Bytes) && !of(1024, 2048, Unit::Bytes));
        assert!(of(10, 10, Unit::Count) && !of(9, 10, Unit::Count));
        assert!(is_enough(Value::Unlimited, Value::Unlimited, Unit::Bytes));
        assert!(!is_enough(Value::Number(u64::MAX), Value::Unlimited, Unit::Bytes));
    }
}
