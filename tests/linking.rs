//! Programs link with the files of `make install` and the words of pkg-config, and run with either library.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::toolchain::{STRICT, command, make, original_library, output, write};
use testkit::{Library, TempDir, compile, need_original, root, run, scratch};

/// A plain CGI program that stores the address of FCGI_stdout itself.
const STREAMS: &str = r#"
#include "fcgi_stdio.h"

int main(void)
{
    FCGI_FILE *out = &_fcgi_sF[1];

    if (FCGI_ToFILE(out) != NULL || FCGI_ToFcgiStream(FCGI_stdout) != NULL)
        return 1;
    if (FCGI_Accept() != 0)
        return 2;
    if (FCGI_ToFILE(out) == NULL)
        return 3;
    FCGI_fputs("hello ", out);
    printf("%s %d\n", "world", 42);
    FCGI_fflush(FCGI_stdout);
    return FCGI_Accept() == 0;
}
"#;

/// A program that calls one function of every header with functions.
const CALLS: &str = r#"
#include <fcgiapp.h>
#include <fcgi_stdio.h>
#include <fcgios.h>

int calls(void);

int calls(void)
{
    FCGX_Request request;

    if (OS_LibInit(NULL) != 0 || FCGX_Init() != 0 || FCGX_InitRequest(&request, 0, 0) != 0)
        return 1;
    FCGX_Free(&request, 0);
    FCGX_Finish_r(&request);
    return FCGI_printf("before the first request") >= 0 || request.ipcFd >= 0;
}
"#;

/// An installation under a temporary prefix, as a user sees it.
struct Installation {
    dir: TempDir,
}

impl Installation {
    fn new() -> Self {
        let dir = TempDir::new();
        make("install", &[format!("PREFIX={}", dir.join("usr").display())]);
        Self { dir }
    }

    fn library_dir(&self) -> PathBuf {
        self.dir.join("usr/lib")
    }

