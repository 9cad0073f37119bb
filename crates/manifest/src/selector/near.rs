//! Labels that are almost those asked for.

use std::cmp::Reverse;
use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

/// Of some labels those that come nearest to the ones asked for, and how they differ: `app=web, no label tier`.
///
/// Equal labels count most, then the same key, then the same value under another key, then values that begin alike; labels
/// that have nothing of it are not near. Of several that are as near, the first.
pub fn nearest<'l, T>(
    asked: &Labels,
    candidates: impl IntoIterator<Item = (T, &'l Labels)>,
) -> Option<(T, String)> {
    let near = candidates.into_iter().filter_map(|(candidate, labels)| {
        let equal = asked.iter().filter(|(key, value)| labels.get(*key) == Some(value)).count();
        let same_key = asked.keys().filter(|key| labels.contains_key(*key)).count();
        let same_value =
            asked.values().filter(|value| labels.values().any(|other| other == *value)).count();
        let alike = asked.iter().filter_map(|(key, value)| Some(common(value, labels.get(key)?)));
        let nearness = (equal, same_key, same_value, alike.sum::<usize>());
        (nearness > (0, 0, 0, 0)).then_some((nearness, candidate, labels))
    });
    // The least of the reversed: the first, where several are alike.
    let (_, candidate, labels) = near.min_by_key(|(nearness, ..)| Reverse(*nearness))?;
    Some((candidate, differences(asked, labels)))
}

/// How many octets two values have in common before they differ.
fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
}

/// What labels have in place of those asked for.
fn differences(asked: &Labels, labels: &Labels) -> String {
    let differing = asked.iter().filter(|(key, value)| labels.get(*key) != Some(value));
    let words: Vec<String> = differing
        .map(|(key, value)| match labels.get(key) {
            Some(other) => format!("{key}={other}"),
            None => match labels.iter().find(|(_, other)| *other == value) {
                Some((other_key, _)) => format!("no label {key}, but {other_key}={value}"),
                None => format!("no label {key}"),
            },
        })
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        let entries = text.split(',').filter_map(|entry| entry.split_once('='));
        entries.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[track_caller]
    fn check(asked: &str, candidates: &[&str], expected: Option<(usize, &str)>) {
        let candidates: Vec<Labels> = candidates.iter().map(|text| labels(text)).collect();
        let found = nearest(&labels(asked), candidates.iter().enumerate());
        assert_eq!(found.as_ref().map(|(at, words)| (*at, words.as_str())), expected);
    }

    #[test]
    fn of_labels_that_are_as_near_the_likeliest_slip_comes_first() {
        check("app=webb", &["app=redis", "app=web"], Some((1, "app=web")));
        check("app=webb", &["app=web", "app=redis"], Some((0, "app=web")));
    }

    #[test]
    fn the_nearest_and_how_it_differs() {
        check("app=db", &["app=web", "app=cache"], Some((0, "app=web")));
        check("app=db,tier=1", &["app=web,tier=2", "app=db"], Some((1, "no label tier")));
        check("app=db", &["name=db"], Some((0, "no label app, but name=db")));
        check("app=db", &["name=db", "app=web"], Some((1, "app=web")));
        check("app=db", &["role=cache"], None);
        check("app=db", &[], None);
    }
}
