/* Situations for parameters other than streams and requests, and for the world around them. */
#ifndef VALUES_H
#define VALUES_H

#include "streams.h"

/* ---- the world that functions without such a parameter are called in ---- */

static inline void descriptor_0(int fd)
{
    if (fd != 0 && dup2(fd, 0) != 0)
        die("dup2");
    if (fd != 0)
        close(fd);
}

static inline long nothing(void) { return 0; }
static inline long closed_0(void) { return close(0); }
static inline long initialised(void) { return FCGX_Init(); }
static inline long waiting(void) { descriptor_0(with_a_request(FCGI_RESPONDER)); return 0; }

static inline long in_request(void)
{
    FCGX_Stream *stream;
    FCGX_ParamArray envp;

    waiting();
    if (FCGX_Accept(&stream, &stream, &stream, &envp) != 0)
        die("FCGX_Accept");
    return 0;
}

static inline long after_finish(void) { in_request(); FCGX_Finish(); return 0; }

static inline long shut_down(void)
{
    initialised();
    descriptor_0(listening());
    FCGX_ShutdownPending();
    return 0;
}

static inline long library_shut_down(void) { waiting(); initialised(); OS_LibShutdown(); return 0; }

static inline void accept_stdio(int role)
{
    descriptor_0(with_a_request(role));
    if (FCGI_Accept() != 0)
        die("FCGI_Accept");
}

static inline long stdio_request(void) { accept_stdio(FCGI_RESPONDER); return 0; }
static inline long stdio_finished(void) { stdio_request(); FCGI_Finish(); return 0; }
static inline long stdio_ended(void) { stdio_request(); read_to_its_end(FCGI_stdin->fcgx_stream); return 0; }
static inline long stdio_stdin_closed(void) { stdio_request(); FCGI_fclose(FCGI_stdin); return 0; }
static inline long stdio_stdout_closed(void) { stdio_request(); FCGI_fclose(FCGI_stdout); return 0; }
static inline long stdio_filter(void) { accept_stdio(FCGI_FILTER); return 0; }
static inline long stdio_filter_ended(void) { stdio_filter(); read_to_its_end(FCGI_stdin->fcgx_stream); return 0; }

static inline long stdio_cgi(void)
{
    descriptor_0(open("file", O_RDONLY));
    return FCGI_Accept();
}

static const struct situation worlds[] = {
    { "untouched", nothing, 0 },
    { "0-closed", closed_0, 0 },
    { "initialised", initialised, 0 },
    { "waiting", waiting, 0 },
    { "shutdown-pending", shut_down, 0 },
    { "library-shut-down", library_shut_down, 0 },
    { "in-request", in_request, 0 },
    { "after-finish", after_finish, 0 },
    { "stdio-ended", stdio_ended, 0 },
    { "stdio-finished", stdio_finished, 0 },
    { "stdio-stdin-closed", stdio_stdin_closed, 0 },
    { "stdio-stdout-closed", stdio_stdout_closed, 0 },
    { "stdio-filter", stdio_filter, 0 },
    { "stdio-filter-ended", stdio_filter_ended, 0 },
    { "stdio-cgi", stdio_cgi, 0 },
    { "stdio-request", stdio_request, 0 },
    { NULL, NULL, 0 }
};

static inline long os_initialised(void) { return OS_LibInit(NULL); }

static const struct situation os_worlds[] = {
    { "untouched", nothing, 0 },
    { "initialised", os_initialised, 0 },
    { NULL, NULL, 0 }
};

static inline void about_os_world(long unused) { (void)unused; }

static inline void about_world(long unused)
{
    (void)unused;
    say("; streams %d %d", FCGI_stdin->fcgx_stream != NULL, FCGI_stdout->fcgx_stream != NULL);
    say(", files %d %d", FCGI_stdin->stdio_stream != NULL, FCGI_stdout->stdio_stream != NULL);
    say(", environ %d", environ != NULL);
}

/* ---- files of stdio ---- */

static inline long file_in_before(void) { return (long)FCGI_stdin; }
static inline long file_out_before(void) { return (long)FCGI_stdout; }
static inline long file_err_before(void) { return (long)FCGI_stderr; }
static inline long file_in(void) { stdio_request(); return (long)FCGI_stdin; }
static inline long file_in_ended(void) { stdio_ended(); return (long)FCGI_stdin; }
static inline long file_in_closed(void) { stdio_stdin_closed(); return (long)FCGI_stdin; }
static inline long file_in_finished(void) { stdio_finished(); return (long)FCGI_stdin; }
static inline long file_out(void) { stdio_request(); return (long)FCGI_stdout; }
static inline long file_out_closed(void) { stdio_stdout_closed(); return (long)FCGI_stdout; }
static inline long file_out_finished(void) { stdio_finished(); return (long)FCGI_stdout; }
static inline long file_err(void) { stdio_request(); return (long)FCGI_stderr; }
static inline long file_cgi_in(void) { stdio_cgi(); return (long)FCGI_stdin; }
static inline long file_cgi_out(void) { stdio_cgi(); return (long)FCGI_stdout; }
static inline long file_to_read(void) { return (long)FCGI_fopen("file", "r"); }
static inline long file_to_write(void) { return (long)FCGI_fopen("file", "w"); }
static inline long file_pipe(void) { return (long)FCGI_popen("exit 3", "r"); }

