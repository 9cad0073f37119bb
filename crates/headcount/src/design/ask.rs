//! The questions on a terminal. What is known of the software is their default, so that Enter all the way is a design; an
//! answer that will not do is asked for again, with what would be said of the flag.

use advisor::design::{Draft, Given, Place, resolve};
use advisor::peers::{Peer, peers};
use inquire::ui::RenderConfig;
use inquire::validator::Validation;
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
    match ask(flags) {
        Ok(draft) => Ok(Some(draft)),
        Err(InquireError::OperationCanceled | InquireError::OperationInterrupted) => Ok(None),
        Err(error) => Err(Error::caused("could not ask on this terminal", &error)
            .hint("say it with flags instead: headcount design --help")),
    }
}

/// A question of which the answer is written.
struct Question {
    text: &'static str,
    help: &'static str,
    /// What Enter stands for, where that is an answer.
    default: Option<String>,
    /// Why no answer will not do, where it will not.
    required: Option<&'static str>,
    /// The places of a draft that its answer may be wrong in.
    places: &'static [&'static str],
    /// Writes the answer into a draft.
    set: fn(&mut Draft, &str),
    /// Writes a stand-in for what a later question asks, where this answer would be refused for the want of it.
    later: fn(&mut Draft),
}

impl Question {
    /// Asks, again while the answer will not do, and writes it into the draft.
    fn ask(self, draft: &mut Draft) -> Result<(), InquireError> {
        let Self { text, help, ref default, set, .. } = self;
        let default = default.clone();
        let mut prompt = Text::new(text).with_help_message(help);
        if let Some(default) = &default {
            prompt = prompt.with_default(default);
        }
        let before = draft.clone();
        let validator = move |answer: &str| {
            Ok(match self.objection(&before, answer) {
                None => Validation::Valid,
                Some(why) => Validation::Invalid(why.into()),
            })
        };
        // Cloned with the prompt, though it is asked once.
        let validator = std::sync::Arc::new(validator);
        let answer = prompt.with_validator(move |answer: &str| validator(answer)).prompt()?;
        set(draft, &answer);
        Ok(())
    }

    /// Why an answer will not do, after those before it.
    fn objection(&self, before: &Draft, answer: &str) -> Option<String> {
        if let Some(required) = self.required.filter(|_| answer.trim().is_empty()) {
            return Some(required.to_owned());
        }
        let mut draft = before.clone();
        (self.set)(&mut draft, answer);
        (self.later)(&mut draft);
        objection(&draft, self.places)
    }
}

/// What is wrong with a draft in one of these places.
fn objection(draft: &Draft, places: &[&str]) -> Option<String> {
    let troubles = resolve(draft).err()?;
    troubles.iter().find_map(|trouble| places.iter().find_map(|place| trouble.of_answer(place)))
}

fn given(place: &'static str, text: &str) -> Option<Given> {
    let text = text.trim();
    (!text.is_empty()).then(|| Given { text: text.to_owned(), place: Place::Answer(place) })
}

/// A list, as people write one: with commas or spaces.
fn listed(place: &'static str, text: &str) -> Vec<Given> {
    text.split([',', ' ']).filter_map(|part| given(place, part)).collect()
}

fn ask(mut draft: Draft) -> Result<Draft, InquireError> {
    let pods = "pods of this cluster";
    let outside = "something outside of it";
    match Select::new("What is behind the name?", vec![pods, outside]).prompt()? {
        answer if answer == pods => ask_pods(&mut draft)?,
        _ => ask_external(&mut draft)?,
    }
    Ok(draft)
}

fn ask_pods(draft: &mut Draft) -> Result<(), InquireError> {
    ask_what(draft)?;
    if draft.software.is_none() {
        ask_unknown(draft)?;
    } else if draft.image.is_none() && resolve(draft).is_err() {
        // A library, that each runs in an image of their own.
        image().ask(draft)?;
    }
    name(resolve(draft).ok().map(|intent| intent.name)).ask(draft)?;
    replicas().ask(draft)?;
    ask_common(draft)?;
    loop {
        let choices = EXPOSE.iter().map(|(choice, what)| format!("{choice}: {what}")).collect();
        let expose =
            Select::new("How do clients outside of the cluster come in?", choices).prompt()?;
        draft.expose = given("expose", expose.split(':').next().unwrap_or_default());
        match objection(draft, &["expose"]) {
            None => return Ok(()),
            Some(why) => crate::terminal::say(&why),
        }
    }
}

