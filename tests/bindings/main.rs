//! Bindings of other languages run unchanged: each way in which they use the library has a program here, in
//! programs, that is built against the original and runs on both libraries.
//!
//! The bindings themselves are in no package registry, so these are small programs of our own. All of them
//! give the same answers, and [`contract`] holds for all.

mod client;
mod contract;
mod polling;

use std::path::PathBuf;
use std::process::Command;

use contract::{Connections, End, holds};
use testkit::toolchain::{command, named, output, write};
use testkit::{Library, TempDir, need, root, scratch};

/// Returns the path of a program's source.
fn source(name: &str) -> PathBuf {
    root("tests/bindings/programs").join(name)
}

/// Returns the command for a script.
fn script(interpreter: &[&str], name: &str) -> Command {
    let mut script = command(interpreter[0], &interpreter[1..]);
    script.arg(source(name));
    script
}

/// Runs a compiler in a directory. It finds the original, as those do that the programs are built with.
fn compile(dir: &TempDir, compiler: &mut Command) {
    output(compiler.current_dir(dir.path()).env_remove("LD_LIBRARY_PATH"));
}

/// Checks the contract for a program that uses one structure for all requests. On the original it serves no
/// other connection while one is kept.
fn one_structure(start: impl Fn() -> Command) {
    holds(&mut start(), Library::Original, Connections::KeptAlone, End::OfLoop);
    holds(&mut start(), Library::Ours, Connections::KeptBesideNew, End::OfLoop);
}

#[test]
fn a_byte_a_call_from_fortran() {
    need("gfortran", "/usr/bin/gfortran");
    let dir = TempDir::new();
    let mut gfortran = command("gfortran", &["-std=f2018", "-Wall", "-Wextra", "-Werror"]);
    compile(&dir, gfortran.arg(source("bytes.f90")).args(["-o", "bytes", "-lfcgi"]));
    one_structure(|| Command::new(dir.join("bytes")));
}

#[test]
fn calls_by_name_from_cobol() {
    need("gnucobol4", "/usr/bin/cobc");
    let dir = TempDir::new();
    let mut cobc = command("cobc", &["-x", "-fstatic-call", "-o", "called"]);
    compile(&dir, cobc.arg(source("called.cob")).arg("-lfcgi"));
    let mut program = Command::new(dir.join("called"));
    // In the handler of the language the process leaves by exit, and the original faults there.
    holds(&mut program, Library::Original, Connections::KeptAlone, End::Code(libc::SIGSEGV));
    holds(&mut program, Library::Ours, Connections::KeptBesideNew, End::Code(libc::SIGTERM));
}

#[test]
fn the_files_as_data_from_luajit() {
    need("luajit", "/usr/bin/luajit");
    one_structure(|| script(&["luajit"], "data.lua"));
}

#[test]
fn a_structure_without_its_last_field_from_ctypes() {
    need("python3", "/usr/bin/python3");
    one_structure(|| script(&["/usr/bin/python3"], "undetached.py"));
}

#[test]
fn fields_by_offset_and_the_name_for_linking_from_ctypes() {
    need("python3", "/usr/bin/python3");
    one_structure(|| script(&["/usr/bin/python3"], "offsets.py"));
}

#[test]
fn sb_alien() {
    need("sbcl", "/usr/bin/sbcl");
    one_structure(|| script(&["sbcl", "--script"], "alien.lisp"));
}

#[test]
fn common_lisp_cffi() {
    need("sbcl", "/usr/bin/sbcl");
    need("cl-cffi", "/usr/share/common-lisp/source/cl-cffi/cffi.asd");
    let sbcl = |arguments: &[&str]| {
        let mut sbcl = command("sbcl", arguments);
        // Where CFFI is compiled to.
        sbcl.env("XDG_CACHE_HOME", scratch());
        sbcl
    };
    let load = ["--eval", "(require \"asdf\")", "--eval", "(asdf:load-system \"cffi\")"];
    output(sbcl(&["--non-interactive", "--no-sysinit", "--no-userinit"]).args(load));
    one_structure(|| {
        let mut program = sbcl(&["--script"]);
        program.arg(source("cffi.lisp"));
        program
    });
}

/// The declarations are made of each library's header.
#[test]
fn declarations_by_dump_ada_spec() {
    need("gnat-12", "/usr/bin/gnatmake");
    for (library, connections) in
        [(Library::Original, Connections::KeptAlone), (Library::Ours, Connections::KeptBesideNew)]
    {
        let dir = TempDir::new();
        let header = write(&dir, "declarations.h", "#include <fcgiapp.h>\n");
        compile(&dir, command("gcc", &["-fdump-ada-spec"]).args(library.headers()).arg(header));
        let mut gnatmake = command("gnatmake", &["-q", "-gnatwae", "-I."]);
        compile(&dir, gnatmake.arg(source("generated.adb")).args(["-largs", "-lfcgi"]));
        holds(&mut Command::new(dir.join("generated")), library, connections, End::OfLoop);
    }
}

#[test]
fn a_vapi_file_from_vala() {
    need("valac", "/usr/bin/valac");
    let dir = TempDir::new();
    let mut valac =
        command("valac", &["-q", "--pkg", "fcgx", "-X", "-lfcgi", "-o", "vapi", "-d", "."]);
    valac.arg("--vapidir").arg(root("tests/bindings/programs")).arg(source("vapi.vala"));
    compile(&dir, &mut valac);
    one_structure(|| Command::new(dir.join("vapi")));
}

/// waiting/given_back.rs has such programs with threads.
#[test]
fn a_structure_for_each_request_by_unique_ptr() {
    let dir = TempDir::new();
    let mut cxx = named("CXX", "c++");
    cxx.args(["-std=c++14", "-Wall", "-Wextra", "-Werror", "-o", "per_request"]);
    compile(&dir, cxx.arg(source("per_request.cpp")).arg("-lfcgi"));
    let mut program = Command::new(dir.join("per_request"));
    holds(&mut program, Library::Original, Connections::New, End::OfLoop);
    holds(&mut program, Library::Ours, Connections::KeptBesideNew, End::OfLoop);
}

/// The language's timer sends a signal now and then. The original closes a new connection for it that has said
/// nothing yet, so there the timer is off (`-V0`).
#[test]
#[ignore = "the compiler takes 776 MB; cargo test --test bindings -- --ignored"]
fn a_structure_for_each_request_from_haskell() {
    need("ghc", "/usr/bin/ghc");
    let dir = TempDir::new();
    let mut ghc = command(
        "ghc",
        &["-v0", "-Wall", "-Werror", "-rtsopts", "-outputdir", ".", "-o", "per_request"],
    );
    compile(&dir, ghc.arg(source("PerRequest.hs")).arg("-lfcgi"));
    let program = dir.join("per_request");
    let without_timer = &mut Command::new(&program);
    without_timer.args(["+RTS", "-V0"]);
    holds(without_timer, Library::Original, Connections::New, End::OfLoop);
    holds(&mut Command::new(&program), Library::Ours, Connections::KeptBesideNew, End::OfLoop);
}
