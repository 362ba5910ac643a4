//! The headers compile everywhere: alone, twice, in any order, in every version of C and C++. They declare
//! the same as the original's.

use std::path::Path;

use testkit::toolchain::{HEADERS, STRICT, command, listed_macros, output, write};
use testkit::{TempDir, dist, need_original, root};

const C: &[&str] = &["c89", "c99", "c11", "c17", "c2x"];
const CXX: &[&str] = &["c++98", "c++11", "c++14", "c++17", "c++20", "c++2b"];
const COMPILERS: [(&str, &str); 2] = [("gcc", "g++"), ("clang", "clang++")];

/// The header for C++ only.
const CXX_HEADER: &str = "fcgio.h";

/// Returns the headers of the language whose files have this ending.
fn headers(ending: &str) -> Vec<&'static str> {
    let cxx = (ending == "cpp").then_some(CXX_HEADER);
    HEADERS.into_iter().chain(cxx).collect()
}

/// Compiles one file against our headers, without output. Every warning is an error.
fn check(compiler: &str, standard: &str, flags: &[&str], file: &Path) {
    let mut cc = command(compiler, &STRICT);
    cc.arg(format!("-std={standard}")).arg("-fsyntax-only").args(flags);
    output(cc.arg("-I").arg(dist().join("include")).arg(file));
}

/// Returns every compiler with every standard of its language.
fn compilers(pair: fn(&(&'static str, &'static str)) -> &'static str) -> Vec<&'static str> {
    COMPILERS.iter().map(pair).collect()
}

/// Runs `each` on every combination of compiler and standard, C first.
fn each_language(each: impl Fn(&str, &str, &str)) {
    for (standards, compilers, ending) in
        [(C, compilers(|pair| pair.0), "c"), (CXX, compilers(|pair| pair.1), "cpp")]
    {
        for compiler in compilers {
            for standard in standards {
                each(compiler, standard, ending);
            }
        }
    }
}

/// Each header twice (the first alone), then every pair in both orders, so that each meets what the other
/// leaves defined.
#[test]
fn alone_twice_and_in_any_order() {
    let dir = TempDir::new();
    each_language(|compiler, standard, ending| {
        for first in headers(ending) {
            let mut files = Vec::new();
            for second in headers(ending) {
                let text = format!("#include <{first}>\n#include <{second}>\nextern int used;\n");
                files.push(write(&dir, &format!("{first}.{second}.{ending}"), &text));
            }
            let (last, others) = files.split_last().unwrap();
            let others: Vec<&str> = others.iter().map(|file| file.to_str().unwrap()).collect();
            check(compiler, standard, &others, last);
        }
    });
}

#[test]
fn all_of_them_forwards_and_backwards() {
    let dir = TempDir::new();
    each_language(|compiler, standard, ending| {
        let lines = |prefix: &str| -> Vec<String> {
            headers(ending).iter().map(|name| format!("#include <{prefix}{name}>\n")).collect()
        };
        let (forwards, mut backwards) = (lines("fastcgi/").concat(), lines(""));
        backwards.reverse();
        let backwards = backwards.concat();
        for text in [format!("{forwards}{backwards}"), format!("{backwards}{forwards}")] {
            check(compiler, standard, &[], &write(&dir, &format!("all.{ending}"), &text));
        }
    });
}

#[test]
fn programs_as_users_write_them() {
    let programs = root("c-tests/headers");
    each_language(|compiler, standard, ending| {
        let language = if ending == "c" { "c" } else { "c++" };
        for program in ["own_params.c", "defines.c", "no_defines.c"] {
            check(compiler, standard, &["-x", language], &programs.join(program));
        }
        if language == "c++" {
            check(compiler, standard, &[], &programs.join("defines.cpp"));
            check(compiler, standard, &[], &programs.join("no_defines.cpp"));
            check(compiler, standard, &["-DCSTDIO_FIRST"], &programs.join("no_defines.cpp"));
        }
    });
}

/// Returns the declarations of functions and variables in a preprocessed header of the original.
fn original_prototypes(header: &str) -> String {
    let dir = TempDir::new();
    let text = format!("#include <fcgi_config.h>\n#include <{header}>\n");
    let file = write(&dir, "original.c", &text);
    let text = output(command("gcc", &["-E", "-P"]).arg(file));
    let ours = |declaration: &&str| {
        let name = declaration.split('(').next().unwrap_or_default();
        let name = name.rsplit([' ', '*']).next().unwrap_or_default();
        let known = ["FCGX_", "FCGI_", "OS_"].iter().any(|prefix| name.starts_with(prefix));
        let function = declaration.contains('(') && known;
        !declaration.contains("typedef") && (function || declaration.contains("_fcgi_sF"))
    };
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" (", "(");
    flat.split(';').filter(ours).map(|declaration| format!("{declaration};\n")).collect()
}

