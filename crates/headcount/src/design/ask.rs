//! The questions on a terminal. What is known of the software is their default, so that Enter all the way is a design.

use advisor::design::{Draft, Given, Place};
use advisor::peers::{Peer, peers};
use inquire::ui::RenderConfig;
use inquire::{InquireError, Select, Text};

use crate::error::Error;

/// The choices of `--expose`, with what each is for.
const EXPOSE: [(&str, &str); 5] = [
    ("none", "no client is outside of the cluster"),
    ("ingress", "HTTP by host name, by an Ingress controller"),
    ("gateway", "HTTP by host name, by the Gateway API"),
    ("loadbalancer", "any TCP, an address of the cloud's"),
    ("nodeport", "any TCP, a port of every node"),
];

/// Asks for what the flags do not say; `None` when the person has had enough (Ctrl-C, Escape).
pub(super) fn draft(flags: Draft) -> Result<Option<Draft>, Error> {
    if std::env::var_os("NO_COLOR").is_some() {
        inquire::set_global_render_config(RenderConfig::empty());
    }
    match ask() {
        Ok(answers) => Ok(Some(flags.or(answers))),
        Err(InquireError::OperationCanceled | InquireError::OperationInterrupted) => Ok(None),
        Err(error) => Err(Error::caused("could not ask on this terminal", &error)
            .hint("say it with flags instead: headcount design --help")),
    }
}

fn ask() -> Result<Draft, InquireError> {
    let pods = "pods of this cluster";
    let outside = "something outside of it";
    match Select::new("What is behind the name?", vec![pods, outside]).prompt()? {
        answer if answer == pods => ask_pods(),
        _ => ask_external(),
    }
}

fn given(question: &'static str, text: impl Into<String>) -> Option<Given> {
    let text = text.into();
    let text = text.trim();
    (!text.is_empty()).then(|| Given { text: text.to_owned(), place: Place::Answer(question) })
}

/// A list, as people write one: with commas or spaces.
fn listed(question: &'static str, text: &str) -> Vec<Given> {
    text.split([',', ' ']).filter_map(|part| given(question, part)).collect()
}

fn ask_pods() -> Result<Draft, InquireError> {
    let suggest = |typed: &str| {
        let typed = typed.to_lowercase();
        let names = peers().map(|peer| peer.name.to_owned());
        Ok(names.filter(|name| name.to_lowercase().contains(&typed)).collect::<Vec<_>>())
    };
    let what = Text::new("Which software or image?")
        .with_help_message(
            "etcd, kafka, redis-cluster …, or an image such as registry.example/ledger:2",
        )
        .with_autocomplete(suggest)
        .prompt()?;
    let software = Peer::by_name(&what).or_else(|| Peer::by_image(&what));
    let is_image = Peer::by_name(&what).is_none();
    let mut draft = Draft {
        software: software.and_then(|software| given("software", software.name)),
        image: if is_image { given("image", what) } else { None },
        ..Draft::default()
    };
    if software.is_none() {
        let set = "StatefulSet: each pod has a name that stays";
        let deployment = "Deployment: pods are alike";
        let kind = Select::new("What makes its pods?", vec![set, deployment]).prompt()?;
        let is_set = kind == set;
        draft.workload = given("workload", if is_set { "statefulset" } else { "deployment" });
        if is_set {
            let any = "any replica that works";
            let stable = "each replica by its name";
            let identity = Select::new("What do clients need?", vec![any, stable]).prompt()?;
            draft.identity = given("identity", if identity == any { "any" } else { "stable" });
        }
        let ports = Text::new("Which ports does it listen on?")
            .with_help_message("name:number, several with commas: http:8080,metrics:9090")
            .prompt()?;
        draft.ports = listed("port", &ports);
    }
    let usual = software.map(|software| software.name.to_lowercase().replace(' ', "-"));
    draft.name = given("name", name(usual.as_deref())?);
    draft.replicas = given(
        "replicas",
        Text::new("How many replicas?").with_help_message("Enter: as is usual for it").prompt()?,
    );
    ask_common(&mut draft)?;
    let choices: Vec<String> =
        EXPOSE.iter().map(|(choice, what)| format!("{choice}: {what}")).collect();
    let expose = Select::new("How do clients outside of the cluster come in?", choices).prompt()?;
    draft.expose = given("expose", expose.split(':').next().unwrap_or_default());
    Ok(draft)
}

fn ask_external() -> Result<Draft, InquireError> {
    let external = Text::new("Where is it?")
        .with_help_message("db.example.com:5432, or addresses: 192.0.2.10,192.0.2.11")
        .prompt()?;
    let mut draft = Draft {
        workload: given("workload", "external"),
        external: given("external", external),
        ..Draft::default()
    };
    draft.name = given("name", name(None)?);
    let ports = Text::new("On which ports?")
        .with_help_message("name:number[:target]; Enter if it was said with the target")
        .prompt()?;
    draft.ports = listed("port", &ports);
    ask_common(&mut draft)?;
    Ok(draft)
}

fn name(usual: Option<&str>) -> Result<String, InquireError> {
    let question = Text::new("Under which name do clients find it?");
    match usual {
        Some(usual) => question.with_default(usual).prompt(),
        None => question.with_help_message("such as orders-db").prompt(),
    }
}

fn ask_common(draft: &mut Draft) -> Result<(), InquireError> {
    let namespace = Text::new("In which namespace?").with_default("default").prompt()?;
    draft.namespace = given("namespace", namespace);
    let clients = Text::new("From which other namespaces do clients come?")
        .with_help_message("several with commas; Enter: none")
        .prompt()?;
    draft.client_namespaces = listed("client namespace", &clients);
    Ok(())
}
