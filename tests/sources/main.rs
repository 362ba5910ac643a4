//! Third-party source compiles unchanged against our headers and runs. Third-party test suites succeed on our
//! library.

mod fetch;
mod suites;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use fetch::unpack;
use testkit::{LIMIT, Library, Running, TempDir, dist, install, need, run};

#[test]
fn libfcgi_perl() {
    need("perl", "/usr/bin/perl");
    need("libperl-dev", "/usr/share/doc/libperl-dev");
    // Its Makefile.PL looks for an installed library even if another one is named.
    need("libfcgi-dev", "/usr/include/fcgiapp.h");
    need("libfcgi-client-perl", "/usr/share/perl5/FCGI/Client.pm");
    for library in Library::BOTH {
        let dir = TempDir::new();
        let source = unpack("libfcgi-perl", &dir);
        // Not --use-installed=PREFIX: with it, the headers are searched in PREFIX/include/include.
        let mut perl = Command::new("perl");
        perl.args(["Makefile.PL", "--use-installed="]).current_dir(&source);
        if library == Library::Ours {
            perl.arg(format!("INC=-I{}", headers(library).display()));
            perl.arg(format!("LIBS=-L{} -lfcgi", dist().display()));
        }
        run(&mut perl, LIMIT).must_succeed();

        let mut make = Command::new("make");
        run(make.arg("OPTIMIZE=-O2 -MD").current_dir(&source), LIMIT).must_succeed();
        assert_headers(&source, library);

        let mut test = Command::new("make");
        test.arg("test").current_dir(&source);
        let said = run(loaded_from(library, &dir, &mut test), LIMIT).must_succeed();
        assert!(said.contains("All tests successful.") && !said.contains("skipped"), "{said}");
        assert_loaded(library, &dir);
    }
}

#[test]
fn fcgiwrap() {
    let config = "#define PACKAGE_NAME \"fcgiwrap\"\n#define PACKAGE_VERSION \"0\"\n\
                  #define PACKAGE_BUGREPORT \"nobody\"\n";
    for library in Library::BOTH {
        let dir = TempDir::new();
        let source = unpack("fcgiwrap", &dir);
        fs::write(source.join("config.h"), config).unwrap();
        compile(library, "cc", &source, "-std=gnu99 -Wall -Wextra -pedantic fcgiwrap.c");

        let (text, script) = (dir.join("text"), dir.join("script"));
        fs::write(&text, "#!/bin/sh\nprintf 'Status: 201\\r\\n\\r\\n'\n").unwrap();
        install(&text, &script);
        let script = script.to_str().unwrap();
        let environment = [("SCRIPT_FILENAME", script), ("REQUEST_METHOD", "GET")];
        let response = answer(library, &dir, &source, &environment);
        assert_eq!(response, "Status: 201\r\n\r\n");
    }
}

#[test]
fn bosixnet() {
    need("g++", "/usr/bin/c++");
    for library in Library::BOTH {
        let dir = TempDir::new();
        let source = unpack("bosixnet", &dir);
        // As its CMakeLists.txt does.
        fs::copy(source.join("Version.h.in"), source.join("Version.h")).unwrap();
        compile(library, "c++", &source, "-Wall -I. src/bosixnet-webui/bosixnet-webui.cpp");

        let environment = [("SCRIPT_NAME", "/bosixnet/counter"), ("REQUEST_METHOD", "GET")];
        let response = answer(library, &dir, &source, &environment);
        assert!(response.contains("Counter: 1"), "{response}");
    }
}

