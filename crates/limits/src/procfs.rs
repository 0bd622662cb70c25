//! Parsers of Linux's files about a process: `limits`, `status`, `stat`.

use crate::resource::{RESOURCES, Resource};
use crate::value::{Pair, Value};

/// How `/proc/PID/limits` calls each limit (`fs/proc/base.c`, `lnames`).
const TITLES: [(&str, &str); 16] = [
    ("Max cpu time", "cpu"),
    ("Max file size", "fsize"),
    ("Max data size", "data"),
    ("Max stack size", "stack"),
    ("Max core file size", "core"),
    ("Max resident set", "rss"),
    ("Max processes", "nproc"),
    ("Max open files", "nofile"),
    ("Max locked memory", "memlock"),
    ("Max address space", "as"),
    ("Max file locks", "locks"),
    ("Max pending signals", "sigpending"),
    ("Max msgqueue size", "msgqueue"),
    ("Max nice priority", "nice"),
    ("Max realtime priority", "rtprio"),
    ("Max realtime timeout", "rttime"),
];

impl Resource {
    /// How Linux calls it in `/proc/PID/limits`.
    pub fn title(&self) -> &'static str {
        TITLES.iter().find(|(_, name)| *name == self.name).map_or("", |(title, _)| title)
    }
}

/// The limits in the text of `/proc/PID/limits`. What is not understood is left out.
pub(crate) fn limits(text: &str) -> Vec<(&'static Resource, Pair)> {
    text.lines()
        .filter_map(|line| {
            let (title, name) = TITLES.iter().find(|(title, _)| line.starts_with(title))?;
            let mut values = line[title.len()..].split_whitespace().map(limit_value);
            let pair = Pair { soft: values.next()??, hard: values.next()?? };
            Some((RESOURCES.iter().find(|known| known.name == *name)?, pair))
        })
        .collect()
}

fn limit_value(text: &str) -> Option<Value> {
    match text {
        "unlimited" => Some(Value::Unlimited),
        number => number.parse().ok().map(Value::Number),
    }
}

/// What `/proc/PID/status` says about use. A kernel thread has no memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The real user id, which `nproc` counts by.
    pub(crate) uid: Option<u32>,
    pub(crate) threads: Option<u64>,
    pub(crate) address_space: Option<u64>,
    pub(crate) locked: Option<u64>,
    pub(crate) data: Option<u64>,
    pub(crate) stack: Option<u64>,
    pub(crate) resident: Option<u64>,
    /// Signals queued by all processes of the user.
    pub(crate) signals: Option<u64>,
}

pub(crate) fn status(text: &str) -> Status {
    let mut status = Status::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let first = value.split([' ', '\t', '/']).find(|word| !word.is_empty());
        let number = first.and_then(|word| word.parse::<u64>().ok());
        let bytes = number.and_then(|number| number.checked_mul(1024));
        match key {
            "Uid" => status.uid = number.and_then(|uid| uid.try_into().ok()),
            "Threads" => status.threads = number,
            "SigQ" => status.signals = number,
            "VmSize" => status.address_space = bytes,
            "VmLck" => status.locked = bytes,
            "VmData" => status.data = bytes,
            "VmStk" => status.stack = bytes,
            "VmRSS" => status.resident = bytes,
            _ => {}
        }
    }
    status
}

/// User and system time in clock ticks, from `/proc/PID/stat`. The name, in
/// parentheses, may hold anything.
pub(crate) fn processor_ticks(text: &str) -> Option<u64> {
    let (_, fields) = text.rsplit_once(") ")?;
    // utime and stime are the 14th and 15th field; the third is the first here.
    let mut fields = fields.split(' ').skip(11).map(str::parse::<u64>);
    fields.next()?.ok()?.checked_add(fields.next()?.ok()?)
}

/// A line of `/proc/meminfo`, in bytes.
pub(crate) fn meminfo(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max file size             unlimited            unlimited            bytes     
Max data size             unlimited            unlimited            bytes     
Max stack size            8388608              unlimited            bytes     
Max core file size        0                    unlimited            bytes     
Max resident set          unlimited            unlimited            bytes     
Max processes             96365                96365                processes 
Max open files            1024                 524288               files     
Max locked memory         8388608              8388608              bytes     
Max address space         unlimited            unlimited            bytes     
Max file locks            unlimited            unlimited            locks     
Max pending signals       96365                96365                signals   
Max msgqueue size         819200               819200               bytes     
Max nice priority         0                    0                    
Max realtime priority     0                    0                    
Max realtime timeout      unlimited            unlimited            us        
";

    #[test]
    fn every_limit_of_a_process() {
        let parsed = limits(LIMITS);
        assert_eq!(parsed.len(), 16);
        let get = |name: &str| {
            parsed.iter().find(|(resource, _)| resource.name == name).map(|(_, pair)| *pair)
        };
        let pair = |soft, hard| Some(Pair { soft, hard });
        assert_eq!(get("nofile"), pair(Value::Number(1024), Value::Number(524_288)));
        assert_eq!(get("stack"), pair(Value::Number(8_388_608), Value::Unlimited));
        assert_eq!(get("nice"), pair(Value::Number(0), Value::Number(0)));
        assert_eq!(get("rttime"), pair(Value::Unlimited, Value::Unlimited));
        assert_eq!(limits("Max open files  x y files\nMax nice priority\n"), []);
    }

    #[test]
    fn what_a_process_uses() {
        let text = "Name:\tzsh\nUid:\t1000\t0\t0\t0\nVmSize:\t    8236 kB\nVmLck:\t       0 kB\n\
                    VmRSS:\t    3952 kB\nVmData:\t     908 kB\nVmStk:\t     136 kB\nThreads:\t3\n\
                    SigQ:\t2/96365\n";
        let expected = Status {
            uid: Some(1000),
            threads: Some(3),
            address_space: Some(8236 * 1024),
            locked: Some(0),
            data: Some(908 * 1024),
            stack: Some(136 * 1024),
            resident: Some(3952 * 1024),
            signals: Some(2),
        };
        assert_eq!(status(text), expected);
        assert_eq!(status("Name:\tkthreadd\nThreads:\t1\n").address_space, None);
    }

    #[test]
    fn processor_time_behind_a_hostile_name() {
        let rest = "S 1 2 3 0 -1 4194560 100 0 0 0 31 12 7 8 20 0 1 0 5";
        assert_eq!(processor_ticks(&format!("42 (a) b) {rest}")), Some(43));
        assert_eq!(processor_ticks("42 (x) S 1"), None);
        assert_eq!(processor_ticks(""), None);
    }

    #[test]
    fn lines_of_meminfo() {
        let text = "MemTotal:       49368168 kB\nCommitLimit:    24684084 kB\n";
        assert_eq!(meminfo(text, "CommitLimit"), Some(24_684_084 * 1024));
        assert_eq!(meminfo(text, "Commit"), None);
    }

    proptest! {
        #[test]
        fn nothing_makes_a_parser_panic(text in "(Max open files|VmSize:|\\) |[0-9 \n\t])*") {
            limits(&text);
            status(&text);
            processor_ticks(&text);
            meminfo(&text, "VmSize");
        }
    }
}
