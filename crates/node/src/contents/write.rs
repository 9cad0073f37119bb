//! Writes what pods find.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::applets::Applets;
use super::images::{self, Machine};
use super::network_files::{self, HostName};
use super::objects::{Objects, is_name};
use super::prepared::{Prepared, Shared, Volume};
use super::volumes::{Content, Payload};
use super::{NotYet, Place, Settings, containers, disk, projection, read_resolv_conf, user};

/// What is written for one pod.
pub(super) struct Writer {
    settings: Arc<Settings>,
    applets: Applets,
    /// The pod's folder.
    folder: PathBuf,
}

/// The owner of what a group shares, or of root's.
type Group = Option<u32>;

impl Writer {
    pub(super) fn new(
        pod: &Pod,
        settings: Arc<Settings>,
        applets: Applets,
    ) -> Result<Self, NotYet> {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let names = containers(pod).map(|container| container.name.as_str());
        match names.chain([uid]).find(|name| !is_name(name)) {
            None => {
                let folder = settings.folder.join("pods").join(uid);
                Ok(Self { settings, applets, folder })
            }
            Some(name) => Err(NotYet {
                reason: "FailedCreatePodSandBox",
                message: format!("{name:?} is no name that a folder can have"),
            }),
        }
    }

    fn owner(&self, group: Group) -> (u32, u32) {
        (self.settings.owner)(0, group.unwrap_or(0))
    }

    /// Writes all that a pod's containers find.
    pub(super) fn prepare(
        self,
        pod: Pod,
        place: Place,
        objects: Objects,
        name: HostName,
        contents: Vec<(String, Content)>,
    ) -> Result<Prepared, NotYet> {
        let settings = &self.settings;
        let root = self.owner(None);
        for folder in [self.folder.join("volumes"), settings.folder.join("volumes")] {
            disk::private_folders(&settings.folder, &folder, root).map_err(unwritten(&folder))?;
        }
        let resolv_conf =
            read_resolv_conf(settings).of_pod(&pod, &settings.dns, &settings.cluster_domain);
        let files = [
            ("hosts", network_files::hosts(&pod, &place, &name)),
            ("hostname", format!("{}\n", name.kernel)),
            ("resolv.conf", resolv_conf.text()),
        ];
        for (file, text) in files {
            let path = self.folder.join(file);
            disk::file(&path, text.as_bytes(), 0o644, root).map_err(unwritten(&path))?;
        }
        let group = user::volume_group(&pod);
        let mut volumes = BTreeMap::new();
        for (volume, content) in contents {
            let written = self.volume(&volume, content, group)?;
            volumes.insert(volume, written);
        }
        let applets = self.images(&pod)?;
        let Self { settings, folder, .. } = self;
        Ok(Prepared(Arc::new(Shared {
            pod,
            place,
            settings,
            objects,
            name,
            folder,
            volumes,
            applets,
        })))
    }

    fn volume(&self, name: &str, content: Content, group: Group) -> Result<Volume, NotYet> {
        let owner = self.owner(group);
        let mode = if group.is_some() { 0o2777 } else { 0o777 };
        match content {
            Content::Files(payload) => {
                self.files(name, payload, group, Timestamp::now())?;
                Ok(Volume { path: self.volume_path(name), read_only: true, projected: true })
            }
            Content::Folder => {
                let path = self.volume_path(name);
                disk::folder(&path, mode, owner).map_err(unmounted(name, &path))?;
                Ok(Volume { path, read_only: false, projected: false })
            }
            Content::Claim { folder, read_only } => {
                let path = self.settings.folder.join("volumes").join(folder);
                let made = disk::folder(&path, mode, owner).map_err(unmounted(name, &path))?;
                // What is in it stays as it is: links there lead nobody knows where.
                if !made && group.is_some() {
                    disk::share(&path, owner).map_err(unmounted(name, &path))?;
                }
                Ok(Volume { path, read_only, projected: false })
            }
        }
    }

    /// Writes a volume of files.
    pub(super) fn files(
        &self,
        name: &str,
        mut payload: Payload,
        group: Group,
        now: Timestamp,
    ) -> Result<(), NotYet> {
        let owner = self.owner(group);
        if group.is_some() {
            payload.or_mode(0o440);
        }
        let path = self.volume_path(name);
        disk::folder(&path, 0o755, owner).map_err(unmounted(name, &path))?;
        projection::write(&path, &payload, owner, now).map(drop).map_err(unmounted(name, &path))
    }

    fn volume_path(&self, name: &str) -> PathBuf {
        self.folder.join("volumes").join(name)
    }

    /// Writes the files that images bring, makes the folders that they have, and links to busybox if one needs them. What is wrong with an image is said when its
    /// container is asked for.
    fn images(&self, pod: &Pod) -> Result<Option<PathBuf>, NotYet> {
        let root = self.owner(None);
        let mut applets = None;
        for container in containers(pod) {
            let folder = container_folder(&self.folder, &container.name);
            disk::private_folders(&self.settings.folder, &folder, root)
                .map_err(unwritten(&folder))?;
            let image = container.image.as_deref().unwrap_or_default();
            let Ok(entry) = self.settings.images.find(image) else { continue };
            for (at, text) in entry.files.values().enumerate() {
                let path = image_file(&folder, at);
                disk::file(&path, text.as_bytes(), 0o644, root).map_err(unwritten(&path))?;
            }
            let user = (self.settings.owner)(entry.user, entry.group);
            for at in 0..entry.volumes.len() {
                let path = image_volume(&folder, at);
                disk::folder(&path, 0o755, user).map_err(unwritten(&path))?;
            }
            if entry.applets
                && let Ok(programs) = images::programs(entry, image, &machine())
                && let [busybox, ..] = &programs[..]
            {
                let made = self.applets.make(&self.settings.folder, busybox, root);
                applets = Some(made.map_err(unwritten(busybox))?);
            }
        }
        Ok(applets)
    }
}

/// This machine as it is.
pub(super) fn machine() -> Machine<'static> {
    fn is_program(path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path)
            .is_ok_and(|there| there.is_file() && there.permissions().mode() & 0o111 != 0)
    }
    Machine { is_program: &is_program, is_there: &Path::exists }
}

/// What belongs to a container alone.
pub(super) fn container_folder(pod: &Path, container: &str) -> PathBuf {
    pod.join("containers").join(container)
}

/// A file that an image brings, by its number.
pub(super) fn image_file(container: &Path, at: usize) -> PathBuf {
    container.join(format!("image-file-{at}"))
}

/// A folder that an image has for its data, by its number.
pub(super) fn image_volume(container: &Path, at: usize) -> PathBuf {
    container.join(format!("image-volume-{at}"))
}

fn unmounted(volume: &str, path: &Path) -> impl Fn(io::Error) -> NotYet {
    move |error| NotYet {
        reason: "FailedMount",
        message: format!(
            "MountVolume.SetUp failed for volume {volume:?} : {}: {error}",
            path.display()
        ),
    }
}

fn unwritten(path: &Path) -> impl Fn(io::Error) -> NotYet {
    move |error| failed(path.display(), &error)
}

fn failed(what: impl Display, error: &io::Error) -> NotYet {
    NotYet { reason: "FailedCreatePodSandBox", message: format!("{what}: {error}") }
}
