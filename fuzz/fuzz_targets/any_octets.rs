//! Any octets in a session, as its messages and as SPDY: read within bounds, alike however they are cut, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    api::any_octets::check(octets);
});
