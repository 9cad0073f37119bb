//! Names of images: `registry/path:tag@digest`.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// The name of an image as far as it counts here: its path without registry, and its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageName {
    /// Without `library/`, which every name of one word stands for on Docker Hub.
    path: Vec<String>,
    tag: Option<String>,
}

impl ImageName {
    /// Reads a name; an error is in the words of the container runtimes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || "invalid reference format".to_owned();
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(invalid());
        }
        // A colon in the last part begins the tag; one before that, a registry's port.
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid());
        }
        let path = match name.split_once('/') {
            Some((registry, path)) if is_registry(registry) => path,
            _ => name,
        };
        let path = path.strip_prefix("library/").unwrap_or(path);
        if let Some(part) = path.split('/').find(|part| !is_path_part(part)) {
            return Err(match part.chars().any(char::is_uppercase) {
                true => format!("{}: repository name must be lowercase", invalid()),
                false => invalid(),
            });
        }
        let path = path.split('/').map(str::to_owned).collect();
        Ok(Self { path, tag: tag.map(str::to_owned) })
    }

    /// Its path and tag, as a pattern is written.
    pub(crate) fn path(&self) -> String {
        self.path.join("/")
    }

    /// The last part of its path.
    pub(crate) fn last(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}

/// A first part that has a dot or a port is a host; so is this machine itself.
fn is_registry(part: &str) -> bool {
    (part.contains(['.', ':']) || part == "localhost")
        && part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
}

/// `[a-z0-9]` words between single separators.
fn is_path_part(part: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(word)
        && part.ends_with(word)
        && part.chars().all(|c| word(c) || matches!(c, '.' | '_' | '-'))
        && !["..", "._", "_.", ".-", "-.", "___", "_-", "-_"].iter().any(|two| part.contains(two))
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.starts_with(word)
        && tag.len() <= 128
        && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty() && hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit())
    })
}

/// Which images an entry of the table is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) enum Pattern {
    /// Every image (`*`).
    Any,
    /// Those whose path ends in this path, and that have this tag if there is one.
    Name(ImageName),
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        match ImageName::parse(&text) {
            Ok(name) if !text.contains('@') => Ok(Self::Name(name)),
            _ => Err("an image is named here by the end of its path, such as redis or acme/api, with a tag or without; \
                      * is every image"
                .to_owned()),
        }
    }
}

impl Pattern {
    /// How well it is met; nothing if it is not. More is better: first by the parts of the path, then by the tag.
    pub(crate) fn meets(&self, image: &ImageName) -> Option<(usize, bool)> {
        match self {
            Self::Any => Some((0, false)),
            Self::Name(ImageName { path, tag }) => {
                let tag_meets = tag.is_none() || *tag == image.tag;
                (image.path.ends_with(path) && tag_meets).then_some((path.len(), tag.is_some()))
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Name(name) => {
                f.write_str(&name.path())?;
                name.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        #[track_caller]
        fn check(text: &str, expected: Result<(&str, Option<&str>), &str>) {
            let seen = ImageName::parse(text);
            let seen = seen.as_ref().map(|name| (name.path(), name.tag.as_deref()));
            let expected = expected.map(|(path, tag)| (path.to_owned(), tag));
            assert_eq!(seen.map_err(String::as_str), expected, "{text}");
        }
        check("redis", Ok(("redis", None)));
        check("redis:7.2-alpine", Ok(("redis", Some("7.2-alpine"))));
        check("library/redis", Ok(("redis", None)));
        check("docker.io/library/redis:7", Ok(("redis", Some("7"))));
        check("quay.io/coreos/etcd:v3.5.1", Ok(("coreos/etcd", Some("v3.5.1"))));
        check("localhost:5000/api", Ok(("api", None)));
        check("localhost/api", Ok(("api", None)));
        check("acme/tools/api", Ok(("acme/tools/api", None)));
        let digest = format!("redis:7@sha256:{}", "0".repeat(64));
        check(&digest, Ok(("redis", Some("7"))));
        let invalid = Err("invalid reference format");
        check("", invalid);
        check("redis:", invalid);
        check("redis@sha256:12", invalid);
        check("acme//api", invalid);
        check("../api", invalid);
        check("-api", invalid);
        check("a b", invalid);
        check("Redis", Err("invalid reference format: repository name must be lowercase"));
    }

    #[test]
    fn patterns() {
        #[track_caller]
        fn check(pattern: &str, image: &str, expected: Option<(usize, bool)>) {
            let pattern = Pattern::try_from(pattern.to_owned()).unwrap();
            let seen = pattern.meets(&ImageName::parse(image).unwrap());
            assert_eq!(seen, expected, "{pattern} {image}");
        }
        check("*", "redis", Some((0, false)));
        check("redis", "redis:7", Some((1, false)));
        check("redis", "bitnami/redis", Some((1, false)));
        check("bitnami/redis", "docker.io/bitnami/redis:7", Some((2, false)));
        check("bitnami/redis", "redis", None);
        check("redis", "predis", None);
        check("redis:7", "redis:7", Some((1, true)));
        check("redis:7", "redis:6", None);
        check("redis:7", "redis", None);
        for wrong in ["", "Redis", "a b", &format!("redis@sha256:{}", "0".repeat(64))] {
            let error = Pattern::try_from(wrong.to_owned()).expect_err(wrong);
            assert!(error.contains("such as redis or acme/api"), "{error}");
        }
    }
}
