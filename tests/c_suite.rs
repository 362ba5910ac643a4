//! Builds and runs each program of c-tests twice, on Debian's library and on ours. Both must print the same
//! and end the same way. Output on stderr does not count.
//!
//! Where the original is wrong, the first comment of NAME.c says
//! `differs: <the row of docs/differences.md>`, and NAME.expected holds what ours must
//! print. The original must then print something else, or die. c-tests/stored has what the original
//! prints everywhere else.
//!
//! The programs of c-tests/extensions use functions that the original does not have. They are built and run on
//! ours alone, and NAME.expected holds what they must print.
//!
//! LIBFCGI_ORIGINAL=stored runs ours alone. `UPDATE_STORED=1 cargo test --test c_suite` rewrites the outputs
//! that it is compared with.

use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::{
    Ended, Library, SERVED, TempDir, compile, compile_with, has_original, programs_in, root, run,
    store, stored,
};

/// How a program ended and what it printed; both must be the same on both libraries.
type Behaviour = (String, String);

fn behaviour(ended: Ended) -> Behaviour {
    (ended.how, ended.stdout)
}

/// Runs a program in a directory of its own.
fn run_on(program: &Path, library: Library) -> Ended {
    let dir = TempDir::new();
    run(library.under(Command::new(program).current_dir(dir.path())), SERVED)
}

fn differs(source: &str) -> bool {
    let comment = source.split("*/").next().unwrap_or_default();
    comment.lines().any(|line| line.trim_start_matches([' ', '*']).starts_with("differs: "))
}

/// Builds the program against both libraries, and runs each build on both: a program still works when the
/// library is exchanged.
fn check(name: &str) {
    let source = root("c-tests").join(format!("{name}.c"));
    let text = fs::read_to_string(&source).unwrap();
    let dir = TempDir::new();
    let build = |library| {
        let program = dir.join(&format!("{library:?}"));
        compile(&source, library, &program).unwrap_or_else(|error| panic!("{name}.c: {error}"));
        program
    };
    let built_ours = build(Library::Ours);
    let expected_file = format!("c-tests/{name}.expected");
    let stored_file = format!("c-tests/stored/{name}");
    if !has_original() {
        let wanted = stored(if differs(&text) { &expected_file } else { &stored_file });
        same(name, "ours", &("exit 0".to_owned(), wanted), run_on(&built_ours, Library::Ours));
        return;
    }
    let built_original = build(Library::Original);
    let original = run_on(&built_original, Library::Original);
    if differs(&text) {
        let wanted = ("exit 0".to_owned(), stored(&expected_file));
        same(name, "ours", &wanted, run_on(&built_ours, Library::Ours));
        same(name, "built against the original's headers", &wanted, {
            run_on(&built_original, Library::Ours)
        });
        assert_ne!(behaviour(original), wanted, "{name}: the original does not differ");
        return;
    }
    assert!(!root(&expected_file).exists(), "{name}.c has no line `differs:`");
    assert_eq!(original.code, Some(0), "on the original: {original}");
    store(&stored_file, &original.stdout);
    let wanted = behaviour(original);
    same(name, "ours", &wanted, run_on(&built_ours, Library::Ours));
    same(name, "built against the original's headers, run on ours", &wanted, {
        run_on(&built_original, Library::Ours)
    });
    same(name, "built against our headers, run on the original", &wanted, {
        run_on(&built_ours, Library::Original)
    });
}

/// Builds a program of c-tests/extensions against ours and runs it: the original does not have its functions.
fn check_extension(name: &str) {
    let source = root("c-tests/extensions").join(format!("{name}.c"));
    let dir = TempDir::new();
    let program = dir.join(name);
    compile_with(&source, Library::Ours, &program, &["-pthread"])
        .unwrap_or_else(|error| panic!("{name}.c: {error}"));
    let ended = run_on(&program, Library::Ours);
    let expected = format!("c-tests/extensions/{name}.expected");
    store(&expected, &ended.stdout);
    same(name, "ours", &("exit 0".to_owned(), stored(&expected)), ended);
}

