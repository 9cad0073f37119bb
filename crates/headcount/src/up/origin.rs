//! What a data folder was made with and must be served with: objects in it have addresses of those ranges.

use std::fmt;
use std::io;
use std::path::Path;

use api::serve::write_private;
use api::store::Sqlite;

use super::families::Families;
use crate::error::Error;

/// The file in the data folder.
const NAME: &str = "cluster";

/// The settings that objects depend on. `Display` gives the file: a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) service_cidr: Families,
    pub(super) pod_cidr: Families,
    pub(super) nodes: u16,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service_cidr, pod_cidr, nodes } = self;
        writeln!(f, "service-cidr {service_cidr}\npod-cidr {pod_cidr}\nnodes {nodes}")
    }
}

impl Origin {
    /// Refuses settings that a folder was not made with, and remembers these for the next start. More nodes than before
    /// are welcome.
    pub(super) fn check_and_keep(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(Error::caused(
                    format_args!("could not read {}", path.display()),
                    &error,
                ));
            }
        };
        self.check(&text, folder)?;
        let kept = self.to_string();
        if kept == text {
            return Ok(());
        }
        write_private(&path, kept.as_bytes()).map_err(|error| {
            Error::caused(format_args!("could not write {}", path.display()), &error)
                .hint("name another folder with --data-dir")
        })
    }

    /// Refuses a folder whose database has been emptied, by a copy that failed, say: it would begin a new cluster without a
    /// word.
    pub(super) fn check_not_emptied(folder: &Path) -> Result<(), Error> {
        let database = folder.join(Sqlite::FILE_NAME);
        let is_empty = std::fs::metadata(&database).is_ok_and(|file| file.len() == 0);
        if !is_empty || !folder.join(NAME).exists() {
            return Ok(());
        }
        let message = format!("{} is empty, and held a cluster before", database.display());
        Err(Error::new(message).hint(
            "restore it from a copy, move it away to begin anew, or name another folder with --data-dir",
        ))
    }

    /// Compares with what a file says; lines that it lacks say nothing.
    fn check(&self, text: &str, folder: &Path) -> Result<(), Error> {
        let Self { service_cidr, pod_cidr, nodes } = self;
        let before = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::trim))
        };
        let refuse = |what: &str, flag: &str, before: &str, now: &str| {
            Error::new(format!(
                "the data folder {} was made with {flag} {before}, and is now to be served with {now}: its {what}",
                folder.display()
            ))
            .hint(format!(
                "give {flag} {before} again, or name another folder with --data-dir (this one may be moved away or deleted)"
            ))
        };
        for (name, now, what) in [
            ("service-cidr", service_cidr, "Services have addresses of that range"),
            ("pod-cidr", pod_cidr, "pods have addresses of that range"),
        ] {
            let now = now.to_string();
            if let Some(before) = before(name).filter(|before| *before != now) {
                return Err(refuse(what, &format!("--{name}"), before, &now));
            }
        }
        match before("nodes").and_then(|nodes| nodes.parse::<u16>().ok()) {
            Some(before) if before > *nodes => {
                let (before, now) = (before.to_string(), nodes.to_string());
                Err(refuse("pods are on those nodes", "--nodes", &before, &now))
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stay_and_nodes_only_grow() {
        let origin = |services: &str, pods: &str, nodes| Origin {
            service_cidr: services.parse().expect("ranges"),
            pod_cidr: pods.parse().expect("ranges"),
            nodes,
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = origin("10.96.0.0/12", "10.244.0.0/16,fd00:1::/56", 3);
        first.check_and_keep(folder.path()).expect("the first start");
        let check = |origin: &Origin, flag: Option<&str>| {
            let seen = origin.check_and_keep(folder.path());
            assert_eq!(seen.is_ok(), flag.is_none(), "{origin}");
            if let (Err(error), Some(flag)) = (seen, flag) {
                assert!(format!("{error:?}").contains(flag), "{error:?}");
            }
        };
        check(&first, None);
        check(
            &origin("10.97.0.0/16", "10.244.0.0/16,fd00:1::/56", 3),
            Some("--service-cidr 10.96.0.0/12"),
        );
        check(
            &origin("10.96.0.0/12", "10.244.0.0/16", 3),
            Some("--pod-cidr 10.244.0.0/16,fd00:1::/56"),
        );
        check(&origin("10.96.0.0/12", "10.244.0.0/16,fd00:1::/56", 2), Some("--nodes 3"));
        check(&origin("10.96.0.0/12", "10.244.0.0/16,fd00:1::/56", 5), None);
        check(&first, Some("--nodes 5"));
        // Of a file that a hand has emptied, nothing is known.
        std::fs::write(folder.path().join(NAME), "").expect("written");
        check(&first, None);
    }
}
