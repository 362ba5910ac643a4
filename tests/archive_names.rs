//! A program may define functions with our names wherever it can with the original's libfcgi.a, where the
//! linker leaves out objects that are not needed. Every name is tried with every kind of program, on the
//! original first.

use std::fs;
use std::path::PathBuf;

use testkit::toolchain::{STRICT, command, original_library, output, read, write};
use testkit::{LIMIT, Library, TempDir, dist, run};

/// The beginning of every kind of program: it is its own web server. The connection is kept, so that the
/// original does not wait for its end.
const SERVER: &str = r#"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int own_calls(void);
void call_own(void);
int serve(void);

struct sockaddr_un address = { AF_UNIX, "names.sock" };

static int ask(void)
{
    static const unsigned char question[] = {
        1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 4, 0, 1, 0, 4, 0, 0, 1, 1, 'K', 'V',
        1, 4, 0, 1, 0, 0, 0, 0, 1, 5, 0, 1, 0, 0, 0, 0,
    };
    int client = socket(AF_UNIX, SOCK_STREAM, 0);

    if (connect(client, (struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    return write(client, question, sizeof question) == sizeof question ? client : -1;
}

static int answer(int client)
{
    char text[64];
    if (read(client, text, sizeof text) < 8)
        return 1;
    return printf("%.*s\n", text[5], text + 8) < 0;
}

int main(void)
{
    int failed = serve();
    printf("the library has called %d\n", own_calls());
    call_own();
    return printf("the program has called %d\n", own_calls()) < 0 || failed;
}
"#;

/// The kinds of programs: the special part of each, the names that it may define, and groups of names that it
/// may define together although the library's own code needs some of them.
const KINDS: [Kind; 3] = [
    Kind {
        headers: "#include <fcgiapp.h>\n",
        serve: r#"
int serve(void)
{
    FCGX_Request request;
    int client;

    if (FCGX_Init() != 0)
        return 1;
    if (FCGX_InitRequest(&request, FCGX_OpenSocket(address.sun_path, 5), 0) != 0)
        return 2;
    if ((client = ask()) < 0 || FCGX_Accept_r(&request) != 0)
        return 3;
    FCGX_FPrintF(request.out, "%s", FCGX_GetParam("K", request.envp));
    FCGX_Finish_r(&request);
    return answer(client);
}
"#,
        may_define: &["FCGI_", "_fcgi_sF"],
        may_replace: &[&["OS_"]],
    },
    Kind {
        headers: "#include <stdlib.h>\n#define NO_FCGI_DEFINES\n#include <fcgi_stdio.h>\n",
        serve: r#"
int serve(void)
{
    int client, listener = socket(AF_UNIX, SOCK_STREAM, 0);

    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0)
        return 1;
    if (listen(listener, 5) != 0 || dup2(listener, 0) != 0)
        return 2;
    if ((client = ask()) < 0 || FCGI_Accept() < 0)
        return 3;
    FCGI_printf("%s", getenv("K"));
    FCGI_Finish();
    return answer(client);
}
"#,
        may_define: &[],
        may_replace: &[&["FCGX_"], &["FCGX_", "OS_"]],
    },
    Kind {
        headers: "#include <fcgios.h>\n",
        serve: r#"
int serve(void)
{
    int client, connection, listener;
    char header[8];

    if (OS_LibInit(NULL) != 0 || (listener = OS_CreateLocalIpcFd(address.sun_path, 5)) < 0)
        return 1;
    if ((client = ask()) < 0 || (connection = OS_Accept(listener, 0, NULL)) < 0)
        return 2;
    if (OS_Read(connection, header, 8) != 8)
        return 3;
    if (OS_Write(connection, (char *)"\1\6\0\1\0\1\0\0V", 9) != 9)
        return 4;
    return answer(client) || OS_Close(connection, 0) != 0;
}
"#,
        may_define: &["FCGI_", "_fcgi_sF", "FCGX_"],
        may_replace: &[],
    },
];

struct Kind {
    headers: &'static str,
    serve: &'static str,
    may_define: &'static [&'static str],
    may_replace: &'static [&'static [&'static str]],
}

fn names() -> Vec<String> {
    let text = read("abi/libfcgi.so.0.symbols");
    text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

fn starts_with_any(name: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| name.starts_with(start))
}

fn archive(library: Library) -> PathBuf {
    match library {
        Library::Ours => dist().join("libfcgi.a"),
        Library::Original => original_library().with_file_name("libfcgi.a"),
    }
}

/// Returns a file that defines these names and counts their uses, and one that uses each of them.
fn own_files(names: &[&str]) -> [String; 2] {
    let mut definitions =
        String::from("static int calls;\nint own_calls(void) { return calls; }\n");
    let (mut declarations, mut uses) = (String::new(), String::new());
    for name in names {
        if *name == "_fcgi_sF" {
            definitions += "char _fcgi_sF[] = { 1 };\n";
            declarations += "extern char _fcgi_sF[];\nint data;\n";
            uses += "    data += _fcgi_sF[0];\n";
        } else {
            definitions += &format!("int {name}(void) {{ calls++; return 0; }}\n");
            declarations += &format!("int {name}(void);\n");
            uses += &format!("    {name}();\n");
        }
    }
    [
        definitions,
        format!("{declarations}void call_own(void);\nvoid call_own(void)\n{{\n{uses}}}\n"),
    ]
}

/// The objects of one program.
struct Program {
    dir: TempDir,
    objects: Vec<PathBuf>,
}

impl Program {
    fn new(kind: &Kind) -> Self {
        let mut program = Self { dir: TempDir::new(), objects: Vec::new() };
        let text = format!("{}{SERVER}{}", kind.headers, kind.serve);
        program.objects.push(program.object("main", &text, &STRICT));
        program
    }

    fn object(&self, name: &str, text: &str, flags: &[&str]) -> PathBuf {
        let object = self.dir.join(&format!("{name}.o"));
        let mut cc = command("cc", flags);
        cc.arg("-I").arg(dist().join("include")).arg("-c").arg("-o").arg(&object);
        output(cc.arg(write(&self.dir, &format!("{name}.c"), text)));
        object
    }

    /// Adds functions with these names to the program.
    fn define(&mut self, names: &[&str]) {
        self.objects.truncate(1);
        let [definitions, uses] = own_files(names);
        self.objects.push(self.object("own", &definitions, &[]));
        self.objects.push(self.object("uses", &uses, &[]));
    }

    /// Returns the linker's messages if it refuses.
    fn links(&self, library: Library) -> Result<(), String> {
        let mut cc = command("cc", &["-o"]);
        cc.arg(self.path(library)).args(&self.objects).arg(archive(library));
        let ended = run(cc.args(["-lpthread", "-ldl"]), LIMIT);
        if ended.code == Some(0) { Ok(()) } else { Err(ended.to_string()) }
    }

    fn path(&self, library: Library) -> PathBuf {
        self.dir.join(&format!("{library:?}"))
    }

    fn says(&self, library: Library) -> String {
        let _ = fs::remove_file(self.dir.join("names.sock"));
        output(command(self.path(library), &[]).current_dir(self.dir.path()))
    }

    /// Links the program with our archive and runs it. It must behave as with the original's, with which it
    /// has linked.
    fn is_the_same_with_ours(&self, names: &[&str]) {
        self.links(Library::Ours).unwrap_or_else(|error| panic!("{error}"));
        let said = self.says(Library::Original);
        let functions = names.iter().filter(|name| **name != "_fcgi_sF").count();
        let expected = format!("V\nthe library has called 0\nthe program has called {functions}\n");
        assert_eq!(said, expected, "{names:?}");
        assert_eq!(self.says(Library::Ours), expected, "{names:?}");
    }
}

#[test]
fn a_program_s_own_functions_count_where_they_do_with_the_original() {
    let names = names();
    for kind in KINDS {
        let mut program = Program::new(&kind);
        let mut defined = Vec::new();
        for name in &names {
            program.define(&[name]);
            if program.links(Library::Original).is_ok() {
                program.is_the_same_with_ours(&[name]);
                defined.push(name.as_str());
            }
        }
        let may_define = names.iter().filter(|name| starts_with_any(name, kind.may_define));
        assert_eq!(defined, may_define.collect::<Vec<_>>());
        program.define(&defined);
        program.links(Library::Original).unwrap_or_else(|error| panic!("{error}"));
        program.is_the_same_with_ours(&defined);
    }
}

/// With the whole group defined, the original's archive leaves out an object although some of its names are
/// needed. Which of them the library calls is a different question.
#[test]
fn a_program_may_replace_a_whole_group() {
    let names = names();
    for kind in KINDS {
        let mut program = Program::new(&kind);
        for group in kind.may_replace {
            let names = names.iter().filter(|name| starts_with_any(name, group));
            program.define(&names.map(String::as_str).collect::<Vec<_>>());
            for library in Library::BOTH {
                program.links(library).unwrap_or_else(|error| panic!("{group:?}: {error}"));
            }
        }
    }
}