#[test]
fn prototypes_have_the_original_types() {
    need_original();
    let dir = TempDir::new();
    let mut all = 0;
    for header in ["fcgiapp.h", "fcgi_stdio.h", "fcgios.h"] {
        let prototypes = original_prototypes(header);
        all = all.max(prototypes.lines().count());
        let text = format!(
            "#define NO_FCGI_DEFINES\n#include <fcgi_config.h>\n#include <{header}>\n{prototypes}"
        );
        // int[3] and int * are the same type for a parameter.
        check("gcc", "c11", &["-Wno-array-parameter"], &write(&dir, "both.c", &text));
    }
    // fcgi_stdio.h includes those of fcgiapp.h: 31 and 39 functions, and one variable.
    assert_eq!(all, 71);
}

/// Returns the macros that a file defines, as the preprocessor sees them: name with parameters, and value.
fn defined(header: &str, flags: &[&str], include: &Path) -> Vec<(String, String)> {
    let dir = TempDir::new();
    // The Windows branch includes these; these systems have no such headers.
    write(&dir, "windows.h", "");
    write(&dir, "winsock2.h", "");
    let (compiler, name) =
        if header == CXX_HEADER { ("g++", "macros.cpp") } else { ("gcc", "macros.c") };
    let file = write(&dir, name, &format!("#include <{header}>\n"));
    let mut gcc = command(compiler, &["-E", "-dM"]);
    gcc.args(flags).arg("-I").arg(include).arg("-idirafter");
    let text = output(gcc.arg(dir.path()).arg(file));
    let pair = |line: &str| {
        let rest = line.strip_prefix("#define ").unwrap_or_default();
        let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
        (name.to_owned(), value.to_owned())
    };
    text.lines().map(pair).collect()
}

/// Checks that a macro whose value cbindgen spells differently is the same number.
fn assert_same_number(header: &str, name: &str, value: &str) {
    let dir = TempDir::new();
    let text = format!(
        "#include <{header}>\n_Static_assert(({name}) == ({value}), \"{name} is {value}\");\n"
    );
    check("gcc", "c11", &[], &write(&dir, "number.c", &text));
}

#[test]
fn macros_have_their_values() {
    let include = dist().join("include");
    for header in headers("cpp") {
        let unix = defined(header, &[], &include);
        let windows = defined(header, &["-D_WIN32"], &include);
        for (name, value) in listed_macros(header) {
            let row = (name.clone(), value.clone());
            if unix.contains(&row) || windows.contains(&row) {
                continue;
            }
            assert!(unix.iter().any(|(found, _)| *found == name), "{header} lacks {name}");
            assert_same_number(header, &name, &value);
        }
    }
}

/// An additional macro could change the meaning of a program.
#[test]
fn no_macro_beyond_the_original() {
    need_original();
    let include = dist().join("include");
    for header in headers("cpp") {
        let original = defined(header, &[], Path::new("/usr/include"));
        let known: Vec<String> =
            headers("cpp").into_iter().flat_map(listed_macros).map(|row| row.0).collect();
        for (name, _) in defined(header, &[], &include) {
            let old = original.iter().any(|(found, _)| *found == name);
            assert!(old || known.contains(&name), "{header} defines {name}");
        }
    }
}
