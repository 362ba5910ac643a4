//! libfcgi.so.0 looks like the original to the dynamic linker, and its structs look like the original's to a
//! compiler.

use std::fs;
use std::path::{Path, PathBuf};

use testkit::toolchain::{
    command, extensions, ldflags, named, original_library, output, read, write,
};
use testkit::{TempDir, dist};

fn shared_library() -> PathBuf {
    dist().join("libfcgi.so.0.0.0")
}

/// Returns names with their kinds, sorted, in the form of the lists in abi/.
fn listed() -> Vec<String> {
    let text = read("abi/libfcgi.so.0.symbols") + &extensions();
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// Returns the names that a library or object file exports, in the form of `listed`.
fn defined_names(file: &Path, kind: &str) -> Vec<String> {
    let mut nm = command("nm", &[kind, "--defined-only", "--format=posix"]);
    let text = output(nm.arg(file));
    let mut names = Vec::new();
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let (Some(name), Some(letter)) = (fields.next(), fields.next()) else { continue };
        names.push(match letter {
            "T" => format!("{name} function"),
            "B" | "D" => format!("{name} data"),
            other => format!("{name} {other}"),
        });
    }
    names.sort();
    names
}

fn readelf(flag: &str, file: &Path) -> String {
    output(command("readelf", &[flag, "--wide"]).arg(file))
}

/// Returns the values of one tag of the dynamic section.
fn dynamic(tag: &str) -> Vec<String> {
    let text = readelf("--dynamic", &shared_library());
    let tag = format!("({tag})");
    let tagged = text.lines().filter(|line| line.contains(&tag));
    let value = |line: &str| line.split_once(&tag).unwrap().1.trim().to_owned();
    tagged.map(value).collect()
}

#[test]
fn exported_names_are_exactly_the_listed_ones() {
    assert_eq!(defined_names(&shared_library(), "--dynamic"), listed());
    let versioned = output(command("objdump", &["--dynamic-syms"]).arg(shared_library()));
    assert!(!versioned.contains("Version definitions"), "{versioned}");
}

#[test]
fn the_list_is_the_original_s() {
    let mut names = defined_names(&original_library(), "--dynamic");
    names.retain(|name| !name.starts_with("_init") && !name.starts_with("_fini"));
    let list = read("abi/libfcgi.so.0.symbols");
    let mut list: Vec<&str> = list.lines().collect();
    list.sort_unstable();
    assert_eq!(names, list);
}

#[test]
fn static_library_has_the_same_names_weak_and_is_small() {
    let archive = dist().join("libfcgi.a");
    let weak = |name: &String| name.replace(" function", " W").replace(" data", " V");
    let weak: Vec<String> = listed().iter().map(weak).collect();
    assert_eq!(defined_names(&archive, "--extern-only"), weak);
    assert!(fs::metadata(archive).unwrap().len() < 1 << 20);
}

#[test]
fn soname_and_needed_libraries() {
    assert_eq!(dynamic("SONAME"), ["Library soname: [libfcgi.so.0]"]);
    let allowed = ["[libc.so.6]", "[libgcc_s.so.1]", "[ld-linux"];
    for needed in dynamic("NEEDED") {
        assert!(allowed.iter().any(|name| needed.contains(name)), "{needed}");
    }
    for (link, target) in [("libfcgi.so", "libfcgi.so.0"), ("libfcgi.so.0", "libfcgi.so.0.0.0")] {
        assert_eq!(fs::read_link(dist().join(link)).unwrap(), Path::new(target));
    }
}

#[test]
fn hardened() {
    let segments = readelf("--program-headers", &shared_library());
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).unwrap();
    assert!(stack.contains(" RW ") && !stack.contains('E'), "executable stack: {stack}");
    assert!(segments.contains("GNU_RELRO"));
    assert!(dynamic("FLAGS").iter().any(|flags| flags.contains("BIND_NOW")));
    assert!(dynamic("FLAGS_1").iter().any(|flags| flags.contains("NOW")));
    assert!(dynamic("TEXTREL").is_empty());
}

