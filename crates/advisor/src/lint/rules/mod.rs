//! The rules: a file each, named by code and subject. Codes up to HC099 are of what goes wrong with Services, shared with
//! live checks; from HC100 on, of texts and objects that cannot be used.

use super::rule::Rule;

macro_rules! rules {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// Every rule, by code.
        pub const RULES: &[Rule] = &[$($module::RULE),*];
    };
}

rules! {
    hc001_governing_service_missing,
}

/// The rule with this code, in any case.
pub fn by_code(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code.eq_ignore_ascii_case(code))
}
