;;; SBCL's own foreign functions, sb-alien. The structure is in C's memory, which the collector does not move.

(load-shared-object "libfcgi.so.0")

(define-alien-type nil
  (struct fcgx-request
    (request-id int) (role int)
    (in (* t)) (out (* t)) (err (* t)) (envp (* c-string)) (params-ptr (* t))
    (ipc-fd int) (is-begin-processed int) (keep-connection int) (app-status int)
    (n-writers int) (flags int) (listen-sock int) (detached int)))

(define-alien-routine "FCGX_Init" int)
(define-alien-routine "FCGX_InitRequest" int (request (* (struct fcgx-request))) (socket int) (flags int))
(define-alien-routine "FCGX_Accept_r" int (request (* (struct fcgx-request))))
(define-alien-routine "FCGX_Finish_r" void (request (* (struct fcgx-request))))
(define-alien-routine "FCGX_GetStr" int (room (* t)) (length int) (stream (* t)))
(define-alien-routine "FCGX_PutStr" int (bytes (* t)) (length int) (stream (* t)))
(define-alien-routine "FCGX_GetParam" (c-string :external-format :latin-1) (name c-string) (envp (* c-string)))

(defconstant +room+ 4096)
(defvar *crlf* (coerce '(#\Return #\Newline) 'string))

(defun put (stream &rest texts)
  (dolist (text texts)
    (let ((bytes (sb-ext:string-to-octets text :external-format :latin-1)))
      (sb-sys:with-pinned-objects (bytes)
        (fcgx-putstr (sap-alien (sb-sys:vector-sap bytes) (* t)) (length bytes) stream)))))

(defun put-header (request header name)
  (let ((value (fcgx-getparam name (slot request 'envp))))
    (when value
      (put (slot request 'out) header ": " value *crlf*))))

(defun serve (request room)
  (let ((out (slot request 'out)))
    (put out "Content-Type: application/octet-stream" *crlf*)
    (put-header request "X-Method" "REQUEST_METHOD")
    (put-header request "X-Query" "QUERY_STRING")
    (put-header request "X-Empty" "EMPTY")
    (put-header request "X-Long" "LONG")
    (put out *crlf*)
    (loop for length = (fcgx-getstr room +room+ (slot request 'in))
          while (plusp length)
          do (fcgx-putstr room length out))
    (put (slot request 'err) (format nil "served~%"))))

(fcgx-init)
(let ((request (make-alien (struct fcgx-request)))
      (room (make-alien (unsigned 8) +room+)))
  (fcgx-initrequest request 0 0)
  (loop while (zerop (fcgx-accept-r request))
        do (serve request room)
           (fcgx-finish-r request)))
