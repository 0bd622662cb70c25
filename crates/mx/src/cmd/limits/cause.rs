//! From the messages that were found to the limits that are the cause: by what is
//! in use, and where the program ran.

use limits::daemons::Daemon;
use limits::explain::{self, Finding, Symptom, Verdict};
use limits::mend::{self, Fix, GroupLimit, Target};
use limits::scope::{self, Starter};
use limits::{KernelLimit, Limit, Name, Pair, Query, Report, State, Value};
use serde::Serialize;

use super::fix;
use crate::exit::Failure;

/// What a message is from, as far as the call names it.
pub(super) struct Subject {
    unit: Option<String>,
    pid: Option<u32>,
}

impl Subject {
    pub(super) fn new(pid: Option<u32>, unit: Option<&str>) -> Self {
        let unit = unit.map(unit_name);
        let pid = pid.or_else(|| scope::process_of_unit(unit.as_ref()?));
        Self { unit, pid }
    }

    /// The unit that is named, if it has no process here.
    pub(super) fn without_process(&self) -> Option<&str> {
        self.unit.as_deref().filter(|_| self.pid.is_none())
    }

    pub(super) fn has_process(&self) -> bool {
        self.pid.is_some()
    }
}

/// What was found, and the limits that it is about.
#[derive(Serialize)]
pub(super) struct Explained {
    pub(super) matches: Vec<Match>,
    pub(super) limits: Vec<Limit>,
    pub(super) kernel: Vec<KernelLimit>,
}

/// A cause, and how sure it is.
#[derive(Serialize)]
pub(super) struct Match {
    /// The limit that is the cause, or the likeliest of several.
    pub(super) limit: Option<&'static str>,
    /// Whether it is this one; false if the message and what is in use leave several.
    pub(super) certain: bool,
    /// All limits that may be the cause.
    pub(super) candidates: Vec<&'static str>,
    pub(super) cause: &'static str,
    /// What lifts the limit.
    pub(super) fix: Option<String>,
    /// What keeps it lifted after a reboot.
    pub(super) persist: Option<String>,
    /// What else helps, or would decide.
    pub(super) advice: Option<&'static str>,
    /// The first line that showed it.
    pub(super) line: String,
    /// How many lines did.
    pub(super) count: u64,
    #[serde(skip)]
    pub(super) answer: Answer,
    /// Whether all of them are the same for all processes.
    #[serde(skip)]
    pub(super) is_shared: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// This limit.
    Limit,
    /// It is a limit that is not here.
    Elsewhere,
    /// It is the cgroup's limit, which cannot be seen.
    Unseen,
    /// No limit that is listed, or the message does not decide.
    Nothing,
    /// It would be this limit if it were near.
    NotNear,
    /// Several may be, and none is near.
    Several,
    /// The cgroup's limits cannot be seen, and one of them may be the cause.
    Hidden,
}

/// The cause of each finding, with the limits that it is about.
pub(super) fn explain(findings: Vec<Finding>, subject: &Subject) -> Result<Explained, Failure> {
    let mut report = report(&findings, subject)?;
    let matches =
        findings.into_iter().map(|finding| explained(finding, &report, subject)).collect();
    if subject.without_process().is_some() {
        report.limits.clear();
    }
    Ok(Explained { matches, limits: report.limits, kernel: report.kernel })
}

/// The limits that the findings are about.
fn report(findings: &[Finding], subject: &Subject) -> Result<Report, Failure> {
    let names: Vec<Name> = findings.iter().flat_map(|one| one.symptom.names()).collect();
    // Without a name everything would be listed.
    if names.is_empty() {
        let (limits, kernel) = (Vec::new(), Vec::new());
        return Ok(Report { pid: 0, limits, kernel, notes: Vec::new(), holders: None, hidden: 0 });
    }
    // What a user watches takes a walk over all descriptors.
    let counts = |name: &Name| name.name().starts_with("fs.inotify.");
    let holders = subject.has_process() && names.iter().any(counts);
    let mut report = limits::list(&Query { names, pid: subject.pid, holders, all: false })?;
    if subject.without_process().is_some() {
        // What is left is the shell's.
        report.kernel.retain(|limit| limit.cgroup.is_none());
        let unknown = Pair { soft: Value::Number(0), hard: Value::Number(0) };
        for limit in &mut report.limits {
            (limit.value, limit.state) = (unknown, None);
        }
    }
    Ok(report)
}