/// Signal and fork handlers are in the library, and a host may unload the plugin that loaded it.
#[test]
fn the_code_stays_after_the_last_dlclose() {
    assert!(dynamic("FLAGS_1").iter().any(|flags| flags.contains("NODELETE")));
}

/// A program's copy relocation moves `_fcgi_sF`, so the library must find it through the GOT.
#[cfg(target_arch = "x86_64")]
#[test]
fn standard_streams_are_reached_through_the_got() {
    let relocations = readelf("--relocs", &shared_library());
    let of_streams: Vec<&str> =
        relocations.lines().filter(|line| line.contains("_fcgi_sF")).collect();
    assert!(!of_streams.is_empty(), "bound inside the library");
    for relocation in of_streams {
        assert!(relocation.contains("R_X86_64_GLOB_DAT"), "{relocation}");
    }
    let symbols = readelf("--dyn-syms", &shared_library());
    let symbol = symbols.lines().find(|line| line.ends_with(" _fcgi_sF")).unwrap();
    assert!(symbol.contains(" 48 OBJECT  GLOBAL DEFAULT "), "{symbol}");
}

/// Returns a program that prints the facts of a list of layouts, in the list's form.
fn layout_program(layout: &str) -> String {
    let mut program = String::from(
        "#include <stddef.h>\n#include <fastcgi.h>\n#define NO_FCGI_DEFINES\n\
         #include <fcgi_stdio.h>\n#include <fcgiapp.h>\nint main(void)\n{\n",
    );
    for line in layout.lines().filter(|line| !line.starts_with('#')) {
        let subject = line.split(' ').next().unwrap();
        program += &match subject.split_once('.') {
            Some((name, field)) => format!(
                "    printf(\"{subject} offset %d size %d\\n\", (int)offsetof({name}, {field}), \
                 (int)sizeof(((({name} *)0)->{field})));\n"
            ),
            None => format!(
                "    {{ struct head {{ char c; {subject} t; }};\n    \
                 printf(\"{subject} size %d align %d\\n\", (int)sizeof({subject}), \
                 (int)offsetof(struct head, t)); }}\n"
            ),
        };
    }
    program + "    return 0;\n}\n"
}

#[test]
fn structs_are_laid_out_as_the_original_s() {
    let list = if cfg!(target_pointer_width = "64") { "x86_64" } else { "32" };
    let layout = read(&format!("abi/layout.{list}"));
    let dir = TempDir::new();
    let source = write(&dir, "layout.c", &layout_program(&layout));
    for include in [Path::new("/usr/include"), &dist().join("include")] {
        let program = dir.join("layout");
        let mut cc = named("CC", "cc");
        cc.arg("-I").arg(include).arg(&source).arg("-o").arg(&program);
        output(cc.args(ldflags()));
        let printed = output(&mut command(&program, &[]));
        let listed = layout.lines().filter(|line| !line.starts_with('#'));
        assert!(printed.lines().eq(listed), "headers of {}: {printed}", include.display());
    }
}

/// abidiff finds no removed or changed name, and no added one that is not listed. (Debian's library has no
/// debug information, so abidiff compares names, kinds and sizes.)
#[test]
fn abidiff_is_content() {
    let dir = TempDir::new();
    let mut suppressions = String::new();
    for name in extensions().lines().filter_map(|line| line.split(' ').next()) {
        suppressions += &format!("[suppress_function]\nsymbol_name = {name}\n");
    }
    let suppressions = write(&dir, "suppressions", &suppressions);
    let mut abidiff = command("abidiff", &["--suppressions"]);
    abidiff.arg(suppressions).arg(original_library()).arg(shared_library());
    // abidiff exits with another status than 0 for any difference.
    output(&mut abidiff);
}
