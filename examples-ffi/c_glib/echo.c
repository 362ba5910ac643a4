/* Serves the listen socket on descriptor 0 in GLib's main loop: no request waits for another one. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fcgi_request.h>
#include <glib-unix.h>
#include <glib.h>

typedef enum { COPIES_BODY, LOGS, ENDS } Next;

/* A request in progress, and how far its answer is. */
typedef struct {
    struct FCGX_Request *request;
    GString *unwritten;
    Next next;
    int status;
} Work;

/* The listen socket, and the request for what comes next. */
typedef struct {
    GMainLoop *main_loop;
    Work *spare;
    guint requests;
    int result; /* of the last FCGX_RequestNext */
} Server;

static Server server;

static Work *work_new(void)
{
    Work *work = g_new0(Work, 1);

    work->request = FCGX_RequestNew(0, FCGX_TAKE_SIGNALS);
    if (work->request == NULL) {
        g_error("out of memory");
    }
    FCGX_RequestSetNonblocking(work->request, 1);
    work->unwritten = g_string_new(NULL);
    return work;
}

static void work_free(Work *work)
{
    FCGX_RequestFree(work->request);
    g_string_free(work->unwritten, TRUE);
    g_free(work);
}

static void append_line(GString *head, const char *name, const char *value, gsize length)
{
    g_string_append_printf(head, "%s: ", name);
    g_string_append_len(head, value, (gssize) length);
    g_string_append(head, "\r\n");
}

/* Makes the head of the answer, to be written. */
static void work_make_head(Work *work)
{
    gsize method_length = 0, query_length = 0, value_length = 0, count = 0;
    const char *method = FCGX_RequestParam(work->request, "REQUEST_METHOD", &method_length);
    const char *query = FCGX_RequestParam(work->request, "QUERY_STRING", &query_length);
    const char *value = query == NULL ? NULL : FCGX_RequestParam(work->request, query, &value_length);
    GString *head = work->unwritten;

    while (FCGX_RequestParamAt(work->request, count, NULL, NULL) != NULL) {
        count++;
    }
    append_line(head, "Content-Type", "application/octet-stream", 24);
    append_line(head, "X-Method", method, method_length);
    append_line(head, "X-Query", query, query_length);
    g_string_append_printf(head, "X-Params: %" G_GSIZE_FORMAT "\r\n", count);
    if (value != NULL) {
        append_line(head, "X-Value", value, value_length);
    }
    g_string_append(head, "\r\n");
    work->status = g_strcmp0(query, "status=7") == 0 ? 7 : 0;
}

/* Writes what is unwritten to the answer, or at the end to the log. */
static gssize work_write(Work *work)
{
    GString *text = work->unwritten;
    gssize result = work->next == ENDS ? FCGX_RequestLog(work->request, text->str, text->len)
                                       : FCGX_RequestWrite(work->request, text->str, text->len);

    if (result > 0) {
        g_string_erase(text, 0, result);
    }
    return result;
}

/* Reads a piece of the body, or finds its end. */
static gssize work_read(Work *work)
{
    char piece[16384];
    gssize result = FCGX_RequestRead(work->request, piece, sizeof piece);

    if (result > 0) {
        g_string_append_len(work->unwritten, piece, result);
    } else if (result == 0) {
        work->next = LOGS;
    }
    return result;
}

/* Takes one step. Returns a negative result on failure; -EAGAIN with what to wait for. */
static gssize work_step(Work *work, GIOCondition *condition)
{
    gssize result = 0;

    *condition = G_IO_OUT;
    if (work->unwritten->len > 0) {
        return work_write(work);
    }
    if (work->next == COPIES_BODY) {
        result = work_read(work);
        if (result == -EAGAIN) {
            /* The web server gets what there is until the rest comes. */
            *condition = FCGX_RequestFlush(work->request) == -EAGAIN ? G_IO_IN | G_IO_OUT : G_IO_IN;
        }
        return result;
    }
    g_string_assign(work->unwritten, "served by C\n");
    work->next = ENDS;
    return result;
}

/* Goes on with a request as far as possible, and frees it at its end. */
static gboolean work_go_on(G_GNUC_UNUSED gint fd, G_GNUC_UNUSED GIOCondition ready, gpointer data)
{
    Work *work = data;
    GIOCondition condition = G_IO_OUT;
    gssize result = 0;

    while (result >= 0 && (work->unwritten->len > 0 || work->next != ENDS)) {
        result = work_step(work, &condition);
    }
    if (result >= 0) {
        result = FCGX_RequestEnd(work->request, work->status);
    }
    if (result == -EAGAIN) {
        g_unix_fd_add(FCGX_RequestInfo(work->request, FCGX_INFO_DESCRIPTOR), condition, work_go_on, work);
        return G_SOURCE_REMOVE;
    }
    if (result < 0) {
        g_printerr("echo: %s\n", FCGX_ErrorText((int) result));
    }
    work_free(work);
    server.requests--;
    if (server.result < 0 && server.requests == 0) {
        g_main_loop_quit(server.main_loop);
    }
    return G_SOURCE_REMOVE;
}

/* Begins all requests that have come. */
static gboolean begin_new(G_GNUC_UNUSED gint fd, G_GNUC_UNUSED GIOCondition ready, G_GNUC_UNUSED gpointer data)
{
    while ((server.result = FCGX_RequestNext(server.spare->request, 0)) == 1) {
        Work *work = server.spare;

        server.spare = work_new();
        server.requests++;
        work_make_head(work);
        work_go_on(-1, 0, work);
    }
    if (server.result < 0 && server.requests == 0) {
        g_main_loop_quit(server.main_loop);
    }
    return server.result < 0 ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

int main(void)
{
    int listener = FCGX_PollDescriptor(0);

    if (listener < 0) {
        g_error("%s", FCGX_ErrorText(listener));
    }
    server.main_loop = g_main_loop_new(NULL, FALSE);
    server.spare = work_new();
    g_unix_fd_add(listener, G_IO_IN, begin_new, NULL);
    g_main_loop_run(server.main_loop);
    if (server.result != FCGX_SHUT_DOWN) {
        g_printerr("echo: %s\n", FCGX_ErrorText(server.result));
    }
    work_free(server.spare);
    g_main_loop_unref(server.main_loop);
    return server.result == FCGX_SHUT_DOWN ? EXIT_SUCCESS : EXIT_FAILURE;
}
