//! Reads the declarations of a header of include/ and their comments.

use std::collections::BTreeSet;

use testkit::toolchain::read;

/// The headers that declare functions in C.
pub(crate) const HEADERS: [&str; 4] = ["fcgiapp.h", "fcgi_stdio.h", "fcgios.h", "fcgi_request.h"];

/// A function and its comment.
pub(crate) struct Function {
    pub(crate) name: String,
    /// Its declaration on one line, without DLLAPI, extern, struct and ";".
    pub(crate) prototype: String,
    /// The lines of its comment, without comment marks.
    pub(crate) comment: Vec<String>,
}

impl Function {
    pub(crate) fn is_void(&self) -> bool {
        self.prototype.starts_with("void ") && !self.prototype.starts_with("void *")
    }

    /// Returns the paragraph that begins with a label.
    pub(crate) fn labelled(&self, label: &str) -> Option<String> {
        let after = self.comment.iter().skip_while(|line| !line.starts_with(label));
        let lines: Vec<&str> = after.map(String::as_str).take_while(|l| !l.is_empty()).collect();
        (!lines.is_empty()).then(|| lines.join(" "))
    }
}

/// Returns the name before a bracket.
fn name_before(code: &str, bracket: char) -> Option<&str> {
    code.split_once(bracket)?.0.rsplit([' ', '*']).next()
}

/// Returns a declaration without "struct": one header has tags, and others have names for the same types.
pub(crate) fn without_tags(declaration: &str) -> String {
    declaration.replace("struct FCG", "FCG")
}

/// Returns the declarations of functions and objects in a text without comments, each on one line.
fn declarations(code: &str) -> Vec<String> {
    let lines = code.lines().filter(|line| !line.starts_with('#') && !line.ends_with('\\'));
    let code = lines.collect::<Vec<_>>().join(" ");
    let statements = code
        .split([';', '{', '}'])
        .map(|statement| without_tags(&statement.split_whitespace().collect::<Vec<_>>().join(" ")));
    statements
        .filter_map(|text| {
            let is_function = text.starts_with("DLLAPI ") || text.starts_with("extern ");
            let text = text.trim_start_matches("DLLAPI ").trim_start_matches("extern ");
            is_function.then(|| text.to_owned())
        })
        .filter(|text| !text.starts_with('"'))
        .collect()
}

/// Returns the pieces of a header: each comment with the code after it.
fn pieces(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("/*").skip(1).map(|piece| piece.split_once("*/").unwrap())
}

fn lines_of(comment: &str) -> Vec<String> {
    let lines = comment.trim_matches('*').trim().lines();
    lines.map(|line| line.trim().trim_start_matches('*').trim_start().to_owned()).collect()
}

/// Returns every function of a header in its order. Panics for one without a comment.
pub(crate) fn functions(header: &str) -> Vec<Function> {
    let text = read(&format!("include/{header}"));
    let mut functions = Vec::new();
    for (comment, code) in pieces(&text) {
        for (number, prototype) in declarations(code).into_iter().enumerate() {
            let Some(name) = name_before(&prototype, '(').map(str::to_owned) else { continue };
            assert!(number == 0 && comment.starts_with('*'), "{header}: {name} has no comment");
            functions.push(Function { name, prototype, comment: lines_of(comment) });
        }
    }
    assert!(functions.len() > 10, "{header} declares functions in another way now");
    functions
}

/// Returns every object that a header declares.
pub(crate) fn objects(header: &str) -> BTreeSet<String> {
    let text = read(&format!("include/{header}"));
    let all = pieces(&text).flat_map(|(_, code)| declarations(code));
    all.filter(|text| !text.contains('('))
        .filter_map(|text| name_before(&text, '[').map(str::to_owned))
        .collect()
}

/// Returns the functions of all headers.
pub(crate) fn all_functions() -> Vec<Function> {
    HEADERS.into_iter().flat_map(functions).collect()
}

/// Returns the lines of a header's first comment, without comment marks.
pub(crate) fn overview(header: &str) -> Vec<String> {
    let text = read(&format!("include/{header}"));
    let (comment, _) = pieces(&text)
        .find(|(comment, _)| comment.contains(&format!(" {header}: ")))
        .unwrap_or_else(|| panic!("{header} has no overview"));
    let before = text.split_once(comment).unwrap().0;
    assert!(!before.contains("#ifndef"), "{header} does not begin with its overview");
    comment
        .lines()
        .skip(1)
        .map(|line| line.trim_start().trim_start_matches('*').to_owned())
        .collect()
}

/// Returns the program in a header's overview, whose lines are indented by four more.
pub(crate) fn program(header: &str) -> String {
    let lines = overview(header);
    let is_code = |line: &&String| line.starts_with("     ");
    let first = lines.iter().position(|line| is_code(&line)).expect("no program");
    let last = lines.iter().rposition(|line| is_code(&line)).expect("no program");
    let code = |line: &String| format!("{}\n", line.strip_prefix("     ").unwrap_or_default());
    lines[first..=last].iter().map(code).collect()
}

/// Returns the members of the classes of fcgio.h as "class::member".
pub(crate) fn members() -> BTreeSet<String> {
    let text = read("include/fcgio.h");
    let mut members = BTreeSet::new();
    let mut class = "";
    for line in text.lines() {
        let code = line.trim().trim_start_matches("virtual ");
        if let Some(rest) = code.strip_prefix("class DLLAPI ") {
            class = rest.split_once(' ').unwrap().0;
        } else if !class.is_empty() && (code.ends_with(';') || code.ends_with("{}")) {
            members.extend(name_before(code, '(').map(|name| format!("{class}::{name}")));
        }
    }
    members
}