    fn pkg_config(&self, arguments: &[&str]) -> Vec<String> {
        let mut pkg_config = command("pkg-config", arguments);
        pkg_config.env("PKG_CONFIG_PATH", self.library_dir().join("pkgconfig"));
        let text = output(pkg_config.arg("fcgi"));
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// Compiles a program of this text with these words before and after it.
    fn compile(&self, name: &str, text: &str, before: &[&str], after: &[String]) -> PathBuf {
        let source = write(&self.dir, &format!("{name}.c"), text);
        let program = self.dir.join(name);
        let mut cc = command("cc", &STRICT);
        cc.args(before).args(self.pkg_config(&["--cflags"]));
        output(cc.arg(source).arg("-o").arg(&program).args(after));
        program
    }

    /// Returns the name of the static library, and the words of pkg-config except the library's own.
    fn static_words(&self) -> Vec<String> {
        let mut words = vec![self.library_dir().join("libfcgi.a").display().to_string()];
        let all = self.pkg_config(&["--static", "--libs"]);
        assert!(all.iter().any(|word| word == "-lfcgi"), "{all:?}");
        words.extend(all.into_iter().filter(|word| word != "-lfcgi"));
        words
    }
}

/// Returns the output of a program that loads its library from this directory.
fn output_on(program: &Path, library_dir: &Path) -> String {
    output(command(program, &[]).env("LD_LIBRARY_PATH", library_dir))
}

#[test]
fn standard_streams_are_the_program_s_copy() {
    let here = Installation::new();
    let words = here.pkg_config(&["--libs"]);
    for flags in [["-no-pie", "-fno-pie"], ["-pie", "-fPIE"]] {
        let program = here.compile("streams", STREAMS, &flags, &words);
        let copied = output(command("readelf", &["--relocs", "--wide"]).arg(&program));
        let streams = copied.lines().find(|line| line.contains("_fcgi_sF")).unwrap();
        if cfg!(target_arch = "x86_64") {
            assert!(streams.contains("R_X86_64_COPY"), "{streams}");
        }
        for library_dir in [original_library().parent().unwrap(), &here.library_dir()] {
            assert_eq!(output_on(&program, library_dir), "hello world 42\n");
        }
    }
}

#[test]
fn programs_built_on_one_library_run_on_the_other() {
    need_original();
    let here = Installation::new();
    let source = write(&here.dir, "original.c", STREAMS);
    let program = here.dir.join("original");
    output(command("cc", &STRICT).arg(source).arg("-o").arg(&program).arg("-lfcgi"));
    assert_eq!(output_on(&program, &here.library_dir()), "hello world 42\n");

    let program = here.compile("ours", STREAMS, &[], &here.pkg_config(&["--libs"]));
    assert_eq!(output_on(&program, original_library().parent().unwrap()), "hello world 42\n");
}

#[test]
fn static_library_in_a_program() {
    let here = Installation::new();
    for flags in [["-no-pie", "-fno-pie"], ["-pie", "-fPIE"]] {
        let program = here.compile("static", STREAMS, &flags, &here.static_words());
        assert_eq!(output_on(&program, &here.dir.join("nothing")), "hello world 42\n");
        let needed = output(command("readelf", &["--dynamic"]).arg(program));
        assert!(!needed.contains("libfcgi"), "{needed}");
    }
    let alone = vec![here.library_dir().join("libfcgi.a").display().to_string()];
    let program = here.compile("alone", STREAMS, &[], &alone);
    assert_eq!(output_on(&program, &here.dir.join("nothing")), "hello world 42\n");
}

#[test]
fn static_library_in_a_shared_object() {
    let here = Installation::new();
    let flags = ["-shared", "-fPIC", "-Wl,-z,text", "-Wl,-z,defs"];
    let module = here.compile("libmodule.so", CALLS, &flags, &here.static_words());
    let main = "int calls(void);\nint main(void)\n{\n    return calls();\n}\n";
    let program = here.compile("main", main, &[], &[module.display().to_string()]);
    output_on(&program, here.dir.path());
}

/// No format ends the process, even with a distribution's flags.
#[test]
fn fortified_build() {
    need_original();
    let dir = TempDir::new();
    let program = dir.join("percent_n");
    compile(&root("c-tests/percent_n.c"), Library::Ours, &program).unwrap();
    let run_on = |library_dir: &Path| {
        let mut program = command(&program, &[]);
        output(program.current_dir(dir.path()).env("LD_LIBRARY_PATH", library_dir))
    };
    let original = run_on(original_library().parent().unwrap());
    for level in [2, 3] {
        let target = scratch().join(format!("fortified-{level}"));
        let built = target.join("dist");
        let mut make = command("make", &["-s"]);
        make.arg(built.join("libfcgi.so")).arg(format!("BUILDDIR={}", built.display()));
        make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL");
        make.env("CFLAGS", format!("-O2 -Wp,-D_FORTIFY_SOURCE={level}"));
        make.env("CARGO_TARGET_DIR", &target).current_dir(root(""));
        run(&mut make, Duration::from_secs(900)).must_succeed();
        assert_eq!(run_on(&built), original, "level {level}");
    }
}

#[test]
fn pkg_config_tells_the_api_level() {
    let here = Installation::new();
    assert_eq!(here.pkg_config(&["--modversion"]), ["2.4.7"]);
    here.pkg_config(&["--atleast-version=2.4.6"]);
    assert_eq!(here.pkg_config(&["--variable=libdir"]), [here.library_dir().to_str().unwrap()]);
}

/// Returns every file and link below a directory, sorted.
fn files(dir: &Path) -> Vec<String> {
    let text = output(command("find", &[]).arg(dir).args(["!", "-type", "d", "-printf", "%P\n"]));
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn install_and_uninstall() {
    let dir = TempDir::new();
    let stage = dir.join("stage");
    let mut variables = vec![format!("DESTDIR={}", stage.display())];
    variables.extend(
        [
            "PREFIX=/opt/x",
            "LIBDIR=/opt/x/lib/multi",
            "INCLUDEDIR=/opt/x/inc",
            "BINDIR=/opt/x/sbin",
            "MANDIR=/opt/x/man",
        ]
        .map(String::from),
    );
    make("install", &variables);
    let pc = fs::read_to_string(stage.join("opt/x/lib/multi/pkgconfig/fcgi.pc")).unwrap();
    assert!(pc.contains("prefix=/opt/x\nlibdir=${prefix}/lib/multi\nincludedir=${prefix}/inc\n"));

    let installed = files(&stage);
    for name in [
        "lib/multi/libfcgi.so",
        "lib/multi/libfcgi.so.0",
        "lib/multi/libfcgi.so.0.0.0",
        "lib/multi/libfcgi.a",
        "sbin/cgi-fcgi",
        "inc/fcgiapp.h",
        "inc/fastcgi/fcgi_stdio.h",
    ] {
        assert!(installed.iter().any(|file| file == &format!("opt/x/{name}")), "{installed:?}");
    }
    let other = "opt/x/inc/other.h";
    fs::write(stage.join(other), "").unwrap();
    make("uninstall", &variables);
    assert_eq!(files(&stage), [other]);
    assert!(!stage.join("opt/x/inc/fastcgi").exists());
}
