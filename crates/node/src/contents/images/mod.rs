//! Which programs of this machine stand for which images. Nothing here is an image: a container finds the machine's own
//! programs, and the table says which one an image's name means.

mod entry;
mod name;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use manifest::read::{self, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use entry::AbsolutePath;
pub(crate) use entry::{APPLETS, Entry, is_always_there};
use name::{ImageName, Pattern};

use super::NotYet;

/// The table of images: what a user says, before what is known of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "headcount up --images")]
pub struct Images {
    /// Images, and the programs that stand for them.
    images: Vec<Entry>,
}

/// The table that needs no configuration.
static BUILT_IN: LazyLock<Images> = LazyLock::new(|| {
    Images::parse("built-in images", include_bytes!("builtin.yaml"))
        .expect("the built-in table is read by a test")
});

impl Images {
    /// Reads a table; a text without any entry is one, too.
    ///
    /// # Errors
    ///
    /// What is wrong in it, each with its place.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let text = read::text(name, bytes).map_err(|problem| vec![problem])?;
        let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if text.lines().all(is_blank) {
            return Ok(Self::default());
        }
        read::typed(&read::read_mapping(name, text)?)
    }

    /// The JSON Schema of the table as a file.
    pub fn schema() -> String {
        let schema = schemars::generate::SchemaSettings::draft2020_12()
            .into_generator()
            .into_root_schema_for::<Self>();
        format!("{:#}\n", schema.to_value())
    }

    /// The entry for an image: of those whose name is met, the one with the longest name; a user's before any other, and one for
    /// every image (`*`) after all.
    pub(super) fn find(&self, image: &str) -> Result<&Entry, NotYet> {
        let name = ImageName::parse(image).map_err(|why| NotYet {
            reason: "InvalidImageName",
            message: format!(
                "Failed to apply default image tag {image:?}: couldn't parse image name {image:?}: {why}"
            ),
        })?;
        let best = |images: &'_ Self| {
            let mut best: Option<(usize, (usize, bool))> = None;
            for (at, entry) in images.images.iter().enumerate() {
                if let Some(score) = entry.image.meets(&name)
                    && best.is_none_or(|(_, so_far)| score > so_far)
                {
                    best = Some((at, score));
                }
            }
            best.map(|(at, _)| at)
        };
        let own = best(self).map(|at| &self.images[at]);
        let built_in = || best(&BUILT_IN).map(|at| &BUILT_IN.images[at]);
        let found = match own {
            Some(entry) if entry.image != Pattern::Any => Some(entry),
            any => built_in().or(any),
        };
        found.ok_or_else(|| NotYet {
            reason: "ErrImagePull",
            message: format!(
                "no program for image {image:?}: pods run programs of this machine; name the one for this image in the \
                 table of headcount up --images FILE, for example images: [{{image: {}, entrypoint: [/path/to/{}]}}]",
                name.path(),
                name.last(),
            ),
        })
    }
}

/// What this machine has.
pub(super) struct Machine<'a> {
    /// Whether a program is at a path.
    pub(super) is_program: &'a dyn Fn(&Path) -> bool,
    /// Whether anything is.
    pub(super) is_there: &'a dyn Fn(&Path) -> bool,
}

/// Where the programs of an image are on this machine: busybox first if it has commands of that, then its own, then what it
/// needs besides.
///
/// # Errors
///
/// `ErrImagePull`, with what to install or to change.
pub(super) fn programs(
    entry: &Entry,
    image: &str,
    machine: &Machine<'_>,
) -> Result<Vec<PathBuf>, NotYet> {
    let missing = |what: &str| {
        let install = match &entry.packages[..] {
            [] => "install it".to_owned(),
            [one] => format!("install it (Debian's package {one})"),
            [first @ .., last] => {
                format!("install it (Debian's packages {} and {last})", first.join(", "))
            }
        };
        NotYet {
            reason: "ErrImagePull",
            message: format!(
                "image {image:?} needs {what}: {install}, or name another program for {} in the table of headcount up \
                 --images FILE",
                entry.image,
            ),
        }
    };
    if let Some(AbsolutePath(path)) =
        entry.mounts.iter().find(|AbsolutePath(path)| !(machine.is_there)(Path::new(path)))
    {
        return Err(missing(&format!("{path}, which is not on this machine")));
    }
    let path = entry.search_path();
    let find = |program: &str| {
        entry::find_program(program, &path, machine.is_program).ok_or_else(|| {
            let place = if program.contains('/') { String::new() } else { format!(" in {path}") };
            missing(&format!("the program {program}, which is not on this machine{place}"))
        })
    };
    entry.needed_programs().map(find).collect()
}

#[cfg(test)]
mod tests;