/// Which software, or which image.
fn ask_what(draft: &mut Draft) -> Result<(), InquireError> {
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
        .with_validator(|what: &str| {
            Ok(match what_objection(what) {
                None => Validation::Valid,
                Some(why) => Validation::Invalid(why.into()),
            })
        })
        .prompt()?;
    let what = what.trim();
    let software = Peer::by_name(what);
    draft.image = given("image", what).filter(|_| software.is_none());
    let software = software.or_else(|| Peer::by_image(what));
    draft.software = software.and_then(|software| given("software", software.name));
    Ok(())
}

/// Why this is neither software that is known nor an image.
fn what_objection(what: &str) -> Option<&'static str> {
    let what = what.trim();
    if what.is_empty() {
        Some("say what runs in the pods: software such as etcd, or their image")
    } else if Peer::by_name(what).is_none() && what.contains(char::is_whitespace) {
        Some("no software of this name is known, and an image's name has no spaces")
    } else {
        None
    }
}

/// What is not known of an image.
fn ask_unknown(draft: &mut Draft) -> Result<(), InquireError> {
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
    ports().ask(draft)
}

fn ask_external(draft: &mut Draft) -> Result<(), InquireError> {
    draft.workload = given("workload", "external");
    external().ask(draft)?;
    name(None).ask(draft)?;
    external_ports().ask(draft)?;
    ask_common(draft)
}

fn ask_common(draft: &mut Draft) -> Result<(), InquireError> {
    if draft.namespace.is_none() {
        namespace().ask(draft)?;
    }
    client_namespaces().ask(draft)
}

fn image() -> Question {
    Question {
        text: "Which image do its pods run?",
        help: "such as registry.example/shop:1.4",
        default: None,
        required: Some("it runs in an image of your own: say which"),
        places: &["image"],
        set: |draft, answer| draft.image = given("image", answer),
        later: |_| {},
    }
}

fn ports() -> Question {
    Question {
        text: "Which ports does it listen on?",
        help: "name:number, several with commas: http:8080,metrics:9090",
        default: None,
        required: Some("nothing is known of this image: say at least one port, such as http:8080"),
        places: &["port"],
        set: |draft, answer| draft.ports = listed("port", answer),
        later: |_| {},
    }
}

fn external() -> Question {
    Question {
        text: "Where is it?",
        help: "db.example.com:5432, or addresses: 192.0.2.10,192.0.2.11",
        default: None,
        required: Some("say a host name, or addresses with commas"),
        places: &["target"],
        set: |draft, answer| draft.external = given("target", answer),
        later: |draft| draft.ports = listed("port", "main:1"),
    }
}

fn external_ports() -> Question {
    Question {
        text: "On which ports?",
        help: "name:number[:target]; Enter if it was said with the target",
        default: None,
        required: None,
        places: &["port", "target"],
        set: |draft, answer| draft.ports = listed("port", answer),
        later: |_| {},
    }
}

fn name(usual: Option<String>) -> Question {
    Question {
        text: "Under which name do clients find it?",
        help: "such as orders-db",
        default: usual,
        required: Some("say a name, such as orders-db"),
        places: &["name"],
        set: |draft, answer| draft.name = given("name", answer),
        later: |_| {},
    }
}

fn replicas() -> Question {
    Question {
        text: "How many replicas?",
        help: "Enter: as is usual for it",
        default: None,
        required: None,
        places: &["replicas"],
        set: |draft, answer| draft.replicas = given("replicas", answer),
        later: |_| {},
    }
}