/* Files that the program made itself, and closed ones. */
static inline long file_blank(void) { return (long)calloc(1, sizeof(FCGI_FILE)); }

static inline long file_in_cleared(void)
{
    stdio_request();
    FCGX_FClose(FCGI_stdin->fcgx_stream);
    return (long)FCGI_stdin;
}

static const struct situation files[] = {
    { "NULL", NULL, 0 },
    { "stdin-before", file_in_before, 0 },
    { "stdout-before", file_out_before, 0 },
    { "stderr-before", file_err_before, 0 },
    { "stdin", file_in, 0 },
    { "stdin-ended", file_in_ended, 0 },
    { "stdin-stream-closed", file_in_cleared, 0 },
    { "stdin-closed", file_in_closed, 0 },
    { "stdin-finished", file_in_finished, 0 },
    { "stdout", file_out, 0 },
    { "stdout-closed", file_out_closed, 0 },
    { "stdout-finished", file_out_finished, 0 },
    { "stderr", file_err, 0 },
    { "stdin-cgi", file_cgi_in, 0 },
    { "stdout-cgi", file_cgi_out, 0 },
    { "file-to-write", file_to_write, 0 },
    { "pipe", file_pipe, 0 },
    { "blank", file_blank, 0 },
    { "file-to-read", file_to_read, 0 },
    { NULL, NULL, 0 }
};

static inline void about_file(const FCGI_FILE *file)
{
    int i;

    /* The call may have freed any other file. */
    for (i = 0; i < 3; i++)
        if (file == &_fcgi_sF[i]) {
            say("; stream %d file %d", file->fcgx_stream != NULL, file->stdio_stream != NULL);
            if (file->fcgx_stream != NULL)
                about_stream(file->fcgx_stream);
        }
}

/* ---- descriptors ---- */

static inline long fd_file(void) { return open("file", O_RDWR); }
static inline long fd_unconnected(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static inline long fd_listening(void) { return with_a_request(FCGI_RESPONDER); }

static inline long fd_idle(void)
{
    int sock = listening();

    fcntl(sock, F_SETFL, O_NONBLOCK);
    return sock;
}

static inline long fd_pipe_to_read(void)
{
    int ends[2];

    if (pipe(ends) != 0 || write(ends[1], "abc", 3) != 3)
        die("pipe");
    close(ends[1]);
    return ends[0];
}

static inline long fd_pipe_to_write(void)
{
    int ends[2];

    if (pipe(ends) != 0)
        die("pipe");
    return ends[1];
}

static inline long fd_connected(void)
{
    int pair[2];

    pair_of_sockets(pair);
    peer = pair[1];
    send_bytes(peer, "abc", 3);
    send_no_more(peer);
    return pair[0];
}

static const struct situation descriptors[] = {
    { "-1", NULL, -1 },
    { "-2", NULL, -2 },
    { "999", NULL, 999 },
    { "INT_MAX", NULL, INT_MAX },
    { "file", fd_file, 0 },
    { "pipe-to-read", fd_pipe_to_read, 0 },
    { "pipe-to-write", fd_pipe_to_write, 0 },
    { "unconnected", fd_unconnected, 0 },
    { "idle-listening", fd_idle, 0 },
    { "listening", fd_listening, 0 },
    { "connected", fd_connected, 0 },
    { NULL, NULL, 0 }
};

static inline void about_descriptor(int fd)
{
    if (fd >= 0)
        say("; %s, flags %x", is_open(fd) ? "open" : "not open", fcntl(fd, F_GETFL) & 0xffff);
}

/* ---- numbers ---- */

static const struct situation numbers[] = {
    { "-1", NULL, -1 }, { "0", NULL, 0 }, { "INT_MAX", NULL, INT_MAX }, { "1", NULL, 1 },
    { NULL, NULL, 0 }
};

static const struct situation characters[] = {
    { "-1", NULL, -1 }, { "0", NULL, 0 }, { "353", NULL, 353 }, { "97", NULL, 'a' },
    { NULL, NULL, 0 }
};

/* Numbers of bytes of a buffer. The last fits in it and is more than most streams hold. */
static const struct situation counts[] = {
    { "-1", NULL, -1 }, { "0", NULL, 0 }, { "1", NULL, 1 }, { "20", NULL, 20 },
    { NULL, NULL, 0 }
};

static const struct situation sizes[] = {
    { "0", NULL, 0 }, { "1", NULL, 1 }, { "5", NULL, 5 }, { NULL, NULL, 0 }
};

/* ---- memory and strings ---- */

static char buffer[64];

static inline long full_buffer(void) { memset(buffer, '#', 60); return (long)buffer; }

static const struct situation buffers[] = {
    { "NULL", NULL, 0 }, { "buffer", full_buffer, 0 }, { NULL, NULL, 0 }
};

static inline void about_buffer(const char *place)
{
    size_t i, length = strcspn(buffer, "#");

    if (place != buffer)
        return;
    say("; \"");
    for (i = 0; i < length; i++)
        say("%c", buffer[i] == '\n' ? '/' : buffer[i]);
    say("\"");
}

static char empty_text[64] = "", text_of_words[64] = "words";
static char a_number[64] = "number %d", a_name[] = "SCRIPT_NAME";
static char absent[] = "./absent", a_file[] = "./file", a_directory[] = "./directory";
static char far_absent[] = "./directory/absent/absent", a_program[] = "./program";
static char long_path[300], a_socket[] = "./listening";

static inline long text_empty(void) { return (long)empty_text; }
static inline long text_words(void) { return (long)text_of_words; }
static inline long text_number(void) { return (long)a_number; }
static inline long text_name(void) { return (long)a_name; }

/* The original replaces any file at the path of a socket, so paths stay in the case's directory. */
static inline long path(char *text)
{
    if (strncmp(text, "./", 2) != 0)
        die("a path outside of the temporary directory");
    return (long)text;
}

static inline long path_absent(void) { return path(absent); }
static inline long path_far(void) { return path(far_absent); }
static inline long path_file(void) { return path(a_file); }
static inline long path_directory(void) { return path(a_directory); }
static inline long path_program(void) { return path(a_program); }

static inline long path_long(void)
{
    memset(long_path, 'x', sizeof long_path - 1);
    memcpy(long_path, "./", 2);
    return path(long_path);
}

static inline long path_socket(void)
{
    struct sockaddr_un address = { AF_UNIX, "listening" };
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);

    unlink(a_socket);
    if (bind(sock, (struct sockaddr *)&address, sizeof address) != 0 || listen(sock, 5) != 0)
        die("listen");
    return path(a_socket);
}

