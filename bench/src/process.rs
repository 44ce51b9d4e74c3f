//! A program that is measured: what it has cost, from `/proc`.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// `USER_HZ`, in which `/proc` counts: 100 on every Linux of today.
const TICKS_A_SECOND: u64 = 100;

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whose {
    /// The process that was started: of our server all but its pictures.
    Own,
    /// Its children too: nginx's workers, and the process that makes our pictures.
    Family,
}

/// Ended when dropped, with those it has started itself.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// What it prints goes to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let log = fs::File::create(log)?;
        let program = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        Ok(Self { child: child.with_context(|| format!("{} cannot be started", program.display()))? })
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// CPU time so far.
    pub(crate) fn cpu_time(&self, whose: Whose) -> Result<Duration> {
        let ticks: u64 = self.processes(whose)?.into_iter().map(|pid| stat(pid).map_or(0, |stat| stat.ticks)).sum();
        Ok(Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND))
    }

    /// Resident memory.
    pub(crate) fn resident_bytes(&self, whose: Whose) -> Result<u64> {
        let mut bytes = 0;
        for pid in self.processes(whose)? {
            // A child may be gone meanwhile.
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
            bytes += line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10;
        }
        Ok(bytes)
    }

    fn processes(&self, whose: Whose) -> Result<Vec<u32>> {
        let own = self.child.id();
        let mut family = vec![own];
        if whose == Whose::Own {
            return Ok(family);
        }
        for entry in fs::read_dir("/proc")? {
            if let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok())
                && stat(pid).is_some_and(|stat| stat.parent == own)
            {
                family.push(pid);
            }
        }
        Ok(family)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        // In good order: nginx takes its workers with it.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

struct Stat {
    parent: u32,
    ticks: u64,
}

/// `None` where the process is gone.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; behind it come state, parent, …, utime and stime (proc(5), fields 14 and 15).
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat { parent: number(1)? as u32, ticks: number(11)? + number(12)? })
}
