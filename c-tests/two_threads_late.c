/*
 * differs: One request used by several threads
 *
 * A web server sends the whole body, with FCGI_GET_VALUES records in it, before it reads the
 * response that a thread writes. The thread that reads the body must not wait for that thread: in
 * the original the two wait for each other.
 */
#include "two_threads.h"

#include <semaphore.h>
#include <sys/ioctl.h>

static int done[2];
static sem_t has_read;

static void *read_and_tell(void *stream)
{
    void *total = read_body(stream);

    if (write(done[1], "", 1) != 1)
        die("write");
    return total;
}

static void *send_all_of_it(void *fd)
{
    send_body_with_questions(*(int *)fd);
    return NULL;
}

static void *write_and_finish(void *request)
{
    void *failed = write_out(((FCGX_Request *)request)->out);

    sem_wait(&has_read);
    FCGX_Finish_r(request);
    return failed;
}

/* Returns whether the socket accepts no more data until its peer reads. */
static int is_full(int fd)
{
    int queued = 0, most = 0;
    socklen_t length = sizeof most;

    if (ioctl(fd, TIOCOUTQ, &queued) != 0
        || getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &most, &length) != 0)
        die("TIOCOUTQ");
    return queued >= most;
}

int main(void)
{
    FCGX_Request request;
    pthread_t sender, out, in;
    void *total, *failed;
    struct records seen;
    int sock = listen_here(), fd = connect_here();

    send_head(fd, 1, FCGI_RESPONDER, 0);
    FCGX_InitRequest(&request, sock, 0);
    if (FCGX_Accept_r(&request) != 0 || pipe(done) != 0)
        die("Accept_r");
    sem_init(&has_read, 0, 0);
    pthread_create(&out, NULL, write_and_finish, &request);
    while (!is_full(request.ipcFd))
        ;
    pthread_create(&in, NULL, read_and_tell, request.in);
    pthread_create(&sender, NULL, send_all_of_it, &fd);
    if (!fd_is_readable(done[0], PATIENCE_MS)) {
        printf("the body was not read\n");
        return 0;
    }
    pthread_join(in, &total);
    sem_post(&has_read);
    pthread_join(sender, NULL);
    send_no_more(fd);
    printf("body %ld\n", *(long *)total);
    seen = read_records(fd);
    pthread_join(out, &failed);
    print_records("in beside out", seen);
    printf("%s", failed == NULL ? "" : (char *)failed);
    return 0;
}
