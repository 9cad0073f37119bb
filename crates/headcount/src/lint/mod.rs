//! `headcount lint`: static checks across manifests.

mod format;
mod gather;
mod list;
mod outcome;
mod places;
mod write;

use std::io::{self, Write as _};
use std::path::PathBuf;

use advisor::lint::rules::{RULES, by_code};
use advisor::lint::{self, Allowance, Finding, NoAllowance, Options, Rule, Selection, Version};
use clap::{Args, ValueEnum};
use directory::Name;
use manifest::read::Level;

use crate::arguments::cluster_domain;
use crate::error::{Error, Exit};
use crate::terminal::{is_coloured, print};
use format::Format;
use gather::{Input, Live};
use outcome::Outcome;

pub(crate) use format::render;
pub(crate) use places::Sources;

/// A fix may wait for another, which moves its field; so many times it is looked again.
const FIX_ROUNDS_MAX: usize = 16;

/// Check manifests for what goes wrong with Services, StatefulSets and DNS
///
/// Looks at all manifests together, so that what one refers to is found in another, and prints each finding with the
/// lines at fault, what follows from it, and how to mend it. Nothing is applied, and no cluster is needed.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Lint {
    /// A manifest or a folder of manifests (repeatable; "-" reads stdin). A folder stands for the .yaml, .yml and
    /// .json files in it; one that has none stands for its folders
    #[arg(value_name = "PATH", required_unless_present = "list")]
    paths: Vec<PathBuf>,

    /// Namespace of objects that name none
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,

    /// How to print
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,

    /// Findings of this level or worse make the exit status 1
    #[arg(long, value_name = "LEVEL", default_value = "warning")]
    deny: Deny,

    /// Do not count findings of this code, everywhere or about one object (repeatable): CODE, CODE=Kind/name,
    /// CODE=Kind/namespace/name, CODE=File/path
    #[arg(long, value_name = "CODE[=OBJECT]", value_parser = allowance)]
    allow: Vec<Allowance>,

    /// Run this rule alone (repeatable)
    #[arg(long, value_name = "CODE", value_parser = rule)]
    only: Vec<&'static Rule>,

    /// Mend what can be mended safely, in the files; comments and layout stay. What is read from stdin goes to
    /// stdout, mended, and the findings to stderr
    #[arg(long)]
    fix: bool,

    /// List the rules: code, level, title
    #[arg(long)]
    list: bool,

    /// The oldest Kubernetes that the manifests are for
    #[arg(long, value_name = "VERSION", default_value_t = Options::default().kubernetes)]
    kubernetes_version: Version,

    /// The zone that the cluster's names are in
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local", value_parser = cluster_domain)]
    cluster_domain: Name,

    /// What is applied now, as kubectl get -o yaml writes it: for the rules about changes (repeatable)
    #[arg(long, value_name = "PATH")]
    against: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  headcount lint examples/redis                              # a folder of manifests
  helm template charts/db | headcount lint -                 # what a chart makes
  headcount lint manifests --fix                             # mend what can be mended safely
  headcount lint manifests -o sarif > lint.sarif             # for code scanning
  headcount lint manifests --allow HC009=Service/prod/db     # this one is meant so
  kubectl get svc,sts -A -o yaml | headcount lint manifests --against -    # would the change be refused?";

/// [`Level`], as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    Note,
    Warning,
    Error,
}

impl From<Deny> for Level {
    fn from(deny: Deny) -> Self {
        match deny {
            Deny::Note => Self::Note,
            Deny::Warning => Self::Warning,
            Deny::Error => Self::Error,
        }
    }
}

fn rule(code: &str) -> Result<&'static Rule, String> {
    by_code(code).ok_or_else(|| no_such_rule(code))
}

fn allowance(text: &str) -> Result<Allowance, String> {
    Allowance::parse(text).map_err(|wrong| match wrong {
        NoAllowance::Code(code) => no_such_rule(&code),
        NoAllowance::Object(object) => format!(
            "{object:?} names no object: write Kind/name, Kind/namespace/name or File/path, or the code alone for all"
        ),
    })
}

