//! The reader of PDF: it ends, and does not overflow the stack. That a library panics is allowed: it runs over a net.

#![no_main]

use std::{panic, process, sync::Once};

use archesai_tools::extract::{ExtractError, Limits, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    static NET: Once = Once::new();
    // The fuzzer's own hook would end the process.
    NET.call_once(|| panic::set_hook(Box::new(|_| {})));
    let outcome = extract(data, "application/pdf", "", &Limits::default());
    if matches!(outcome, Err(ExtractError::TooSlow(_))) {
        // Without that hook, a failed assertion would be no failure.
        process::abort();
    }
});
