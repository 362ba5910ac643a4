//! The headers, the lists of exported names and the manual pages agree on every function.

mod header;
mod manual;

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Command;

use header::{Function, HEADERS, all_functions, functions, objects, overview, program};
use testkit::toolchain::{command, extensions, output, read};
use testkit::wire::{self, request};
use testkit::{Library, Running, TempDir, compile, root, words_in};

/// Pages that are not named after one function or class, and the reason.
const COLLECTIONS: [(&str, &str); 2] = [
    ("FCGI_stdio", "all functions of fcgi_stdio.h that C's stdio.h has, too"),
    ("fcgio", "the three classes of fcgio.h"),
];

/// The classes of fcgio.h.
const CLASSES: [&str; 3] = ["fcgi_streambuf", "fcgi_istream", "fcgi_ostream"];

/// The labels of a comment after its first paragraphs, in this order.
const LABELS: [&str; 6] = [
    "Parameters:",
    "Returns:",
    "Errors:",
    "Side effects:",
    "Threads and signals:",
    "Specification:",
];

/// The conventions for all functions in an overview, in this order.
const CONVENTIONS: [&str; 6] =
    ["NULL:", "Ownership:", "Threads:", "Signals:", "Errors:", "Environment:"];

/// The same for fcgi_request.h, which is used together with the runtimes of other languages.
const CONVENTIONS_FOR_BINDINGS: [&str; 7] =
    ["Results:", "Ownership:", "Threads:", "Waiting:", "Signals:", "Fork:", "fcgiapp.h:"];

/// Words that texts for users must not contain.
const DIALECT: [&str; 8] =
    ["nobody", "somebody", "everybody", "is told", "gives", "so many", "for good", "is none"];

/// Returns the names of one kind in the lists of C names.
fn listed(kind: &str) -> BTreeSet<String> {
    let text = read("abi/libfcgi.so.0.symbols") + &extensions();
    let rows = text.lines().filter_map(|line| line.split_once(' '));
    rows.filter(|row| row.1 == kind).map(|row| row.0.to_owned()).collect()
}

fn declared() -> BTreeSet<String> {
    all_functions().into_iter().map(|function| function.name).collect()
}

#[test]
fn what_is_declared_is_exported_and_the_other_way_round() {
    assert_eq!(declared(), listed("function"));
    let objects: BTreeSet<String> = HEADERS.into_iter().flat_map(objects).collect();
    assert_eq!(objects, listed("data"));
}

#[test]
fn the_members_of_the_classes_are_exported_and_the_other_way_round() {
    let mangled = read("abi/libfcgi++.so.0.symbols");
    let names = output(command("c++filt", &["-p"]).args(mangled.lines()));
    // "vtable for ...", "virtual thunk to ...": names that the compiler adds.
    let exported: BTreeSet<&str> = names.lines().filter(|name| !name.contains(' ')).collect();
    let declared = header::members();
    assert_eq!(declared.iter().map(String::as_str).collect::<BTreeSet<_>>(), exported);
    for class in CLASSES {
        assert!(exported.contains(format!("{class}::{class}").as_str()), "{class}");
    }
}

#[test]
fn every_function_and_class_has_a_page_and_the_other_way_round() {
    let pages = manual::pages();
    let mut wanted: BTreeSet<String> = declared();
    wanted.extend(CLASSES.map(str::to_owned));
    for name in &wanted {
        let page = pages.get(name).unwrap_or_else(|| panic!("{name} has no page"));
        assert!(manual::names(page).contains(name), "{page}(3) is not about {name}");
    }
    let others = pages.keys().filter(|page| !wanted.contains(*page));
    let others: BTreeSet<&str> = others.map(String::as_str).collect();
    assert_eq!(others, COLLECTIONS.iter().map(|collection| collection.0).collect());
    for page in pages.values() {
        for name in manual::names(page) {
            assert!(wanted.contains(&name), "{page}(3) is about {name}, which is not declared");
        }
    }
}

/// FCGI_stdio(3) has no prototypes, because they are those of stdio.h.
#[test]
fn the_prototypes_of_a_page_are_the_headers() {
    let pages = manual::pages();
    let mut checked = 0;
    for function in all_functions() {
        let page = &pages[&function.name];
        if page != "FCGI_stdio" {
            let prototypes = manual::prototypes(page);
            assert!(
                prototypes.contains(&function.prototype),
                "{page}(3): {} is not in {prototypes:#?}",
                function.prototype
            );
            checked += 1;
        }
    }
    assert!(checked > 50);
}

