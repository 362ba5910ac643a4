//! Fetches Debian's source packages with apt-get and a configuration of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use testkit::{LIMIT, TempDir, need, run, scratch};

const SYSTEM_SOURCES: &str = "/etc/apt/sources.list.d/debian.sources";
/// Unpacks the original tarball of Debian's source package, without Debian's patches. Returns the directory
/// in it.
pub(crate) fn unpack(package: &str, dir: &TempDir) -> PathBuf {
    let target = dir.join(package);
    fs::create_dir(&target).unwrap();
    let mut tar = Command::new("tar");
    run(tar.arg("-xf").arg(tarball(package)).arg("-C").arg(&target), LIMIT).must_succeed();
    only_entry(&target)
}

/// Returns the tarball, kept from the last run or fetched from the network.
fn tarball(package: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let cache = scratch().join("sources");
    let kept = cache.join(package);
    if !kept.exists() {
        fs::create_dir_all(&cache).unwrap();
        let new = cache.join(format!("{package}.{}", std::process::id()));
        fs::create_dir(&new).unwrap();
        download(package, &apt_configuration(&cache), &new);
        // A file with its final name is complete.
        fs::rename(&new, &kept).unwrap();
    }
    only_entry(&kept)
}

fn download(package: &str, configuration: &Path, dir: &Path) {
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", configuration).current_dir(dir);
        command
    };
    need("dpkg-dev", "/usr/bin/dpkg-source");
    run(apt_get().args(["update", "--error-on=any"]), LIMIT).must_succeed();
    let source = ["source", "--download-only", "--tar-only", package];
    run(apt_get().args(source), LIMIT).must_succeed();
}

/// Writes the machine's package sources with `deb-src` for `deb`, and keeps apt's state in our own directory.
/// This changes nothing in the system and does not need root.
fn apt_configuration(cache: &Path) -> PathBuf {
    let apt = cache.join("apt");
    for dir in ["sources", "lists/partial", "archives/partial"] {
        fs::create_dir_all(apt.join(dir)).unwrap();
    }
    let system = fs::read_to_string(SYSTEM_SOURCES)
        .unwrap_or_else(|e| panic!("{SYSTEM_SOURCES} says where Debian's sources are: {e}"));
    let ours: Vec<_> = system
        .lines()
        .map(|line| if line.starts_with("Types:") { "Types: deb-src" } else { line })
        .collect();
    fs::write(apt.join("sources/debian.sources"), ours.join("\n") + "\n").unwrap();
    let configuration = apt.join("apt.conf");
    let text = format!(
        "Dir::Etc::SourceList \"/dev/null\";\n\
         Dir::Etc::SourceParts \"{0}/sources\";\n\
         Dir::State::Lists \"{0}/lists\";\n\
         Dir::Cache \"{0}\";\n\
         APT::Sandbox::User \"\";\n",
        apt.display()
    );
    fs::write(&configuration, text).unwrap();
    configuration
}

fn only_entry(dir: &Path) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.into_iter().next().unwrap()
}
