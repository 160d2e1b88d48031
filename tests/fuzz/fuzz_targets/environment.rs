//! Settings in the environment, one a line, and single values as flags take them.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| llmlab_fuzz::config::environment(input));
