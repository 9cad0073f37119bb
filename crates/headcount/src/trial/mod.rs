//! Whether a plan does what was meant, tried: its objects go through the API of a cluster in this process (or are in a
//! cluster of the user's, which is only read), and what its names answer is asked over a real socket, by a resolver library
//! that is not ours.
//!
//! What should be answered comes from the intent ([`Expectation`]) and from what the API says of pods and Services, never
//! from a preview of the plan: a plan that does something else than was meant is found out.

mod ask;
mod compare;
mod live;
mod objects;
mod owned;
mod prepare;
mod report;
mod seen;
mod slices;
mod steps;
#[cfg(test)]
mod tests;
mod text;

use std::time::{Duration, Instant};

use advisor::design::Expectation;
use directory::Name;
use serde_json::Value;
use tokio::time::timeout;

use crate::error::Error;
use crate::signal;

pub(crate) use live::{LiveArgs, verify_live};
#[cfg(test)]
use report::Outcome;
pub(crate) use report::Report;
use report::Where;

/// How long a trial may take, whatever happens in it: hundreds of times what it takes on a machine with nothing else to do.
const TRIAL_TIME: Duration = Duration::from_secs(180);

/// What is to be verified.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'p> {
    /// The objects, as they would be given to kubectl.
    pub(crate) objects: &'p [Value],
    /// What must answer, from the intent alone.
    pub(crate) expectations: &'p [Expectation],
    /// The namespace of the workload, and of objects that name none.
    pub(crate) namespace: &'p str,
    /// The zone that the names are in.
    pub(crate) domain: &'p Name,
}

/// Tries a plan in a cluster of its own in this process, which is gone afterwards. It takes some tenths of a second, and
/// three minutes at most; dropped, it stops at once.
///
/// The report says what was asked and answered ([`Report::lines`] for people, serde for JSON); unless it
/// [`passed`](Report::passed), the plan does not do what was meant.
///
/// # Errors
///
/// No cluster could be started, or it could not be asked. That the plan is wrong is no error, but in the report.
pub(crate) async fn verify(plan: &Plan<'_>) -> Result<Report, Error> {
    verify_within(plan, TRIAL_TIME).await
}

async fn verify_within(plan: &Plan<'_>, time: Duration) -> Result<Report, Error> {
    let started = Instant::now();
    let mut report = Report::new(Where::Trial);
    let complete = match timeout(time, steps::run(plan, &mut report)).await {
        Ok(ended) => ended.map(|()| true)?,
        Err(_) => {
            let last = report.checks.last().map(|check| check.when.as_str());
            report.note(format!(
                "the trial was stopped after {} s, before all was asked; it had come to \"{}\". This machine may be busy: try again when it has less to do",
                time.as_secs_f32(),
                last.unwrap_or("its beginning")
            ));
            false
        }
    };
    report.end(complete, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    Ok(report)
}

/// Runs what a verb awaits, until a signal stops it.
///
/// # Errors
///
/// Its own, or that it was stopped.
pub(crate) fn run<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::caused("could not start the runtime", &error))?;
    runtime.block_on(async {
        let stop = signal::stop()?;
        tokio::select! {
            done = work => done,
            signal = stop => Err(Error::new(format!("{signal} before the verification was over"))),
        }
    })
}