/// Compares line by line, so that the message shows the difference.
fn same(name: &str, which: &str, wanted: &Behaviour, got: Ended) {
    let stderr = got.stderr.clone();
    let got = behaviour(got);
    if got == *wanted {
        return;
    }
    let (mut wanted_lines, mut got_lines) = (wanted.1.lines(), got.1.lines());
    for number in 1.. {
        let (w, g) = (wanted_lines.next(), got_lines.next());
        if w != g || w.is_none() {
            panic!(
                "{name}, {which}: {} instead of {}; line {number}\n  is     {}\n  wanted {}\n{stderr}",
                got.0,
                wanted.0,
                g.unwrap_or("(end)"),
                w.unwrap_or("(end)")
            );
        }
    }
}

/// One test per program of c-tests/extensions, and one that checks that every program has a test.
macro_rules! extensions {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check_extension(stringify!($name));
            }
        )*

        #[test]
        fn every_extension_has_a_test() {
            assert_eq!(programs_in("c-tests/extensions"), [$(stringify!($name)),*]);
        }
    };
}

extensions! {
    cancel_after_a_jump
    cancel_in_drain
    non_blocking_requests
    poll_descriptor
    poll_descriptor_closed
    poll_descriptor_ends
    request_abort
    request_as_struct
    request_beside_accept
    request_calls
    request_cancel
    request_errors
    request_fork
    request_gone
    request_signals
    request_waits
    without_epoll
}

/// One test per program, and one that checks that every program has a test.
macro_rules! programs {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*

        #[test]
        fn every_program_has_a_test() {
            assert_eq!(programs_in("c-tests"), [$(stringify!($name)),*]);
            for entry in fs::read_dir(root("c-tests/stored")).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let text = fs::read_to_string(root("c-tests").join(format!("{name}.c")));
                assert!(text.is_ok_and(|text| !differs(&text)), "c-tests/stored/{name} is unused");
            }
        }
    };
}

programs! {
    accept_single
    answers_left_over
    attach_detach
    authorizer
    auto_flush
    broken_connection
    cancelled_in_a_record
    cancelled_waiters
    cancelled_writer
    client_gone
    clock_stands_still
    close_on_exec
    close_order
    create_writer
    cursor_moved
    endless_body
    exit_status
    exit_status_of_the_next
    filter
    finish
    finish_before_accept
    finish_in_another_thread
    flags_taken_back
    flush
    fork_in_request
    fork_then_free
    free_request
    free_stream_null
    get_char
    get_line
    get_line_no_room
    get_param
    get_str
    hand_built_stream
    hello
    init_request_again
    interposed_calls
    interrupted
    is_cgi
    jump_out_of_a_read
    jump_out_of_a_write
    jump_out_of_accept
    keep_conn
    listen_closed
    listen_elsewhere
    load_at_run_time
    no_init
    non_blocking
    non_blocking_added
    non_blocking_connection
    non_blocking_shapes
    number_reused
    open_socket
    open_socket_errors
    open_socket_port
    open_socket_v6
    os_accept
    os_async
    os_async_fork
    os_async_misuse
    os_close
    os_interrupted
    os_listen_errors
    os_signals
    os_sockets
    os_spawn
    parameters_cut_between_pairs
    params_lengths
    params_order
    percent_n
    prefork
    preset_connection
    preset_kept
    print_f
    print_f_more
    print_floats
    private_data
    put
    put_str_negative
    read_errors
    refused_accept
    request_copy
    settings_of_requests
    settings_of_requests_again
    settings_read
    shutdown_alone
    shutdown_pending
    signal_stack
    signals_in_a_request
    sigterm_after_shutdown
    start_again
    stderr_soon
    stdio_accept_fails
    stdio_before_accept
    stdio_cgi
    stdio_closed
    stdio_environ
    stdio_exit
    stdio_files
    stdio_members
    stdio_members_edges
    stdio_perror
    stdio_printf
    stdio_printf_buffer
    stdio_printf_more
    stdio_start_again
    stdio_streams
    stream_fields
    threads
    time_limits
    two_threads
    two_threads_late
    two_threads_tcp
    unget
    unread_body
    web_server_addrs
    web_server_addrs_unix
    web_server_addrs_v6
    wrapped_procedures
    wrong_direction
}
