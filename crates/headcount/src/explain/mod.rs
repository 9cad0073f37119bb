//! `headcount explain`: what a code means.

mod manual;

use advisor::lint::Rule;
use advisor::lint::rules::by_code;
use annotate_snippets::Renderer;
use clap::Args;

use crate::error::{Error, Exit};
use crate::lint::no_such_rule;
use crate::terminal::{is_coloured, print};

/// Say what a code of lint means: what goes wrong, how to mend it, with an example
#[derive(Args)]
pub(crate) struct Explain {
    /// The code, such as HC001
    #[arg(value_name = "CODE", required = true)]
    codes: Vec<String>,
}

impl Explain {
    pub(crate) fn run(self) -> Result<Exit, Error> {
        let rules: Vec<&Rule> = self
            .codes
            .iter()
            .map(|code| by_code(code).ok_or_else(|| Error::new(no_such_rule(code))))
            .collect::<Result<_, _>>()?;
        let coloured = is_coloured(&std::io::stdout());
        let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
        print(|out| {
            for (at, rule) in rules.iter().enumerate() {
                if at > 0 {
                    writeln!(out)?;
                }
                out.write_all(manual::text(rule, &renderer).as_bytes())?;
            }
            Ok(())
        })?;
        Ok(Exit::Clean)
    }
}
