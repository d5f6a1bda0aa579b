//! What may be on a disk after a crash: replays recorded operations and picks from what was not synced.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fastrand::Rng;

use crate::content::{Content, Image, SectorRef, is_same};
use crate::sim::{Node, Operation};

/// The versions that something went through since it was last synced; the first is durable.
struct History<T>(Vec<(usize, T)>);

impl<T> History<T> {
    fn of(durable: T) -> Self {
        Self(vec![(0, durable)])
    }

    /// After a sync that covers the first `began` operations.
    fn settle(&mut self, began: usize) {
        let durable = self.0.iter().rposition(|&(operation, _)| operation <= began).unwrap_or(0);
        self.0.drain(..durable);
    }

    fn newest(&self) -> &T {
        &self.0[self.0.len() - 1].1
    }
}

/// A disk with everything that is under way to it.
pub(crate) struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, History<Option<Node>>>,
    operations: usize,
}

struct File {
    sectors: Vec<History<SectorRef>>,
    len: History<u64>,
}

/// Something that a crash leaves in one of several versions.
struct Slot {
    what: What,
    versions: usize,
}

#[derive(Clone)]
enum What {
    Sector(Node, usize),
    Len(Node),
    Name(PathBuf),
}

/// Everything that a crash could leave at one moment.
pub(crate) struct CrashStates<'a> {
    disk: &'a Disk,
    slots: Vec<Slot>,
}

impl Disk {
    pub(crate) fn of(image: &Image) -> Self {
        let files = image.files.iter().map(|(_, content)| File::of(content)).collect();
        let names = image.files.iter().enumerate();
        let names = names.map(|(node, (name, _))| (name.clone(), History::of(Some(node)))).collect();
        Self { files, names, operations: 0 }
    }

    /// Carries the next operation out.
    pub(crate) fn apply(&mut self, operation: &Operation) {
        self.operations += 1;
        match operation {
            Operation::Change { node, sectors, sizes, .. } => {
                let file = self.file(*node);
                for (index, sector) in sectors {
                    file.1.put(*index, sector.clone(), file.0);
                }
                file.1.len.0.extend(sizes.iter().map(|&size| (file.0, size)));
            }
            Operation::Sync { node, began } => self.file(*node).1.settle(*began),
            Operation::Names { names } => {
                for (name, node) in names {
                    let history = self.names.entry(name.clone()).or_insert_with(|| History::of(None));
                    history.0.push((self.operations, *node));
                    node.map(|node| self.file(node));
                }
            }
            Operation::SyncNames { began } => {
                self.names.values_mut().for_each(|history| history.settle(*began));
            }
            Operation::Reserve => {}
        }
    }

    /// The file that has `name`, if a crash cannot change that.
    pub(crate) fn durably_named(&self, name: &str) -> Option<Node> {
        self.names.get(&PathBuf::from(name)).and_then(|history| match &history.0[..] {
            [(_, node)] => *node,
            _ => None,
        })
    }

    /// Whether a crash may leave one file or another under `name`.
    pub(crate) fn is_replacing(&self, name: &str) -> bool {
        let files = self.names.get(&PathBuf::from(name)).into_iter().flat_map(|history| &history.0);
        files.filter(|(_, node)| node.is_some()).count() > 1
    }

    /// What a crash could leave now.
    pub(crate) fn crash_states(&self) -> CrashStates<'_> {
        let mut slots = Vec::new();
        let mut add = |what, versions| {
            if versions > 1 {
                slots.push(Slot { what, versions });
            }
        };
        for (name, history) in &self.names {
            add(What::Name(name.clone()), history.0.len());
        }
        for node in self.reachable() {
            let file = &self.files[node];
            add(What::Len(node), file.len.0.len());
            for (index, history) in file.sectors.iter().enumerate() {
                add(What::Sector(node, index), history.0.len());
            }
        }
        CrashStates { disk: self, slots }
    }

    /// The files that have a name in some version of the directory.
    fn reachable(&self) -> Vec<Node> {
        let nodes = self.names.values().flat_map(|history| history.0.iter().filter_map(|&(_, node)| node));
        let mut nodes: Vec<_> = nodes.collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn file(&mut self, node: Node) -> (usize, &mut File) {
        while self.files.len() <= node {
            self.files.push(File::of(&Content::default()));
        }
        (self.operations, &mut self.files[node])
    }
}

