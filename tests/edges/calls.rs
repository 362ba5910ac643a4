//! Generates calls.h, the part of the table of edges that follows from the headers: a call of every
//! function, with the kinds of its parameters.

use std::fs;

use testkit::root;

const HEADERS: [&str; 3] = ["fcgiapp.h", "fcgi_stdio.h", "fcgios.h"];

/// A function as declared in a header.
pub(crate) struct Function {
    pub(crate) name: String,
    result: String,
    parameters: Vec<Parameter>,
}

struct Parameter {
    text: String,
    kind: String,
    name: String,
}

/// Splits "const char *path" into "const char *" and "path".
fn declarator(text: &str) -> (String, String) {
    let name = text.trim_start_matches("struct ").rsplit([' ', '*']).next().unwrap();
    let kind = text.strip_suffix(name).unwrap().trim();
    (kind.replace("struct ", ""), name.to_owned())
}

/// Returns the text of a header without comments and preprocessor lines.
fn declarations(header: &str) -> String {
    let text = fs::read_to_string(root("include").join(header)).unwrap();
    let mut code = String::new();
    for (number, piece) in text.split("/*").enumerate() {
        code += if number == 0 { piece } else { piece.split_once("*/").unwrap().1 };
    }
    let lines = code.lines().filter(|line| !line.starts_with('#') && !line.ends_with('\\'));
    lines.collect::<Vec<_>>().join(" ")
}

/// Returns every function that the three headers declare.
pub(crate) fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    for header in HEADERS {
        for statement in declarations(header).split([';', '{', '}']) {
            let words: Vec<&str> = statement.split_whitespace().collect();
            let text = words.join(" ");
            let text = text.trim_start_matches("DLLAPI ").trim_start_matches("extern ");
            let Some((head, rest)) = text.split_once('(') else { continue };
            if head.starts_with("typedef") || head.ends_with("(*") || rest.starts_with('*') {
                continue;
            }
            let (result, name) = declarator(head);
            let rest = rest.strip_suffix(')').unwrap_or_else(|| panic!("{text}"));
            let parameter = |text: &str| {
                let (kind, name) = declarator(text);
                Parameter { text: text.to_owned(), kind, name }
            };
            let list = rest.split(", ").filter(|text| *text != "void");
            functions.push(Function { name, result, parameters: list.map(parameter).collect() });
        }
    }
    functions
}

/// Returns the table of a parameter's situations, and the function that reports on it afterwards. A
/// new kind of parameter has to be added here.
fn situations(parameter: &Parameter) -> (&'static str, &'static str) {
    match (&*parameter.kind, &*parameter.name) {
        ("FCGX_Stream *", _) => ("streams", "stream"),
        ("FCGX_Stream **", "stream") => ("stream_places", "place"),
        ("FCGX_Stream **" | "FCGX_ParamArray *", _) => ("outlets", "place"),
        ("FCGX_Request *", _) => ("requests", "request"),
        ("FCGI_FILE *", _) => ("files", "file"),
        ("FCGX_ParamArray", _) => ("vectors", ""),
        ("int", "fd" | "sock" | "socket" | "listen_sock" | "ipcFd" | "listenFd") => {
            ("descriptors", "descriptor")
        }
        ("int", "n" | "size" | "len") => ("counts", ""),
        ("int", "c") => ("characters", ""),
        ("int" | "long", _) => ("numbers", ""),
        ("size_t", _) => ("sizes", ""),
        ("const char *" | "char *", "path" | "bindPath" | "execPath" | "cmd") => ("paths", ""),
        ("const char *", "mode" | "type") => ("modes", ""),
        ("const char *", "name") => ("names", ""),
        ("const char *", "format") => ("formats", ""),
        ("const char *", _) => ("texts", ""),
        ("char *" | "void *", _) => ("buffers", "buffer"),
        ("fpos_t *" | "const fpos_t *", _) => ("positions", ""),
        ("timeval *", _) => ("times", ""),
        ("OS_AsyncProc", _) => ("procedures", ""),
        ("ClientData" | "int *", _) => ("pointers", ""),
        (kind, name) => panic!("no situations for the parameter {kind} {name}"),
    }
}

