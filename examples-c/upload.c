/*
 * upload: reads a body of any size in pieces; responds with its length and its Adler-32 checksum.
 *
 * The memory does not depend on the size of the body. A body that ends before CONTENT_LENGTH bytes have
 * arrived must not be taken as complete: see is_complete.
 *
 * Usage: upload [ADDRESS]        (without ADDRESS the listen socket is descriptor 0)
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fcgiapp.h"

enum { BACKLOG = 128, PIECE = 64 * 1024 };

/* Adler-32 (RFC 1950): two sums modulo the largest prime below 65536. It starts as 1. */
static uint32_t adler32(uint32_t checksum, const char *bytes, int length)
{
    uint32_t low = checksum & 0xffff;
    uint32_t high = checksum >> 16;

    for (int i = 0; i < length; i++) {
        low = (low + (unsigned char)bytes[i]) % 65521;
        high = (high + low) % 65521;
    }
    return high << 16 | low;
}

/* Returns whether the body has the announced length. Without CONTENT_LENGTH any end is complete. */
static bool is_complete(FCGX_Request *request, unsigned long long received)
{
    const char *text = FCGX_GetParam("CONTENT_LENGTH", request->envp);

    if (FCGX_GetError(request->in) != 0) {
        return false;
    }
    if (text == NULL || *text == '\0') {
        return true;
    }
    char *end;
    errno = 0;
    unsigned long long announced = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && announced == received;
}

static void answer(FCGX_Request *request, char *piece)
{
    unsigned long long received = 0;
    uint32_t checksum = 1;
    int length;

    /* GetStr returns fewer bytes than requested only at the end of the body, and 0 after it. */
    while ((length = FCGX_GetStr(piece, PIECE, request->in)) > 0) {
        checksum = adler32(checksum, piece, length);
        received += (unsigned int)length;
    }

    if (!is_complete(request, received)) {
        FCGX_PutS("Status: 400 Bad Request\r\n", request->out);
    }
    /* Only plain conversions (%lu, %08lx): the original library supports no others. */
    FCGX_FPrintF(request->out,
                 "Content-Type: text/plain\r\n\r\n"
                 "length: %lu\nadler32: %08lx\n",
                 (unsigned long)received, (unsigned long)checksum);
}

int main(int argc, char **argv)
{
    FCGX_Request request;
    int listen_socket = 0;
    char *piece = malloc(PIECE);

    if (piece == NULL || FCGX_Init() != 0) {
        fprintf(stderr, "upload: the library does not start\n");
        return 1;
    }
    if (argc > 1) {
        listen_socket = FCGX_OpenSocket(argv[1], BACKLOG);
    } else if (FCGX_IsCGI()) {
        fprintf(stderr, "upload: descriptor 0 is no listen socket; give an ADDRESS\n");
        return 1;
    }
    if (listen_socket < 0 || FCGX_InitRequest(&request, listen_socket, 0) != 0) {
        fprintf(stderr, "upload: cannot listen\n");
        return 1;
    }

    while (FCGX_Accept_r(&request) == 0) {
        answer(&request, piece);
    }
    FCGX_Free(&request, 1);
    free(piece);
    return 0;
}
