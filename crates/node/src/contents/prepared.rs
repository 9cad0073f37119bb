//! A pod whose containers may start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, Pod, VolumeMount};
use sandbox::{ContainerId, ContainerSpec, Limits, Mount, MountSource, PodId, ProcessSpec, User};

use super::environment::{Variables, environment};
use super::expansion::{expand, expand_all};
use super::images::{self, APPLETS, AbsolutePath, Entry, is_always_there};
use super::network_files::HostName;
use super::objects::Objects;
use super::quantity::Milli;
use super::write::{container_folder, image_file, image_volume, machine};
use super::{NotYet, Place, Settings, containers, disk, mounts, sub_path, user};

/// A pod whose containers may start. Clones share it.
#[derive(Clone)]
pub(crate) struct Prepared(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) pod: Pod,
    pub(super) place: Place,
    pub(super) settings: Arc<Settings>,
    pub(super) objects: Objects,
    pub(super) name: HostName,
    /// The pod's folder.
    pub(super) folder: PathBuf,
    pub(super) volumes: BTreeMap<String, Volume>,
    /// The folder of links to busybox, if an image needs it.
    pub(super) applets: Option<PathBuf>,
}

/// A volume that has been written.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    pub(super) path: PathBuf,
    pub(super) read_only: bool,
    /// Whether containers cannot have written there.
    pub(super) projected: bool,
}

fn unconfigured(message: String) -> NotYet {
    NotYet { reason: "CreateContainerConfigError", message }
}

impl Prepared {
    /// How a container of this name, of whatever sort, is started. Makes the folders and files that are to be mounted and do not
    /// exist.
    ///
    /// # Errors
    ///
    /// What stands against it: `InvalidImageName`, `ErrImagePull`, `CreateContainerConfigError`, `CreateContainerError`.
    pub(crate) fn container(&self, name: &str, restarts: u32) -> Result<ContainerSpec, NotYet> {
        let (container, image, entry) = self.find(name)?;
        let programs = images::programs(entry, image, &machine())?;
        let Shared { pod, place, objects, .. } = &*self.0;
        let user = user::user(pod, container, (entry.user, entry.group)).map_err(unconfigured)?;
        let base = self.base(container, entry, &user);
        let (env, known) =
            environment(pod, container, place, objects, base).map_err(unconfigured)?;
        let expanded = |texts: &Option<Vec<String>>| -> Vec<String> {
            texts.iter().flatten().map(|text| expand(text, |name| known.get(name))).collect()
        };
        let command = entry.command_line(&expanded(&container.command), &expanded(&container.args));
        if command.is_empty() || command.iter().any(|word| word.contains('\0')) {
            let message = match command.is_empty() {
                true => format!("no command specified: image {image:?} has none either"),
                false => "the command contains a NUL character".to_owned(),
            };
            return Err(NotYet { reason: "CreateContainerError", message });
        }
        let read_only_root = container
            .security_context
            .as_ref()
            .and_then(|context| context.read_only_root_filesystem)
            .unwrap_or(false);
        let working_dir = container.working_dir.as_deref().filter(|folder| !folder.is_empty());
        let working_dir =
            working_dir.or(entry.working_dir.as_ref().map(|AbsolutePath(path)| path.as_str()));
        Ok(ContainerSpec {
            id: ContainerId {
                pod: PodId(pod.metadata.uid.clone().unwrap_or_default()),
                name: container.name.clone(),
                restarts,
            },
            process: ProcessSpec {
                command,
                env: env.into_pairs(),
                working_dir: Path::new("/").join(working_dir.unwrap_or_default()),
                user,
            },
            hostname: self.0.name.kernel.clone(),
            mounts: mounts::arrange(
                self.image_mounts(container, entry, &programs),
                self.pod_mounts(container, restarts, read_only_root)?,
                self.volume_mounts(container, &known)?,
            ),
            read_only_root,
            limits: limits(container),
        })
    }

    /// The image that a container names, and the path of the program on the host that stands for it; the container's own command
    /// where the image has no program.
    ///
    /// # Errors
    ///
    /// What is wrong with the image: `InvalidImageName`, `ErrImagePull`.
    pub(crate) fn program(&self, name: &str) -> Result<(String, PathBuf), NotYet> {
        let (container, image, entry) = self.find(name)?;
        let programs = images::programs(entry, image, &machine())?;
        let program = programs.into_iter().next();
        let command = || container.command.iter().flatten().next().map(PathBuf::from);
        Ok((image.to_owned(), program.or_else(command).unwrap_or_default()))
    }

    /// The file that a container writes its last words to (`terminationMessagePath`), to be read when it has ended.
    pub(crate) fn termination_log(&self, name: &str, restarts: u32) -> PathBuf {
        container_folder(&self.0.folder, name).join(format!("termination-log-{restarts}"))
    }

    fn find(&self, name: &str) -> Result<(&Container, &str, &Entry), NotYet> {
        let mut containers = containers(&self.0.pod);
        let container = containers
            .find(|container| container.name == name)
            .ok_or_else(|| unconfigured(format!("container {name} not found")))?;
        let image = container.image.as_deref().unwrap_or_default();
        Ok((container, image, self.0.settings.images.find(image)?))
    }

