//! Functions are short, and a call is clear without looking at the function.

use crate::source::{Source, assert_none, has_word, sources};

/// The most lines of a function, from its first line to its closing brace.
const MOST_LINES: usize = 40;

/// A function of src: its name, its parameters and its number of lines.
struct Function<'a> {
    name: &'a str,
    parameters: String,
    length: usize,
}

/// Returns the functions of a file. Each begins on a line of its own and ends with a brace of the same
/// indentation.
fn functions(source: &Source) -> Vec<Function<'_>> {
    let lines: Vec<&str> = source.code().map(|(_, code)| code.trim_end()).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((before, after)) = line.split_once("fn ") else { continue };
        let words = ["pub", "pub(crate)", "pub(super)", "const", "unsafe", "extern", "\"C\""];
        if !before.split_whitespace().all(|word| words.contains(&word)) {
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let is_end = |line: &&str| **line == format!("{indent}}}");
        let is_short = line.ends_with(['}', ';']);
        let more = if is_short { 0 } else { lines[at..].iter().position(is_end).unwrap_or(0) };
        let text = lines[at..=at + more].join(" ");
        let parameters = text.split(['{', ';']).next().unwrap_or_default().to_owned();
        let name = after.split(['(', '<']).next().unwrap_or_default();
        found.push(Function { name, parameters, length: more + 1 });
    }
    found
}

#[test]
fn no_function_is_longer_than_40_lines() {
    let sources = sources();
    let all: Vec<_> =
        sources.iter().flat_map(|s| functions(s).into_iter().map(move |f| (s, f))).collect();
    assert!(all.len() > 500 && all.iter().any(|(_, function)| function.length > 30));
    let long = all.iter().filter(|(_, function)| function.length > MOST_LINES);
    let long =
        long.map(|(s, function)| format!("{}: {}: {}", s.path, function.name, function.length));
    assert_none(long.collect(), "a function is too long");
}

/// An argument is a name or an expression: a bare `true` does not say what it means.
#[test]
fn no_call_passes_a_bare_boolean() {
    let sources = sources();
    let all = sources.iter().flat_map(functions);
    let with_boolean: Vec<String> = all
        .filter(|function| function.parameters.contains(": bool"))
        .map(|function| format!("{}(", function.name))
        .collect();
    let is_bare = |code: &str| {
        let call = with_boolean.iter().find_map(|name| Some(code.split_once(name.as_str())?.1));
        call.is_some_and(|call| has_word(call, "true") || has_word(call, "false"))
    };
    let offences = sources.iter().flat_map(|source| source.offences(is_bare));
    assert_none(offences.collect(), "a call passes true or false without saying what it means");
}