#[derive(Clone, Copy)]
enum Either<'a> {
    Limit(&'a Limit),
    Kernel(&'a KernelLimit),
}

impl Either<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Limit(limit) => limit.resource.name,
            Self::Kernel(limit) => limit.name,
        }
    }

    fn state(self) -> Option<State> {
        match self {
            Self::Limit(limit) => limit.state,
            Self::Kernel(limit) => limit.state,
        }
    }

    /// Whether it is the same for all processes: neither of one, a user nor a cgroup.
    fn is_shared(self) -> bool {
        match self {
            Self::Limit(_) => false,
            Self::Kernel(limit) => limit.cgroup.is_none() && !limit.name.starts_with("fs.inotify."),
        }
    }

    /// Whether it can stop a process: no limit stops nothing, and root is
    /// exempt from the limit on its processes.
    fn binds(self, pid: u32) -> bool {
        match self {
            Self::Limit(limit) => {
                limit.value.soft != Value::Unlimited
                    && !(limit.resource.name == "nproc" && scope::is_exempt_from_nproc(pid))
            }
            Self::Kernel(_) => true,
        }
    }
}

/// The limits of a report that a finding is about, and which of them is the cause.
struct Decision<'a> {
    candidates: Vec<Either<'a>>,
    decided: Option<Either<'a>>,
    is_near: bool,
}

impl<'a> Decision<'a> {
    fn new(symptom: &Symptom, report: &'a Report) -> Self {
        let of = |name: Name| {
            let limits = report.limits.iter().filter(move |limit| limit.is(name));
            let kernel = report.kernel.iter().filter(move |limit| limit.is(name));
            limits.map(Either::Limit).chain(kernel.map(Either::Kernel))
        };
        let all: Vec<Either> = symptom.names().flat_map(of).collect();
        let is_only = all.iter().all(|one| one.name() == all[0].name());
        let mut candidates: Vec<Either> =
            all.iter().copied().filter(|one| one.binds(report.pid)).collect();
        // A message that has only one cause is from elsewhere, where it binds.
        if candidates.is_empty() && symptom.limits().len() == 1 {
            candidates = all;
        }
        let decided = explain::decided(candidates.iter().map(|one| (one, one.state()))).copied();
        let is_near = decided.is_some_and(|one| one.state().is_some_and(|state| state > State::Ok));
        // What does not bind the shell may have bound the program.
        let decided = decided.filter(|_| is_near || is_only);
        Self { candidates, decided, is_near }
    }

    fn names(&self) -> Vec<&'static str> {
        self.candidates.iter().map(|one| one.name()).collect()
    }

    fn answer(&self, finding: &Finding, report: &Report, subject: &Subject) -> Answer {
        let limits = finding.symptom.limits();
        let has_group = limits.iter().any(|name| matches!(*name, "pids.max" | "memory.max"));
        let is_hidden = has_group && !self.is_near && scope::hides_cgroup(report.pid);
        match (finding.symptom.verdict, self.decided) {
            (Verdict::IfNear(..), Some(_)) if self.is_near => Answer::Limit,
            (Verdict::IfNear(..), Some(_)) => Answer::NotNear,
            (Verdict::Other | Verdict::Unsure(_) | Verdict::IfNear(..), _) => Answer::Nothing,
            _ if fix_of_group(finding).is_some() => Answer::Elsewhere,
            _ if is_hidden && limits.len() == 1 => Answer::Unseen,
            _ if is_hidden && subject.without_process().is_none() => Answer::Hidden,
            (_, Some(_)) => Answer::Limit,
            (_, None) if self.candidates.is_empty() => Answer::Elsewhere,
            _ => Answer::Several,
        }
    }
}

