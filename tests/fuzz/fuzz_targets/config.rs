//! A file of settings: of a mock, targets, a gate's rules, a scenario or tasks.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| llmlab_fuzz::config::file(input));
