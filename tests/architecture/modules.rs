//! Files depend on each other in one direction, and each type is in one file.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, assert_none, is_name, paths_below, sources};

/// The directory of the program's files.
const PROGRAM: &str = "src/bin/cgi-fcgi";

/// Returns the beginnings of a file's paths to other files of src: the word, and the folder that it stands
/// for.
fn roots_of(source: &Source) -> Vec<(&str, String)> {
    let (folder, name) = source.path.rsplit_once('/').unwrap_or_default();
    let is_module_of_folder = ["mod.rs", "lib.rs", "main.rs"].contains(&name);
    let above = folder.rsplit_once('/').map_or("", |(above, _)| above);
    let krate = if folder.starts_with(PROGRAM) { PROGRAM } else { "src" };
    let mut roots = vec![("crate", krate.to_owned()), ("fcgi", "src".to_owned())];
    roots.push(("super", if is_module_of_folder { above } else { folder }.to_owned()));
    if is_module_of_folder {
        // Its paths also begin with the names of its modules: a re-export does.
        roots.push(("self", folder.to_owned()));
        let modules = source.code().filter_map(|(_, code)| code.trim().strip_suffix(';'));
        let modules = modules.filter_map(|code| code.split_once("mod ")).map(|(_, name)| name);
        roots.extend(modules.map(|name| (name, format!("{folder}/{name}"))));
    }
    roots
}

/// Returns the file that a path leads to, following names of folders and files.
fn file_at<'a>(folder: &str, path: &[&str], files: &BTreeSet<&'a str>) -> Option<&'a str> {
    let is_there = |module: &String| {
        [".rs", "/mod.rs"].iter().any(|end| files.contains(format!("{module}{end}").as_str()))
    };
    let mut module = folder.to_owned();
    for name in path {
        // os re-exports all of os::unix.
        let inner = [format!("{module}/{name}"), format!("{module}/unix/{name}")];
        let Some(inner) = inner.into_iter().find(is_there) else { break };
        module = inner;
    }
    let ends = [".rs", "/mod.rs", "/lib.rs", "/main.rs"];
    ends.iter().find_map(|end| files.get(format!("{module}{end}").as_str())).copied()
}

/// Returns each file of src with the files that it names.
fn uses(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let files: BTreeSet<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let uses_of = |source: &Source| {
        let code: String = source.code().map(|(_, code)| format!("{code}\n")).collect();
        let found = |(root, folder): (&str, String)| {
            let leads_to = |path: Vec<&str>| file_at(&folder, &path, &files);
            paths_below(&code, root).into_iter().filter_map(leads_to).collect::<Vec<_>>()
        };
        roots_of(source).into_iter().flat_map(found).collect::<BTreeSet<_>>()
    };
    let used = sources.iter().map(|source| (source.path.as_str(), uses_of(source)));
    // A file's path to itself is not a cycle.
    used.map(|(path, mut used)| (path, (used.remove(path), used).1)).collect()
}

/// Returns everything that a file uses, directly or indirectly.
fn reached<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(used) = open.pop().and_then(|path| uses.get(path)) {
        open.extend(used.iter().filter(|path| reached.insert(**path)));
    }
    reached
}

#[test]
fn files_know_each_other_in_one_direction() {
    let sources = sources();
    let uses = uses(&sources);
    assert!(uses["src/serve/process.rs"].contains("src/os/unix/fork.rs"));
    assert!(uses["src/bin/cgi-fcgi/launch.rs"].contains("src/bin/cgi-fcgi/options.rs"));
    let mut circles = Vec::new();
    for (file, used) in &uses {
        let back = |used: &&&str| reached(&uses, used).contains(file);
        circles.extend(used.iter().filter(back).map(|used| format!("{file} names {used}")));
    }
    assert_none(circles, "files depend on each other in a cycle");
}

/// Returns the name of a struct, enum or union that a line declares.
fn declared_type(code: &str) -> Option<&str> {
    let mut words = code.split(' ').skip_while(|word| word.starts_with("pub"));
    let is_type = matches!(words.next()?, "struct" | "enum" | "union");
    let name = words.next().filter(|_| is_type)?;
    name.split(|c| !is_name(c)).next()
}

/// Returns the name of the type that an `impl` line is for: "impl<…> Type<…> {", "impl<…> Trait for Type {".
fn implemented_type(code: &str) -> Option<&str> {
    let rest = code.strip_prefix("unsafe ").unwrap_or(code).strip_prefix("impl")?;
    let rest = if rest.starts_with('<') { rest.split_once("> ")?.1 } else { rest.trim_start() };
    let name = rest.split_once(" for ").map_or(rest, |(_, name)| name);
    name.split(|c| !is_name(c)).next()
}

/// A type is in the file that declares it, with everything that is implemented for it. The name of a type
/// that other files can name is unique in its layer; a private one may be used elsewhere again.
#[test]
fn a_type_is_in_one_file() {
    let sources = sources();
    let lines: Vec<(&str, &str, usize, &str)> = sources
        .iter()
        .flat_map(|source| {
            let layer = crate::layer_of(source).map_or("", |layer| layer.name);
            source.code().map(move |(number, code)| (layer, source.path.as_str(), number, code))
        })
        .collect();
    let mut homes: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut named = BTreeSet::new();
    let mut offences = Vec::new();
    for (layer, path, number, code) in lines.iter().copied() {
        let Some(name) = declared_type(code) else { continue };
        homes.entry((layer, name)).or_default().insert(path);
        if code.starts_with("pub") && !named.insert((layer, name)) {
            offences.push(format!("{path}:{number}: another {name}"));
        }
    }
    assert!(homes.len() > 100 && named.len() > 50);
    for (layer, path, number, code) in lines {
        let home = implemented_type(code).and_then(|name| homes.get(&(layer, name)));
        if home.is_some_and(|home| !home.contains(path)) {
            offences.push(format!("{path}:{number}: {}", code.trim()));
        }
    }
    assert_none(offences, "a type is in several files, or a name means several types");
}

/// The rules above find what they look for.
#[test]
fn the_readers_of_types_read() {
    assert_eq!(declared_type("pub(super) struct Input<T> {"), Some("Input"));
    assert_eq!(declared_type("enum Stage {"), Some("Stage"));
    assert_eq!(declared_type("fn structure() {"), None);
    assert_eq!(implemented_type("impl<T: Default> Store<T> {"), Some("Store"));
    assert_eq!(implemented_type("unsafe impl Send for Spare {}"), Some("Spare"));
}
