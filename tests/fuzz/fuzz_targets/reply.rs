//! The body of an answer that is not streamed, or of an HTTP error, in every dialect.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| llmlab_fuzz::body::reply(input));
