//! libfcgi++ looks like the original to the dynamic linker, and C++ programs behave the same on both.
//!
//! Each program of tests/cxx is built against both libraries and runs on both. Where the original is
//! wrong, its first line is `// differs: <the row of docs/differences.md>`, and
//! NAME.expected holds what ours must print. The original must then print something else, or die.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use fcgi::internals::protocol::RecordType;
use testkit::toolchain::{STRICT, command, make, original_library, output, read, write};
use testkit::wire::{self, Connection};
use testkit::{Ended, LIMIT, Library, Running, TempDir, dist, need_original, root, run};

const SHARED: &str = "libfcgi++.so.0.0.0";

/// Returns the names that a file exports, sorted.
fn names(kind: &str, file: &Path) -> Vec<String> {
    let mut nm = command("nm", &[kind, "--defined-only", "--format=posix"]);
    let text = output(nm.arg(file));
    let mut names: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, _)| name.to_owned())
        .collect();
    names.sort();
    names
}

/// Returns the list of names. The spelling of a streamsize and of an offset depends on the machine.
fn listed() -> Vec<String> {
    let text = read("abi/libfcgi++.so.0.symbols");
    let mut names: Vec<String> = text.lines().map(spelled).collect();
    names.sort();
    names
}

/// Returns this machine's spelling of a name of the list, which has the 64-bit names.
fn spelled(name: &str) -> String {
    if cfg!(target_pointer_width = "64") {
        return name.to_owned();
    }
    let name = name.replace("_n24_", "_n12_");
    let size =
        name.strip_suffix('l').filter(|start| start.ends_with("Pc") || start.ends_with("PKc"));
    size.map_or(name.clone(), |start| format!("{start}i"))
}

fn original() -> PathBuf {
    original_library().with_file_name("libfcgi++.so.0")
}

#[test]
fn exported_names_are_exactly_the_listed_ones() {
    assert_eq!(listed().len(), 44);
    assert_eq!(names("--dynamic", &dist().join(SHARED)), listed());
    let mut theirs = names("--dynamic", &original());
    theirs.retain(|name| !["_init", "_fini"].contains(&name.as_str()));
    assert_eq!(theirs, listed());
}

#[test]
fn the_static_library_has_them_too() {
    let archive = names("--extern-only", &dist().join("libfcgi++.a"));
    for name in listed() {
        assert!(archive.contains(&name), "{name}");
    }
}

#[test]
fn soname_needed_libraries_and_hardening() {
    let file = dist().join(SHARED);
    let readelf = |flag: &str| output(command("readelf", &[flag, "--wide"]).arg(&file));
    let dynamic = readelf("--dynamic");
    assert!(dynamic.contains("Library soname: [libfcgi++.so.0]"), "{dynamic}");
    let needed: Vec<&str> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    let allowed = ["[libfcgi.so.0]", "[libstdc++.so.6]", "[libc.so.6]", "[libgcc_s.so.1]"];
    assert!(needed.iter().any(|line| line.contains(allowed[0])), "{dynamic}");
    for line in needed {
        assert!(allowed.iter().any(|name| line.contains(name)), "{line}");
    }
    assert!(dynamic.contains("BIND_NOW") && !dynamic.contains("TEXTREL"), "{dynamic}");
    let segments = readelf("--program-headers");
    assert!(segments.contains("GNU_RELRO"), "{segments}");
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).unwrap();
    assert!(stack.contains(" RW "), "executable stack: {stack}");
    for (link, target) in [("libfcgi++.so", "libfcgi++.so.0"), ("libfcgi++.so.0", SHARED)] {
        assert_eq!(fs::read_link(dist().join(link)).unwrap(), Path::new(target));
    }
}

fn source(name: &str) -> PathBuf {
    root("tests/cxx").join(format!("{name}.cpp"))
}

/// Builds a program of tests/cxx against one of the libraries.
fn build(name: &str, library: Library, dir: &TempDir) -> PathBuf {
    let program = dir.join(&format!("{name}-{library:?}"));
    let mut cxx = command("c++", &STRICT);
    cxx.args(["-std=c++98", "-g"]).args(library.headers()).arg("-o").arg(&program);
    cxx.arg(source(name));
    if library == Library::Ours {
        cxx.arg("-L").arg(dist());
    }
    output(cxx.args(["-lfcgi++", "-lfcgi"]));
    program
}

