//! The order in which people count: `db-2` before `db-10`.

/// A text's parts: each run of digits as a number, and what stands before it.
pub(crate) fn key(text: &str) -> Vec<(String, u128)> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits_at = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (before, from) = rest.split_at(digits_at);
        let digits_end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(digits_end);
        parts.push((before.to_owned(), digits.parse().unwrap_or(u128::MAX)));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count() {
        let mut names = ["db-10", "db-2", "10.0.0.10", "db", "10.0.0.9", "web-2-b", "web-2-a", ""];
        names.sort_by_key(|name| key(name));
        assert_eq!(
            names,
            ["", "10.0.0.9", "10.0.0.10", "db", "db-2", "db-10", "web-2-a", "web-2-b"]
        );
    }
}
