      *> CALL by name, linked when it is compiled (-fstatic-call).
       >>source format is free
identification division.
program-id. called.

data division.
working-storage section.
01 accepted       usage binary-long.
01 byte           usage binary-long.
01 ignored        usage binary-long.
01 name           pic x(32).
01 header         pic x(32).
01 header-line    pic x(70100).
01 line-end       usage binary-long.
01 value-address  usage pointer.

linkage section.
01 value-text     pic x(70001).

procedure division.
    perform until exit
        call "FCGI_Accept" returning accepted
        if accepted < 0 exit perform end-if
        perform serve
    end-perform
    stop run.

serve.
    *> FCGI_puts adds the LF.
    call "FCGI_puts" using by content "Content-Type: application/octet-stream" & x"0d00" returning ignored
    move "X-Method: " to header move z"REQUEST_METHOD" to name perform put-header
    move "X-Query: " to header move z"QUERY_STRING" to name perform put-header
    move "X-Empty: " to header move z"EMPTY" to name perform put-header
    move "X-Long: " to header move z"LONG" to name perform put-header
    call "FCGI_puts" using by content x"0d00" returning ignored
    perform until exit
        call "FCGI_getchar" returning byte
        if byte < 0 exit perform end-if
        call "FCGI_putchar" using by value byte returning ignored
    end-perform
    call "FCGI_perror" using by content z"served" returning omitted.

put-header.
    call "getenv" using by reference name returning value-address
    if value-address not = null
        set address of value-text to value-address
        move 1 to line-end
        string header delimited by space " " delimited by size value-text delimited by x"00"
            x"0d00" delimited by size into header-line with pointer line-end
        call "FCGI_puts" using by reference header-line returning ignored
    end-if.
