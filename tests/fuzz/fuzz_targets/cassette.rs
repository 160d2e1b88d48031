//! A recording on disk; or, in what does not begin as JSON, an exchange with secrets in it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| llmlab_fuzz::cassette::recording_or_exchange(input));
