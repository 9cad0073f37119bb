//! For people: findings as compilers print them, with the lines at fault.

use std::io::{self, Write};

use advisor::lint::Label;
use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level as Title, Origin, Renderer, Snippet,
};
use manifest::read::Level;

use super::super::place;
use super::{Finding, Outcome, Sources};

/// Places of one text that are further apart than this are shown as two excerpts.
const LINES_BETWEEN_MAX: usize = 500;

pub(super) fn write(outcome: &Outcome, coloured: bool, out: &mut dyn Write) -> io::Result<()> {
    let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
    for finding in &outcome.report.findings {
        writeln!(out, "{}\n", render(finding, &outcome.sources, &renderer))?;
    }
    for finding in &outcome.fixed {
        let title = finding.fix.as_ref().map_or("", |fix| fix.title.as_str());
        writeln!(out, "{}: fixed[{}]: {title}", place(finding), finding.code)?;
    }
    writeln!(out, "{}", outcome.summary())?;
    if let Some(first) = outcome.report.findings.first() {
        writeln!(out, "headcount explain {} says more about a code", first.code)?;
    }
    Ok(())
}

/// One finding.
pub(crate) fn render(finding: &Finding, sources: &Sources, renderer: &Renderer) -> String {
    let level = match finding.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
        Level::Note => Title::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(&finding.message).id(finding.code));
    let labels = std::iter::once((&finding.primary, AnnotationKind::Primary))
        .chain(finding.secondary.iter().map(|label| (label, AnnotationKind::Context)));
    let mut excerpts: Vec<Vec<(&Label, AnnotationKind)>> = Vec::new();
    for (label, kind) in labels {
        let line = label.span.start.line;
        let near = excerpts.iter_mut().find(|labels| {
            labels.iter().all(|(other, _)| {
                other.source == label.source
                    && other.span.start.line.abs_diff(line) <= LINES_BETWEEN_MAX
            })
        });
        match near {
            Some(labels) => labels.push((label, kind)),
            None => excerpts.push(vec![(label, kind)]),
        }
    }
    for labels in &excerpts {
        group = match snippet(labels, sources) {
            Some(snippet) => group.element(snippet),
            None => {
                let (label, _) = &labels[0];
                let at = label.span.start;
                let origin = Origin::path(label.source.as_ref()).line(at.line);
                group.element(origin.char_column(at.column))
            }
        };
    }
    for help in &finding.help {
        group = group.element(Title::HELP.message(help));
    }
    if let Some(fix) = &finding.fix {
        group = group.element(Title::HELP.message(format!("--fix does this: {}", fix.title)));
    }
    renderer.render(&[group])
}

/// The lines around labels of one text.
fn snippet<'s>(
    labels: &[(&'s Label, AnnotationKind)],
    sources: &'s Sources,
) -> Option<Snippet<'s, Annotation<'s>>> {
    let lines = labels.iter().map(|(label, _)| label.span.start.line);
    let source = &labels.first()?.0.source;
    let excerpt = sources.excerpt(source, lines.clone().min()?, lines.max()?)?;
    let mut snippet =
        Snippet::source(excerpt.text).path(source.as_ref()).line_start(excerpt.first_line);
    for (label, kind) in labels {
        let range = sources.range(source, label.span, &excerpt)?;
        let annotation = kind.span(range);
        let text = Some(label.text.as_str()).filter(|text| !text.is_empty());
        snippet = snippet.annotation(annotation.label(text));
    }
    Some(snippet)
}
