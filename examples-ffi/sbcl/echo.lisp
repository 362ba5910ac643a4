;;;; A FastCGI program on SBCL's aliens: answers with its parameters and the body.
;;;; Bytes from outside are strings in Latin-1, in which each byte is a character.

(load-shared-object "libfcgi.so.0")

(defconstant +take-signals+ 2)
(defconstant +shut-down+ -10001)
(defconstant +buffer-size+ 65536)

(define-alien-routine ("FCGX_ErrorText" error-text) c-string (result int))
(define-alien-routine ("FCGX_RequestNew" request-new) (* t) (socket int) (flags int))
(define-alien-routine ("FCGX_RequestNext" request-next) int (request (* t)) (timeout int))
(define-alien-routine ("FCGX_RequestEnd" request-end) int (request (* t)) (status int))
(define-alien-routine ("FCGX_RequestParamAt" request-param-at) (* char)
  (request (* t)) (index size-t) (name size-t :out) (length size-t :out))
(define-alien-routine ("FCGX_RequestRead" request-read) ssize-t
  (request (* t)) (buffer (* t)) (size size-t))
(define-alien-routine ("FCGX_RequestWrite" request-write) ssize-t
  (request (* t)) (data (* t)) (size size-t))
(define-alien-routine ("FCGX_RequestLog" request-log) ssize-t
  (request (* t)) (text (* t)) (size size-t))

(defun check (result)
  (when (minusp result)
    (error "~a" (error-text result)))
  result)

(defun send (function request text)
  (let ((bytes (string-to-octets text :external-format :latin-1)))
    (sb-sys:with-pinned-objects (bytes)
      (check (funcall function request (sap-alien (sb-sys:vector-sap bytes) (* t))
                      (length bytes))))))

(defun latin-1 (pointer start end)
  (let ((text (make-string (- end start))))
    (dotimes (at (- end start) text)
      (setf (char text at) (code-char (ldb (byte 8 0) (deref pointer (+ start at))))))))

(defun params (request)
  (loop with found = (make-hash-table :test #'equal)
        for index from 0
        do (multiple-value-bind (entry name length) (request-param-at request index)
             (when (null-alien entry)
               (return found))
             (setf (gethash (latin-1 entry 0 name) found) (latin-1 entry (1+ name) length)))))

(defun serve (request buffer)
  (let* ((env (params request))
         (query (gethash "QUERY_STRING" env ""))
         (value (gethash query env))
         (crlf (coerce '(#\Return #\Newline) 'string)))
    (send #'request-write request
          (format nil "Content-Type: application/octet-stream~aX-Method: ~a~aX-Query: ~a~a~
                       X-Params: ~d~a~@[X-Value: ~a~]~a"
                  crlf (gethash "REQUEST_METHOD" env "") crlf query crlf
                  (hash-table-count env) crlf
                  (when value (concatenate 'string value crlf)) crlf))
    (loop for count = (check (request-read request buffer +buffer-size+))
          while (plusp count)
          do (check (request-write request buffer count)))
    (send #'request-log request (format nil "served by SBCL~%"))
    (check (request-end request (if (string= query "status=7") 7 0)))))

(loop with request = (request-new 0 +take-signals+)
      with buffer = (make-alien (unsigned 8) +buffer-size+)
      for result = (request-next request -1)
      until (= result +shut-down+)
      do (check result)
         (handler-case (serve request buffer)
           (error (condition) (format *error-output* "~a~%" condition))))
