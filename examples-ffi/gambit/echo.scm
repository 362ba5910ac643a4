;; Serves the listen socket on descriptor 0: answers with parameters and the body.

(c-declare "
#include <fcgi_request.h>
#include <string.h>

/* The bytes of a u8vector; the collector does not move them during a call. */
#define BYTES(object) ___CAST(void *, ___BODY_AS(object, ___tSUBTYPED))
")
(c-define-type request (pointer (struct "FCGX_Request")))

(define shut-down ((c-lambda () int "___return(FCGX_SHUT_DOWN);")))
(define take-signals ((c-lambda () int "___return(FCGX_TAKE_SIGNALS);")))
(define error-text (c-lambda (int) nonnull-char-string "FCGX_ErrorText"))
(define request-new (c-lambda (int int) request "FCGX_RequestNew"))
(define request-free (c-lambda (request) void "FCGX_RequestFree"))
(define request-next (c-lambda (request int) int "FCGX_RequestNext"))
(define request-end (c-lambda (request int) int "FCGX_RequestEnd"))

(define request-read
  (c-lambda (request scheme-object size_t) ssize_t
    "___return(FCGX_RequestRead(___arg1, BYTES(___arg2), ___arg3));"))
(define request-write
  (c-lambda (request scheme-object size_t) ssize_t
    "___return(FCGX_RequestWrite(___arg1, BYTES(___arg2), ___arg3));"))
(define request-log
  (c-lambda (request scheme-object size_t) ssize_t
    "___return(FCGX_RequestLog(___arg1, BYTES(___arg2), ___arg3));"))

;; The two lengths of a parameter, -1 behind the last, and its bytes.
(define param-name-size
  (c-lambda (request size_t) ssize_t
    "size_t name; ___return(FCGX_RequestParamAt(___arg1, ___arg2, &name, NULL) ? (ptrdiff_t) name : -1);"))
(define param-size
  (c-lambda (request size_t) size_t
    "size_t size; FCGX_RequestParamAt(___arg1, ___arg2, NULL, &size); ___return(size);"))
(define param-copy
  (c-lambda (request size_t scheme-object size_t) void
    "memcpy(BYTES(___arg3), FCGX_RequestParamAt(___arg1, ___arg2, NULL, NULL), ___arg4);"))

;; Raises what a negative result means.
(define (check result)
  (if (negative? result) (raise (error-text result)) result))

;; Returns the parameters as an association list. A char is a byte.
(define (params r)
  (let loop ((index 0) (found '()))
    (let ((name (param-name-size r index)))
      (if (negative? name)
          found
          (let ((bytes (make-u8vector (param-size r index))))
            (param-copy r index bytes (u8vector-length bytes))
            (let ((text (latin1->string bytes)))
              (loop (+ index 1)
                    (cons (cons (substring text 0 name)
                                (substring text (+ name 1) (string-length text)))
                          found))))))))

(define (latin1->string bytes)
  (list->string (map integer->char (u8vector->list bytes))))

(define (string->latin1 text)
  (list->u8vector (map char->integer (string->list text))))

(define (put write r text)
  (let ((bytes (string->latin1 text)))
    (check (write r bytes (u8vector-length bytes)))))

(define (serve r piece)
  (let* ((env (params r))
         (value (lambda (name) (cond ((assoc name env) => cdr) (else ""))))
         (query (value "QUERY_STRING"))
         (named (assoc query env)))
    (put request-write r
         (string-append "Content-Type: application/octet-stream\r\nX-Method: " (value "REQUEST_METHOD")
                        "\r\nX-Query: " query
                        "\r\nX-Params: " (number->string (length env)) "\r\n"
                        (if named (string-append "X-Value: " (cdr named) "\r\n") "")
                        "\r\n"))
    (let copy ()
      (let ((size (check (request-read r piece (u8vector-length piece)))))
        (if (positive? size)
            (begin
              (check (request-write r piece size))
              (copy)))))
    (put request-log r "served by Gambit\n")
    (check (request-end r (if (string=? query "status=7") 7 0)))))

(let ((r (or (request-new 0 take-signals) (error "out of memory")))
      (piece (make-u8vector 65536)))
  (let loop ((next (request-next r -1)))
    (if (not (= next shut-down))
        (begin
          (check next)
          (with-exception-catcher
           (lambda (failure)
             (for-each (lambda (text) (display text (current-error-port))) (list "echo: " failure "\n"))
             (force-output (current-error-port)))
           (lambda () (serve r piece)))
          (loop (request-next r -1)))))
  (request-free r))