fn namespace() -> Question {
    Question {
        text: "In which namespace?",
        help: "the workload's and its Services'",
        default: Some("default".to_owned()),
        required: None,
        places: &["namespace"],
        set: |draft, answer| draft.namespace = given("namespace", answer),
        later: |_| {},
    }
}

fn client_namespaces() -> Question {
    Question {
        text: "From which other namespaces do clients come?",
        help: "several with commas; Enter: none",
        default: None,
        required: None,
        places: &["client namespace"],
        set: |draft, answer| draft.client_namespaces = listed("client namespace", answer),
        later: |_| {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of an answer, after some others.
    #[track_caller]
    fn check(question: Question, before: &Draft, answer: &str, told: Option<&str>) {
        let text = question.text;
        assert_eq!(question.objection(before, answer).as_deref(), told, "{text} {answer:?}");
    }

    #[test]
    fn an_answer_that_will_not_do_is_asked_for_again() {
        let etcd = Draft { software: given("software", "etcd"), ..Draft::default() };
        check(name(None), &etcd, " ", Some("say a name, such as orders-db"));
        check(name(None), &etcd, "orders-db", None);
        let why = name(None).objection(&etcd, "Orders_DB").expect("a reason");
        assert!(
            why.starts_with("as a Service's name it ") && why.ends_with(": for example orders-db"),
            "{why}"
        );
        check(replicas(), &etcd, "", None);
        check(replicas(), &etcd, "many", Some("expected a number: for example 3"));
        check(replicas(), &etcd, "0", Some("without pods no name answers: for example 3"));
        check(namespace(), &etcd, "shop", None);
        assert!(namespace().objection(&etcd, "Shop!").is_some());
        check(client_namespaces(), &etcd, "", None);
        check(client_namespaces(), &etcd, "web, ops", None);
        assert!(client_namespaces().objection(&etcd, "web, O_ps").is_some());

        let ledger = Draft {
            image: given("image", "registry.example/ledger:2"),
            workload: given("workload", "statefulset"),
            identity: given("identity", "any"),
            ..Draft::default()
        };
        check(ports(), &ledger, "sql:5432, http:80:8080", None);
        let required = "nothing is known of this image: say at least one port, such as http:8080";
        check(ports(), &ledger, "", Some(required));
        check(
            ports(),
            &ledger,
            "http",
            Some(
                "a port is name:number or name:number:target: for example http:80:8080; by its name it has SRV records",
            ),
        );

        let pekko = Draft { software: given("software", "Pekko"), ..Draft::default() };
        check(image(), &pekko, "", Some("it runs in an image of your own: say which"));
        check(image(), &pekko, "my shop", Some("an image's name has no spaces"));
        check(image(), &pekko, "registry.example/shop:1", None);
    }

    #[test]
    fn a_target_may_have_its_port_with_it_or_after_it() {
        let outside = Draft { workload: given("workload", "external"), ..Draft::default() };
        check(external(), &outside, "", Some("say a host name, or addresses with commas"));
        check(external(), &outside, "db.example.com", None);
        check(
            external(),
            &outside,
            "192.0.2.10,192.0.2.11:80",
            Some(
                "all endpoints of a slice listen on the same ports: give each address the same port, or none",
            ),
        );
        let why = external().objection(&outside, "https://api.example.com/v1");
        assert!(why.is_some_and(|why| why.contains("no https:// before it")));
        check(external(), &outside, "192.0.2.10", None);
        let mut bare = outside.clone();
        (external().set)(&mut bare, "192.0.2.10");
        let missing = "on which port it listens is not said: --external IP:PORT, or --port name:number[:target]";
        check(external_ports(), &bare, "", Some(missing));
        check(external_ports(), &bare, "tn3270:23", None);
        let mut whole = outside;
        (external().set)(&mut whole, "192.0.2.10:23");
        check(external_ports(), &whole, "", None);
    }

    #[test]
    fn what_runs_in_the_pods() {
        assert!(what_objection("  ").is_some());
        assert!(what_objection("my shop").is_some());
        for good in ["redis with sentinel", "etcd", "registry.example/ledger:2"] {
            assert_eq!(what_objection(good), None, "{good}");
        }
    }
}
