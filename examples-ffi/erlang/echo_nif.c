/* <fcgi_request.h> for Erlang. Functions that wait run on the dirty schedulers for input and output. */

#include <erl_nif.h>
#include <fcgi_request.h>
#include <string.h>

static ErlNifResourceType *request_type;

static void free_request(ErlNifEnv *env, void *resource)
{
    (void) env;
    FCGX_RequestFree(*(struct FCGX_Request **) resource);
}

static int load(ErlNifEnv *env, void **data, ERL_NIF_TERM info)
{
    (void) data, (void) info;
    request_type = enif_open_resource_type(env, NULL, "fcgi_request", free_request, ERL_NIF_RT_CREATE, NULL);
    return request_type == NULL;
}

/* Returns the request that a term stands for, NULL if it is another term. */
static struct FCGX_Request *request_of(ErlNifEnv *env, ERL_NIF_TERM term)
{
    void *resource;
    return enif_get_resource(env, term, request_type, &resource) ? *(struct FCGX_Request **) resource : NULL;
}

static ERL_NIF_TERM binary(ErlNifEnv *env, const char *bytes, size_t size)
{
    ERL_NIF_TERM term;
    memcpy(enif_make_new_binary(env, size, &term), bytes, size);
    return term;
}

/* Returns ok, or raises error:{fcgi, Text} for a negative result. */
static ERL_NIF_TERM checked(ErlNifEnv *env, ptrdiff_t result)
{
    const char *text;
    if (result >= 0) {
        return enif_make_atom(env, "ok");
    }
    text = FCGX_ErrorText((int) result);
    return enif_raise_exception(
        env, enif_make_tuple2(env, enif_make_atom(env, "fcgi"), binary(env, text, strlen(text))));
}

static ERL_NIF_TERM new_request(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    struct FCGX_Request **resource;
    ERL_NIF_TERM term;
    int socket;
    (void) argc;
    if (!enif_get_int(env, argv[0], &socket)) {
        return enif_make_badarg(env);
    }
    resource = enif_alloc_resource(request_type, sizeof *resource);
    *resource = FCGX_RequestNew(socket, FCGX_TAKE_SIGNALS);
    term = enif_make_resource(env, resource);
    enif_release_resource(resource);
    return *resource != NULL ? term : enif_raise_exception(env, enif_make_atom(env, "enomem"));
}

static ERL_NIF_TERM next(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    struct FCGX_Request *request = request_of(env, argv[0]);
    int result;
    (void) argc;
    if (request == NULL) {
        return enif_make_badarg(env);
    }
    result = FCGX_RequestNext(request, -1);
    return result == FCGX_SHUT_DOWN ? enif_make_atom(env, "shut_down") : checked(env, result);
}

static ERL_NIF_TERM params(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    struct FCGX_Request *request = request_of(env, argv[0]);
    ERL_NIF_TERM list = enif_make_list(env, 0);
    const char *entry;
    size_t name, length;
    (void) argc;
    if (request == NULL) {
        return enif_make_badarg(env);
    }
    for (size_t i = 0; (entry = FCGX_RequestParamAt(request, i, &name, &length)) != NULL; i++) {
        list = enif_make_list_cell(
            env, enif_make_tuple2(env, binary(env, entry, name), binary(env, entry + name + 1, length - name - 1)), list);
    }
    return list;
}

static ERL_NIF_TERM read_piece(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    struct FCGX_Request *request = request_of(env, argv[0]);
    char piece[65536];
    ptrdiff_t result;
    (void) argc;
    if (request == NULL) {
        return enif_make_badarg(env);
    }
    result = FCGX_RequestRead(request, piece, sizeof piece);
    return result < 0 ? checked(env, result) : binary(env, piece, (size_t) result);
}

static ERL_NIF_TERM put(ErlNifEnv *env, const ERL_NIF_TERM argv[],
                        ptrdiff_t (*function)(struct FCGX_Request *, const void *, size_t))
{
    struct FCGX_Request *request = request_of(env, argv[0]);
    ErlNifBinary data;
    if (request == NULL || !enif_inspect_iolist_as_binary(env, argv[1], &data)) {
        return enif_make_badarg(env);
    }
    return checked(env, function(request, data.data, data.size));
}

static ERL_NIF_TERM write_data(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void) argc;
    return put(env, argv, FCGX_RequestWrite);
}

static ERL_NIF_TERM log_text(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    (void) argc;
    return put(env, argv, FCGX_RequestLog);
}

static ERL_NIF_TERM finish(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
    struct FCGX_Request *request = request_of(env, argv[0]);
    int status;
    (void) argc;
    if (request == NULL || !enif_get_int(env, argv[1], &status)) {
        return enif_make_badarg(env);
    }
    return checked(env, FCGX_RequestEnd(request, status));
}

static ErlNifFunc functions[] = {
    {"new", 1, new_request, 0},
    {"next", 1, next, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"params", 1, params, 0},
    {"read", 1, read_piece, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"write", 2, write_data, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"log", 2, log_text, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"finish", 2, finish, ERL_NIF_DIRTY_JOB_IO_BOUND},
};

ERL_NIF_INIT(echo, functions, load, NULL, NULL, NULL)
