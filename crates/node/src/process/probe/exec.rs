//! Asking by a command in the container.

use std::time::Duration;

use k8s_openapi::api::core::v1::ExecAction;
use tokio::time::timeout;

use super::{Seen, Target};
use crate::process::acts;

pub(super) async fn look(target: &Target, action: &ExecAction, time: Duration) -> Seen {
    let command = action.command.as_deref().unwrap_or_default();
    match timeout(time, acts::run(&target.shared, &target.live, command)).await {
        Ok(Ok((exit, _))) if exit.code() == 0 => Seen::Well,
        Ok(Ok((_, output))) => Seen::Unwell(output),
        Ok(Err(failure)) => Seen::Errored(failure.0),
        Err(_) => {
            let command = command.join(" ");
            let seconds = time.as_secs();
            Seen::Unwell(format!("command timed out: \"{command}\" timed out after {seconds}s"))
        }
    }
}

pub(super) async fn hook(target: &Target, action: &ExecAction) -> Result<(), String> {
    let command = action.command.as_deref().unwrap_or_default();
    let run = acts::run(&target.shared, &target.live, command).await;
    let (exit, output) = run.map_err(|failure| failure.0)?;
    match exit.code() {
        0 => Ok(()),
        code => {
            let command = command.join(" ");
            Err(format!("command '{command}' exited with {code}: {}", output.trim_end()))
        }
    }
}
