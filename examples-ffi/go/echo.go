// Echo serves the listen socket on descriptor 0: it answers with parameters and the body.
package main

/*
#cgo LDFLAGS: -lfcgi
#include <fcgi_request.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"log"
	"unsafe"
)

type request struct{ c *C.struct_FCGX_Request }

// check returns a result, or the error that a negative one means.
func check(result C.ptrdiff_t) (int, error) {
	if result < 0 {
		return 0, errors.New(C.GoString(C.FCGX_ErrorText(C.int(result))))
	}
	return int(result), nil
}

// params returns all parameters.
func (r request) params() map[string]string {
	params := make(map[string]string)
	var name, length C.size_t
	for i := C.size_t(0); ; i++ {
		entry := C.FCGX_RequestParamAt(r.c, i, &name, &length)
		if entry == nil {
			return params
		}
		text := C.GoStringN(entry, C.int(length))
		params[text[:name]] = text[name+1:]
	}
}

// Read reads from the body: r is an io.Reader.
func (r request) Read(p []byte) (int, error) {
	n, err := check(C.FCGX_RequestRead(r.c, unsafe.Pointer(&p[0]), C.size_t(len(p))))
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write writes to the response: r is an io.Writer.
func (r request) Write(p []byte) (int, error) {
	return check(C.FCGX_RequestWrite(r.c, unsafe.Pointer(&p[0]), C.size_t(len(p))))
}

func (r request) serve() error {
	params := r.params()
	query := params["QUERY_STRING"]
	head := fmt.Sprintf("Content-Type: application/octet-stream\r\nX-Method: %s\r\nX-Query: %s\r\nX-Params: %d\r\n",
		params["REQUEST_METHOD"], query, len(params))
	if value, ok := params[query]; ok {
		head += "X-Value: " + value + "\r\n"
	}
	if _, err := io.WriteString(r, head+"\r\n"); err != nil {
		return err
	}
	if _, err := io.Copy(r, r); err != nil {
		return err
	}
	line := []byte("served by Go\n")
	if _, err := check(C.FCGX_RequestLog(r.c, unsafe.Pointer(&line[0]), C.size_t(len(line)))); err != nil {
		return err
	}
	status := C.int(0)
	if query == "status=7" {
		status = 7
	}
	_, err := check(C.ptrdiff_t(C.FCGX_RequestEnd(r.c, status)))
	return err
}

func main() {
	r := request{C.FCGX_RequestNew(0, C.FCGX_TAKE_SIGNALS)}
	if r.c == nil {
		log.Fatal("out of memory")
	}
	defer C.FCGX_RequestFree(r.c)
	for {
		got := C.FCGX_RequestNext(r.c, -1)
		if got == C.FCGX_SHUT_DOWN {
			return
		}
		if _, err := check(C.ptrdiff_t(got)); err != nil {
			log.Fatal(err)
		}
		if err := r.serve(); err != nil {
			log.Print(err)
		}
	}
}
