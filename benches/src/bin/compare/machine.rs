//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::comparison::Comparison;
use crate::error::Error;
use crate::rows::Contest;

/// The machine, and the versions of what ran on it.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    pub(crate) disk: Disk,
    pub(crate) rustvault: String,
    /// Version and path; `None` in a run without a baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) baseline: Option<String>,
    /// `None` in a run without Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) redis: Option<String>,
}

/// The file system that the servers' folders are on.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Disk {
    pub(crate) folder: String,
    pub(crate) file_system: String,
    pub(crate) options: String,
    /// `None` if this cannot be told of the file system.
    pub(crate) has_journal: Option<bool>,
}

impl Machine {
    pub(crate) fn look(contest: &Contest) -> Result<Self, Error> {
        let baseline = match contest.comparison {
            Comparison::WithBaseline => Some(baseline_version(&contest.programs.baseline_server)?),
            _ => None,
        };
        let redis = match contest.comparison.needs_redis() {
            true => Some(redis_version(&version(Path::new("redis-server"))?).to_owned()),
            false => None,
        };
        let memory_kib = value_of(&read("/proc/meminfo")?, "MemTotal").trim_end_matches(" kB").parse::<u64>();
        Ok(Self {
            processor: value_of(&read("/proc/cpuinfo")?, "model name").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_kib.unwrap_or_default().div_ceil(1024 * 1024),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            disk: Disk::of(&contest.scratch)?,
            rustvault: with_args(version(&contest.programs.rustvault_server)?, &contest.programs.server_args),
            baseline,
            redis,
        })
    }

    /// Refuses memory that poses as a disk.
    pub(crate) fn check_disk(&self) -> Result<(), Error> {
        let Disk { folder, file_system, .. } = &self.disk;
        match file_system.as_str() {
            "tmpfs" | "ramfs" => {
                Err(Error::NotADisk { folder: folder.clone(), file_system: file_system.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Adds the arguments to a version: figures are those of both.
fn with_args(version: String, args: &[String]) -> String {
    if args.is_empty() { version } else { format!("{version} ({})", args.join(" ")) }
}

impl Disk {
    fn of(folder: &Path) -> Result<Self, Error> {
        let action = || format!("find out about {}", folder.display());
        let folder = folder.canonicalize().map_err(Error::system(action()))?;
        let mounts = read("/proc/self/mountinfo")?;
        let mount = mounts.lines().filter_map(Mount::parse).filter(|mount| folder.starts_with(mount.folder));
        let text = || mounts.clone();
        let mount = mount
            .max_by_key(|mount| mount.folder.len())
            .ok_or_else(|| Error::NoResult { program: "/proc/self/mountinfo", text: text() })?;
        Ok(Self {
            folder: folder.display().to_string(),
            file_system: mount.file_system.to_owned(),
            options: mount.options.to_owned(),
            has_journal: (mount.file_system == "ext4").then(|| has_journal(mount.device)),
        })
    }
}

/// A line of `/proc/self/mountinfo`.
#[derive(Debug, PartialEq, Eq)]
struct Mount<'a> {
    folder: &'a str,
    options: &'a str,
    file_system: &'a str,
    device: &'a str,
}

impl<'a> Mount<'a> {
    /// `ID PARENT MAJOR:MINOR ROOT FOLDER OPTIONS [TAG…] - FILE_SYSTEM DEVICE …`
    fn parse(line: &'a str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let (mut left, mut right) = (left.split(' ').skip(4), right.split(' '));
        Some(Self {
            folder: left.next()?,
            options: left.next()?,
            file_system: right.next()?,
            device: right.next()?,
        })
    }
}

/// Whether ext4 has a journal on this device: each has a folder `DEVICE-INODE` there.
fn has_journal(device: &str) -> bool {
    let name = device.rsplit('/').next().unwrap_or(device);
    let journals = fs::read_dir("/proc/fs/jbd2").into_iter().flatten().flatten();
    let mut names = journals.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.any(|journal| journal.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')))
}

fn read(path: &str) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::system(format!("read {path}")))
}

/// The first value of a name in lines of `name : value`; nothing if there is none.
fn value_of<'a>(text: &'a str, name: &str) -> &'a str {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim() == name).map_or("", |(_, value)| value.trim())
}

/// What a program answers to `--version`.
fn version(program: &Path) -> Result<String, Error> {
    let output = Command::new(program).arg("--version").output();
    let output = output.map_err(Error::system(format!("run {}", program.display())))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn baseline_version(program: &Path) -> Result<String, Error> {
    Ok(format!("{} ({})", version(program)?, program.display()))
}

/// `7.0.15` of `Redis server v=7.0.15 sha=00000000:0 …`.
fn redis_version(text: &str) -> &str {
    text.split(' ').find_map(|word| word.strip_prefix("v=")).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_with_and_without_tags() {
        let mount = |tags| format!("36 35 98:0 / /data rw,noatime {tags}- ext4 /dev/vda rw,errors=continue");
        for tags in ["", "shared:1 ", "shared:1 master:2 "] {
            let line = mount(tags);
            let parsed = Mount::parse(&line).unwrap();
            assert_eq!((parsed.folder, parsed.options), ("/data", "rw,noatime"));
            assert_eq!((parsed.file_system, parsed.device), ("ext4", "/dev/vda"));
        }
        assert_eq!(Mount::parse("36 35 98:0 /"), None);
    }

    #[test]
    fn names_and_versions_are_found() {
        assert_eq!(value_of("processor\t: 0\nmodel name\t: A CPU: fast\n", "model name"), "A CPU: fast");
        assert_eq!(value_of("", "model name"), "");
        assert_eq!(redis_version("Redis server v=7.0.15 sha=0:0 bits=64"), "7.0.15");
    }

    #[test]
    fn the_deepest_mount_that_has_the_folder_is_found() {
        assert_eq!(Disk::of(Path::new("/proc/self")).unwrap().file_system, "proc");
    }
}
