//! The body of a streamed answer of Anthropic Messages.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| llmlab_fuzz::stream::anthropic(input));
