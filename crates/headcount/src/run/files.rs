//! What a program finds in `/etc` instead of this machine's files, so that names are those of the cluster.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::Error;

/// This machine's own.
const NSSWITCH: &str = "/etc/nsswitch.conf";

/// Files, in a folder of their own for as long as this lives.
pub(super) struct Files {
    folder: TempDir,
    nsswitch: bool,
}

impl Files {
    /// Writes what a pod of this namespace would find.
    pub(super) fn write(
        namespace: &str,
        domain: &str,
        nameservers: &[IpAddr],
    ) -> Result<Self, Error> {
        let written = || -> io::Result<Self> {
            let folder = TempDir::with_prefix("headcount-run-")?;
            let text = node::resolv_conf(namespace, domain, nameservers);
            std::fs::write(folder.path().join("resolv.conf"), text)?;
            let own = std::fs::read_to_string(NSSWITCH).ok();
            if let Some(text) = &own {
                std::fs::write(folder.path().join("nsswitch.conf"), by_dns(text))?;
            }
            Ok(Self { folder, nsswitch: own.is_some() })
        };
        written().map_err(|error| {
            Error::caused("could not write a resolv.conf for the program", &error)
                .hint("name a folder that can be written to with TMPDIR")
        })
    }

    /// Each file and what it stands before.
    pub(super) fn mounts(&self) -> Vec<(PathBuf, PathBuf)> {
        let mut mounts = vec![("resolv.conf", "/etc/resolv.conf")];
        if self.nsswitch {
            mounts.push(("nsswitch.conf", NSSWITCH));
        }
        let path =
            |(name, stands_for)| (self.folder.path().join(name), Path::new(stands_for).into());
        mounts.into_iter().map(path).collect()
    }
}

/// Lets names of hosts be asked of files and DNS alone: a resolver of this machine (systemd's, say) would be asked over its socket, and
/// answer from outside of the cluster (nsswitch.conf(5)).
fn by_dns(nsswitch: &str) -> String {
    let lines = nsswitch.lines().filter(|line| !line.trim_start().starts_with("hosts:"));
    lines.chain(["hosts: files dns"]).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_asked_of_dns() {
        let own = "passwd: files systemd\n hosts: files mymachines resolve [!UNAVAIL=return] dns\nnetworks: files\n";
        assert_eq!(by_dns(own), "passwd: files systemd\nnetworks: files\nhosts: files dns\n");
        assert_eq!(by_dns(""), "hosts: files dns\n");
    }

    #[test]
    fn files_are_those_of_a_pod() {
        let files =
            Files::write("prod", "cluster.local", &["10.96.0.10".parse().unwrap()]).unwrap();
        let mounts = files.mounts();
        assert_eq!(mounts[0].1, Path::new("/etc/resolv.conf"));
        let text = std::fs::read_to_string(&mounts[0].0).unwrap();
        assert!(
            text.contains("search prod.svc.cluster.local svc.cluster.local cluster.local"),
            "{text}"
        );
        let path = mounts[0].0.clone();
        drop(files);
        assert!(!path.exists());
    }
}
