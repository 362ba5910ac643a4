//! Each row of README's "Differences from the original" has a test that passes on ours, and that
//! would fail on the original or shows that the original does something else.

mod support;

use std::fs;

use support::root;

/// A row's first cell, and where it is tested: a program of c-tests, or FILE::FUNCTION of tests.
const ROWS: &[(&str, &[&str])] = &[
    (
        "GET_VALUES that names a variable several times",
        &["wire/differences::a_variable_asked_for_twice_is_told_once"],
    ),
    ("GET_VALUES, and nothing after it", &["wire/differences::variables_are_told_at_once"]),
    (
        "Kept connection, body not read to its end",
        &["wire/differences::a_body_left_unread_is_no_request"],
    ),
    (
        "STDIN, DATA or ABORT_REQUEST for a request that has ended",
        &["wire/differences::a_late_end_of_the_body_does_not_end_the_connection"],
    ),
    (
        "A request sent before the last one has ended (pipelining)",
        &["wire/differences::pipelined_requests_are_served_in_turn"],
    ),
    (
        "A request with another id while one is being served",
        &["wire/differences::a_second_request_within_the_first_is_refused"],
    ),
    (
        "A record that is skipped, and empty",
        &["wire/differences::an_empty_record_of_another_request_takes_nothing_with_it"],
    ),
    (
        "Padding after BEGIN_REQUEST, empty PARAMS or empty STDIN",
        &["wire/differences::every_record_may_have_padding"],
    ),
    (
        "Content of a management record of unknown type",
        &["wire/differences::an_unknown_management_record_leaves_no_content_behind"],
    ),
    (
        "Connection that ends among the parameters, between two of them",
        &["wire/differences::half_the_parameters_are_no_request", "parameters_cut_between_pairs"],
    ),
    ("Unknown role", &["wire/differences::an_unknown_role_is_refused_and_the_connection_kept"]),
    (
        "ABORT_REQUEST",
        &[
            "wire/differences::an_abort_before_the_parameters_are_complete_ends_the_request",
            "wire/differences::an_abort_in_the_body_is_an_error_of_the_stream",
        ],
    ),
    (
        "Exit status",
        &["wire/differences::an_exit_status_belongs_to_one_request", "exit_status_of_the_next"],
    ),
    (
        "Memory for parameters",
        &[
            "wire/differences::claimed_lengths_alone_take_no_memory",
            "wire/differences::parameters_beyond_the_limit_are_refused",
            "hostile/heads::unfinished_heads_have_one_budget",
            "hostile/heads::a_head_of_the_largest_size_takes_less_than_four_times_as_much",
        ],
    ),
    (
        "A signal while reading or writing",
        &[
            "signals::a_storm_of_signals_changes_no_byte",
            "signals::a_storm_of_signals_cuts_what_the_original_reads",
            "signals_in_a_request",
            "os_interrupted",
        ],
    ),
    (
        "SIGTERM or SIGUSR1 during a request",
        &[
            "signals::a_request_whose_body_is_still_coming_is_finished",
            "signals::every_waiting_thread_returns_at_once",
            "signals::every_thread_in_os_accept_returns_at_once",
            "signals::a_signal_just_before_the_wait_is_not_lost",
            "signals::other_threads_of_the_original_wait_on",
            "signals::everybody_who_is_connected_is_served_although_the_signal_comes_first",
            "shutdown_alone",
        ],
    ),
    (
        "SIGTERM after `OS_LibShutdown`",
        &["sigterm_after_shutdown", "restart::sigterm_does_what_it_did_before"],
    ),
    ("Signal in a thread that has a stack for signals", &["signal_stack"]),
    (
        "Starting again in one process: `OS_LibShutdown`, then `FCGX_Init`",
        &["start_again", "stdio_start_again"],
    ),
    ("Starting again while the environment is a request's", &["settings_of_requests_again"]),
    (
        "`dlclose`",
        &[
            "restart::a_signal_after_unloading_crashes_the_original",
            "restart::two_hundred_rounds_of_loading_and_unloading",
            "abi::the_code_stays_after_the_last_dlclose",
        ],
    ),
    (
        "Listen socket closed, or opened anew at its number, while threads wait",
        &[
            "waiting/changes::a_new_listen_socket_is_served_by_who_waits_on_the_old_one_and_who_comes_later",
            "waiting/changes::what_threads_have_taken_from_a_new_listen_socket_goes_with_them",
            "listen_elsewhere",
        ],
    ),
    (
        "Inherited listen socket that is non-blocking",
        &["waiting/processes::an_inherited_nonblocking_socket_is_waited_on"],
    ),
    (
        "Adding `O_NONBLOCK` to a listen socket that the library has made non-blocking",
        &["non_blocking_added"],
    ),
    (
        "Listen socket that outlives the program",
        &[
            "waiting/leaving::the_last_process_that_leaves_takes_the_flag_back",
            "waiting/leaving::after_a_process_that_was_killed_the_next_one_takes_the_flag_back",
        ],
    ),
    (
        "Signal handlers with and without `SA_RESTART`, and `FCGI_FAIL_ACCEPT_ON_INTR`",
        &["waiting/accept::with_handlers_of_both_kinds_either_ends_a_wait_for_several"],
    ),
    (
        "Idle kept connection",
        &[
            "waiting/idle::kept_connections_are_served_all_at_once",
            "waiting/idle::an_idle_kept_connection_holds_no_thread",
            "waiting/idle::half_a_head_blocks_the_original",
        ],
    ),
    (
        "Kept connection, a struct for each request",
        &[
            "waiting/given_back::a_structure_for_each_request_serves_kept_connections",
            "waiting/given_back::another_thread_serves_the_next_request_soon",
            "web_servers::haproxy_struct_for_each_request",
        ],
    ),
    (
        "`fork` after `FCGX_Finish_r`, and the child frees the struct",
        &["waiting/given_back::a_child_that_frees_the_structure_leaves_the_connection_alone"],
    ),
    ("Silent new connections on a unix socket", &["waiting/idle::silent_peers_delay_nobody"]),
    (
        "Connection over TCP that says nothing, or half a request head on any",
        &[
            "waiting/limits::the_first_byte_over_tcp",
            "waiting/limits::what_is_no_request_takes_no_longer",
            "waiting/limits::what_is_no_request_holds_the_original",
            "waiting/limits::a_whole_head",
        ],
    ),
    (
        "Closing while the peer goes on sending a little at a time",
        &["waiting/closing::a_closing_peer_that_trickles_is_left_in_bounded_time"],
    ),
    (
        "Out of descriptors in accept, and the like",
        &[
            "signals::errors_that_pass_are_waited_out",
            "signals::a_shortage_of_descriptors_is_waited_out_without_spinning",
            "signals::a_shortage_of_descriptors_is_ended_at_the_cost_of_the_oldest_idle_connection",
            "signals::a_shortage_of_descriptors_ends_the_original",
        ],
    ),
    ("Accepted connection in a program that is executed", &["close_on_exec"]),
    ("Connection that the program makes non-blocking", &["non_blocking_connection"]),
    ("`FCGX_OpenSocket` that fails", &["open_socket_errors"]),
    ("File with contents at the path of a socket", &["os_listen_errors"]),
    ("IPv6 address, `[::1]:9000`", &["open_socket_v6"]),
    ("Port above 65535", &["open_socket_port"]),
    ("IPv6 peer and `FCGI_WEB_SERVER_ADDRS`", &["web_server_addrs_v6"]),
    ("`FCGX_FPrintF`, `FCGI_printf` and their family", &["print_f_more", "stdio_printf_more"]),
    ("Large writes", &["waiting/calls::a_large_write_is_one_call"]),
    ("One request used by several threads", &["two_threads_tcp", "two_threads_late"]),
    ("A write that is left by siglongjmp", &["jump_out_of_a_write"]),
    ("Error when writing", &["stdio_closed", "stdio_members_edges"]),
    (
        "NULL, and what is closed, foreign or impossible",
        &["edges::the_same_but_for_what_is_listed"],
    ),
    ("`FCGX_PutStr` with a negative length", &["put_str_negative"]),
    ("`FCGX_FreeStream(NULL)`", &["free_stream_null"]),
    ("`FCGX_Finish` before any Accept", &["finish_before_accept"]),
    ("`FCGX_GetLine` with room for no byte", &["get_line_no_room"]),
    ("`FCGI_fread` of more than `INT_MAX` bytes", &["stdio_members_edges"]),
    ("`FCGI_perror`", &["stdio_perror"]),
    (
        "Functions in the place of `accept`, `read`, `write`, `OS_Read`, `OS_Write`",
        &["interposed_calls"],
    ),
    ("`libfcgi.a` in a shared object", &["linking::static_library_in_a_shared_object"]),
    ("Write error in a C++ stream", &["cxx::write_errors"]),
    (
        "`std::getline` and `>>` without a buffer",
        &["cxx::a_line_is_not_a_library_call_for_every_byte", "cxx::reading_ahead"],
    ),
    ("Edges of the C++ classes", &["cxx::edges"]),
    ("`fcgi++.pc`", &["cxx::installed_with_pkg_config"]),
    (
        "`cgi-fcgi`",
        &["cgi_fcgi::large_environments_arrive_whole", "cgi_fcgi::an_answer_may_be_cut_anywhere"],
    ),
    (
        "`cgi-fcgi`, an application that refuses the request or breaks the protocol",
        &[
            "cgi_fcgi::a_refused_request_is_status_253",
            "cgi_fcgi::a_broken_answer_is_a_status_and_a_line",
        ],
    ),
    ("`cgi-fcgi`, the end of the request", &["cgi_fcgi::the_end_of_the_request_is_the_end"]),
    (
        "`cgi-fcgi --help --version --timeout -supervise --`",
        &[
            "cgi_fcgi/command_line::help_version_and_two_dashes",
            "cgi_fcgi::a_silent_application_runs_into_the_timeout",
        ],
    ),
];

/// The first cells of the table, without its headings.
fn table() -> Vec<String> {
    let readme = fs::read_to_string(root("README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Differences from the original\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.map(|row| row.split(" |").next().unwrap().to_owned());
    cells.filter(|cell| cell != "what" && !cell.starts_with("**")).collect()
}

#[test]
fn every_row_is_listed_here() {
    let listed: Vec<&str> = ROWS.iter().map(|(row, _)| *row).collect();
    assert_eq!(table(), listed);
}

#[test]
fn every_test_that_is_listed_exists() {
    for (row, tests) in ROWS {
        assert!(!tests.is_empty(), "{row}");
        for test in *tests {
            let (path, wanted) = match test.split_once("::") {
                Some((file, function)) => (format!("tests/{file}.rs"), format!("fn {function}")),
                None => (format!("c-tests/{test}.c"), " * differs: ".to_owned()),
            };
            let text = fs::read_to_string(root(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
            assert!(text.contains(&wanted), "{row}: {path} has no \"{wanted}\"");
        }
    }
}