/// Runs a program on one of the libraries, after the dynamic linker has confirmed that it loads this one.
fn run_on(program: &Path, library: Library) -> Ended {
    let mut list = Command::new(program);
    let loaded = output(library.under(list.env("LD_TRACE_LOADED_OBJECTS", "1")));
    for name in ["libfcgi.so.0", "libfcgi++.so.0"] {
        let line = loaded.lines().find(|line| line.contains(name)).unwrap();
        let ours = line.contains(dist().to_str().unwrap());
        assert_eq!(ours, library == Library::Ours, "{line}");
    }
    run(library.under(&mut Command::new(program)), LIMIT)
}

/// Returns what must be the same on both libraries.
fn behaviour(ended: &Ended) -> (&str, &str) {
    (&ended.how, &ended.stdout)
}

/// Builds a program against both libraries and runs each build on both.
fn check(name: &str) {
    need_original();
    let dir = TempDir::new();
    let [on_original, on_ours] = Library::BOTH.map(|library| build(name, library, &dir));
    let theirs = run_on(&on_original, Library::Original);
    let ours = run_on(&on_ours, Library::Ours);
    let exchanged = run_on(&on_original, Library::Ours);
    assert_eq!(behaviour(&exchanged), behaviour(&ours), "{name}, built with the original's header");
    if read(&format!("tests/cxx/{name}.cpp")).starts_with("// differs: ") {
        let wanted = read(&format!("tests/cxx/{name}.expected"));
        assert_eq!(behaviour(&ours), ("exit 0", wanted.as_str()), "{name}");
        assert_ne!(behaviour(&theirs), behaviour(&ours), "{name}: the original does not differ");
        return;
    }
    assert_eq!(theirs.code, Some(0), "{theirs}");
    assert_eq!(behaviour(&ours), behaviour(&theirs), "{name}");
    let exchanged = run_on(&on_ours, Library::Original);
    assert_eq!(behaviour(&exchanged), behaviour(&theirs), "{name}, built with our header");
}

#[test]
fn reading() {
    check("reading");
}

#[test]
fn reading_ahead() {
    check("reading_ahead");
}

#[test]
fn writing() {
    check("writing");
}

#[test]
fn write_errors() {
    check("write_errors");
}

#[test]
fn classes() {
    check("classes");
}

#[test]
fn edges() {
    check("edges");
}

