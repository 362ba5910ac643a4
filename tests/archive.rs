//! libfcgi.a links with Rust code in the program, and with Rust code in an archive before or after it, with
//! std and its unwinding. It links into every kind of executable.
//!
//! The compilers are CC, RUSTC and CARGO, with CARGO_BUILD_TARGET. LDFLAGS are what programs need to run
//! here. With these, scripts/check-i386.sh runs the same tests for i386.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use testkit::toolchain::{STRICT, command, ldflags, named, original_library, output, write};
use testkit::{TempDir, dist};

/// Another archive written in Rust. It unwinds.
const OTHER: &str = r#"
use std::collections::HashMap;

#[unsafe(no_mangle)]
pub extern "C" fn other_add(a: i32, b: i32) -> i32 {
    let map = HashMap::from([(a, b)]);
    let caught = std::panic::catch_unwind(|| if b == 99 { panic!("as asked") } else { b });
    map.get(&a).map_or(-1, |_| a + caught.unwrap_or(1000))
}
"#;

/// A C program that uses both archives. It serves one request of its own, and the other archive unwinds
/// meanwhile.
const PROGRAM: &str = r#"
#include <fcgiapp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int other_add(int a, int b);

int main(void)
{
    static const unsigned char question[] = {
        1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 4, 0, 1, 0, 4, 0, 0, 1, 1, 'K', 'V',
        1, 4, 0, 1, 0, 0, 0, 0, 1, 5, 0, 1, 0, 0, 0, 0,
    };
    struct sockaddr_un address = { AF_UNIX, "archive.sock" };
    FCGX_Request request;
    char answer[64];
    int client = socket(AF_UNIX, SOCK_STREAM, 0);

    if (FCGX_Init() != 0)
        return 1;
    if (FCGX_InitRequest(&request, FCGX_OpenSocket(address.sun_path, 5), 0) != 0)
        return 2;
    if (connect(client, (struct sockaddr *)&address, sizeof address) != 0)
        return 3;
    if (write(client, question, sizeof question) != sizeof question)
        return 4;
    if (FCGX_Accept_r(&request) != 0)
        return 5;
    FCGX_FPrintF(request.out, "%s %d %d", FCGX_GetParam("K", request.envp), other_add(2, 3),
                 other_add(2, 99));
    FCGX_Finish_r(&request);
    if (read(client, answer, sizeof answer) < 8)
        return 6;
    return printf("%.*s\n", answer[5], answer + 8) < 0;
}
"#;

/// The output of the program.
const ANSWER: &str = "V 5 1002\n";

/// A crate that declares functions of the library, like `-sys` crates.
const SYS: [(&str, &str); 3] = [
    (
        "Cargo.toml",
        r#"[package]
name = "fcgi-sys"
version = "0.0.0"
edition = "2024"
links = "fcgi"
"#,
    ),
    (
        "build.rs",
        r#"fn main() {
    println!("cargo:rustc-link-search=native={}", std::env::var("FCGI_DIR").unwrap());
    println!("cargo:rustc-link-lib=static=fcgi");
}
"#,
    ),
    (
        "src/lib.rs",
        r#"use std::os::raw::c_int;

unsafe extern "C" {
    pub fn FCGX_Init() -> c_int;
    pub fn FCGX_IsCGI() -> c_int;
}
"#,
    ),
];

/// A program that uses the crate. It unwinds.
const USER: [(&str, &str); 2] = [
    (
        "Cargo.toml",
        r#"[package]
name = "user"
version = "0.0.0"
edition = "2024"

[dependencies]
fcgi-sys = { path = "../fcgi-sys" }

[workspace]
"#,
    ),
    (
        "src/main.rs",
        r#"fn main() {
    let caught = std::panic::catch_unwind(|| panic!("as asked"));
    let (init, is_cgi) = unsafe { (fcgi_sys::FCGX_Init(), fcgi_sys::FCGX_IsCGI()) };
    println!("{init} {is_cgi} {}", caught.is_err());
}
"#,
    ),
];

/// Builds the other archive.
fn other_archive(dir: &TempDir) -> PathBuf {
    let archive = dir.join("libother.a");
    let mut rustc = named("RUSTC", "rustc");
    rustc.args(["--edition=2024", "-O", "--crate-type=staticlib", "-o"]).arg(&archive);
    if let Some(target) = env::var_os("CARGO_BUILD_TARGET") {
        rustc.arg("--target").arg(target);
    }
    // Options that cargo takes from the environment.
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    output(rustc.args(flags.split_whitespace()).arg(write(dir, "other.rs", OTHER)));
    archive
}

/// Links the program with these archives in this order, and runs it.
fn links_and_answers(dir: &TempDir, flags: &[&str], archives: &[&Path]) {
    let program = dir.join("program");
    let mut cc = named("CC", "cc");
    cc.args(STRICT).args(flags).arg("-I").arg(dist().join("include"));
    cc.arg(write(dir, "program.c", PROGRAM)).arg("-o").arg(&program).args(archives);
    cc.args(["-lpthread", "-ldl", "-lm"]);
    if !flags.iter().any(|flag| flag.starts_with("-static")) {
        cc.args(ldflags());
    }
    output(&mut cc);
    let _ = fs::remove_file(dir.join("archive.sock"));
    let said = output(command(&program, &[]).current_dir(dir.path()));
    assert_eq!(said, ANSWER, "{flags:?} {archives:?}");
}

/// Links the program with this library and another Rust archive, in every order and kind of executable.
fn check_with_other_archive(library: &Path) {
    let dir = TempDir::new();
    let other = other_archive(&dir);
    let kinds: [&[&str]; 4] =
        [&["-fPIE", "-pie"], &["-fno-pie", "-no-pie"], &["-static"], &["-fPIE", "-static-pie"]];
    for flags in kinds {
        links_and_answers(&dir, flags, &[library, &other]);
        links_and_answers(&dir, flags, &[&other, library]);
    }
}

#[test]
fn a_c_program_has_another_rust_archive_too() {
    check_with_other_archive(&dist().join("libfcgi.a"));
}

#[test]
fn a_c_program_has_the_shared_library_and_a_rust_archive() {
    let dir = TempDir::new();
    let run_path = format!("-Wl,-rpath,{}", dist().display());
    let library = dist().join("libfcgi.so");
    links_and_answers(&dir, &["-fPIE", "-pie", &run_path], &[&library, &other_archive(&dir)]);
}

#[test]
fn the_original_s_archive_does_the_same() {
    check_with_other_archive(&original_library().with_file_name("libfcgi.a"));
}

#[test]
fn a_rust_program_has_it_from_a_sys_crate() {
    let dir = TempDir::new();
    for (name, files) in [("fcgi-sys", &SYS[..]), ("user", &USER)] {
        fs::create_dir_all(dir.join(name).join("src")).unwrap();
        for (file, text) in files {
            fs::write(dir.join(name).join(file), text).unwrap();
        }
    }
    for profile in ["dev", "release"] {
        let mut cargo = named("CARGO", "cargo");
        cargo.args(["run", "--quiet", "--offline", "--profile", profile]);
        cargo.env("FCGI_DIR", dist()).env("CARGO_TARGET_DIR", dir.join("target"));
        assert_eq!(output(cargo.current_dir(dir.join("user"))), "0 1 true\n", "{profile}");
    }
}
