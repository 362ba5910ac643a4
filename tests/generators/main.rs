//! The programs of Debian 12 that read C headers for other languages read `<fcgi_request.h>` without help: all of its
//! functions and constants come out. jextract, which does that for Java, is not in Debian 12; Java's example uses JNA.

use std::fs;
use std::process::Command;

use testkit::toolchain::{command, extensions, output, read, write};
use testkit::{Library, TempDir, root};

/// The header that programs include.
const HEADER: &str = "include/fcgi_request.h";

/// Returns the names of the library's functions beyond the original's.
fn functions() -> Vec<String> {
    let list = extensions();
    let names: Vec<String> =
        list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.len() >= 15, "{names:?}");
    names
}

/// Returns the names and values of the header's constants.
fn constants() -> Vec<(String, i32)> {
    let constant = |line: &str| {
        let (name, value) = line.strip_prefix("#define ")?.split_once(' ')?;
        Some((name.to_owned(), value.split(' ').next()?.parse().ok()?))
    };
    let found: Vec<_> = read(HEADER).lines().filter_map(constant).collect();
    assert!(found.iter().any(|(name, _)| name == "FCGX_SHUT_DOWN"), "{found:?}");
    found
}

/// Fails unless a text contains what `function` and `constant` make of each name. Blanks and the ends of lines
/// are as good as one blank.
fn assert_all(
    text: &str,
    function: impl Fn(&str) -> String,
    constant: impl Fn(&str, i32) -> String,
) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let functions = functions().into_iter().map(|name| function(&name));
    let constants = constants().into_iter().map(|(name, value)| constant(&name, value));
    let missing: Vec<String> =
        functions.chain(constants).filter(|wanted| !text.contains(wanted)).collect();
    assert!(missing.is_empty(), "{missing:#?}\n{text}");
}

/// Returns the text of a file that a reader has made.
fn made(dir: &TempDir, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn header() -> String {
    root(HEADER).display().to_string()
}

/// Rust. Functions have the C types; constants are u32, or i32 if they are negative.
#[test]
fn bindgen() {
    let text = output(&mut command("bindgen", &[&header()]));
    let constant = |name: &str, value: i32| {
        let kind = if value < 0 { "i32" } else { "u32" };
        format!("pub const {name}: {kind} = {value};")
    };
    assert_all(&text, |name| format!("pub fn {name}("), constant);
}

/// Python. The preprocessor's output is what cffi reads, and the functions are in our library.
#[test]
fn cffi() {
    let dir = TempDir::new();
    let mut text = output(&mut command("cpp", &["-P", "-dD", "-std=c99", &header()]));
    // The compiler's own macros are no numbers.
    text = text
        .lines()
        .filter(|line| !line.starts_with('#') || line.starts_with("#define FCGX_"))
        .fold(String::new(), |text, line| text + line + "\n");
    let declarations = write(&dir, "declarations.h", &text);
    let script = "import cffi, sys\n\
        ffi = cffi.FFI()\n\
        ffi.cdef(open(sys.argv[1]).read())\n\
        library = ffi.dlopen('libfcgi.so.0')\n\
        for name in sys.argv[2:]: print(name, getattr(library, name))\n";
    let script = write(&dir, "names.py", script);
    let mut python = Command::new("/usr/bin/python3");
    python.args([script, declarations]).args(functions());
    python.args(constants().into_iter().map(|(name, _)| name));
    let text = output(Library::Ours.under(&mut python));
    assert_all(&text, |name| format!("{name} <cdata "), |name, value| format!("{name} {value}"));
}

/// Python, and by the same reader some twenty languages.
#[test]
fn swig() {
    let dir = TempDir::new();
    let arguments = ["-python", "-module", "fcgi_request", "-o", "wrapped.c"];
    output(command("swig", &arguments).arg(header()).current_dir(dir.path()));
    let constant = |name: &str, value: i32| format!("\"{name}\",SWIG_From_int((int)({value}))");
    assert_all(&made(&dir, "wrapped.c"), |name| format!("\"{name}\", _wrap_{name}, "), constant);
}

/// Ada.
#[test]
fn ada() {
    let dir = TempDir::new();
    let mut gcc = command("gcc", &["-fdump-ada-spec", "-fsyntax-only", &header()]);
    output(gcc.current_dir(dir.path()));
    let text = made(&dir, "fcgi_request_h.ads");
    let function = |name: &str| format!("External_Name => \"{name}\";");
    assert_all(&text, function, |name, value| format!("{name} : constant := {value};"));
}

/// Haskell. A call of each function makes an import with the types of the header.
#[test]
fn c2hs() {
    let dir = TempDir::new();
    let calls = functions().into_iter().map(|name| format!("x = {{#call {name} #}}\n"));
    let values =
        constants().into_iter().map(|(name, _)| format!("-- {name} is\nx = {{#const {name} #}}\n"));
    let module = format!(
        "module Names where\n#include <fcgi_request.h>\n{}{}",
        calls.collect::<String>(),
        values.collect::<String>()
    );
    write(&dir, "Names.chs", &module);
    let include = format!("-I{}", root("include").display());
    output(command("c2hs", &["-C", &include, "Names.chs"]).current_dir(dir.path()));
    let function = |name: &str| format!("foreign import ccall safe \"Names.chs.h {name}\"");
    let constant = |name: &str, value: i32| format!("-- {name} is x = {value} ");
    assert_all(&made(&dir, "Names.hs"), function, constant);
}
