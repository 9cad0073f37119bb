//! Any octets as a DNS query: answered, refused or dropped by the rules, never a panic.
#![no_main]

#[path = "../../crates/dns/tests/support/any_query.rs"]
mod any_query;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    any_query::check(any_query::small_directory(), octets);
});
