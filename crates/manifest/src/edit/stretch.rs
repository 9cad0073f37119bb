//! From a change of a field to the stretches of text that have to be others.

use std::ops::Range;

use super::tree::{Content, Entry, Tree};
use super::value::Step;
use super::{Change, Refusal};
use crate::read::{Position, after_key, value_of};

/// How new text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// JSON knows only keys and texts in double quotes.
    json: bool,
    line_end: &'static str,
}

impl Style {
    pub(super) fn of(text: &str) -> Self {
        let json = text.trim_start().starts_with('{')
            && serde_json::Deserializer::from_str(text)
                .into_iter::<serde_json::Value>()
                .all(|value| value.is_ok());
        let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Self { json, line_end }
    }

    fn key(self, key: &str) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-');
        let plain = !self.json
            && key.starts_with(|c: char| c.is_ascii_alphanumeric())
            && key.chars().all(is_plain)
            && value_of(key).is_some_and(|value| value == key);
        if plain { key.to_owned() } else { serde_json::Value::from(key).to_string() }
    }

    fn value(self, yaml: &str) -> Option<String> {
        if self.json {
            value_of(yaml).map(|value| value.to_string())
        } else {
            Some(yaml.to_owned())
        }
    }
}

/// A stretch of the old text, and what comes in its place.
pub(super) type Stretch = (Range<usize>, String);

/// The text with the stretches replaced; none overlaps another.
pub(super) fn replace(text: &str, mut stretches: Vec<Stretch>) -> String {
    stretches.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut text = text.to_owned();
    for (range, new) in stretches {
        text.replace_range(range, &new);
    }
    text
}

/// The byte at a position; the text's end where it has none such.
pub(super) fn offset(text: &str, at: Position) -> usize {
    let before = text.split_inclusive('\n').take(at.line - 1).map(str::len).sum::<usize>();
    let rest = &text[before..];
    before + rest.char_indices().nth(at.column - 1).map_or(rest.len(), |(at, _)| at)
}

/// What a change replaces, and the steps to the value that it sets or removes, or to the map that it adds to.
pub(super) fn of(
    text: &str,
    tree: &Tree,
    root: &Tree,
    change: &Change,
    style: Style,
) -> Result<(Vec<Stretch>, Vec<Step>), Refusal> {
    let (Change::Set { field, .. } | Change::Remove { field } | Change::Add { parent: field, .. }) =
        change;
    let (nodes, steps) = resolve(root, field)?;
    let node = nodes.last().copied().unwrap_or(root);
    let layout = || Refusal::Layout(field.clone());
    let stretches = match change {
        Change::Set { to, .. } => {
            let Content::Line = node.content else { return Err(layout()) };
            vec![(node.start..node.end, style.value(to).ok_or_else(layout)?)]
        }
        Change::Remove { .. } => {
            let parent = match nodes.len() {
                0 => return Err(layout()),
                1 => root,
                more => nodes[more - 2],
            };
            remove(text, tree, parent, steps.last()).ok_or_else(layout)?
        }
        Change::Add { key, value, .. } => {
            let new = format!("{}: {}", style.key(key), style.value(value).ok_or_else(layout)?);
            vec![add(text, node, &new, style).ok_or_else(layout)?]
        }
    };
    Ok((stretches, steps))
}

/// The values on the way to a field, itself the last, and the steps between them.
fn resolve<'t>(root: &'t Tree, field: &str) -> Result<(Vec<&'t Tree>, Vec<Step>), Refusal> {
    let (mut nodes, mut steps) = (Vec::new(), Vec::new());
    let (mut node, mut rest) = (root, field);
    while !rest.is_empty() {
        let none = || Refusal::Field(field.to_owned());
        let step = match &node.content {
            Content::Line | Content::Other => return Err(none()),
            Content::Alias => return Err(Refusal::Shared(field.to_owned())),
            Content::List { items, .. } => {
                let (index, after) = rest
                    .strip_prefix('[')
                    .and_then(|rest| rest.split_once(']'))
                    .ok_or_else(none)?;
                let index = index.parse().map_err(|_| none())?;
                node = items.get(index).ok_or_else(none)?;
                rest = after.strip_prefix('.').unwrap_or(after);
                Step::Index(index)
            }
            Content::Map { entries, .. } => {
                let shares = entries.iter().any(|entry| entry.key == "<<");
                let missing = || match shares {
                    true => Refusal::Shared(field.to_owned()),
                    false => none(),
                };
                let (entry, after) = entries
                    .iter()
                    .filter_map(|entry| Some((entry, after_key(rest, &entry.key)?)))
                    .max_by_key(|(entry, _)| entry.key.len())
                    .ok_or_else(missing)?;
                node = &entry.value;
                rest = after;
                Step::Key(entry.key.clone())
            }
        };
        nodes.push(node);
        steps.push(step);
    }
    Ok((nodes, steps))
}

/// Where the elements of a list or the entries of a map stand, and whether it is in flow style.
fn elements(text: &str, parent: &Tree) -> Option<(bool, Vec<Range<usize>>)> {
    match &parent.content {
        Content::Map { flow, entries } => {
            let range = |entry: &Entry| entry.key_start..entry.end();
            Some((*flow, entries.iter().map(range).collect()))
        }
        Content::List { flow: true, items } => {
            Some((true, items.iter().map(|item| item.start..item.end).collect()))
        }
        Content::List { flow: false, items } => {
            let with_dash = |item: &Tree| hyphen(text, item).map(|at| at..item.end);
            Some((false, items.iter().map(with_dash).collect::<Option<_>>()?))
        }
        Content::Line | Content::Other | Content::Alias => None,
    }
}