impl File {
    fn of(content: &Content) -> Self {
        let sectors = content.sectors.iter().cloned().map(History::of).collect();
        Self { sectors, len: History::of(content.len) }
    }

    fn put(&mut self, index: usize, sector: SectorRef, operation: usize) {
        while self.sectors.len() <= index {
            self.sectors.push(History::of(None));
        }
        if !is_same(self.sectors[index].newest(), &sector) {
            self.sectors[index].0.push((operation, sector));
        }
    }

    fn settle(&mut self, began: usize) {
        self.len.settle(began);
        self.sectors.iter_mut().for_each(|history| history.settle(began));
    }
}

impl CrashStates<'_> {
    /// How many there are, if fewer than `limit`.
    pub(crate) fn count_below(&self, limit: usize) -> Option<usize> {
        self.slots
            .iter()
            .try_fold(1_usize, |count, slot| count.checked_mul(slot.versions).filter(|&count| count < limit))
    }

    /// The `n`th of all.
    pub(crate) fn nth(&self, mut n: usize) -> Image {
        let mut picks = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            picks.push(n % slot.versions);
            n /= slot.versions;
        }
        self.image(&picks)
    }

    /// Everything has arrived: what a crash of the process alone leaves.
    pub(crate) fn newest(&self) -> Image {
        self.image(&self.slots.iter().map(|slot| slot.versions - 1).collect::<Vec<_>>())
    }

    /// One of all: nearly everything arrived, or nearly nothing, or a mix.
    pub(crate) fn random(&self, rng: &mut Rng) -> Image {
        // Single losses find other mistakes than many at once do.
        let odd_ones = [0.02, 0.15, 0.5, 1.0][rng.usize(..4)];
        let newest_else = rng.bool();
        let pick = |slot: &Slot| match rng.f64() < odd_ones {
            true => rng.usize(..slot.versions),
            false if newest_else => slot.versions - 1,
            false => 0,
        };
        self.image(&self.slots.iter().map(pick).collect::<Vec<_>>())
    }

    fn image(&self, picks: &[usize]) -> Image {
        let picked = || self.slots.iter().map(|slot| &slot.what).zip(picks.iter().copied());
        let mut names: BTreeMap<_, _> =
            self.disk.names.iter().map(|(name, history)| (name, history.0[0].1)).collect();
        for (what, pick) in picked() {
            if let What::Name(name) = what {
                names.insert(name, self.disk.names[name].0[pick].1);
            }
        }
        let named = names.into_iter().filter_map(|(name, node)| Some((name.clone(), node?)));
        let files = named.map(|(name, node)| (name, self.content(node, picked()))).collect();
        Image { files, has_hole: self.has_hole(picks) }
    }

    /// Whether of some file the newest version of a sector has not arrived, but something of a later sector.
    fn has_hole(&self, picks: &[usize]) -> bool {
        let mut losing = None;
        self.slots.iter().zip(picks).any(|(slot, &pick)| {
            let What::Sector(node, _) = slot.what else { return false };
            let is_behind_a_loss = losing == Some(node) && pick > 0;
            if pick + 1 < slot.versions {
                losing = Some(node);
            }
            is_behind_a_loss
        })
    }

    fn content<'p>(&self, node: Node, picks: impl Iterator<Item = (&'p What, usize)>) -> Content {
        let File { sectors, len } = &self.disk.files[node];
        let mut content = Content {
            sectors: sectors.iter().map(|history| history.0[0].1.clone()).collect(),
            len: len.0[0].1,
        };
        for (what, pick) in picks {
            match *what {
                What::Sector(of, index) if of == node => {
                    content.sectors[index].clone_from(&sectors[index].0[pick].1);
                }
                What::Len(of) if of == node => content.len = len.0[pick].1,
                _ => {}
            }
        }
        // What lies beyond the end does not count.
        let len = std::mem::replace(&mut content.len, u64::MAX);
        content.set_len(len);
        content
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use rustvault_storage::fs::{Directory, FileSystem};

    use super::*;
    use crate::sim::SimFileSystem;

    /// What the files `log` and `new` may hold after a crash: of each the first bytes of its sectors.
    fn crash_states(fs: &SimFileSystem) -> BTreeSet<[Option<Vec<u8>>; 2]> {
        let mut disk = Disk::of(&Image::default());
        fs.take_recorded().iter().for_each(|step| disk.apply(&step.operation));
        let states = disk.crash_states();
        let images = (0..states.count_below(1000).unwrap()).map(|n| states.nth(n));
        images.map(|image| ["log", "new"].map(|name| sectors(&image, name))).collect()
    }

    fn sectors(image: &Image, name: &str) -> Option<Vec<u8>> {
        let (_, content) = image.files.iter().find(|(path, _)| path == Path::new(name))?;
        let first_of = |sector| {
            let mut first = [0];
            content.read_at(&mut first, sector * 512);
            first[0]
        };
        Some((0..content.len.div_ceil(512)).map(first_of).collect())
    }

    fn some(bytes: &[u8]) -> Option<Vec<u8>> {
        Some(bytes.to_vec())
    }

    #[test]
    fn what_is_synced_stays_and_of_the_rest_any_part_arrives() {
        let fs = SimFileSystem::default();
        let file = fs.create(Path::new("log"), None).unwrap();
        file.write_at(&[1; 1024], 0).unwrap();
        file.sync().unwrap();
        fs.sync().unwrap();
        file.write_at(&[2; 1024], 512).unwrap();
        let states: Vec<_> = crash_states(&fs).into_iter().map(|[log, _]| log.unwrap()).collect();
        assert_eq!(states, [&[1, 1][..], &[1, 1, 0], &[1, 1, 2], &[1, 2], &[1, 2, 0], &[1, 2, 2]]);
    }

    #[test]
    fn names_and_contents_arrive_apart() {
        let fs = SimFileSystem::default();
        let log = fs.create(Path::new("log"), None).unwrap();
        log.write_at(&[1], 0).unwrap();
        log.sync().unwrap();
        let new = fs.create(Path::new("new"), None).unwrap();
        fs.sync().unwrap();
        new.write_at(&[2], 0).unwrap();
        fs.rename(Path::new("new"), Path::new("log")).unwrap();
        let mut expected = BTreeSet::new();
        for of_new in [some(&[]), some(&[0]), some(&[2])] {
            for log in [some(&[1]), of_new.clone()] {
                expected.extend([[log.clone(), None], [log, of_new.clone()]]);
            }
        }
        assert_eq!(crash_states(&fs), expected);
    }

    #[test]
    fn an_unsynced_cut_may_be_undone() {
        let fs = SimFileSystem::default();
        let file = fs.create(Path::new("log"), None).unwrap();
        file.write_at(&[1; 1024], 0).unwrap();
        file.sync().unwrap();
        fs.sync().unwrap();
        file.set_len(512).unwrap();
        let states: Vec<_> = crash_states(&fs).into_iter().map(|[log, _]| log.unwrap()).collect();
        assert_eq!(states, [&[1][..], &[1, 0], &[1, 1]]);
    }

    #[test]
    fn a_sector_that_is_lost_before_one_that_is_not_is_a_hole() {
        let fs = SimFileSystem::default();
        let file = fs.create(Path::new("log"), None).unwrap();
        fs.sync().unwrap();
        file.write_at(&[1; 1024], 0).unwrap();
        let mut disk = Disk::of(&Image::default());
        fs.take_recorded().iter().for_each(|step| disk.apply(&step.operation));
        let states = disk.crash_states();
        let images = (0..states.count_below(1000).unwrap()).map(|n| states.nth(n));
        for image in images.filter(|image| image.files[0].1.len == 1024) {
            assert_eq!(image.has_hole, sectors(&image, "log") == some(&[0, 1]));
        }
    }
}
