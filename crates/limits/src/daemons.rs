//! Daemons that a message names: their limits are those of what starts them, or
//! a setting of their own, and not those of a shell.

use crate::matching::{Piece, is_word};
use crate::scan::cleaned;

/// A daemon.
#[derive(Debug, PartialEq, Eq)]
pub struct Daemon {
    /// The unit of systemd that most systems start it by.
    pub unit: &'static str,
    /// Its own setting of its open files, and where that is.
    pub files_setting: Option<(&'static str, &'static str)>,
    /// What a program is called in a log.
    programs: &'static [&'static str],
    /// What only it says.
    phrases: &'static [&'static str],
}

const fn daemon(
    unit: &'static str,
    programs: &'static [&'static str],
    phrases: &'static [&'static str],
) -> Daemon {
    Daemon { unit, files_setting: None, programs, phrases }
}

static DAEMONS: [Daemon; 15] = [
    Daemon {
        files_setting: Some(("worker_rlimit_nofile", "nginx.conf")),
        ..daemon(
            "nginx.service",
            &["nginx"],
            &["worker_connections exceed open file", "accept4() failed", "accept() failed"],
        )
    },
    Daemon {
        files_setting: Some(("open_files_limit", "my.cnf")),
        ..daemon(
            "mysql.service",
            &["mysqld", "mariadbd"],
            &["could not increase number of max_open_files"],
        )
    },
    daemon("redis-server.service", &["redis", "redis-server"], &["you requested maxclients of"]),
    daemon("elasticsearch.service", &["elasticsearch"], &["for elasticsearch process"]),
    daemon("postgresql.service", &["postgres", "postgresql"], &[]),
    daemon("mongod.service", &["mongod"], &[]),
    daemon("docker.service", &["dockerd"], &[]),
    daemon("containerd.service", &["containerd"], &[]),
    daemon("ssh.service", &["sshd"], &[]),
    daemon("haproxy.service", &["haproxy"], &[]),
    daemon("apache2.service", &["apache2", "httpd"], &[]),
    daemon("rabbitmq-server.service", &["rabbitmq", "rabbitmq-server"], &[]),
    daemon("memcached.service", &["memcached"], &[]),
    daemon("kubelet.service", &["kubelet"], &[]),
    daemon("squid.service", &["squid"], &[]),
];

impl Daemon {
    /// The daemon that a line of a log is from.
    pub fn of(line: &str) -> Option<&'static Self> {
        let line = cleaned(line.as_bytes());
        DAEMONS.iter().find(|daemon| {
            daemon.programs.iter().any(|program| is_tag(&line, program))
                || daemon.phrases.iter().any(|words| Piece::Words(words).is_in(&line))
        })
    }
}

/// Whether a line has the tag of a program: `nginx:` or `nginx[42]:`.
fn is_tag(line: &[u8], program: &str) -> bool {
    let length = program.len();
    let starts = 0..line.len().saturating_sub(length);
    starts.into_iter().any(|at| {
        let is_start = at == 0 || line[at - 1] == b' ' || line[at - 1] == b'/';
        let tail = &line[at + length..];
        let digits = tail.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
        is_start
            && line[at..].starts_with(program.as_bytes())
            && !tail.first().copied().is_some_and(is_word)
            && (tail.starts_with(b":")
                || tail.starts_with(b"[") && tail[1 + digits..].starts_with(b"]:"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daemons_by_their_tag_or_their_words() {
        for (line, unit) in [
            ("nginx: [emerg] open() failed (24: Too many open files)", Some("nginx.service")),
            ("Nov 26 08:00:00 host dockerd[940]: too many open files", Some("docker.service")),
            ("[alert] 7#7: *12 accept4() failed (24: Too many open files)", Some("nginx.service")),
            ("/usr/sbin/mysqld: Too many open files", Some("mysql.service")),
            ("You requested maxclients of 10000", Some("redis-server.service")),
            ("cat: nginx.conf: Too many open files", None),
            ("mynginx: Too many open files", None),
            ("bash: nginx is not there", None),
            ("", None),
        ] {
            assert_eq!(Daemon::of(line).map(|daemon| daemon.unit), unit, "{line}");
        }
    }
}
