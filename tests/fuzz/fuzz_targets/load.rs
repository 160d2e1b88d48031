//! A trace or a file of prompts, and the load that is planned from it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| llmlab_fuzz::load::plan(input));
