#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (afterlive_fuzz::NAMES.run)(data));
