;; Serves the listen socket on descriptor 0: answers with parameters and the body.

(import (chicken base) (chicken condition) (chicken foreign) (chicken locative) (chicken memory))

(foreign-declare "#include <fcgi_request.h>")

(define-foreign-type request (c-pointer "struct FCGX_Request"))

(define shut-down (foreign-value "FCGX_SHUT_DOWN" int))
(define take-signals (foreign-value "FCGX_TAKE_SIGNALS" int))
(define error-text (foreign-lambda c-string "FCGX_ErrorText" int))
(define request-new (foreign-lambda request "FCGX_RequestNew" int int))
(define request-free (foreign-lambda void "FCGX_RequestFree" request))
(define request-next (foreign-lambda int "FCGX_RequestNext" request int))
(define request-end (foreign-lambda int "FCGX_RequestEnd" request int))
(define request-param-at
  (foreign-lambda c-pointer "FCGX_RequestParamAt" request size_t (c-pointer size_t) (c-pointer size_t)))
(define request-read (foreign-lambda ssize_t "FCGX_RequestRead" request scheme-pointer size_t))
(define request-write (foreign-lambda ssize_t "FCGX_RequestWrite" request scheme-pointer size_t))
(define request-log (foreign-lambda ssize_t "FCGX_RequestLog" request scheme-pointer size_t))

;; Raises what a negative result means.
(define (check result)
  (if (negative? result)
      (abort (make-property-condition 'exn 'message (error-text result)))
      result))

;; Returns the parameters as an association list. Strings hold bytes.
(define (params r)
  (let-location ((name size_t) (length size_t))
    (let loop ((index 0) (found '()))
      (let ((entry (request-param-at r index (location name) (location length))))
        (if entry
            (let ((text (make-string length)))
              (move-memory! entry text length)
              (loop (+ index 1)
                    (cons (cons (substring text 0 name) (substring text (+ name 1))) found)))
            found)))))

(define (serve r piece)
  (let* ((env (params r))
         (value (lambda (name) (alist-ref name env string=? "")))
         (query (value "QUERY_STRING"))
         (named (assoc query env))
         (head (string-append
                "Content-Type: application/octet-stream\r\nX-Method: " (value "REQUEST_METHOD")
                "\r\nX-Query: " query
                "\r\nX-Params: " (number->string (length env)) "\r\n"
                (if named (string-append "X-Value: " (cdr named) "\r\n") "")
                "\r\n")))
    (check (request-write r head (string-length head)))
    (let copy ()
      (let ((size (check (request-read r piece (string-length piece)))))
        (when (positive? size)
          (check (request-write r piece size))
          (copy))))
    (let ((line "served by Chicken\n"))
      (check (request-log r line (string-length line))))
    (check (request-end r (if (string=? query "status=7") 7 0)))))

(define (main)
  (let ((r (or (request-new 0 take-signals) (error "out of memory")))
        (piece (make-string 65536)))
    (let loop ((next (request-next r -1)))
      (unless (= next shut-down)
        (check next)
        (handle-exceptions failure
            (print-error-message failure (current-error-port) "echo")
          (serve r piece))
        (loop (request-next r -1))))
    (request-free r)))

(main)
