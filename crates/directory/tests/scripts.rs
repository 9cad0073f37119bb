//! Runs every behaviour script against the directory itself.

use directory::script::{Action, Outcome, Script, Step};

directory::each_script!(run);

fn run(name: &str, text: &str) {
    let script = Script::parse(text).unwrap_or_else(|error| panic!("{name}.script: {error}"));
    let (mut writer, reader) = directory::new(script.config);
    let mut failures = Vec::new();
    for Step { line, action } in script.steps {
        match action {
            Action::Apply(change) => writer.apply(change),
            Action::Sync => writer.set_synced(),
            Action::Ask { name: asked, rtype, expected } => {
                let outcome = Outcome::of(&reader.answer(&asked, rtype));
                if let Err(difference) = expected.check(&outcome) {
                    failures.push(format!("{name}.script:{line}: {asked} {rtype}\n{difference}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n\n"));
}