static const struct situation texts[] = {
    { "NULL", NULL, 0 }, { "empty", text_empty, 0 }, { "words", text_words, 0 },
    { NULL, NULL, 0 }
};

static const struct situation formats[] = {
    { "NULL", NULL, 0 }, { "empty", text_empty, 0 }, { "words", text_words, 0 },
    { "number", text_number, 0 }, { NULL, NULL, 0 }
};

static const struct situation names[] = {
    { "NULL", NULL, 0 }, { "empty", text_empty, 0 }, { "words", text_words, 0 },
    { "SCRIPT_NAME", text_name, 0 }, { NULL, NULL, 0 }
};

static const struct situation paths[] = {
    { "NULL", NULL, 0 }, { "empty", text_empty, 0 }, { "absent", path_absent, 0 },
    { "far-absent", path_far, 0 }, { "directory", path_directory, 0 },
    { "too-long", path_long, 0 }, { "program", path_program, 0 },
    { "socket", path_socket, 0 }, { "file", path_file, 0 }, { NULL, NULL, 0 }
};

static inline long mode_r(void) { return (long)"r"; }
static inline long mode_w(void) { return (long)"w"; }

static const struct situation modes[] = {
    { "NULL", NULL, 0 }, { "empty", text_empty, 0 }, { "words", text_words, 0 },
    { "w", mode_w, 0 }, { "r", mode_r, 0 }, { NULL, NULL, 0 }
};

static char *no_parameters[] = { NULL };
static char one_parameter[] = "SCRIPT_NAME=/test";
static char *parameters[] = { one_parameter, NULL };

static inline long vector_empty(void) { return (long)no_parameters; }
static inline long vector(void) { return (long)parameters; }

static const struct situation vectors[] = {
    { "NULL", NULL, 0 }, { "empty", vector_empty, 0 }, { "vector", vector, 0 },
    { NULL, NULL, 0 }
};

/* ---- the rest ---- */

static struct timeval no_time, some_time = { 0, 10000 }, negative = { -1, 0 }, wrong = { 0, 1000000 };

static inline long time_none(void) { return (long)&no_time; }
static inline long time_some(void) { return (long)&some_time; }
static inline long time_negative(void) { return (long)&negative; }
static inline long time_wrong(void) { return (long)&wrong; }

static const struct situation times[] = {
    { "NULL", NULL, 0 }, { "none", time_none, 0 }, { "some", time_some, 0 },
    { "negative", time_negative, 0 }, { "wrong", time_wrong, 0 }, { NULL, NULL, 0 }
};

static fpos_t one_position;

static inline long position(void) { return (long)&one_position; }

static const struct situation positions[] = {
    { "NULL", NULL, 0 }, { "position", position, 0 }, { NULL, NULL, 0 }
};

static inline void ignore(ClientData data, int length) { (void)data; (void)length; }
static inline long procedure(void) { return (long)ignore; }

static const struct situation procedures[] = {
    { "NULL", NULL, 0 }, { "procedure", procedure, 0 }, { NULL, NULL, 0 }
};

static const struct situation pointers[] = { { "NULL", NULL, 0 }, { NULL, NULL, 0 } };

#endif