    /// What a container's environment has of the image and the runtime.
    fn base(&self, container: &Container, entry: &Entry, user: &User) -> Variables {
        let mut base = Variables::default();
        base.set("PATH", entry.search_path());
        base.set("HOSTNAME", &self.0.name.kernel);
        if container.tty == Some(true) {
            base.set("TERM", "xterm");
        }
        base.set("HOME", if user.uid == 0 { "/root" } else { "/" });
        for (name, value) in &entry.env {
            base.set(name, value);
        }
        base
    }

    /// What stands for the image's own files.
    fn image_mounts(
        &self,
        container: &Container,
        entry: &Entry,
        programs: &[PathBuf],
    ) -> Vec<Mount> {
        let read_only = |source, target: PathBuf| Mount { source, target, read_only: true };
        let folder = container_folder(&self.0.folder, &container.name);
        let applets = self.0.applets.as_ref().filter(|_| entry.applets);
        let applets =
            applets.map(|folder| read_only(MountSource::Own(folder.clone()), APPLETS.into()));
        let programs = programs.iter().filter(|path| !is_always_there(path)).cloned();
        let mounts = entry.mounts.iter().map(|AbsolutePath(path)| PathBuf::from(path));
        let host = programs.chain(mounts);
        let host = host.map(|path| read_only(MountSource::Host(path.clone()), path));
        let files = entry.files.keys().enumerate().map(|(at, AbsolutePath(path))| {
            read_only(MountSource::Own(image_file(&folder, at)), path.into())
        });
        let volumes = entry.volumes.iter().enumerate().map(|(at, AbsolutePath(path))| Mount {
            source: MountSource::Own(image_volume(&folder, at)),
            target: path.into(),
            read_only: false,
        });
        applets.into_iter().chain(host).chain(files).chain(volumes).collect()
    }

    /// The files of the pod that every container has.
    fn pod_mounts(
        &self,
        container: &Container,
        restarts: u32,
        read_only_root: bool,
    ) -> Result<Vec<Mount>, NotYet> {
        let own = |file: &str, read_only| Mount {
            source: MountSource::Own(self.0.folder.join(file)),
            target: Path::new("/etc").join(file),
            read_only,
        };
        let mut mounts = vec![
            own("hosts", false),
            own("hostname", read_only_root),
            own("resolv.conf", read_only_root),
        ];
        let last_words = container.termination_message_path.as_deref();
        let last_words = last_words.unwrap_or("/dev/termination-log");
        if !last_words.is_empty() {
            let path = self.termination_log(&container.name, restarts);
            let owner = (self.0.settings.owner)(0, 0);
            disk::file(&path, b"", 0o666, owner).map_err(|error| NotYet {
                reason: "CreateContainerError",
                message: format!("{}: {error}", path.display()),
            })?;
            // Only those of the last two lives are ever asked for.
            if let Some(old) = restarts.checked_sub(2) {
                let _ = std::fs::remove_file(self.termination_log(&container.name, old));
            }
            let target = mounts::target(last_words).map_err(unconfigured)?;
            mounts.push(Mount { source: MountSource::Own(path), target, read_only: false });
        }
        Ok(mounts)
    }

    fn volume_mounts(
        &self,
        container: &Container,
        known: &Variables,
    ) -> Result<Vec<Mount>, NotYet> {
        if let Some(device) = container.volume_devices.iter().flatten().next() {
            return Err(unconfigured(format!(
                "volumeDevices: there are no block devices here for {:?}; mount the volume with volumeMounts",
                device.name
            )));
        }
        let mounts = container.volume_mounts.iter().flatten();
        mounts.map(|mount| self.volume_mount(container, mount, known)).collect()
    }

    fn volume_mount(
        &self,
        container: &Container,
        mount: &VolumeMount,
        known: &Variables,
    ) -> Result<Mount, NotYet> {
        let volume = self.0.volumes.get(&mount.name).ok_or_else(|| {
            unconfigured(format!(
                "cannot find volume {:?} to mount into container {:?}",
                mount.name, container.name
            ))
        })?;
        let stated = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let within = match (stated(&mount.sub_path_expr), stated(&mount.sub_path)) {
            (Some(text), _) => expand_all(&text, |name| known.get(name)).map_err(unconfigured)?,
            (None, path) => path.unwrap_or_default(),
        };
        let parts = sub_path::parts(&within).map_err(unconfigured)?;
        let source = if parts.is_empty() {
            volume.path.clone()
        } else {
            let group = user::volume_group(&self.0.pod).unwrap_or(0);
            let owner = (self.0.settings.owner)(0, group);
            let found = match volume.projected {
                true => sub_path::projected(&volume.path, &parts),
                false => sub_path::writable(&volume.path, &parts, owner),
            };
            found.map_err(|error| {
                unconfigured(format!(
                    "failed to prepare subPath for volumeMount {:?} of container {:?}: {within}: {error}",
                    mount.name, container.name
                ))
            })?
        };
        Ok(Mount {
            source: MountSource::Own(source),
            target: mounts::target(&mount.mount_path).map_err(unconfigured)?,
            read_only: volume.read_only || mount.read_only == Some(true),
        })
    }
}

/// What a container may use. What it writes outside of volumes is memory, so a limit can only lower what all have.
fn limits(container: &Container) -> Limits {
    let limits = Limits::default();
    let stated = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let stated = stated.and_then(|limits| limits.get("ephemeral-storage")).and_then(Milli::of);
    let root_bytes = stated.map_or(limits.root_bytes, |limit| limit.bytes().min(limits.root_bytes));
    Limits { root_bytes, ..limits }
}
