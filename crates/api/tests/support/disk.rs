//! A disk in memory that remembers what was written and what was synced, and says what is left of it after
//! a power cut.
//!
//! The model: a write reaches the disk for certain only by a later sync of its file; before that any part of
//! it (in sectors) may have. A name reaches the disk for certain only by a sync of its folder, which SQLite
//! does with the first sync of a log it has created, and with a deletion that asks for it. When a sync
//! fails, what it should have written stays uncertain for ever: a later sync does not cover it (as Linux's
//! page cache behaves).

use std::collections::{BTreeMap, BTreeSet};

const SECTOR: usize = 512;

/// SplitMix64: random numbers that a seed repeats.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// What was done to the disk. Files are numbered as they are created.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Create { name: String, file: usize },
    Delete { name: String, sync_folder: bool },
    Change { file: usize, change: Change },
    Sync { file: usize, sync_folder: bool, failed: bool },
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

impl Change {
    pub(crate) fn apply(&self, contents: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if contents.len() < end {
                    contents.resize(end, 0);
                }
                contents[*offset..end].copy_from_slice(bytes);
            }
            Self::Truncate { length } => contents.resize(*length, 0),
        }
    }

    /// Applies a random part: nothing, all, or some of the sectors.
    fn apply_part(&self, contents: &mut Vec<u8>, random: &mut Random) {
        match (self, random.below(3)) {
            (_, 0) => {}
            (Self::Write { offset, bytes }, 1) => {
                let mut at = 0;
                while at < bytes.len() {
                    let end = bytes.len().min(at + SECTOR - (offset + at) % SECTOR);
                    if random.coin() {
                        let bytes = bytes[at..end].to_vec();
                        Self::Write { offset: offset + at, bytes }.apply(contents);
                    }
                    at = end;
                }
            }
            _ => self.apply(contents),
        }
    }
}

/// Which of the uncertain things survive.
pub(crate) enum Survival<'a> {
    Nothing,
    Everything,
    Some(&'a mut Random),
}

/// Files by name.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// The state of the disk at a point of its log.
#[derive(Default)]
pub(crate) struct Replay {
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    files: Vec<File>,
}

#[derive(Default)]
struct File {
    /// What is on the disk for certain.
    base: Vec<u8>,
    /// What came after, in order.
    changes: Vec<(Change, Fate)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unsynced,
    Synced,
    /// A sync of it failed.
    Limbo,
}

impl Replay {
    /// A disk that begins with these files.
    pub(crate) fn new(image: &Image) -> Self {
        let mut replay = Self::default();
        for (name, base) in image {
            replay.names.insert(name.clone(), replay.files.len());
            replay.files.push(File { base: base.clone(), changes: Vec::new() });
        }
        replay.durable_names = replay.names.clone();
        replay
    }

    pub(crate) fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Create { name, file } => {
                assert_eq!(*file, self.files.len());
                self.files.push(File::default());
                self.names.insert(name.clone(), *file);
            }
            Operation::Delete { name, sync_folder } => {
                self.names.remove(name);
                if *sync_folder {
                    self.durable_names = self.names.clone();
                }
            }
            Operation::Change { file, change } => {
                self.files[*file].changes.push((change.clone(), Fate::Unsynced));
            }
            Operation::Sync { file, sync_folder, failed } => {
                let file = &mut self.files[*file];
                for (_, fate) in &mut file.changes {
                    *fate = match (*fate, failed) {
                        (Fate::Unsynced, true) => Fate::Limbo,
                        (Fate::Unsynced, false) => Fate::Synced,
                        (settled @ (Fate::Synced | Fate::Limbo), _) => settled,
                    };
                }
                let settled = file.changes.iter().take_while(|(_, fate)| *fate == Fate::Synced);
                let settled = settled.count();
                for (change, _) in file.changes.drain(..settled) {
                    change.apply(&mut file.base);
                }
                if *sync_folder && !failed {
                    self.durable_names = self.names.clone();
                }
            }
        }
    }

    /// What is on the disk when the power comes back.
    pub(crate) fn after_power_cut(&self, mut survival: Survival<'_>) -> Image {
        let mut image = Image::new();
        let names: BTreeSet<&String> = self.names.keys().chain(self.durable_names.keys()).collect();
        for name in names {
            let (now, durable) = (self.names.get(name), self.durable_names.get(name));
            let file = match &mut survival {
                Survival::Nothing => durable,
                Survival::Everything => now,
                Survival::Some(random) => {
                    if random.coin() {
                        now
                    } else {
                        durable
                    }
                }
            };
            let Some(&file) = file else { continue };
            let File { base, changes } = &self.files[file];
            let mut contents = base.clone();
            for (change, fate) in changes {
                match (fate, &mut survival) {
                    (Fate::Synced, _) | (_, Survival::Everything) => change.apply(&mut contents),
                    (_, Survival::Nothing) => {}
                    (_, Survival::Some(random)) => change.apply_part(&mut contents, random),
                }
            }
            image.insert(name.clone(), contents);
        }
        image
    }
}
