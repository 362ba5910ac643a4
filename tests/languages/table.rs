//! The languages, and the tests that are made from them.

/// Which command tests a language.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// `make check-languages`, which CI runs.
    Ci,
    /// `make check-languages-all` only.
    All,
}

/// How the program in one language is built and run.
#[derive(Clone, Copy)]
pub(crate) struct Language {
    /// The directory in examples-ffi, and the test's name.
    pub(crate) name: &'static str,
    pub(crate) set: Set,
    /// What it writes to the web server's log.
    pub(crate) says: &'static str,
    /// The Debian packages that it needs.
    pub(crate) packages: &'static [&'static str],
    /// The shell command that builds it in its directory; empty if nothing is built.
    pub(crate) build: &'static str,
    /// The shell command that runs it in its directory.
    pub(crate) run: &'static str,
    pub(crate) at_a_time: AtATime,
}

/// How many requests a program has in hand at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtATime {
    One,
    /// As many as come, in one thread with an event loop.
    Many,
}

/// What a row has unless it says otherwise.
const LANGUAGE: Language = Language {
    name: "",
    set: Set::Ci,
    says: "",
    packages: &[],
    build: "",
    run: "",
    at_a_time: AtATime::One,
};

/// Makes LANGUAGES, and for each language a test in the module of its set.
macro_rules! languages {
    ($($module:ident, $set:ident { $($name:ident: { $($field:ident: $value:expr),* $(,)? })* })*) => {
        pub(crate) const LANGUAGES: &[Language] = &[$($(Language {
            name: stringify!($name),
            set: Set::$set,
            $($field: $value,)*
            ..LANGUAGE
        },)*)*];

        $(mod $module {
            $(#[test]
            fn $name() {
                crate::contract::holds(super::language(stringify!($name)));
            })*
        })*
    };
}

pub(crate) fn language(name: &str) -> &'static Language {
    LANGUAGES.iter().find(|language| language.name == name).unwrap()
}

