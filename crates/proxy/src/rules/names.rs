//! Names of chains and sets.

/// The longest name that every nftables takes is of 127 octets.
const LENGTH_MAX: usize = 127;

/// A name of parts, `service/default/web/tcp/http`: readable, and a name of one thing only. What is too long is cut and
/// ends with a hash of the whole; colons of addresses, which nftables does not take, become dots.
pub(super) fn name(parts: &[&str]) -> String {
    let whole = parts.join("/").replace(':', ".");
    if whole.len() <= LENGTH_MAX {
        return whole;
    }
    let hash = hash(&whole);
    let kept: String = whole.chars().take(LENGTH_MAX - 17).collect();
    format!("{kept}/{hash:016x}")
}

/// FNV-1a: the same in every process, so that scripts can be compared.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |parts: &[&str], expected: &str| assert_eq!(name(parts), expected);
        check(&["service", "default", "web", "tcp", "http"], "service/default/web/tcp/http");
        check(&["endpoint", "fd00::1", "80"], "endpoint/fd00..1/80");
        let long = |last: &str| name(&["service", &"n".repeat(63), &"s".repeat(63), "tcp", last]);
        assert_eq!(long("a").len(), LENGTH_MAX);
        assert_ne!(long("a"), long("b"));
    }

    #[test]
    fn hashes_are_those_of_fnv() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
