//! Shared code of the tests of headers, names and linking: our lists and the compiler's tools.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{LIMIT, TempDir, dist, need_original, root};

/// The headers that we must keep.
pub const HEADERS: [&str; 6] =
    ["fcgi_config.h", "fastcgi.h", "fcgiapp.h", "fcgi_stdio.h", "fcgios.h", "fcgimisc.h"];

/// Compiler options strict enough for any program that includes our headers.
pub const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-pedantic", "-Werror"];

/// Returns a command, given as words.
pub fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Returns a command for the program that an environment variable names, as in make, or else for this
/// one.
pub fn named(variable: &str, otherwise: &str) -> Command {
    command(env::var_os(variable).unwrap_or_else(|| otherwise.into()), &[])
}

/// Returns the linker options that programs need to run here: LDFLAGS, as scripts/check-i386.sh sets
/// them.
pub fn ldflags() -> Vec<String> {
    let flags = env::var("LDFLAGS").unwrap_or_default();
    flags.split_whitespace().map(str::to_owned).collect()
}

/// Returns the standard output of a command that must succeed.
pub fn output(command: &mut Command) -> String {
    crate::run(command, LIMIT).must_succeed()
}

/// Returns the text of a file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Writes a file into a temporary directory.
pub fn write(dir: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Installs or removes what was built, with these variables.
pub fn make(target: &str, variables: &[String]) {
    let mut make = command("make", &["-s", target]);
    // An outer make keeps its job server for itself.
    make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL");
    make.arg(format!("BUILDDIR={}", dist().display())).args(variables);
    output(make.current_dir(root("")));
}

/// Returns the path where Debian installs the original's shared library.
pub fn original_library() -> PathBuf {
    need_original();
    PathBuf::from(output(&mut command("cc", &["-print-file-name=libfcgi.so.0"])).trim())
}

/// Returns the rows of abi/macros.tsv that belong to a header: name and parameters, and value.
pub fn listed_macros(header: &str) -> Vec<(String, String)> {
    let rows = read("abi/macros.tsv");
    let row = |line: &str| {
        let (name, rest) = line.split_once('\t')?;
        let (subject, value) = rest.split_once('\t').unwrap_or((rest, ""));
        (name == header).then(|| (subject.to_owned(), value.to_owned()))
    };
    rows.lines().filter_map(row).collect()
}

/// Returns what abi-extensions.symbols lists, if there are extensions.
pub fn extensions() -> String {
    let list = Path::new("abi-extensions.symbols");
    if root("").join(list).exists() { read("abi-extensions.symbols") } else { String::new() }
}
