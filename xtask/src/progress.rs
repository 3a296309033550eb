//! What a long step shows: a spinner or a bar on a terminal, a plain line elsewhere.

use std::{
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// A step that is under way.
pub(crate) struct Progress {
    /// Nothing where nobody watches.
    bar: Option<ProgressBar>,
    began: Instant,
}

impl Progress {
    /// Begins a step whose end cannot be foreseen.
    pub(crate) fn spinner(message: &str) -> Self {
        Self::begin(message, || {
            let bar = ProgressBar::new_spinner().with_message(message.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar.set_style(style(bar.style(), "{spinner} {msg} ({elapsed})"));
            bar
        })
    }

    /// Begins a step of so many bytes.
    pub(crate) fn bytes(message: &str, total: u64) -> Self {
        Self::begin(message, || {
            let bar = ProgressBar::new(total).with_message(message.to_owned());
            let form = "{msg} {wide_bar} {bytes}/{total_bytes}";
            bar.set_style(style(bar.style(), form));
            bar
        })
    }

    fn begin(message: &str, bar: impl FnOnce() -> ProgressBar) -> Self {
        let bar = if io::stderr().is_terminal() {
            Some(bar())
        } else {
            eprintln!("{message}");
            None
        };
        Self {
            bar,
            began: Instant::now(),
        }
    }

    /// So many bytes more are done.
    pub(crate) fn advance(&self, bytes: usize) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes as u64);
        }
    }

    /// Ends the step; how long it took.
    pub(crate) fn end(self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The style with another template, or as it was where the template is wrong.
fn style(style: ProgressStyle, template: &str) -> ProgressStyle {
    let before = style.clone();
    style.template(template).unwrap_or(before)
}

/// A duration for people: `0.4 s`, `12.3 s`, `4 min 5 s`.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 120 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(spoken(Duration::from_millis(420)), "0.4 s");
        assert_eq!(spoken(Duration::from_secs(245)), "4 min 5 s");
    }

    #[test]
    fn the_templates_are_right() {
        for template in [
            "{spinner} {msg} ({elapsed})",
            "{msg} {wide_bar} {bytes}/{total_bytes}",
        ] {
            ProgressStyle::default_spinner().template(template).unwrap();
        }
    }
}
