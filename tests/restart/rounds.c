/*
 * A host that repeatedly loads the library, serves with several threads (or none), shuts the
 * library down and unloads it. Arguments: ROUNDS THREADS, and any of
 *   kept       the library is loaded once, and not unloaded
 *   connected  clients keep their connections until the threads have returned
 *   forking    between two rounds a child runs a round of its own
 *   ignored    SIGTERM is ignored before the first round
 *   own        SIGTERM has a handler of the program before the first round
 * Prints the number of requests served, and then raises SIGTERM.
 */
#include "fcgi_client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#define MOST_THREADS 16

static int (*init)(void), (*open_socket)(const char *, int), (*put)(const char *, FCGX_Stream *);
static int (*init_request)(FCGX_Request *, int, int), (*accept_request)(FCGX_Request *);
static void (*finish)(FCGX_Request *), (*shutdown_pending)(void), (*lib_shutdown)(void);
static pthread_barrier_t all_serve;
static int connected, listen_socket, threads, results[MOST_THREADS], served[MOST_THREADS];

static void *find(void *library, const char *name)
{
    void *symbol = dlsym(library, name);

    if (symbol == NULL)
        die(name);
    return symbol;
}

static void *load(void)
{
    void *library = dlopen("libfcgi.so.0", RTLD_NOW | RTLD_LOCAL);

    if (library == NULL)
        die(dlerror());
    *(void **)&init = find(library, "FCGX_Init");
    *(void **)&open_socket = find(library, "FCGX_OpenSocket");
    *(void **)&init_request = find(library, "FCGX_InitRequest");
    *(void **)&accept_request = find(library, "FCGX_Accept_r");
    *(void **)&put = find(library, "FCGX_PutS");
    *(void **)&finish = find(library, "FCGX_Finish_r");
    *(void **)&shutdown_pending = find(library, "FCGX_ShutdownPending");
    *(void **)&lib_shutdown = find(library, "OS_LibShutdown");
    return library;
}

/* Runs one thread. Every thread has accepted a request before any answers its first one. */
static void *serve(void *argument)
{
    int me = (int)(size_t)argument;
    FCGX_Request request;

    init();
    init_request(&request, listen_socket, 0);
    while ((results[me] = accept_request(&request)) == 0) {
        if (served[me]++ == 0)
            pthread_barrier_wait(&all_serve);
        put("an answer", request.out);
        finish(&request);
    }
    return NULL;
}

static void must_be_answered(int fd)
{
    struct reply reply = { NULL, 0, 0 };

    if (!reply_read_request(fd, &reply))
        die("no answer");
    free(reply.bytes);
}

static void close_all(const int *fds)
{
    int i;

    for (i = 0; i < threads; i++)
        close(fds[i]);
}

/* Runs a round, and returns the number of requests served. */
static int one_round(const char *path)
{
    pthread_t thread[MOST_THREADS];
    int clients[MOST_THREADS], i, total = 0;

    listen_socket = open_socket(path, 64);
    if (listen_socket < 0)
        die("FCGX_OpenSocket");
    memset(served, 0, sizeof served);
    pthread_barrier_init(&all_serve, NULL, (unsigned)threads);
    for (i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, serve, (void *)(size_t)i) != 0)
            die("pthread_create");
    for (i = 0; i < threads; i++) {
        clients[i] = connect_to(path);
        send_head(clients[i], 1, FCGI_RESPONDER, i % 2 == 0 ? FCGI_KEEP_CONN : 0);
        send_end(clients[i], FCGI_STDIN, 1);
    }
    for (i = 0; i < threads; i++)
        must_be_answered(clients[i]);
    send_head(clients[0], 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_end(clients[0], FCGI_STDIN, 1);
    must_be_answered(clients[0]);
    if (!connected)
        close_all(clients);
    shutdown_pending();
    for (i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        if (results[i] != -EINTR)
            printf("a thread came back with %d\n", results[i]);
        total += served[i];
    }
    if (connected)
        close_all(clients);
    close(listen_socket);
    unlink(path);
    pthread_barrier_destroy(&all_serve);
    lib_shutdown();
    return total;
}

static int begin_and_end(void)
{
    init();
    lib_shutdown();
    return 0;
}

static int open_descriptors(void)
{
    int fd, count = 0;

    for (fd = 0; fd < 256; fd++)
        count += is_open(fd);
    return count;
}

/* Returns the resident memory in pages. */
static long memory_in_use(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%ld %ld", &pages, &resident) != 2)
        die("/proc/self/statm");
    fclose(file);
    return resident;
}

static void child_round(void)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(one_round("child.sock") == threads + 1 ? 0 : 1);
    if (waitpid(child, &status, 0) != child || status != 0)
        printf("a child failed: %d\n", status);
}

static void on_term(int signal)
{
    (void)signal;
    write(1, "the program's own handler\n", 26);
}

static int is_given(int argc, char **argv, const char *word)
{
    int i;

    for (i = 3; i < argc; i++)
        if (strcmp(argv[i], word) == 0)
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    int round, rounds = atoi(argv[1]), total = 0, descriptors = 0;
    int kept = is_given(argc, argv, "kept"), forking = is_given(argc, argv, "forking");
    long memory = 0;
    void *library = NULL;

    threads = atoi(argv[2]);
    connected = is_given(argc, argv, "connected");
    if (is_given(argc, argv, "ignored"))
        signal(SIGTERM, SIG_IGN);
    if (is_given(argc, argv, "own"))
        signal(SIGTERM, on_term);
    for (round = 1; round <= rounds; round++) {
        if (library == NULL)
            library = load();
        total += threads > 0 ? one_round("listen.sock") : begin_and_end();
        if (forking)
            child_round();
        if (!kept) {
            if (dlclose(library) != 0)
                die(dlerror());
            library = NULL;
        }
        if (round == 1)
            descriptors = open_descriptors();
        else if (open_descriptors() != descriptors)
            printf("round %d: %d descriptors, not %d\n", round, open_descriptors(), descriptors);
        if (round == rounds / 4 + 1)
            memory = memory_in_use();
    }
    /* glibc keeps memory of ended threads, so growth of up to a megabyte is allowed. */
    if (memory_in_use() - memory > 256)
        printf("memory grew by %ld pages\n", memory_in_use() - memory);
    printf("%d served\n", total);
    fflush(stdout);
    raise(SIGTERM);
    printf("after SIGTERM\n");
    return 0;
}