/// Where the hyphen is behind which an element stands, perhaps some lines below.
fn hyphen(text: &str, item: &Tree) -> Option<usize> {
    let mut before = text.get(..item.start)?;
    loop {
        before = before.trim_end();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = &before[line_start..];
        if let Some(other) = line.strip_suffix('-') {
            return other.trim_start_matches([' ', '-']).is_empty().then(|| before.len() - 1);
        }
        // A line that is a comment, or a hyphen with one.
        let (code, _) = line.split_once('#')?;
        before = &before[..line_start + code.len()];
        if !code.trim().is_empty() && !code.trim_end().ends_with('-') {
            return None;
        }
    }
}

fn remove(text: &str, tree: &Tree, parent: &Tree, last: Option<&Step>) -> Option<Vec<Stretch>> {
    let at = match (&parent.content, last?) {
        (Content::Map { entries, .. }, Step::Key(key)) => {
            entries.iter().position(|entry| entry.key == *key)?
        }
        (_, Step::Index(index)) => *index,
        _ => return None,
    };
    let (flow, elements) = elements(text, parent)?;
    let element = elements.get(at)?.clone();
    if flow {
        return remove_in_flow(text, parent, &elements, at);
    }
    if elements.len() == 1 {
        return leave_empty(text, tree, parent, &element);
    }
    let lines = lines_of(text, &element)?;
    if text[lines.start..element.start].trim().is_empty() {
        return Some(vec![(lines, String::new())]);
    }
    // It stands behind the hyphen of the list's element that it is the first field of: the next one moves there, unless
    // comments are before that.
    let next = elements.get(at + 1)?.start;
    let between = text.get(lines.end..next)?;
    if between.trim().is_empty() {
        return Some(vec![(element.start..next, String::new())]);
    }
    let content_end = text[..lines.end].trim_end_matches(['\n', '\r']).len();
    Some(vec![(element.start..content_end, String::new())])
}

fn remove_in_flow(
    text: &str,
    parent: &Tree,
    elements: &[Range<usize>],
    at: usize,
) -> Option<Vec<Stretch>> {
    let element = &elements[at];
    let range = match elements.get(at + 1) {
        Some(next) => element.start..next.start,
        None if at > 0 => elements[at - 1].end..element.end,
        None => parent.start + 1..parent.end.checked_sub(1)?,
    };
    let around = [text.get(range.start..element.start), text.get(element.end..range.end)];
    let no_comment = around.into_iter().all(|text| text.is_none_or(|text| !text.contains('#')));
    no_comment.then(|| vec![(range, String::new())])
}

/// Takes the only element out, and writes that the list or map is empty.
fn leave_empty(
    text: &str,
    tree: &Tree,
    parent: &Tree,
    element: &Range<usize>,
) -> Option<Vec<Stretch>> {
    let empty = match parent.content {
        Content::List { .. } => "[]",
        Content::Map { .. } | Content::Line | Content::Other | Content::Alias => "{}",
    };
    let lines = lines_of(text, element)?;
    if !text[lines.start..element.start].trim().is_empty() {
        return Some(vec![(element.clone(), empty.to_owned())]);
    }
    let holder = holder(text, tree, parent)?;
    Some(vec![(lines, String::new()), (holder..holder, format!(" {empty}"))])
}

/// Behind the colon or the hyphen of what this is the value of.
fn holder(text: &str, tree: &Tree, wanted: &Tree) -> Option<usize> {
    match &tree.content {
        Content::Map { entries, .. } => entries.iter().find_map(|entry| {
            if std::ptr::eq(&entry.value, wanted) {
                let colon = text.get(entry.key_end..)?.find(':')?;
                return Some(entry.key_end + colon + 1);
            }
            holder(text, &entry.value, wanted)
        }),
        Content::List { items, .. } => items.iter().find_map(|item| {
            if std::ptr::eq(item, wanted) {
                return hyphen(text, item).map(|at| at + 1);
            }
            holder(text, item, wanted)
        }),
        Content::Line | Content::Other | Content::Alias => None,
    }
}

/// The whole lines of an element, if nothing but a comment follows it there.
fn lines_of(text: &str, element: &Range<usize>) -> Option<Range<usize>> {
    let start = text.get(..element.start)?.rfind('\n').map_or(0, |at| at + 1);
    let content = text.get(element.clone())?.trim_end();
    let content_end = element.start + content.len();
    let end = text[content_end..].find('\n').map_or(text.len(), |at| content_end + at + 1);
    let behind = text[content_end..end].trim();
    (behind.is_empty() || behind.starts_with('#')).then_some(start..end)
}

fn add(text: &str, map: &Tree, new: &str, style: Style) -> Option<Stretch> {
    let Content::Map { flow, entries } = &map.content else { return None };
    let Some(last) = entries.last() else {
        return Some((map.start + 1..map.start + 1, new.to_owned()));
    };
    let line_start = text[..last.key_start].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[line_start..last.key_start];
    let alone = before.trim().is_empty();
    if *flow {
        let end = last.end();
        let separator = if alone { format!("{}{before}", style.line_end) } else { " ".to_owned() };
        return Some((end..end, format!(",{separator}{new}")));
    }
    // The first field may stand behind the hyphen of a list's element.
    let indent: String = before.chars().map(|c| if c == '\t' { c } else { ' ' }).collect();
    if !before.chars().all(|c| matches!(c, ' ' | '-')) {
        return None;
    }
    let end = lines_of(text, &(last.key_start..last.end()))?.end;
    let line_end = style.line_end;
    Some(if text[..end].ends_with('\n') {
        (end..end, format!("{indent}{new}{line_end}"))
    } else {
        (end..end, format!("{line_end}{indent}{new}"))
    })
}
