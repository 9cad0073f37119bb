//! References to variables in texts: `$(NAME)`.

/// Puts values in the place of `$(NAME)`. What has no value stays as it is written, and `$$` is one `$`.
pub(super) fn expand<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            expanded.push('$');
            rest = escaped;
        } else if let Some((name, behind)) =
            after.strip_prefix('(').and_then(|name| name.split_once(')'))
        {
            match value(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.push_str(&rest[at..at + name.len() + 3]),
            }
            rest = behind;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    expanded
}

/// As [`expand`], for a path within a volume (`subPathExpr`): there, every variable must have a value.
pub(super) fn expand_all<'v>(
    text: &str,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Result<String, String> {
    let missing = std::cell::RefCell::new(None);
    let expanded = expand(text, |name| {
        let found = value(name);
        if found.is_none() {
            missing.borrow_mut().get_or_insert_with(|| name.to_owned());
        }
        found
    });
    match missing.into_inner() {
        None => Ok(expanded),
        Some(name) => Err(format!("missing value for {name:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> Option<&'static str> {
        match name {
            "A" => Some("1"),
            "B" => Some("$(A)"),
            "EMPTY" => Some(""),
            _ => None,
        }
    }

    #[test]
    fn texts() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(expand(text, value), expected, "{text}");
        }
        check("", "");
        check("plain", "plain");
        check("$(A)", "1");
        check("x$(A)y$(A)z", "x1y1z");
        // A value is not expanded again.
        check("$(B)", "$(A)");
        check("[$(EMPTY)]", "[]");
        check("$(NONE)", "$(NONE)");
        check("$$(A)", "$(A)");
        check("$$$(A)", "$1");
        check("$$$$", "$$");
        check("$", "$");
        check("$A ${A}", "$A ${A}");
        check("$(A", "$(A");
        check("$(", "$(");
        check("$()", "$()");
        check("é$(A)é$ü", "é1é$ü");
        check("$($(A))", "$($(A))");
    }

    #[test]
    fn all_must_have_a_value() {
        assert_eq!(expand_all("logs/$(A)", value), Ok("logs/1".to_owned()));
        assert_eq!(
            expand_all("$(NONE)/$(OTHER)", value),
            Err("missing value for \"NONE\"".to_owned())
        );
    }
}