/// The JPIP server of OpenJPEG: its main file and every file of its library that includes fcgi_stdio.h,
/// except the one that needs curl. Not linked, because linking needs further libraries.
#[test]
fn openjpeg() {
    for library in Library::BOTH {
        let dir = TempDir::new();
        let source = unpack("openjpeg2", &dir).join("src");
        fs::write(source.join("opj_config.h"), "#define OPJ_HAVE_STDINT_H 1\n").unwrap();
        fs::write(source.join("opj_config_private.h"), "#define OPJ_HAVE_INTTYPES_H 1\n").unwrap();
        let mut arguments =
            String::from("-w -c -DSERVER -I. -Ilib/openjpip -Ilib/openjp2 bin/jpip/opj_server.c");
        for entry in fs::read_dir(source.join("lib/openjpip")).unwrap() {
            let file = entry.unwrap().path();
            let is_c = file.extension().is_some_and(|extension| extension == "c");
            let needs_curl = file.ends_with("target_manager.c");
            if is_c && !needs_curl && fs::read_to_string(&file).unwrap().contains("fcgi_stdio.h") {
                arguments += &format!(" {}", file.display());
            }
        }
        compile(library, "cc", &source, &arguments);
    }
}

/// Compiles to `a.out` in the source's directory, and checks where the headers came from.
fn compile(library: Library, compiler: &str, source: &Path, arguments: &str) {
    let mut command = Command::new(compiler);
    command.arg("-MD").args(library.headers()).args(arguments.split_whitespace());
    command.args(library.link()).current_dir(source);
    run(&mut command, LIMIT).must_succeed();
    assert_headers(source, library);
}

/// Checks the list of files that the compiler has read (`-MD`).
fn assert_headers(source: &Path, library: Library) {
    let mut read = Vec::new();
    for entry in fs::read_dir(source).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "d") {
            let list = fs::read_to_string(file).unwrap();
            read.extend(list.split_whitespace().map(PathBuf::from).filter(|f| is_public_header(f)));
        }
    }
    assert!(!read.is_empty(), "no header of libfcgi was included");
    for header in read {
        assert_eq!(header.parent(), Some(headers(library).as_path()));
    }
}

fn headers(library: Library) -> PathBuf {
    match library {
        Library::Ours => dist().join("include"),
        Library::Original => "/usr/include".into(),
    }
}

fn is_public_header(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ["fastcgi.h", "fcgiapp.h", "fcgi_stdio.h", "fcgios.h", "fcgimisc.h", "fcgi_config.h"]
        .contains(&name)
}

/// Starts `a.out`, sends it one request and returns the response.
fn answer(library: Library, dir: &TempDir, source: &Path, environment: &[(&str, &str)]) -> String {
    need("libfcgi-bin", "/usr/bin/cgi-fcgi");
    let socket = dir.join("app.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let mut program = Command::new(source.join("a.out"));
    program.current_dir(dir.path()).stdin(OwnedFd::from(listener));
    let _running = Running::start(loaded_from(library, dir, &mut program));

    let mut bridge = Command::new("/usr/bin/cgi-fcgi");
    bridge.args(["-bind", "-connect"]).arg(&socket).envs(environment.iter().copied());
    let response = run(Library::Original.under(&mut bridge), LIMIT).must_succeed();
    assert_loaded(library, dir);
    response
}

/// Makes the dynamic linker load the library and write what it loads to one file per process.
fn loaded_from<'a>(library: Library, dir: &TempDir, command: &'a mut Command) -> &'a mut Command {
    fs::create_dir(dir.join("linker")).unwrap();
    let command = library.under(command);
    command.env("LD_DEBUG", "libs").env("LD_DEBUG_OUTPUT", dir.join("linker/said"))
}

/// Checks that every process with a libfcgi has loaded this one. Returns how many there are.
fn assert_loaded(library: Library, dir: &TempDir) -> usize {
    let mut loaded = Vec::new();
    for entry in fs::read_dir(dir.join("linker")).unwrap() {
        let said = fs::read_to_string(entry.unwrap().path()).unwrap();
        let files = said.lines().filter_map(|line| line.split_once("calling init: "));
        loaded.extend(files.map(|(_, file)| PathBuf::from(file)).filter(|f| is_libfcgi(f)));
    }
    assert!(!loaded.is_empty(), "no process has loaded libfcgi");
    for file in &loaded {
        let ours = file.parent() == Some(dist());
        assert_eq!(ours, library == Library::Ours, "{}", file.display());
    }
    loaded.len()
}

fn is_libfcgi(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "libfcgi.so.0")
}
