//! From lines and columns to bytes, for texts that findings point into.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use manifest::read::{Position, Span};

/// The texts that were read, by name.
#[derive(Default)]
pub(crate) struct Sources(BTreeMap<Arc<str>, Source>);

struct Source {
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// A part of a text, in whole lines.
pub(super) struct Excerpt<'t> {
    pub(super) text: &'t str,
    pub(super) first_line: usize,
    start: usize,
}

impl Sources {
    pub(crate) fn add(&mut self, name: &str, text: String) {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(starts.map(|(at, _)| at + 1)).collect();
        self.0.insert(Arc::from(name), Source { text, lines });
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|source| source.text.as_str())
    }

    /// The lines from one to another, numbered from 1.
    pub(super) fn excerpt(&self, name: &str, first: usize, last: usize) -> Option<Excerpt<'_>> {
        let source = self.0.get(name)?;
        let start = source.line_start(first)?;
        let end = source.lines.get(last).copied().unwrap_or(source.text.len());
        let text = source.text.get(start..end)?;
        Some(Excerpt { text: text.trim_end_matches(['\n', '\r']), first_line: first, start })
    }

    /// The bytes of a span within an excerpt; of one that goes over several lines, those on the first.
    pub(super) fn range(
        &self,
        name: &str,
        span: Span,
        excerpt: &Excerpt<'_>,
    ) -> Option<Range<usize>> {
        let source = self.0.get(name)?;
        let start = source.offset(span.start)?;
        let line_end = source.lines.get(span.start.line).map_or(source.text.len(), |end| end - 1);
        let end = source.offset(span.end).unwrap_or(start).clamp(start, line_end.max(start));
        let within = |at: usize| at.saturating_sub(excerpt.start).min(excerpt.text.len());
        Some(within(start)..within(end))
    }
}

impl Source {
    fn line_start(&self, line: usize) -> Option<usize> {
        self.lines.get(line.checked_sub(1)?).copied()
    }

    fn offset(&self, at: Position) -> Option<usize> {
        let start = self.line_start(at.line)?;
        let rest = &self.text[start..];
        // A byte order mark is no character of the text.
        let mark = if at.line == 1 && rest.starts_with('\u{feff}') { 1 } else { 0 };
        let column = at.column.saturating_sub(1) + mark;
        let line = rest.split('\n').next().unwrap_or_default();
        Some(start + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_bytes_of_whole_lines() {
        let mut sources = Sources::default();
        sources.add("a", "\u{feff}é: x\nb: |\n  c\n  d\ne".to_owned());
        let check = |from: (usize, usize), to: (usize, usize), expected: &str| {
            let at = |(line, column)| Position { line, column };
            let excerpt = sources.excerpt("a", from.0, to.0).expect("the lines");
            let span = Span { start: at(from), end: at(to) };
            let range = sources.range("a", span, &excerpt).expect("a range");
            assert_eq!(&excerpt.text[range], expected, "{from:?}");
        };
        check((1, 1), (1, 2), "é");
        check((1, 4), (1, 5), "x");
        check((2, 1), (2, 2), "b");
        check((2, 4), (5, 1), "|");
        check((5, 1), (5, 2), "e");
        check((5, 2), (5, 2), "");
        check((5, 9), (9, 9), "");
        assert!(sources.excerpt("a", 6, 6).is_none());
        assert!(sources.excerpt("b", 1, 1).is_none());
    }
}
