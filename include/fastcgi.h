/* Generated from src/capi/fastcgi.rs by `UPDATE_HEADERS=1 cargo test --test headers`. */
/*
 * fastcgi.h: the numbers and record layouts of the FastCGI Specification 1.0, for C programs that
 * speak the protocol themselves. Programs that serve requests use fcgiapp.h or fcgi_stdio.h.
 */
#ifndef _FASTCGI_H
#define _FASTCGI_H

/**
 * The descriptor on which an application finds its listen socket.
 */
#define FCGI_LISTENSOCK_FILENO 0

/**
 * The largest content of one record, in bytes.
 */
#define FCGI_MAX_LENGTH 65535

/**
 * Bytes in a record header.
 */
#define FCGI_HEADER_LEN 8

/**
 * The value of FCGI_Header.version.
 */
#define FCGI_VERSION_1 1

/**
 * Record type: the web server starts a request.
 */
#define FCGI_BEGIN_REQUEST 1

/**
 * Record type: the web server aborts a request.
 */
#define FCGI_ABORT_REQUEST 2

/**
 * Record type: the application has finished a request.
 */
#define FCGI_END_REQUEST 3

/**
 * Record type: name-value pairs of a request.
 */
#define FCGI_PARAMS 4

/**
 * Record type: the body of a request.
 */
#define FCGI_STDIN 5

/**
 * Record type: the application's response.
 */
#define FCGI_STDOUT 6

/**
 * Record type: the application's error messages.
 */
#define FCGI_STDERR 7

/**
 * Record type: the file that a Filter works on.
 */
#define FCGI_DATA 8

/**
 * Management record type: the web server asks for variables.
 */
#define FCGI_GET_VALUES 9

/**
 * Management record type: the answer to FCGI_GET_VALUES.
 */
#define FCGI_GET_VALUES_RESULT 10

/**
 * Management record type: the answer to a management record of unknown type.
 */
#define FCGI_UNKNOWN_TYPE 11

/**
 * The largest record type there is.
 */
#define FCGI_MAXTYPE FCGI_UNKNOWN_TYPE

/**
 * The request id of management records.
 */
#define FCGI_NULL_REQUEST_ID 0

/**
 * A bit of FCGI_BeginRequestBody.flags: keep the connection open after this request.
 */
#define FCGI_KEEP_CONN 1

/**
 * Role: respond to the request.
 */
#define FCGI_RESPONDER 1

/**
 * Role: decide whether the request may go on.
 */
#define FCGI_AUTHORIZER 2

/**
 * Role: respond to the request by changing a file.
 */
#define FCGI_FILTER 3

/**
 * Protocol status: the request ended normally.
 */
#define FCGI_REQUEST_COMPLETE 0

/**
 * Protocol status: refused, one request at a time on this connection.
 */
#define FCGI_CANT_MPX_CONN 1

/**
 * Protocol status: refused, out of some resource.
 */
#define FCGI_OVERLOADED 2

/**
 * Protocol status: refused, the role is not known.
 */
#define FCGI_UNKNOWN_ROLE 3

/**
 * The eight bytes at the head of every record. Numbers are sent high byte (B1) first.
 */
typedef struct FCGI_Header {
    /**
     * FCGI_VERSION_1.
     */
    unsigned char version;
    /**
     * One of the record types.
     */
    unsigned char type;
    /**
     * The request that the record belongs to, high byte.
     */
    unsigned char requestIdB1;
    /**
     * The request that the record belongs to, low byte.
     */
    unsigned char requestIdB0;
    /**
     * Bytes of content behind the header, high byte.
     */
    unsigned char contentLengthB1;
    /**
     * Bytes of content behind the header, low byte.
     */
    unsigned char contentLengthB0;
    /**
     * Bytes to ignore behind the content.
     */
    unsigned char paddingLength;
    /**
     * Zero.
     */
    unsigned char reserved;
} FCGI_Header;

/**
 * The content of an FCGI_BEGIN_REQUEST record.
 */
typedef struct FCGI_BeginRequestBody {
    /**
     * The role that the application is to play, high byte.
     */
    unsigned char roleB1;
    /**
     * The role that the application is to play, low byte.
     */
    unsigned char roleB0;
    /**
     * FCGI_KEEP_CONN or nothing.
     */
    unsigned char flags;
    /**
     * Zero.
     */
    unsigned char reserved[5];
} FCGI_BeginRequestBody;

/**
 * A whole FCGI_BEGIN_REQUEST record.
 */
typedef struct FCGI_BeginRequestRecord {
    /**
     * The record's header.
     */
    struct FCGI_Header header;
    /**
     * The record's content.
     */
    struct FCGI_BeginRequestBody body;
} FCGI_BeginRequestRecord;

/**
 * The content of an FCGI_END_REQUEST record.
 */
typedef struct FCGI_EndRequestBody {
    /**
     * The application's exit status, highest byte.
     */
    unsigned char appStatusB3;
    /**
     * The application's exit status, second byte.
     */
    unsigned char appStatusB2;
    /**
     * The application's exit status, third byte.
     */
    unsigned char appStatusB1;
    /**
     * The application's exit status, lowest byte.
     */
    unsigned char appStatusB0;
    /**
     * One of the protocol statuses.
     */
    unsigned char protocolStatus;
    /**
     * Zero.
     */
    unsigned char reserved[3];
} FCGI_EndRequestBody;

/**
 * A whole FCGI_END_REQUEST record.
 */
typedef struct FCGI_EndRequestRecord {
    /**
     * The record's header.
     */
    struct FCGI_Header header;
    /**
     * The record's content.
     */
    struct FCGI_EndRequestBody body;
} FCGI_EndRequestRecord;

/**
 * The content of an FCGI_UNKNOWN_TYPE record.
 */
typedef struct FCGI_UnknownTypeBody {
    /**
     * The record type that was not understood.
     */
    unsigned char type;
    /**
     * Zero.
     */
    unsigned char reserved[7];
} FCGI_UnknownTypeBody;

/**
 * A whole FCGI_UNKNOWN_TYPE record.
 */
typedef struct FCGI_UnknownTypeRecord {
    /**
     * The record's header.
     */
    struct FCGI_Header header;
    /**
     * The record's content.
     */
    struct FCGI_UnknownTypeBody body;
} FCGI_UnknownTypeRecord;

/*
 * The variables that a web server may ask for in an FCGI_GET_VALUES record.
 */
#define FCGI_MAX_CONNS "FCGI_MAX_CONNS"
#define FCGI_MAX_REQS "FCGI_MAX_REQS"
#define FCGI_MPXS_CONNS "FCGI_MPXS_CONNS"

#endif /* _FASTCGI_H */
