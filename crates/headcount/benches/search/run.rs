//! One name, looked up again and again by one process.

use std::collections::BTreeSet;
use std::error::Error;
use std::process::Command;

use crate::library::Library;
use crate::scene::Scene;

/// What the program saw, and what it cost.
#[derive(Debug)]
pub(crate) struct Run {
    /// Of a look-up, the median.
    pub(crate) microseconds: f64,
    /// 0, or the number by which getaddrinfo says what is wrong.
    pub(crate) end: String,
    pub(crate) canonical: String,
    /// The least number of addresses that a look-up saw.
    pub(crate) least: usize,
    /// All addresses of all rounds.
    pub(crate) addresses: BTreeSet<String>,
    /// What the server was asked for one look-up.
    pub(crate) questions: f64,
}

/// A run takes seconds; this is for one that hangs.
const SECONDS_MAX: &str = "120";

pub(crate) fn look_up(
    scene: &Scene,
    library: &Library,
    search: &str,
    name: &str,
    rounds: u32,
) -> Result<Run, Box<dyn Error>> {
    scene.set_search(search)?;
    let before = scene.questions()?;
    let mut command = Command::new("timeout");
    command.arg(SECONDS_MAX).arg(&library.program).arg(rounds.to_string()).arg(name);
    let output = command.output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} ended with {}\n{text}", output.status).into());
    }
    let questions = (scene.questions()? - before) / f64::from(rounds);
    let text = String::from_utf8(output.stdout)?;
    let mut words = text.split_whitespace();
    let mut word = || words.next().ok_or_else(|| format!("{command:?} printed {text:?}"));
    Ok(Run {
        microseconds: word()?.parse()?,
        end: word()?.to_owned(),
        canonical: word()?.to_owned(),
        least: word()?.parse()?,
        addresses: words.map(str::to_owned).collect(),
        questions,
    })
}
