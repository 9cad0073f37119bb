//! What a process and its children take.

use std::fs;
use std::time::Duration;

/// A process's line in /proc/PID/stat, as far as it is wanted.
struct Stat {
    id: u32,
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn read(id: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name, in brackets, may have any character in it.
        let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self { id, parent: number(1)? as u32, ticks: number(11)? + number(12)? })
    }
}

/// A process and its children, as they are now.
fn family(id: u32) -> Vec<Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<Stat> =
        entries.filter_map(|entry| Stat::read(entry.file_name().to_str()?.parse().ok()?)).collect();
    let mut ids = vec![id];
    let mut at = 0;
    while let Some(parent) = ids.get(at).copied() {
        ids.extend(all.iter().filter(|stat| stat.parent == parent).map(|stat| stat.id));
        at += 1;
    }
    all.into_iter().filter(|stat| ids.contains(&stat.id)).collect()
}

/// CPU time in user and system mode. Its unit is a tick, 10 ms.
pub(crate) fn cpu_time(id: u32) -> Duration {
    let ticks: u64 = family(id).iter().map(|stat| stat.ticks).sum();
    Duration::from_millis(ticks * 10)
}

/// Resident memory in MB; what processes share counts for each in part (PSS).
pub(crate) fn resident_mb(id: u32) -> f64 {
    let kib = |stat: &Stat| {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", stat.id)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    family(id).iter().filter_map(kib).sum::<f64>() * 1024.0 / 1e6
}
