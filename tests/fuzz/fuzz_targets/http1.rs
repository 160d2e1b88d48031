//! A response as it comes over a connection.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| llmlab_fuzz::http1::response(input));
