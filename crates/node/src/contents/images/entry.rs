//! An entry of the table of images.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::name::Pattern;

/// Where programs are looked for, as images have it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where a container finds links to busybox, if its image has them.
pub(crate) const APPLETS: &str = "/busybox";

/// What of this machine every container finds.
const ALWAYS_THERE: [&str; 8] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", APPLETS];

/// An image, and the program of this machine that stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Entry {
    /// The end of the image's path, such as redis or acme/api, with a tag or without; the registry does not count. `*` is every
    /// image that has no entry otherwise.
    pub(crate) image: Pattern,
    /// The program that always runs unless a container says `command`, and its first arguments.
    #[serde(default)]
    pub(crate) entrypoint: Vec<String>,
    /// What follows the entrypoint unless a container says `command` or `args`.
    #[serde(default)]
    pub(crate) cmd: Vec<String>,
    /// Variables of the environment.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// Folders in which programs are looked for before the usual ones.
    #[serde(default)]
    pub(crate) path: Vec<AbsolutePath>,
    /// Where the program begins. Default: /.
    #[serde(default)]
    pub(crate) working_dir: Option<AbsolutePath>,
    /// As whom it runs, by number. Default: 0.
    #[serde(default)]
    pub(crate) user: u32,
    /// Its group, by number. Default: 0.
    #[serde(default)]
    pub(crate) group: u32,
    /// Files and folders of this machine that it needs besides /usr, /bin, /sbin and /lib; they are found at the same path and
    /// cannot be written to.
    #[serde(default)]
    pub(crate) mounts: Vec<AbsolutePath>,
    /// Files that it finds, and their content, unless a container has a volume there.
    #[serde(default)]
    pub(crate) files: BTreeMap<AbsolutePath, String>,
    /// Folders that its user may write to, on disk and as long as the pod lives, unless a container has a volume there.
    #[serde(default)]
    pub(crate) volumes: Vec<AbsolutePath>,
    /// Commands such as nslookup, wget and sh are busybox's.
    #[serde(default)]
    pub(crate) applets: bool,
    /// Further programs without which the image is of no use.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// The packages of Debian that have the programs, for the message when one is missing.
    #[serde(default)]
    pub(crate) packages: Vec<String>,
}

impl Entry {
    /// `PATH` of its containers.
    pub(crate) fn search_path(&self) -> String {
        let applets = self.applets.then_some(APPLETS);
        let own = self.path.iter().map(|AbsolutePath(path)| path.as_str());
        applets.into_iter().chain(own).chain([PATH]).collect::<Vec<_>>().join(":")
    }

    /// The program that it is, if it is one, and what it needs besides. A script stands for the first program that it needs.
    pub(super) fn needed_programs(&self) -> impl Iterator<Item = &str> {
        let main = self.entrypoint.first().or(self.cmd.first()).map(String::as_str);
        // A link to busybox is made where busybox is.
        let main = main.filter(|program| !self.applets || program.contains('/'));
        let is_script = matches!(&self.entrypoint[..], [_, option, ..] if option == "-c");
        let (first, last) = if is_script { (None, main) } else { (main, None) };
        let busybox = self.applets.then_some("busybox");
        let needs = self.needs.iter().map(String::as_str);
        busybox.into_iter().chain(first).chain(needs).chain(last)
    }

    /// What a container runs that has this `command` and these `args`.
    pub(crate) fn command_line(&self, command: &[String], args: &[String]) -> Vec<String> {
        let (first, rest) = match (command, args) {
            ([], []) => (&self.entrypoint[..], &self.cmd[..]),
            ([], args) => (&self.entrypoint[..], args),
            (command, args) => (command, args),
        };
        [first, rest].concat()
    }
}

/// Whether a path of this machine is among what every container finds.
pub(crate) fn is_always_there(path: &Path) -> bool {
    ALWAYS_THERE.iter().any(|folder| path.starts_with(folder))
}

/// Where a program is: by its path, or in the folders of a `PATH`.
pub(super) fn find_program(
    program: &str,
    search_path: &str,
    is_program: &dyn Fn(&Path) -> bool,
) -> Option<PathBuf> {
    if program.contains('/') {
        let path = PathBuf::from(program);
        return (path.is_absolute() && is_program(&path)).then_some(path);
    }
    let mut found = search_path.split(':').map(|folder| Path::new(folder).join(program));
    found.find(|path| is_program(path))
}

/// An absolute path without detours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub(crate) struct AbsolutePath(#[schemars(regex(pattern = "^/."))] pub(crate) String);

impl TryFrom<String> for AbsolutePath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut parts = Path::new(&text).components();
        let is_plain = parts.next() == Some(Component::RootDir)
            && parts.clone().next().is_some()
            && parts.all(|part| matches!(part, Component::Normal(_)));
        match is_plain && !text.contains(['\0', ':']) {
            true => Ok(Self(text)),
            false => Err("a path begins with / and goes straight to its end, such as /etc/redis"),
        }
    }
}