/// That there is no rule with this code, and which there are.
pub(crate) fn no_such_rule(code: &str) -> String {
    let digits = |text: &str| text.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u32>();
    let near = digits(code).ok().and_then(|wanted| {
        let far = |rule: &&Rule| digits(rule.code).map_or(u32::MAX, |it| it.abs_diff(wanted));
        RULES.iter().min_by_key(far)
    });
    let near = near.map_or_else(String::new, |near| format!(", the nearest is {}", near.code));
    format!("there is no rule {code}{near}; headcount lint --list prints all")
}

impl Lint {
    pub(crate) fn run(self) -> Result<Exit, Error> {
        let selection = Selection { only: self.only.clone(), allow: self.allow.clone() };
        if self.list {
            print(|out| list::write(&selection, out))?;
            return Ok(Exit::Clean);
        }
        let from_stdin = |paths: &[PathBuf]| paths.iter().any(|path| path.as_os_str() == "-");
        if from_stdin(&self.paths) && from_stdin(&self.against) {
            return Err(Error::new("stdin is named twice: as manifests, and after --against")
                .hint("put one of them into a file"));
        }
        let mut input = Input::read(&self.paths)?;
        let live = Live::read(&self.against)?;
        let mut objects = input.objects(self.options());
        objects.live = live.objects(self.options());
        let mut report = lint::run(&objects, &selection);
        let mut fixed = Vec::new();
        for _ in 0..if self.fix { FIX_ROUNDS_MAX } else { 0 } {
            let fixes = lint::fix(&mut input.texts, &report.findings);
            if fixes.made.is_empty() {
                for (finding, refusal) in &fixes.refused {
                    crate::terminal::say(format_args!(
                        "{}: {} is not fixed: {refusal}",
                        place(finding),
                        finding.code
                    ));
                }
                break;
            }
            fixed.extend(fixes.made);
            let live = objects.live.take();
            objects = input.objects(self.options());
            objects.live = live;
            report = lint::run(&objects, &selection);
        }
        for allowance in &report.unused {
            crate::terminal::say(format_args!(
                "note: --allow {allowance} allows nothing that is found; take it out, or see how it is spelt"
            ));
        }
        let of_stdin = if self.fix { input.write_back()?.map(str::to_owned) } else { None };
        let fixable = report.findings.iter().filter(|finding| finding.fix.is_some());
        let fixable = if self.fix { 0 } else { fixable.count() };
        let outcome = Outcome {
            report,
            objects: objects.all.len() + objects.foreign.len(),
            deny: self.deny.into(),
            fixed,
            fixable,
            files: input.names(),
            sources: sources(input, live),
        };
        if outcome.objects == 0 && outcome.report.findings.is_empty() {
            // What made them may have failed, on the other side of a pipe.
            return Err(Error::new("there is no object in what was given to lint")
                .hint("see that whatever writes the manifests did so"));
        }
        self.print(&outcome, of_stdin.as_deref())?;
        Ok(if outcome.is_clean() { Exit::Clean } else { Exit::Findings })
    }

    fn options(&self) -> Options {
        Options {
            namespace: self.namespace.clone(),
            kubernetes: self.kubernetes_version,
            cluster_domain: self.cluster_domain.to_string().trim_end_matches('.').to_owned(),
        }
    }

    /// Prints the outcome on stdout, or on stderr if stdout is for the mended text.
    fn print(&self, outcome: &Outcome, mended: Option<&str>) -> Result<(), Error> {
        if let Some(text) = mended {
            let mut report = Vec::new();
            let coloured = is_coloured(&io::stderr());
            self.output
                .write(outcome, coloured, &mut report)
                .map_err(|error| Error::caused("could not write the output", &error))?;
            // Nothing is left to tell it to.
            _ = io::stderr().write_all(&report);
            return print(|out| out.write_all(text.as_bytes()));
        }
        let coloured = is_coloured(&io::stdout());
        print(|out| self.output.write(outcome, coloured, out))
    }
}

/// Everything that findings may point into.
fn sources(input: Input, live: Live) -> Sources {
    let mut sources = input.into_sources();
    for (name, text) in live.0 {
        sources.add(&name, text);
    }
    sources
}

/// `db.yaml:12:3`.
fn place(finding: &Finding) -> String {
    let at = finding.primary.span.start;
    format!("{}:{}:{}", finding.primary.source, at.line, at.column)
}
