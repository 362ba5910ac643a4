//! Our library as `make` builds it, and the original as Debian installs it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::original::has_original;
use super::process::{TempDir, need, run};

/// The time limit of a build from nothing on a slow machine.
const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// Returns a path inside the repository.
pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

/// Returns the directory for what tests build and keep: cargo's CARGO_TARGET_TMPDIR, which a library
/// does not know. It is next to the test program's profile directory.
pub fn scratch() -> PathBuf {
    let program = env::current_exe().unwrap();
    let directory = program.ancestors().nth(3).unwrap().join("tmp");
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Returns the directory of our built library. It is built if necessary, once per test process;
/// processes wait for each other. LIBFCGI_DIST names another directory, which is used as it is.
pub fn dist() -> &'static Path {
    static DIST: OnceLock<PathBuf> = OnceLock::new();
    DIST.get_or_init(|| {
        if let Some(dist) = env::var_os("LIBFCGI_DIST") {
            return root("").join(dist);
        }
        let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let target = root("").join(target);
        fs::create_dir_all(&target).unwrap();
        let mut make = Command::new("flock");
        make.arg(target.join("make.lock")).args(["make", "-s"]);
        // An outer make keeps its job server for itself.
        make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL");
        make.env("CARGO_TARGET_DIR", &target).current_dir(root(""));
        run(&mut make, BUILD_LIMIT).must_succeed();
        env::var_os("BUILDDIR").map_or(target.join("dist"), |dist| root("").join(dist))
    })
}

/// One of the two libraries with the same interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    Ours,
    Original,
}

impl Library {
    pub const BOTH: [Self; 2] = [Self::Original, Self::Ours];

    /// Returns the original, where tests run on it.
    pub fn original() -> Option<Self> {
        has_original().then_some(Self::Original)
    }

    /// Returns the libraries that tests run on: both, or ours alone.
    pub fn tested() -> impl Iterator<Item = Self> {
        Self::original().into_iter().chain([Self::Ours])
    }

    /// Returns the compiler's arguments that find the headers.
    pub fn headers(self) -> Vec<String> {
        match self {
            Self::Ours => vec![format!("-I{}", dist().join("include").display())],
            Self::Original => {
                need_original();
                Vec::new()
            }
        }
    }

    /// Returns the linker's arguments. A program that uses no name of the library is not linked to it.
    pub fn link(self) -> Vec<String> {
        let mut arguments = Vec::new();
        if self == Self::Ours {
            arguments.push(format!("-L{}", dist().display()));
        }
        arguments.extend(["-Wl,--as-needed", "-lfcgi", "-lpthread"].map(String::from));
        arguments
    }

    /// Makes `command` run on this library, wherever the program was linked. Sanitizer reports about
    /// the original are ignored.
    pub fn under(self, command: &mut Command) -> &mut Command {
        match self {
            Self::Ours => command.env("LD_LIBRARY_PATH", dist()),
            Self::Original => {
                assert!(has_original(), "{ELSEWHERE}");
                command.env("ASAN_OPTIONS", "detect_leaks=0").env_remove("TSAN_OPTIONS");
                command.env_remove("LD_LIBRARY_PATH")
            }
        }
    }
}

/// The message of a test that needs the original where it is missing.
const ELSEWHERE: &str = "this test needs the original: it is for `make check`";

/// Makes sure that the original's headers and libraries are installed; they show what ours must do.
pub fn need_original() {
    assert!(has_original(), "{ELSEWHERE}");
    need("libfcgi-dev", "/usr/include/fcgiapp.h");
}

/// Compiles and links one C program against a library.
pub fn compile(source: &Path, against: Library, program: &Path) -> Result<(), String> {
    compile_with(source, against, program, &[""; 0])
}

/// Compiles and links as [`compile`] does, with more arguments for the compiler.
pub fn compile_with(
    source: &Path,
    against: Library,
    program: &Path,
    more: &[impl AsRef<OsStr>],
) -> Result<(), String> {
    let mut cc = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-g"]).args(against.headers());
    cc.arg("-I").arg(root("c-tests")).arg("-o").arg(program).arg(source).args(more);
    cc.args(against.link());
    let ended = run(&mut cc, Duration::from_secs(60));
    if ended.code == Some(0) { Ok(()) } else { Err(ended.to_string()) }
}

/// Returns a program of testkit/programs, built against a library once per test process, below cargo's
/// target directory.
pub fn helper(name: &str, library: Library) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    // A test that failed here has reported why; the others find out for themselves.
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let key = format!("{name}-{library:?}");
    if let Some(path) = built.get(&key) {
        return path.clone();
    }
    let target = scratch();
    let path = target.join(&key);
    let new = target.join(format!("{key}.{}", std::process::id()));
    let source = root("testkit/programs").join(format!("{name}.c"));
    compile(&source, library, &new).unwrap_or_else(|error| panic!("{error}"));
    // The file appears in one step, because another test process may be starting the program at this
    // moment.
    fs::rename(&new, &path).unwrap();
    built.insert(key, path.clone());
    path
}

/// Returns the shared library file that a process has mapped.
pub fn mapped(process: u32) -> PathBuf {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut paths = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    PathBuf::from(paths.find(|path| path.contains("/libfcgi.so")).unwrap())
}

/// Returns the names of the C programs in a directory, sorted.
pub fn programs_in(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(root(directory)).unwrap();
    let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        files.filter_map(|name| name.strip_suffix(".c").map(str::to_owned)).collect();
    names.sort();
    names
}

/// Returns the disassembly of the whole library with relocations. It is linked once more, as libfcgi.a
/// is, but with its symbols.
pub fn disassembly() -> String {
    let dir = TempDir::new();
    let object = dir.join("fcgi.o");
    let mut cc = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-fno-lto", "-Wl,--gc-sections", "-r", "-nostdlib"]);
    cc.args(["roots", "panics"].map(|name| format!("@{}", dist().join(name).display())));
    cc.arg("-o").arg(&object).arg(dist().join("../cargo/dist/libfcgi.a"));
    run(&mut cc, Duration::from_secs(60)).must_succeed();
    disassembled(&object)
}

/// Returns the disassembly of the crate as Rust programs link it, with the API for them, which is not in the
/// shared library.
pub fn disassembly_for_rust() -> String {
    let dir = TempDir::new();
    let (object, target) = (dir.join("fcgi.o"), scratch().join("for_rust"));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["rustc", "--locked", "--quiet", "--profile", "dist", "--lib", "--target-dir"]);
    cargo.arg(target).arg("--").arg(format!("--emit=obj={}", object.display()));
    // The file is another one in each call, so cargo runs the compiler each time.
    run(cargo.current_dir(root("")), BUILD_LIMIT).must_succeed();
    disassembled(&object)
}

/// Returns the disassembly of an object with relocations.
pub fn disassembled(object: &Path) -> String {
    let mut objdump = Command::new("objdump");
    objdump.args(["--disassemble", "--reloc", "--demangle", "--no-show-raw-insn"]);
    run(objdump.arg(object), Duration::from_secs(60)).must_succeed()
}
