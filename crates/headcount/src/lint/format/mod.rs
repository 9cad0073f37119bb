//! The formats, a file each. They write what they are given, and decide nothing.

mod concise;
mod github;
mod json;
mod junit;
mod sarif;
mod text;

use std::io::{self, Write};

use advisor::lint::Finding;
use clap::ValueEnum;

use super::outcome::Outcome;
use super::places::Sources;

pub(crate) use text::render;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: each finding with the lines at fault
    Text,
    /// A line for each finding, as editors read it
    Concise,
    /// For programs; docs/lint.md describes it
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations in a GitHub workflow's log
    Github,
    /// JUnit XML, a test case for each finding, as GitLab and Jenkins read it
    Junit,
}

impl Format {
    /// Writes an outcome; `coloured` is for the text.
    pub(crate) fn write(
        self,
        outcome: &Outcome,
        coloured: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self {
            Self::Text => text::write(outcome, coloured, out),
            Self::Concise => concise::write(outcome, out),
            Self::Json => json::write(outcome, out),
            Self::Sarif => sarif::write(outcome, out),
            Self::Github => github::write(outcome, out),
            Self::Junit => junit::write(outcome, out),
        }
    }
}
