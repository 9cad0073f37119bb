//! Any octets as an upstream's reply: believed or not by the rules, never a panic.
#![no_main]

#[path = "../../crates/dns/tests/support/any_reply.rs"]
mod any_reply;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    any_reply::check(octets);
});
