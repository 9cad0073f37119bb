//! YAML text as a tree in which everything knows its bytes.

use granit_parser::{Event, Marker, Parser, ScalarStyle, StructureStyle};

/// How deep a document may be, as for reading.
const DEPTH_MAX: usize = 200;

/// A value and where it stands, without its anchor and tag.
#[derive(Debug)]
pub(super) struct Tree {
    /// Its first byte.
    pub(super) start: usize,
    /// Behind its last byte.
    pub(super) end: usize,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// A scalar on one line, in quotes or not.
    Line,
    /// A scalar of several lines, or one that is not there: `key:`.
    Other,
    Alias,
    List {
        flow: bool,
        items: Vec<Tree>,
    },
    Map {
        flow: bool,
        entries: Vec<Entry>,
    },
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_start: usize,
    pub(super) key_end: usize,
    pub(super) value: Tree,
}

impl Tree {
    /// The first document of a text; `None` if it cannot be read.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut builder = Builder { text, open: Vec::new(), root: None };
        for event in Parser::new_from_str(text) {
            let (event, span) = event.ok()?;
            builder.take(event, span.start.byte_offset()?, &span.end)?;
        }
        builder.root
    }

    /// The map that begins at a byte.
    pub(super) fn map_at(&self, offset: usize) -> Option<&Self> {
        match &self.content {
            Content::Map { .. } if self.start == offset => Some(self),
            Content::Map { entries, .. } => {
                entries.iter().find_map(|entry| entry.value.map_at(offset))
            }
            Content::List { items, .. } => items.iter().find_map(|item| item.map_at(offset)),
            Content::Line | Content::Other | Content::Alias => None,
        }
    }
}

/// A key, and where it begins and ends.
type Key = (String, usize, usize);

struct Builder<'t> {
    text: &'t str,
    /// The lists and maps that are not complete; a map with the key whose value comes next.
    open: Vec<(Tree, Option<Key>)>,
    root: Option<Tree>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, start: usize, end: &Marker) -> Option<()> {
        let end = end.byte_offset()?;
        match event {
            Event::Alias(_) => self.add(Tree { start, end, content: Content::Alias }, None),
            Event::Scalar(text, style, ..) => {
                let is_line = match style {
                    ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                        start < end && !self.text.get(start..end)?.contains('\n')
                    }
                    ScalarStyle::Literal | ScalarStyle::Folded => false,
                };
                let content = if is_line { Content::Line } else { Content::Other };
                self.add(Tree { start, end, content }, Some(&text))
            }
            Event::SequenceStart(style, ..) => {
                let flow = style == StructureStyle::Flow;
                self.open(Tree { start, end, content: Content::List { flow, items: Vec::new() } })
            }
            Event::MappingStart(style, ..) => {
                let flow = style == StructureStyle::Flow;
                self.open(Tree { start, end, content: Content::Map { flow, entries: Vec::new() } })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (mut tree, _) = self.open.pop()?;
                let last = match &tree.content {
                    Content::List { flow: false, items } => items.last().map(|item| item.end),
                    Content::Map { flow: false, entries } => entries.last().map(Entry::end),
                    _ => Some(end),
                };
                tree.end = last.unwrap_or(end);
                self.add(tree, None)
            }
            // Starts and ends of the stream and its documents, and comments.
            _ => Some(()),
        }
    }

    fn open(&mut self, tree: Tree) -> Option<()> {
        (self.open.len() < DEPTH_MAX).then(|| self.open.push((tree, None)))
    }

    /// Puts a complete value where it belongs; `text` is that of a scalar.
    fn add(&mut self, tree: Tree, text: Option<&str>) -> Option<()> {
        let Some((parent, key)) = self.open.last_mut() else {
            self.root.get_or_insert(tree);
            return Some(());
        };
        match &mut parent.content {
            Content::List { items, .. } => items.push(tree),
            Content::Map { entries, .. } => match key.take() {
                Some((key, key_start, key_end)) => {
                    let mut value = tree;
                    // What is not there stands behind the colon, not at whatever comes next.
                    if value.start == value.end {
                        let colon = self.text.get(key_end..)?.find(':')?;
                        value.end = key_end + colon + 1;
                        value.start = value.end;
                    }
                    entries.push(Entry { key, key_start, key_end, value });
                }
                None => *key = Some((text?.to_owned(), tree.start, tree.end)),
            },
            Content::Line | Content::Other | Content::Alias => return None,
        }
        Some(())
    }
}

impl Entry {
    /// Behind its value.
    pub(super) fn end(&self) -> usize {
        self.value.end
    }
}
