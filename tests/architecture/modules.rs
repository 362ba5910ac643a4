//! Files know each other in one direction, and a type is in one of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, assert_none, is_name, paths_below, sources};

/// Where the program has its files.
const PROGRAM: &str = "src/bin/cgi-fcgi";

/// Where the paths of a file begin that lead to others of src: the word, and the folder that it stands for.
fn roots_of(source: &Source) -> Vec<(&str, String)> {
    let (folder, name) = source.path.rsplit_once('/').unwrap_or_default();
    let is_module_of_folder = ["mod.rs", "lib.rs", "main.rs"].contains(&name);
    let above = folder.rsplit_once('/').map_or("", |(above, _)| above);
    let krate = if folder.starts_with(PROGRAM) { PROGRAM } else { "src" };
    let mut roots = vec![("crate", krate.to_owned()), ("fcgi", "src".to_owned())];
    roots.push(("super", if is_module_of_folder { above } else { folder }.to_owned()));
    if is_module_of_folder {
        // Its paths begin with the names of its modules, too: a re-export does.
        roots.push(("self", folder.to_owned()));
        let modules = source.code().filter_map(|(_, code)| code.trim().strip_suffix(';'));
        let modules = modules.filter_map(|code| code.split_once("mod ")).map(|(_, name)| name);
        roots.extend(modules.map(|name| (name, format!("{folder}/{name}"))));
    }
    roots
}

/// The file that a path leads to, as far as its names are those of folders and files.
fn file_at<'a>(folder: &str, path: &[&str], files: &BTreeSet<&'a str>) -> Option<&'a str> {
    let is_there = |module: &String| {
        [".rs", "/mod.rs"].iter().any(|end| files.contains(format!("{module}{end}").as_str()))
    };
    let mut module = folder.to_owned();
    for name in path {
        // os is all that os::unix is.
        let inner = [format!("{module}/{name}"), format!("{module}/unix/{name}")];
        let Some(inner) = inner.into_iter().find(is_there) else { break };
        module = inner;
    }
    let ends = [".rs", "/mod.rs", "/lib.rs", "/main.rs"];
    ends.iter().find_map(|end| files.get(format!("{module}{end}").as_str())).copied()
}

/// Each file of src, with those that it names.
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
    // A file's path to itself is no circle.
    used.map(|(path, mut used)| (path, (used.remove(path), used).1)).collect()
}

/// All that a file uses, and what that uses, and so on.
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
    assert!(uses["src/capi/library.rs"].contains("src/os/unix/fork.rs"));
    assert!(uses["src/bin/cgi-fcgi/launch.rs"].contains("src/bin/cgi-fcgi/options.rs"));
    let mut circles = Vec::new();
    for (file, used) in &uses {
        let back = |used: &&&str| reached(&uses, used).contains(file);
        circles.extend(used.iter().filter(back).map(|used| format!("{file} names {used}")));
    }
    assert_none(circles, "files know each other in a circle");
}

#[test]
fn no_type_has_methods_in_several_files() {
    let mut homes: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let layer = crate::layer_of(&source).map_or("bin", |layer| layer.name).to_owned();
        for (_, code) in source.code() {
            let Some(rest) = code.strip_prefix("impl") else { continue };
            // "impl<…> Type<…> {", not "impl Trait for Type".
            let rest = if rest.starts_with('<') {
                rest.split_once("> ").unwrap_or_default().1
            } else {
                rest
            };
            if rest.contains(" for ") || !rest.trim_end().ends_with('{') {
                continue;
            }
            let name: String = rest.trim_start().chars().take_while(|c| is_name(*c)).collect();
            homes.entry((layer.clone(), name)).or_default().insert(source.path.clone());
        }
    }
    assert!(homes.len() > 30);
    // Each says what it watches: files of the system, and children.
    homes.remove(&("os".to_owned(), "Watch".to_owned()));
    homes.retain(|_, files| files.len() > 1);
    assert!(homes.is_empty(), "a type has methods in several files: {homes:?}");
}
