/*
 * A program forks in the middle of a request. The child opens a listen socket and files of its own
 * and then closes the request. The connection ends, and everything that the child opened stays
 * open.
 */
#include "fcgi_client.h"

#define FILES 6

/* Microseconds after which a thread that waits for a request also checks other connections. */
#define LONG_ENOUGH 100000

/* Returns whether a process is asleep in a system call. */
static int is_asleep(pid_t process)
{
    char path[40], state = '?';
    FILE *stat;

    sprintf(path, "/proc/%d/stat", (int)process);
    stat = fopen(path, "r");
    if (stat == NULL || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
        die(path);
    fclose(stat);
    return state == 'S';
}

/* Runs the web server, whose request comes while the program waits for it. The exit status is 0 if
 * the connection has ended. */
static void serve_web(pid_t program)
{
    struct reply reply = { NULL, 0, 0 };
    int client = connect_here();

    while (!is_asleep(program))
        usleep(1000);
    usleep(LONG_ENOUGH);
    send_request(client, "");
    send_no_more(client);
    while (reply_read(client, &reply, PATIENCE_MS))
        ;
    _exit(!reply.closed);
}

static void close_request(FCGX_Request *request)
{
    int files[FILES], own = FCGX_OpenSocket("own.sock", 5), i, open_files = 0, connection;

    for (i = 0; i < FILES; i++)
        files[i] = open("/dev/null", O_RDONLY);
    connection = request->ipcFd;
    FCGX_Free(request, 1);
    for (i = 0; i < FILES; i++)
        open_files += is_open(files[i]);
    printf("open: %d files, listen socket %d, the new one %d, connection %d\n", open_files,
           is_open(request->listen_sock), is_open(own), is_open(connection));
    fflush(stdout);
    _exit(0);
}

int main(void)
{
    FCGX_Request request;
    pid_t program = getpid(), web, child;

    FCGX_InitRequest(&request, listen_here(), 0);
    web = fork();
    if (web == 0)
        serve_web(program);
    printf("accept %d\n", FCGX_Accept_r(&request));
    fflush(stdout);
    child = fork();
    if (child == 0)
        close_request(&request);
    print_child_end("child", child);
    FCGX_Free(&request, 1);
    print_child_end("web server", web);
    return 0;
}
