//! What must not stay: code that is not written yet, tests that do not run, tests that wait.

use super::{
    Finding,
    files::File,
    mentions::{Mention, What},
};

/// From how many milliseconds on a test may not sleep.
const LONG: u64 = 1_000;

/// Placeholders, and tests that are switched off.
pub(super) fn leftovers(file: &File) -> Vec<Finding> {
    let finding = |mention: &Mention| {
        let message = leftover(&mention.what)?;
        Some(Finding::at(&file.path, mention.line, message))
    };
    file.mentions.iter().filter_map(finding).collect()
}

fn leftover(what: &What) -> Option<&'static str> {
    match what {
        What::Macro(name) => match name.rsplit("::").next() {
            Some("todo" | "unimplemented") => Some("is not written yet; write it, or take it out"),
            Some("dbg") => Some("is for looking while one works; take it out"),
            _ => None,
        },
        What::Attribute(text) => {
            let is_off = text == "ignore" || text.starts_with("ignore=");
            let may_be_off = text.starts_with("cfg_attr(") && text.contains(",ignore");
            (is_off || may_be_off).then_some("a test that does not run proves nothing; mend it")
        }
        _ => None,
    }
}

/// Tests that wait by sleeping.
pub(super) fn long_sleeps(file: &File) -> Vec<Finding> {
    let finding = |mention: &Mention| match mention.what {
        What::Sleep(millis) if millis >= LONG => {
            let message = "a test does not sleep to wait; pause the clock, or wait for what it \
                           waits for";
            Some(Finding::at(&file.path, mention.line, message))
        }
        _ => None,
    };
    file.tests().filter_map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        File::new("crates/a/src/a.rs", text)
    }

    #[test]
    fn placeholders_and_silent_tests_are_found() {
        for text in [
            "fn f() { todo!() }",
            "fn f() { std::unimplemented!(\"x\") }",
            "fn f() { dbg!(x); }",
            "#[test] #[ignore] fn f() {}",
            "#[test] #[ignore = \"slow\"] fn f() {}",
            "#[test] #[cfg_attr(windows, ignore)] fn f() {}",
        ] {
            assert_eq!(leftovers(&file(text)).len(), 1, "{text}");
        }
        let text = "// todo!\nfn f() { let ignore = \"todo!()\"; panic!() }";
        assert!(leftovers(&file(text)).is_empty());
    }

    #[test]
    fn only_tests_may_not_sleep_long() {
        let sleep = |time| format!("fn f() {{ sleep(Duration::{time}) }}");
        let long = sleep("from_secs(1)");
        assert!(long_sleeps(&file(&long)).is_empty());
        assert_eq!(long_sleeps(&file(&format!("#[test] {long}"))).len(), 1);
        assert_eq!(
            long_sleeps(&File::new("crates/a/tests/a.rs", &long)).len(),
            1
        );
        let short = sleep("from_millis(20)");
        assert!(long_sleeps(&File::new("crates/a/tests/a.rs", &short)).is_empty());
    }
}
