//! The hooks of libfcgi-bindings(7) for SIGTERM without FCGX_TAKE_SIGNALS: a program of examples-ffi that is
//! changed as the page says finishes its request and ends.

use testkit::toolchain::read;

use super::contract;
use super::table;

/// A change from FCGX_TAKE_SIGNALS to a hook.
struct Hook {
    language: &'static str,
    /// What the page names.
    recipe: &'static str,
    /// Texts of the program, and what takes their place.
    changes: &'static [(&'static str, &'static str)],
    /// The exit code of the process.
    code: i32,
}

fn holds(hook: &Hook) {
    assert!(read("man/libfcgi-bindings.7").contains(hook.recipe), "{}", hook.recipe);
    assert!(hook.changes.iter().any(|(_, new)| new.contains(hook.recipe)), "{}", hook.recipe);
    contract::ends(table::language(hook.language), hook.changes, hook.code);
}

mod ci {
    use super::{Hook, holds};

    #[test]
    fn python() {
        holds(&Hook {
            language: "python_ctypes",
            recipe: "signal.signal(",
            changes: &[
                ("import sys\n", "import signal\nimport sys\n"),
                ("request_new(0, TAKE_SIGNALS)", "request_new(0, 1)"),
                (
                    "    buffer = ctypes",
                    "    signal.signal(signal.SIGTERM, lambda *_: lib.FCGX_ShutdownPending())\n    buffer = ctypes",
                ),
                (
                    "        check(result)\n",
                    "        if result == -10003: continue\n        check(result)\n",
                ),
            ],
            code: 0,
        });
    }

    /// A timeout in place of FCGX_INTERRUPTIBLE. It is shorter than the time that a program may take to end.
    #[test]
    fn python_with_a_timeout() {
        holds(&Hook {
            language: "python_ctypes",
            recipe: "signal.signal(",
            changes: &[
                ("import sys\n", "import signal\nimport sys\n"),
                ("request_new(0, TAKE_SIGNALS)", "request_new(0, 0)"),
                ("request_next(request, -1)", "request_next(request, 50)"),
                (
                    "    buffer = ctypes",
                    "    signal.signal(signal.SIGTERM, lambda *_: lib.FCGX_ShutdownPending())\n    buffer = ctypes",
                ),
                ("        check(result)\n", "        if check(result) == 0: continue\n"),
            ],
            code: 0,
        });
    }

    #[test]
    fn ruby() {
        holds(&Hook {
            language: "ruby",
            recipe: "trap(\"TERM\") {",
            changes: &[
                ("  TAKE_SIGNALS =", "  extern 'void FCGX_ShutdownPending()'\n  TAKE_SIGNALS ="),
                ("FCGX_RequestNew(0, FCGX::TAKE_SIGNALS)", "FCGX_RequestNew(0, 1)"),
                (
                    "buffer = Fiddle",
                    "trap(\"TERM\") { FCGX.FCGX_ShutdownPending }\nbuffer = Fiddle",
                ),
                ("  FCGX.check(result)\n", "  next if result == -10_003\n  FCGX.check(result)\n"),
            ],
            code: 0,
        });
    }

    #[test]
    fn php() {
        holds(&Hook {
            language: "php",
            recipe: "pcntl_async_signals(true)",
            changes: &[
                (
                    "    void *FCGX_RequestNew",
                    "    void FCGX_ShutdownPending(void);\n    void *FCGX_RequestNew",
                ),
                ("FCGX_RequestNew(0, TAKE_SIGNALS)", "FCGX_RequestNew(0, 1)"),
                (
                    "$buffer = FFI",
                    "pcntl_async_signals(true);\n\
                     pcntl_signal(SIGTERM, fn() => $fcgi->FCGX_ShutdownPending(), false);\n$buffer = FFI",
                ),
                (
                    "    check($fcgi, $result);\n",
                    "    if ($result === -10003) continue;\n    check($fcgi, $result);\n",
                ),
            ],
            code: 0,
        });
    }

    #[test]
    fn go() {
        holds(&Hook {
            language: "go",
            recipe: "signal.Notify",
            changes: &[
                (
                    "#include <fcgi_request.h>\n",
                    "#include <fcgi_request.h>\nvoid FCGX_ShutdownPending(void);\n",
                ),
                ("\t\"log\"\n", "\t\"log\"\n\t\"os\"\n\t\"os/signal\"\n\t\"syscall\"\n"),
                (
                    "\tr := request{C.FCGX_RequestNew(0, C.FCGX_TAKE_SIGNALS)}\n",
                    "\tstop := make(chan os.Signal, 1)\n\tsignal.Notify(stop, syscall.SIGTERM)\n\
                     \tgo func() { <-stop; C.FCGX_ShutdownPending() }()\n\
                     \tr := request{C.FCGX_RequestNew(0, 0)}\n",
                ),
            ],
            code: 0,
        });
    }

    #[test]
    fn java() {
        holds(&Hook {
            language: "java",
            recipe: "Runtime.getRuntime().addShutdownHook",
            changes: &[
                (
                    "        Pointer FCGX_RequestNew(",
                    "        void FCGX_ShutdownPending();\n        Pointer FCGX_RequestNew(",
                ),
                ("FCGX_RequestNew(0, TAKE_SIGNALS);", "FCGX_RequestNew(0, 0);"),
                (
                    "        int next;\n",
                    "        Thread main = Thread.currentThread();\n\
                     Thread hook = new Thread(() -> {\n\
                     Fcgi.LIB.FCGX_ShutdownPending();\n\
                     try { main.join(); } catch (InterruptedException e) { }\n\
                     });\n\
                     Runtime.getRuntime().addShutdownHook(hook);\n\
                     int next;\n",
                ),
            ],
            code: 143,
        });
    }

    #[test]
    fn sbcl() {
        holds(&Hook {
            language: "sbcl",
            recipe: "(sb-sys:enable-interrupt sb-unix:sigterm :default)",
            changes: &[(
                "(loop with request = (request-new 0 +take-signals+)",
                "(sb-sys:enable-interrupt sb-unix:sigterm :default)\n(loop with request = (request-new 0 0)",
            )],
            code: 0,
        });
    }
}

mod all {
    use super::{Hook, holds};

    #[test]
    fn nodejs() {
        holds(&Hook {
            language: "nodejs",
            recipe: "process.on(\"SIGTERM\",",
            changes: &[(
                "  const request = requestNew(0, TAKE_SIGNALS);\n",
                "  const shutDown = lib.func(\"void FCGX_ShutdownPending()\");\n  \
                     process.on(\"SIGTERM\", () => shutDown());\n  const request = requestNew(0, 0);\n",
            )],
            code: 0,
        });
    }
}
