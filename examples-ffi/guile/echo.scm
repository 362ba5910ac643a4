;; A FastCGI program on Guile's foreign functions: answers with its parameters and the body.
;; Bytes from outside are strings in Latin-1, in which each byte is a character.

(use-modules (ice-9 exceptions)
             (ice-9 iconv)
             (rnrs bytevectors)
             (system foreign)
             (system foreign-library))

(define take-signals 2)
(define shut-down -10001)

;; Without a search path of Guile's own, the system's is used.
(define library (load-foreign-library "libfcgi.so.0" #:search-path '()))
(define (fcgx name result . arguments)
  (foreign-library-function library (string-append "FCGX_" name)
                            #:return-type result #:arg-types arguments))

(define error-text (fcgx "ErrorText" '* int))
(define request-new (fcgx "RequestNew" '* int int))
(define request-next (fcgx "RequestNext" int '* int))
(define request-end (fcgx "RequestEnd" int '* int))
(define request-param-at (fcgx "RequestParamAt" '* '* size_t '* '*))
(define request-read (fcgx "RequestRead" ptrdiff_t '* '* size_t))
(define request-write (fcgx "RequestWrite" ptrdiff_t '* '* size_t))
(define request-log (fcgx "RequestLog" ptrdiff_t '* '* size_t))

(define (check result)
  (when (negative? result)
    (error (pointer->string (error-text result))))
  result)

(define (send function request text)
  (let ((bytes (string->bytevector text "ISO-8859-1")))
    (check (function request (bytevector->pointer bytes) (bytevector-length bytes)))))

(define (params request)
  (let* ((found (make-hash-table))
         (width (sizeof size_t))
         (sizes (make-bytevector (* 2 width)))
         (size (lambda (n) (bytevector-uint-ref sizes (* n width) (native-endianness) width))))
    (let next ((index 0))
      (let ((entry (request-param-at request index (bytevector->pointer sizes)
                                     (bytevector->pointer sizes width))))
        (unless (null-pointer? entry)
          (let ((text (pointer->string entry (size 1) "ISO-8859-1")))
            (hash-set! found (substring text 0 (size 0)) (substring text (+ (size 0) 1))))
          (next (+ index 1)))))
    found))

(define (serve request buffer)
  (let* ((env (params request))
         (query (hash-ref env "QUERY_STRING" ""))
         (value (hash-ref env query)))
    (send request-write request
          (string-append "Content-Type: application/octet-stream\r\n"
                         "X-Method: " (hash-ref env "REQUEST_METHOD" "") "\r\n"
                         "X-Query: " query "\r\n"
                         "X-Params: " (number->string (hash-count (const #t) env)) "\r\n"
                         (if value (string-append "X-Value: " value "\r\n") "")
                         "\r\n"))
    (let ((pointer (bytevector->pointer buffer)))
      (let copy ()
        (let ((count (check (request-read request pointer (bytevector-length buffer)))))
          (when (positive? count)
            (check (request-write request pointer count))
            (copy)))))
    (send request-log request "served by Guile\n")
    (check (request-end request (if (string=? query "status=7") 7 0)))))

(setvbuf (current-error-port) 'line)
(let ((request (request-new 0 take-signals))
      (buffer (make-bytevector 65536)))
  (let loop ()
    (let ((result (request-next request -1)))
      (unless (= result shut-down)
        (check result)
        (guard (failure ((error? failure)
                         (apply format (current-error-port)
                                (string-append (exception-message failure) "~%")
                                (exception-irritants failure))))
          (serve request buffer))
        (loop)))))