/// Returns the number of instructions that std::getline executes for a body of this length.
fn instructions(program: &Path, library: Library, length: usize) -> u64 {
    let mut valgrind = command("valgrind", &["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg("--toggle-collect=read_lines").arg(program).arg(length.to_string());
    let ended = run(library.under(&mut valgrind), LIMIT);
    assert_eq!(ended.stdout, format!("{}\n", length + 1), "{ended}");
    let total = ended.stderr.lines().find_map(|line| line.split_once("Collected : ")).unwrap();
    total.1.trim().parse().unwrap()
}

#[test]
fn a_line_is_not_a_library_call_for_every_byte() {
    need_original();
    let dir = TempDir::new();
    let program = build("lines", Library::Original, &dir);
    let [original, ours] = Library::BOTH.map(|library| instructions(&program, library, 256 * 1024));
    assert!(ours * 5 <= original, "{ours} instructions; the original: {original}");
}

/// The library and the programs compile in every version of C++. Warnings are errors.
#[test]
fn in_every_cxx() {
    let mut files = vec![root("src/cxx/fcgio.cpp"), root("examples-c/echo_cxx.cpp")];
    files.push(source("classes"));
    for compiler in ["g++", "clang++"] {
        for standard in ["98", "11", "14", "17", "20", "2b"] {
            let mut cxx = command(compiler, &STRICT);
            cxx.arg(format!("-std=c++{standard}")).args(["-fsyntax-only", "-Wshadow"]);
            output(cxx.args(Library::Ours.headers()).args(&files));
        }
    }
}

/// The files of `make install` and the words of pkg-config are enough to link with, shared and static.
#[test]
fn installed_with_pkg_config() {
    let dir = TempDir::new();
    let prefix = dir.join("usr");
    make("install", &[format!("PREFIX={}", prefix.display())]);
    let library_dir = prefix.join("lib");
    let pkg_config = |arguments: &[&str]| -> Vec<String> {
        let mut pkg_config = command("pkg-config", arguments);
        pkg_config.env("PKG_CONFIG_PATH", library_dir.join("pkgconfig"));
        output(pkg_config.arg("fcgi++")).split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(pkg_config(&["--modversion"]), ["2.4.7"]);
    assert_eq!(pkg_config(&["--print-requires"]), ["fcgi"]);

    let text = "#include <fastcgi/fcgio.h>\nint main()\n{\n    fcgi_ostream out;\n    \
                return FCGX_Init() != 0 || out.bad();\n}\n";
    let file = write(&dir, "program.cpp", text);
    let link = |name: &str, words: &[String]| {
        let program = dir.join(name);
        let mut cxx = command("c++", &STRICT);
        cxx.args(pkg_config(&["--cflags"])).arg(&file).arg("-o").arg(&program).args(words);
        output(&mut cxx);
        output(command(&program, &[]).env("LD_LIBRARY_PATH", &library_dir));
        output(command("readelf", &["--dynamic"]).arg(program))
    };
    let needed = link("shared", &pkg_config(&["--libs"]));
    assert!(needed.contains("libfcgi++.so.0") && needed.contains("libfcgi.so.0"), "{needed}");
    let archive = |name: &str| library_dir.join(name).display().to_string();
    let needed = link("static", &[archive("libfcgi++.a"), archive("libfcgi.a")]);
    assert!(!needed.contains("libfcgi"), "{needed}");

    make("uninstall", &[format!("PREFIX={}", prefix.display())]);
    assert_eq!(fs::read_dir(&library_dir).unwrap().count(), 1, "pkgconfig alone");
}

/// Returns an example's response to a request: STDOUT and STDERR.
fn ask(socket: &Path, body: &[u8], broken_off: bool) -> [Vec<u8>; 2] {
    let mut request = wire::request(1, false, &[("A", "b"), ("EMPTY", "")], body);
    let mut connection = Connection::open(socket);
    if broken_off {
        request.truncate(request.len() - wire::stdin(1, b"").len());
    }
    connection.send(&request);
    if broken_off {
        connection.half_close();
    }
    let records = connection.until_closed();
    let content = |kind: RecordType| {
        let of_kind = records.iter().filter(|record| record.kind == kind);
        of_kind.flat_map(|record| record.content.clone()).collect()
    };
    [content(RecordType::STDOUT), content(RecordType::STDERR)]
}

#[test]
fn the_example_answers() {
    need_original();
    let dir = TempDir::new();
    make("install", &[format!("PREFIX={}", dir.path().display())]);
    for library in Library::BOTH {
        let out = dir.join(&format!("{library:?}"));
        fs::create_dir(&out).unwrap();
        let mut build = command("make", &["-s", "CXXFLAGS=-O2 -Werror"]);
        build.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL");
        if library == Library::Ours {
            let path = dir.join("lib/pkgconfig");
            build.arg(format!("PKG_CONFIG_PATH={}", path.display()));
        }
        let program = out.join("echo_cxx");
        build.arg(format!("OUT={}", out.display())).arg(&program);
        output(build.current_dir(root("examples-c")));

        let socket = out.join("socket");
        let listener = OwnedFd::from(UnixListener::bind(&socket).unwrap());
        let mut server = Command::new(&program);
        server.stdin(listener).stderr(File::create(out.join("stderr")).unwrap());
        let _server = Running::start(library.under(&mut server));
        let head = b"Content-Type: text/plain\r\n\r\nFCGI_ROLE=RESPONDER\nA=b\nEMPTY=\n\n";
        let large: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        for body in [&b""[..], b"hello", &large] {
            let [stdout, stderr] = ask(&socket, body, false);
            assert!(stdout == [&head[..], body].concat() && stderr.is_empty(), "{library:?}");
        }
        let [stdout, stderr] = ask(&socket, b"hello", true);
        assert_eq!(stdout, [&head[..], b"hello"].concat(), "{library:?}");
        assert_eq!(stderr, b"echo_cxx: the body broke off\n", "{library:?}");
    }
}
