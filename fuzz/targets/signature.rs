#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| bridge32_fuzz::signature(data));
