//! Any octets as the settings of `headcount dns`: read, or said to be wrong with lines that there are, never a panic.
#![no_main]
#![allow(dead_code, unreachable_pub, reason = "the program uses more of these modules")]

// The program is no library: the modules that read settings are taken in as they are.
#[path = "../../crates/headcount/src/arguments.rs"]
mod arguments;
#[path = "configuration/dns.rs"]
mod dns;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    dns::check(octets);
});
