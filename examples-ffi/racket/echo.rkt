#lang racket/base

;; A FastCGI program on ffi/unsafe: answers with its parameters and the body. FCGX_PollDescriptor tells
;; when a request is there, so that Racket's other threads run until then.

(require ffi/unsafe
         ffi/unsafe/define
         ffi/unsafe/port)

(define take-signals 2)
(define shut-down -10001)
(define buffer-size 65536)

(define-ffi-definer define-fcgx (ffi-lib "libfcgi.so.0"))

(define-fcgx FCGX_ErrorText (_fun _int -> _string/latin-1))
(define-fcgx FCGX_PollDescriptor (_fun _int -> _int))
(define-fcgx FCGX_RequestNew (_fun _int _int -> _pointer))
(define-fcgx FCGX_RequestNext (_fun _pointer _int -> _int))
(define-fcgx FCGX_RequestEnd (_fun _pointer _int -> _int))
(define-fcgx FCGX_RequestParamAt
  (_fun _pointer _size (name : (_ptr o _size)) (length : (_ptr o _size))
        -> (entry : _pointer)
        -> (values entry name length)))
(define-fcgx FCGX_RequestRead (_fun _pointer _pointer _size -> _ssize))
(define-fcgx FCGX_RequestWrite (_fun _pointer _pointer _size -> _ssize))
(define-fcgx FCGX_RequestLog (_fun _pointer _pointer _size -> _ssize))

(define (check result)
  (when (negative? result)
    (error (FCGX_ErrorText result)))
  result)

(define (copy-bytes pointer start end)
  (define copy (make-bytes (- end start)))
  (memcpy copy 0 pointer start (- end start))
  copy)

(define (params request)
  (let next ([found (hash)] [index 0])
    (define-values (entry name length) (FCGX_RequestParamAt request index))
    (if entry
        (next (hash-set found (copy-bytes entry 0 name) (copy-bytes entry (add1 name) length))
              (add1 index))
        found)))

(define (serve request buffer)
  (define env (params request))
  (define query (hash-ref env #"QUERY_STRING" #""))
  (define value (hash-ref env query #f))
  (define head
    (bytes-append #"Content-Type: application/octet-stream\r\n"
                  #"X-Method: " (hash-ref env #"REQUEST_METHOD" #"") #"\r\n"
                  #"X-Query: " query #"\r\n"
                  #"X-Params: " (string->bytes/latin-1 (number->string (hash-count env))) #"\r\n"
                  (if value (bytes-append #"X-Value: " value #"\r\n") #"")
                  #"\r\n"))
  (check (FCGX_RequestWrite request head (bytes-length head)))
  (let copy ()
    (define count (check (FCGX_RequestRead request buffer buffer-size)))
    (unless (zero? count)
      (check (FCGX_RequestWrite request buffer count))
      (copy)))
  (define line #"served by Racket\n")
  (check (FCGX_RequestLog request line (bytes-length line)))
  (check (FCGX_RequestEnd request (if (equal? query #"status=7") 7 0))))

(define request (FCGX_RequestNew 0 take-signals))
(define buffer (malloc buffer-size 'raw))
(define descriptor (check (FCGX_PollDescriptor 0)))
(let loop ()
  (define result (FCGX_RequestNext request 0))
  (unless (= result shut-down)
    (if (zero? (check result))
        (sync (unsafe-file-descriptor->semaphore descriptor 'read))
        (with-handlers ([exn:fail? (lambda (failure)
                                     (eprintf "~a\n" (exn-message failure)))])
          (serve request buffer)))
    (loop)))
