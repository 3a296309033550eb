//! What the kernel says about processes: their memory, their time, how busy the machine is.
//! See proc(5).

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

/// How many ticks of a processor there are in a second, as `/proc` counts them on Linux.
const TICKS: f64 = 100.0;

/// How much memory a process has at the moment, in KiB.
pub(super) fn resident(pid: u32) -> Result<u64> {
    status(pid, "VmRSS:")
}

/// How much it had at most since [`forget_peak`], in KiB.
pub(super) fn peak(pid: u32) -> Result<u64> {
    status(pid, "VmHWM:")
}

/// Lets the peak begin anew.
pub(super) fn forget_peak(pid: u32) -> Result<()> {
    let path = format!("/proc/{pid}/clear_refs");
    fs::write(&path, "5").with_context(|| format!("writing {path}"))
}

/// The processor time that a process has taken, of all its threads.
pub(super) fn time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let ticks = ticks(&text).with_context(|| format!("{path} is not as expected"))?;
    Ok(Duration::from_secs_f64(ticks / TICKS))
}

/// Its time in user mode and in the kernel: the 14th and the 15th field. The second may have
/// blanks in it, and ends with the last bracket.
fn ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn status(pid: u32, field: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path);
    let text = text.with_context(|| format!("reading {path}; the bench needs Linux"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("{path} says no {field}"))
}

/// How many processes wanted to run over the last minute, this one not counted.
pub(super) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_read_past_a_name_with_blanks() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 5 9 9";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn this_process_has_memory_and_takes_time() {
        let pid = std::process::id();
        let now = resident(pid).unwrap();
        assert!(now > 100 && peak(pid).unwrap() >= now);
        time(pid).unwrap();
    }
}
