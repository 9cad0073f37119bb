//! Applying what `-f` names: every object is reported, and a bad one does not stop the others.

use cluster::{Activity, ApplyError};
use futures::{StreamExt as _, stream};
use kube::Client;
use manifest::read::{Checked, Problem};

/// Requests under way at a time. The store commits together what waits together.
const REQUESTS_MAX: usize = 32;

/// Applies the objects in their order, namespaces first, and prints a line for each; true when the API refused
/// one.
pub(super) async fn apply(
    client: &Client,
    activity: &Activity,
    objects: &[Checked],
    namespace: &str,
) -> bool {
    let namespaces =
        objects.iter().take_while(|object| object.reference.kind == "Namespace").count();
    let mut refused = false;
    for batch in [&objects[..namespaces], &objects[namespaces..]] {
        let mut answers = stream::iter(batch)
            .map(|object| async move {
                let document = &object.document;
                (object, cluster::apply(client, document.kind, &document.value, namespace).await)
            })
            .buffered(REQUESTS_MAX);
        while let Some((object, answer)) = answers.next().await {
            match answer {
                Ok(applied) => {
                    applied.await_in(activity);
                    print_line(format_args!("{} {}", title(object), applied.outcome.as_str()));
                }
                Err(error) => {
                    refused = true;
                    for problem in refusal(object, &error) {
                        crate::terminal::say(&problem);
                    }
                }
            }
        }
    }
    refused
}

/// `service/redis-headless`, and the namespace where it is not the default one: `service/web (prod)`.
fn title(object: &Checked) -> String {
    let kind = object.document.kind;
    let group = if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) };
    let reference = &object.reference;
    let namespace = match reference.namespace.as_str() {
        "" | "default" => String::new(),
        other => format!(" ({other})"),
    };
    format!("{}{group}/{}{namespace}", kind.singular, reference.name)
}

/// The API's refusal, at the lines of the fields that it names.
fn refusal(object: &Checked, error: &ApplyError) -> Vec<Problem> {
    let document = &object.document;
    let causes = error.causes();
    if causes.is_empty() {
        let told = format!("{}: {error}", title(object));
        let namespace = &object.reference.namespace;
        let missing = error.to_string() == format!("namespaces \"{namespace}\" not found");
        let help = missing
            .then(|| format!("apply a manifest of kind Namespace named {namespace} with it"));
        return vec![Problem::error(&document.source, document.start(), told).with_help(help)];
    }
    causes
        .iter()
        .map(|cause| {
            let help = cause
                .message
                .contains("not configured for dual-stack")
                .then(|| "give --pod-cidr and --service-cidr one range of each family".to_owned());
            Problem::error(&document.source, document.position(&cause.field), cause.message.clone())
                .in_field(cause.field.clone())
                .with_help(help)
        })
        .collect()
}

/// Prints on stdout; that nobody reads it any more is no reason to stop serving.
pub(super) fn print_line(line: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}
