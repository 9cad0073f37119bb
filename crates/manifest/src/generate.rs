//! Names that are made up: those that `generateName` asks for, and hashes in names.

/// No vowels and nothing easily misread, so that no name spells a word (K: apimachinery `util/rand`).
const LETTERS: [char; 27] = [
    'b', 'c', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x',
    'z', '2', '4', '5', '6', '7', '8', '9',
];

/// How long a made-up name may be: a DNS label (K: apiserver `storage/names`).
const NAME_BYTES_MAX: usize = 63;

const SUFFIX_BYTES: usize = 5;

/// What of `base` a made-up name begins with: as much as leaves room for a [`suffix`].
pub fn prefix(base: &str) -> &str {
    let mut end = base.len().min(NAME_BYTES_MAX - SUFFIX_BYTES);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    &base[..end]
}

/// Five letters from a number that is uniform over all 64 bits.
pub fn suffix(random: u64) -> String {
    let count = LETTERS.len() as u64;
    std::iter::successors(Some(random), |rest| Some(rest / count))
        .take(SUFFIX_BYTES)
        .map(|rest| LETTERS[(rest % count) as usize])
        .collect()
}

/// A text as letters that spell no word, one for each byte (K: apimachinery `rand.SafeEncodeString`).
pub fn safe(text: &str) -> String {
    text.bytes().map(|byte| LETTERS[usize::from(byte) % LETTERS.len()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_leave_room_for_a_suffix() {
        let check = |base: &str, expected: &str| assert_eq!(prefix(base), expected);
        check("db-", "db-");
        check("", "");
        check(&"x".repeat(58), &"x".repeat(58));
        check(&"x".repeat(80), &"x".repeat(58));
        check(&"ü".repeat(80), &"ü".repeat(29));
        check(&format!("x{}", "ü".repeat(80)), &format!("x{}", "ü".repeat(28)));
    }

    #[test]
    fn suffixes_are_the_number_in_letters() {
        let check = |random: u64, expected: &str| assert_eq!(suffix(random), expected);
        check(0, "bbbbb");
        check(1, "cbbbb");
        check(26, "9bbbb");
        check(27, "bcbbb");
        check(27_u64.pow(5) - 1, "99999");
        check(27_u64.pow(5), "bbbbb");
    }

    #[test]
    fn safe_texts() {
        // As Kubernetes' own test of SafeEncodeString has it.
        assert_eq!(safe("012345"), "456789");
        assert_eq!(safe(""), "");
    }
}
