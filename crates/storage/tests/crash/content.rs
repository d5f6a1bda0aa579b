//! What files hold, in sectors that are shared between all the versions and images that have them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::workload::LOG;

/// What a disk writes at one go: after a crash such a piece is whole, old or new.
pub(crate) const SECTOR_BYTES: usize = 512;

/// A sector that is not all zeros.
pub(crate) struct Sector {
    bytes: [u8; SECTOR_BYTES],
    digest: u64,
}

/// A sector; `None` is all zeros.
pub(crate) type SectorRef = Option<Arc<Sector>>;

/// The content of a file.
#[derive(Clone, Default)]
pub(crate) struct Content {
    pub(crate) sectors: Vec<SectorRef>,
    pub(crate) len: u64,
}

/// What a disk holds after a crash.
#[derive(Clone, Default)]
pub(crate) struct Image {
    /// The files by their names.
    pub(crate) files: Vec<(PathBuf, Content)>,
    /// Of some file a sector was lost, and a later one was not.
    pub(crate) has_hole: bool,
}

impl Image {
    /// Whether the log is one of JSON lines.
    pub(crate) fn is_of_lines(&self) -> bool {
        self.begins_with(b'{')
    }

    /// Whether the log is a binary one.
    pub(crate) fn is_binary(&self) -> bool {
        self.begins_with(b'R')
    }

    fn begins_with(&self, byte: u8) -> bool {
        let log = self.files.iter().find(|(name, _)| name == Path::new(LOG));
        let mut first = [0];
        log.is_some_and(|(_, log)| log.read_at(&mut first, 0) == 1 && first == [byte])
    }

    /// The same, but the log ends at `len`.
    pub(crate) fn cut(&self, len: u64) -> Self {
        let mut image = self.clone();
        let log = image.files.iter_mut().find(|(name, _)| name == Path::new(LOG));
        log.unwrap().1.set_len(len);
        image
    }

    /// The same for the same names with the same content, and in practice only for those.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (name, content) in &self.files {
            (name, content.len).hash(&mut hasher);
            let sectors = content.sectors.iter().enumerate();
            for (index, sector) in sectors.filter_map(|(index, sector)| Some((index, sector.as_ref()?))) {
                (index, sector.digest).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// Writes the files into a folder, for somebody to look at.
    pub(crate) fn keep(&self) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{:016x}", self.digest()));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, content) in &self.files {
            let mut bytes = vec![0; content.len as usize];
            content.read_at(&mut bytes, 0);
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        folder
    }
}

impl Content {
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> usize {
        let end = self.len.min(offset + buffer.len() as u64);
        let mut at = offset;
        while at < end {
            let (index, start) = place(at);
            let piece = (SECTOR_BYTES - start).min((end - at) as usize);
            let target = &mut buffer[(at - offset) as usize..][..piece];
            match &self.sectors[index] {
                Some(sector) => target.copy_from_slice(&sector.bytes[start..][..piece]),
                None => target.fill(0),
            }
            at += piece as u64;
        }
        end.saturating_sub(offset) as usize
    }

    /// Writes, and returns the sectors that this changed.
    pub(crate) fn write_at(&mut self, bytes: &[u8], offset: u64) -> Vec<usize> {
        let end = offset + bytes.len() as u64;
        if end > self.len {
            self.set_len(end);
        }
        let mut changed = Vec::new();
        let mut at = offset;
        while at < end {
            let (index, start) = place(at);
            let piece = (SECTOR_BYTES - start).min((end - at) as usize);
            if self.put(index, start, &bytes[(at - offset) as usize..][..piece]) {
                changed.push(index);
            }
            at += piece as u64;
        }
        changed
    }

    /// Cuts, or extends with zeros; returns the sectors whose content this changed.
    pub(crate) fn set_len(&mut self, len: u64) -> Vec<usize> {
        let mut changed = Vec::new();
        let (last, kept) = place(len);
        let is_cut = len < self.len && last < self.sectors.len();
        if is_cut && kept > 0 && self.put(last, kept, &[0; SECTOR_BYTES][kept..]) {
            changed.push(last);
        }
        let sectors = (len as usize).div_ceil(SECTOR_BYTES);
        let lost = self.sectors.iter().enumerate().skip(sectors);
        changed.extend(lost.filter(|(_, sector)| sector.is_some()).map(|(index, _)| index));
        self.sectors.resize(sectors, None);
        self.len = len;
        changed
    }

    /// Changes a part of a sector; `false`: it was the same before.
    fn put(&mut self, index: usize, start: usize, piece: &[u8]) -> bool {
        let mut bytes = self.sectors[index].as_ref().map_or([0; SECTOR_BYTES], |sector| sector.bytes);
        let part = &mut bytes[start..][..piece.len()];
        if part == piece {
            return false;
        }
        part.copy_from_slice(piece);
        self.sectors[index] = sector_of(bytes);
        true
    }
}

fn sector_of(bytes: [u8; SECTOR_BYTES]) -> SectorRef {
    if bytes == [0; SECTOR_BYTES] {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(Arc::new(Sector { bytes, digest: hasher.finish() }))
}

fn place(offset: u64) -> (usize, usize) {
    (offset as usize / SECTOR_BYTES, offset as usize % SECTOR_BYTES)
}

/// Whether two sectors hold the same bytes.
pub(crate) fn is_same(one: &SectorRef, other: &SectorRef) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.digest == other.digest,
        _ => false,
    }
}