languages! {
    ci, Ci {
        // Interpreted.
        python_ctypes: {
            says: "Python",
            packages: &["python3"],
            run: "python3 echo.py",
        }
        python_cffi: {
            says: "Python",
            packages: &["python3-cffi"],
            run: "python3 echo.py",
        }
        python_asyncio: {
            says: "Python",
            packages: &["python3"],
            run: "python3 echo.py",
            at_a_time: AtATime::Many,
        }
        perl: {
            says: "Perl",
            packages: &["libffi-platypus-perl"],
            run: "perl echo.pl",
        }
        ruby: {
            says: "Ruby",
            packages: &["ruby"],
            run: "ruby echo.rb",
        }
        luajit: {
            says: "LuaJIT",
            packages: &["luajit"],
            run: "luajit echo.lua",
        }
        php: {
            says: "PHP",
            packages: &["php-cli"],
            run: "php echo.php",
        }
        tcl: {
            says: "Tcl",
            packages: &["tcl", "tcl-dev", "critcl"],
            build: "critcl -pkg fcgx.tcl",
            run: "tclsh echo.tcl",
        }
        guile: {
            says: "Guile",
            packages: &["guile-3.0"],
            run: "guile echo.scm",
        }
        sbcl: {
            says: "SBCL",
            packages: &["sbcl"],
            run: "sbcl --script echo.lisp",
        }
        // Compiled.
        c: {
            says: "C",
            packages: &["gcc"],
            build: "cc -O2 -o echo echo.c -lfcgi",
            run: "./echo",
        }
        c_epoll: {
            says: "C",
            packages: &["gcc"],
            build: "cc -O2 -o echo echo.c -lfcgi",
            run: "./echo",
            at_a_time: AtATime::Many,
        }
        c_glib: {
            says: "C",
            packages: &["gcc", "pkg-config", "libglib2.0-dev"],
            build: "cc -O2 $(pkg-config --cflags glib-2.0) -o echo echo.c $(pkg-config --libs glib-2.0) -lfcgi",
            run: "./echo",
            at_a_time: AtATime::Many,
        }
        cxx: {
            says: "C++",
            packages: &["g++"],
            build: "c++ -std=c++11 -O2 -o echo echo.cpp -lfcgi",
            run: "./echo",
        }
        d: {
            says: "D",
            packages: &["ldc"],
            build: "ldc2 -O -L-lfcgi echo.d",
            run: "./echo",
        }
        pascal: {
            says: "Free Pascal",
            packages: &["fp-compiler"],
            build: "fpc -O2 -k-L$LIBRARY_PATH echo.pas",
            run: "./echo",
        }
        go: {
            says: "Go",
            packages: &["golang-go", "gcc"],
            build: "go build echo.go",
            run: "./echo",
        }
        ocaml: {
            says: "OCaml",
            packages: &["ocaml-nox", "ocaml-findlib", "libctypes-ocaml-dev"],
            build: "ocamlfind ocamlopt -thread -package ctypes.foreign,threads.posix -linkpkg -o echo echo.ml",
            run: "./echo",
        }
        java: {
            says: "Java",
            packages: &["openjdk-17-jdk-headless", "libjna-java"],
            build: "javac -cp /usr/share/java/jna.jar Echo.java",
            run: "java -cp /usr/share/java/jna.jar:. Echo",
        }
        ada: {
            says: "Ada",
            packages: &["gnat-12"],
            build: "gcc-12 -fdump-ada-spec -fsyntax-only -include fcgi_request.h -x c /dev/null && gnatmake echo.adb -largs -lfcgi",
            run: "./echo",
        }
        fortran: {
            says: "Fortran",
            packages: &["gfortran"],
            build: "gfortran -O2 -o echo fcgi.f90 echo.f90 -lfcgi",
            run: "./echo",
        }
        cobol: {
            says: "COBOL",
            packages: &["gnucobol4"],
            build: "cobc -x -fstatic-call -o echo echo.cob -lfcgi",
            run: "./echo",
        }
        vala: {
            says: "Vala",
            packages: &["valac", "libglib2.0-dev"],
            build: "valac --vapidir . --pkg fcgi_request --pkg gio-2.0 -X -lfcgi echo.vala",
            run: "./echo",
        }
        erlang: {
            says: "Erlang",
            packages: &["erlang-base", "erlang-dev", "gcc"],
            build: "erlc echo.erl && cc -O2 -shared -fPIC -I/usr/lib/erlang/usr/include -o echo_nif.so echo_nif.c -lfcgi",
            run: "erl -noshell -noinput -s echo start",
        }
    }
    all, All {
        // Interpreted.
        racket: {
            says: "Racket",
            packages: &["racket"],
            run: "racket echo.rkt",
        }
        nodejs: {
            says: "Node.js",
            packages: &["nodejs", "npm"],
            build: "npm install --silent",
            run: "node echo.js",
        }
        r: {
            says: "R",
            packages: &["r-base-core", "r-base-dev"],
            build: "PKG_LIBS=-lfcgi R CMD SHLIB fcgx.c",
            run: "Rscript echo.R",
        }
        // Compiled.
        haskell: {
            says: "Haskell",
            packages: &["ghc"],
            build: "ghc -O -threaded -o echo Echo.hs -lfcgi",
            run: "./echo",
        }
        chicken: {
            says: "Chicken",
            packages: &["chicken-bin", "libchicken-dev"],
            build: "csc -O2 echo.scm -L -lfcgi",
            run: "./echo",
        }
        gambit: {
            says: "Gambit",
            packages: &["gambc"],
            build: "gsc -exe -ld-options -lfcgi echo.scm",
            run: "./echo",
        }
        mono: {
            says: "Mono",
            packages: &["mono-mcs", "mono-runtime"],
            build: "mcs Echo.cs",
            run: "mono Echo.exe",
        }
        crystal: {
            says: "Crystal",
            packages: &["crystal"],
            build: "crystal build --release echo.cr",
            run: "./echo",
        }
        nim: {
            says: "Nim",
            packages: &["nim"],
            build: "nim c -d:release --passL:-lfcgi echo.nim",
            run: "./echo",
        }
        rust: {
            says: "Rust",
            packages: &["gcc"],
            build: "cargo build --release --offline --target-dir target",
            run: "target/release/echo",
        }
    }
}