fn explained(finding: Finding, report: &Report, subject: &Subject) -> Match {
    let symptom = finding.symptom;
    let decision = Decision::new(symptom, report);
    let answer = decision.answer(&finding, report, subject);
    let fix = match (answer, decision.decided) {
        (Answer::Elsewhere, _) => fix_of_group(&finding),
        (Answer::Limit, Some(one)) => lift(one, &finding, report, subject),
        _ => None,
    };
    let is_open = !matches!(symptom.verdict, Verdict::Limits(_));
    let mut candidates = decision.names();
    if subject.without_process().is_some() || (answer == Answer::Several && !subject.has_process())
    {
        // Of the program, whose user and cgroup may be others than the shell's.
        candidates = all_of(symptom);
    }
    if candidates.is_empty() || is_open {
        let here = |name: &&'static str| name.parse().map_or(*name, Name::name);
        candidates = symptom.limits().iter().map(here).collect();
    }
    let is_shared = decision.candidates.iter().all(|one| one.is_shared());
    let decided = decision.decided.filter(|_| !is_open || answer == Answer::Limit);
    let Finding { line, count, .. } = finding;
    Match {
        limit: decided.map(Either::name).or_else(|| candidates.first().copied()),
        certain: matches!(answer, Answer::Limit | Answer::Elsewhere | Answer::Unseen),
        candidates,
        cause: match symptom.verdict {
            Verdict::IfNear(_, cause) if answer == Answer::Limit => cause,
            _ => symptom.cause,
        },
        fix: fix.as_ref().map(|fix| with_setting(fix, &line)),
        persist: fix.as_ref().and_then(fix::for_good),
        advice: symptom.advice,
        line,
        count,
        answer,
        is_shared,
    }
}

/// The limits that a symptom is about and that this system may have.
fn all_of(symptom: &Symptom) -> Vec<&'static str> {
    let group = |name: &Name| matches!(name.name(), "pids.max" | "memory.max");
    let names = symptom.names().filter(|name| group(name) || limits::exists(*name));
    names.map(Name::name).collect()
}

fn lift(one: Either, finding: &Finding, report: &Report, subject: &Subject) -> Option<Fix> {
    match one {
        Either::Kernel(limit) => mend::lift_kernel(limit, None),
        Either::Limit(limit) => mend::lift(limit, None, &target(finding, report, subject)),
    }
}

/// Where a limit of a process is to be lifted: of the process that is named,
/// the daemon that the message is from, or else of the shell.
fn target(finding: &Finding, report: &Report, subject: &Subject) -> Target {
    if let Some(unit) = &subject.unit {
        return Target::Unit(unit.clone());
    }
    if let Some(pid) = subject.pid {
        return match scope::starter(pid) {
            Some(Starter::Unit(unit)) => Target::Unit(unit),
            Some(Starter::Container) => Target::Container,
            None => Target::Process(pid),
        };
    }
    match Daemon::of(&finding.line).filter(|_| mend::HAS_UNITS) {
        Some(daemon) => Target::Unit(daemon.unit.to_owned()),
        None => Target::Shell(report.pid),
    }
}

/// The fix, and the setting of a daemon that does the same.
fn with_setting(fix: &Fix, line: &str) -> String {
    let text = fix::command(fix);
    let setting = Daemon::of(line).and_then(|daemon| daemon.files_setting);
    match (fix, setting) {
        (Fix::Unit { resource, value, .. }, Some((name, file))) if resource.name == "nofile" => {
            format!("{text}; or {name} with {value} in {file}")
        }
        _ => text,
    }
}

/// What lifts the limit of the cgroup that the message names.
fn fix_of_group(finding: &Finding) -> Option<Fix> {
    let limit = match finding.symptom.limits() {
        ["pids.max"] => GroupLimit::Pids,
        ["memory.max"] => GroupLimit::Memory,
        _ => return None,
    };
    mend::lift_group(scope::cgroup_in(&finding.line)?, limit, None)
}

/// `web` is `web.service`.
fn unit_name(unit: &str) -> String {
    if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") }
}