/// Returns the error names in a text: E and capitals.
fn errors(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit());
    let is_error = |word: &&str| word.len() > 3 && word.starts_with('E');
    words.filter(is_error).map(str::to_owned).collect()
}

#[test]
fn the_errors_of_a_page_are_the_headers() {
    let pages = manual::pages();
    let functions = all_functions();
    for page in pages.values().collect::<BTreeSet<_>>() {
        let of_page = functions.iter().filter(|function| pages[&function.name] == *page);
        let named = of_page.filter_map(|function| function.labelled("Errors:"));
        let named: BTreeSet<String> = named.flat_map(|text| errors(&text)).collect();
        assert_eq!(named, manual::errors(page), "headers, and ERRORS of {page}(3)");
    }
    assert!(manual::errors("FCGX_Init").contains("EEXIST"));
}

#[test]
fn comments_say_the_same_things_in_the_same_order() {
    for function in all_functions() {
        let name = &function.name;
        let first = function.comment[0].split(' ').next().unwrap();
        assert!(
            first.trim_end_matches([',', '.', ':']).ends_with('s'),
            "{name}: {first} is not a verb"
        );
        let mut labels = Vec::new();
        for line in &function.comment {
            let label = line.split_once(':').map(|(label, _)| format!("{label}:"));
            labels.extend(label.and_then(|label| LABELS.iter().position(|known| *known == label)));
        }
        assert!(labels.is_sorted_by(|a, b| a < b), "{name}: sections in another order");
        assert_eq!(function.labelled("Returns:").is_none(), function.is_void(), "{name}: Returns");
        for other in ["Results:", "Return:", "Requires:", "Thread safety", "Thread-safe"] {
            let says_it = function.comment.iter().any(|line| line.contains(other));
            assert!(!says_it, "{name}: {other} has another name");
        }
    }
}

#[test]
fn overviews_have_the_conventions() {
    for header in HEADERS {
        let lines = overview(header);
        let conventions = match header {
            "fcgi_request.h" => CONVENTIONS_FOR_BINDINGS.as_slice(),
            _ => CONVENTIONS.as_slice(),
        };
        let found: Vec<usize> = conventions
            .iter()
            .map(|word| {
                let at = lines.iter().position(|line| line.trim_start().starts_with(word));
                at.unwrap_or_else(|| panic!("{header} does not tell {word}"))
            })
            .collect();
        assert!(found.is_sorted(), "{header}: conventions in another order");
    }
}

/// Returns the libraries that have the functions of a header.
fn libraries_with(header: &str) -> Vec<Library> {
    let is_extension = header == "fcgi_request.h";
    Library::tested().filter(|library| !is_extension || *library == Library::Ours).collect()
}

/// The program in a header's overview compiles as it stands there and serves requests.
#[test]
fn the_programs_of_the_overviews_serve_requests() {
    for header in ["fcgiapp.h", "fcgi_stdio.h", "fcgi_request.h"] {
        for library in libraries_with(header) {
            let dir = TempDir::new();
            let (source, binary, socket) =
                (dir.join("program.c"), dir.join("program"), dir.join("socket"));
            fs::write(&source, program(header)).unwrap();
            compile(&source, library, &binary).unwrap_or_else(|error| panic!("{header}: {error}"));
            let listener = OwnedFd::from(UnixListener::bind(&socket).unwrap());
            let mut command = Command::new(&binary);
            let _running = Running::start(library.under(&mut command).stdin(listener));
            for _ in 0..2 {
                let records = wire::exchange(&socket, &request(1, false, &[], b"Hello\n"));
                let text = wire::text(&records);
                assert_eq!(text, "Content-Type: text/plain\r\n\r\nHello\n", "{header}");
            }
        }
    }
}

#[test]
fn headers_and_pages_are_in_plain_english() {
    let mut offences = Vec::new();
    for dir in ["include", "man"] {
        for entry in fs::read_dir(root(dir)).unwrap() {
            let path = entry.unwrap().path();
            let found = words_in(&fs::read_to_string(&path).unwrap(), &DIALECT);
            offences.extend(found.iter().map(|words| format!("{}: {words}", path.display())));
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

/// The readers above find what they look for.
#[test]
fn the_readers_read() {
    let functions = functions("fcgiapp.h");
    let first = &functions[0];
    assert_eq!(
        (first.name.as_str(), first.prototype.as_str()),
        ("FCGX_Init", "int FCGX_Init(void)")
    );
    assert_eq!(first.labelled("Returns:").as_deref(), Some("Returns: 0."));
    assert!(functions.iter().any(Function::is_void));
    assert_eq!(errors("EINVAL if E; ENOENT, -EINTR: 4"), errors("ENOENT EINTR EINVAL"));
}