/// The tables of objects that functions work on. A function without such a parameter works on the
/// world.
const OUTSIDE: [&str; 8] =
    ["streams", "files", "requests", "descriptors", "paths", "vectors", "times", "stream_places"];

/// The value of the numbers of a format, for functions that print.
const ARGUMENT: &str = "7";

/// Adds a function with "..." that calls one with a va_list, and returns its name.
fn through_list(code: &mut String, function: &Function) -> String {
    let Function { name, result, parameters } = function;
    let fixed = &parameters[..parameters.len() - 1];
    let declared: Vec<&str> = fixed.iter().map(|parameter| &*parameter.text).collect();
    let passed: Vec<&str> = fixed.iter().map(|parameter| &*parameter.name).collect();
    let (declared, passed) = (declared.join(", "), passed.join(", "));
    *code += &format!("static {result} through_{name}({declared}, ...)\n{{\n");
    *code += &format!("    va_list list;\n    {result} result;\n\n    va_start(list, format);\n");
    *code += &format!("    result = {name}({passed}, list);\n    va_end(list);\n");
    *code += "    return result;\n}\n\n";
    format!("through_{name}")
}

/// Returns the kind of world that a function is called in, besides its parameters.
fn world(function: &str, kinds: &str) -> Option<&'static str> {
    if ["Async", "CloseRead"].iter().any(|word| function.contains(word)) {
        return Some("os_world");
    }
    (!OUTSIDE.iter().any(|table| kinds.contains(table))).then_some("world")
}

/// Adds the function that makes one call, and returns its row of the table.
fn call(code: &mut String, function: &Function) -> String {
    let Function { name, result, parameters } = function;
    let (mut callee, mut arguments) = (name.clone(), Vec::new());
    let (mut values, mut abouts, mut kinds) = (String::new(), String::new(), String::new());
    for (number, parameter) in parameters.iter().enumerate() {
        let Parameter { text, kind, name } = parameter;
        if kind == "va_list" {
            callee = through_list(code, function);
        }
        if kind == "va_list" || text == "..." {
            arguments.push(ARGUMENT);
            continue;
        }
        let (table, about) = situations(parameter);
        kinds += &format!("{table}, ");
        let kind = kind.replace("timeval", "struct timeval");
        values += &format!("    {kind} {name} = ({kind})value(chosen[{number}]);\n");
        if !about.is_empty() {
            abouts += &format!("    about_{about}({name});\n");
        }
        arguments.push(name);
    }
    if let Some(world) = world(name, &kinds) {
        values = values.replace("chosen[", "chosen[1 + ");
        values.insert_str(0, "    long world = value(chosen[0]);\n");
        kinds.insert_str(0, &format!("{world}s, "));
        abouts += &format!("    about_{world}(world);\n");
    }
    let call = format!("{callee}({})", arguments.join(", "));
    let (kept, say) = match &**result {
        "void" => ("", "say_done(code)"),
        "int" | "size_t" => ("long result = (long)", "say_number(result, code)"),
        pointer if pointer.ends_with('*') => ("void *result = ", "say_pointer(result, code)"),
        other => panic!("no way to say what {name} returns: {other}"),
    };
    // Functions that accept a request return the error. Those that finish one leave the errno of
    // their last system call.
    let is_accept = name.starts_with("FCG") && name.contains("_Accept");
    let is_finish = name.starts_with("FCGX_") && result == "void";
    let errno = if is_accept || is_finish { "0" } else { "errno" };
    *code += &format!("static void call_{name}(const struct situation *const *chosen)\n{{\n");
    *code +=
        &format!("{values}    int code = errno = 0;\n    {kept}{call};\n\n    code = {errno};\n");
    *code += &format!("    {say};\n{abouts}    about_peer();\n}}\n\n");
    format!("    {{ \"{name}\", call_{name}, {{ {kinds}NULL }} }},\n")
}

/// Returns the text of calls.h.
pub(crate) fn calls(functions: &[Function]) -> String {
    let mut code = String::new();
    let rows: String = functions.iter().map(|function| call(&mut code, function)).collect();
    code + "static const struct function functions[] = {\n"
        + &rows
        + "    { NULL, NULL, { NULL } }\n};\n"
}
