;;; CFFI: the library by the name for linking, FCGX_Request without `detached`, results where C has none.

(require "asdf")
(asdf:load-system "cffi")

(defpackage fcgi
  (:use common-lisp cffi))
(in-package fcgi)

(define-foreign-library libfcgi
  (:unix "libfcgi.so"))
(use-foreign-library libfcgi)

(defcstruct request
  (request-id :int) (role :int)
  (in :pointer) (out :pointer) (err :pointer) (envp :pointer) (params-ptr :pointer)
  (ipc-fd :int) (is-begin-processed :int) (keep-connection :int) (app-status :int)
  (n-writers :int) (flags :int) (listen-sock :int))

(defcfun ("FCGX_Init" init) :int)
(defcfun ("FCGX_InitRequest" init-request) :int (request :pointer) (socket :int) (flags :int))
(defcfun ("FCGX_Accept_r" accept-r) :int (request :pointer))
(defcfun ("FCGX_Finish_r" finish-r) :int (request :pointer))
(defcfun ("FCGX_GetStr" get-str) :int (room :pointer) (length :int) (stream :pointer))
(defcfun ("FCGX_PutStr" put-str) :int (bytes :pointer) (length :int) (stream :pointer))
(defcfun ("FCGX_GetParam" get-param) (:string :encoding :iso-8859-1) (name :string) (envp :pointer))

(defconstant +room+ 4096)
(defvar *crlf* (coerce '(#\Return #\Newline) 'string))

(defun field (request name)
  (foreign-slot-value request '(:struct request) name))

(defun put (stream &rest texts)
  (dolist (text texts)
    (with-foreign-string ((bytes size) text :encoding :iso-8859-1 :null-terminated-p nil)
      (put-str bytes size stream))))

(defun put-header (request header name)
  (let ((value (get-param name (field request 'envp))))
    (when value
      (put (field request 'out) header ": " value *crlf*))))

(defun serve (request room)
  (let ((out (field request 'out)))
    (put out "Content-Type: application/octet-stream" *crlf*)
    (put-header request "X-Method" "REQUEST_METHOD")
    (put-header request "X-Query" "QUERY_STRING")
    (put-header request "X-Empty" "EMPTY")
    (put-header request "X-Long" "LONG")
    (put out *crlf*)
    (loop for length = (get-str room +room+ (field request 'in))
          while (plusp length)
          do (put-str room length out))
    (put (field request 'err) (format nil "served~%"))))

(init)
(with-foreign-objects ((request '(:struct request)) (room :char +room+))
  (init-request request 0 0)
  (loop while (zerop (accept-r request))
        do (serve request room)
           (finish-r request)))
