# The package fcgx: <fcgi_request.h> for Tcl, with one request for the process.

package require critcl
package provide fcgx 1.0

critcl::tcl 8.6

critcl::clibraries -lfcgi
critcl::ccode {
    #include <fcgi_request.h>

    static struct FCGX_Request *request;

    /* Returns a count, or raises the error that a negative result stands for. */
    static int give(Tcl_Interp *interp, ptrdiff_t result) {
        if (result < 0)
            Tcl_SetObjResult(interp, Tcl_NewStringObj(FCGX_ErrorText((int) result), -1));
        else
            Tcl_SetObjResult(interp, Tcl_NewWideIntObj(result));
        return result < 0 ? TCL_ERROR : TCL_OK;
    }

    static Tcl_Obj *bytes(const char *text, size_t length) {
        return Tcl_NewByteArrayObj((const unsigned char *) text, (int) length);
    }
}

namespace eval fcgx {
    critcl::cproc listen {int socket} void {
        request = FCGX_RequestNew(socket, FCGX_TAKE_SIGNALS);
    }
    # Returns 1 when there is a request, 0 when the program is to end.
    critcl::cproc next {Tcl_Interp* interp} ok {
        int result = FCGX_RequestNext(request, -1);
        return give(interp, result == FCGX_SHUT_DOWN ? 0 : result);
    }
    critcl::cproc end {Tcl_Interp* interp int status} ok {
        return give(interp, FCGX_RequestEnd(request, status));
    }
    critcl::cproc params {Tcl_Interp* interp} ok {
        Tcl_Obj *dict = Tcl_NewDictObj();
        size_t index, name, length;
        const char *entry;

        for (index = 0; (entry = FCGX_RequestParamAt(request, index, &name, &length)); index++)
            Tcl_DictObjPut(interp, dict, bytes(entry, name), bytes(entry + name + 1, length - name - 1));
        Tcl_SetObjResult(interp, dict);
        return TCL_OK;
    }
    critcl::cproc read {Tcl_Interp* interp} ok {
        static char buffer[65536];
        ptrdiff_t count = FCGX_RequestRead(request, buffer, sizeof buffer);

        if (count < 0)
            return give(interp, count);
        Tcl_SetObjResult(interp, bytes(buffer, count));
        return TCL_OK;
    }
    critcl::cproc write {Tcl_Interp* interp bytes data} ok {
        return give(interp, FCGX_RequestWrite(request, data.s, data.len));
    }
    critcl::cproc log {Tcl_Interp* interp bytes text} ok {
        return give(interp, FCGX_RequestLog(request, text.s, text.len));
    }
}
