//! The body of a request as the mock reads it, in every dialect, or the value of a header of the lab's own.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| llmlab_fuzz::body::request(input));
