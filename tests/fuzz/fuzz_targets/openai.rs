//! The body of a streamed answer of OpenAI chat completions, or of the older completions.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| llmlab_fuzz::stream::openai(input));
