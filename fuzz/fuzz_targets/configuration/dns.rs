//! The verb `dns`, as far as its settings go.

#[path = "../../../crates/headcount/src/dns/config/mod.rs"]
mod config;

use config::ConfigFile;

/// Panics when what is said of the settings breaks a rule.
pub fn check(octets: &[u8]) {
    let parse = || ConfigFile::parse("dns.yaml", octets);
    let lines = octets.iter().filter(|octet| matches!(octet, b'\n' | b'\r')).count() + 2;
    match parse() {
        Ok(config) => assert_eq!(parse().ok(), Some(config), "the same each time"),
        Err(problems) => {
            assert!(!problems.is_empty(), "what is refused is said why");
            for problem in problems {
                assert!((1..=lines).contains(&problem.line), "{problem}");
                assert!(!problem.to_string().is_empty());
            }
        }
    }
}
