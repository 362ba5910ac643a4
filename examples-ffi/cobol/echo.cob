       >>source format is free
*> Serves the listen socket on descriptor 0: answers with parameters and the body.
identification division.
program-id. echo.

data division.
working-storage section.
78 fcgx-shut-down     value -10001.
78 fcgx-take-signals  value 2.
01 request            usage pointer.
01 result             usage binary-long.
01 exit-status        usage binary-long.
01 entries            usage binary-double.
01 shown              pic z(9)9.
01 entry-at           usage pointer.
01 query-at           usage pointer.
01 text-at            usage pointer.
01 text-size          usage binary-double.
01 crlf               pic xx value x"0d0a".
01 head               pic x(80).
01 head-end           usage binary-long.
01 head-size          usage binary-double.
01 piece              pic x(65536).
01 piece-size         usage binary-double value 65536.
01 log-line           pic x(16) value "served by COBOL" & x"0a".
01 log-size           usage binary-double value 16.
linkage section.
01 text-bytes         pic x(80).

procedure division.
main.
    call "FCGX_RequestNew" using by value 0 by value fcgx-take-signals returning request
    perform until exit
        call "FCGX_RequestNext" using by value request by value -1 returning result
        if result = fcgx-shut-down exit perform end-if
        if result < 0
            perform report-failure
            stop run 1
        end-if
        perform serve
        if result < 0 perform report-failure end-if
    end-perform
    call "FCGX_RequestFree" using by value request returning omitted
    stop run.

*> Answers a request. A negative result skips the rest.
serve.
    move 1 to head-end
    string "Content-Type: application/octet-stream" crlf "X-Method: " delimited by size into head pointer head-end
    perform write-head
    move 0 to text-size
    call "FCGX_RequestParam" using by value request by content z"REQUEST_METHOD"
        by reference text-size returning text-at
    perform write-text
    string crlf "X-Query: " delimited by size into head pointer head-end
    perform write-head
    move 0 to text-size
    call "FCGX_RequestParam" using by value request by content z"QUERY_STRING" by reference text-size returning text-at
    perform write-text
    set query-at to text-at
    move 0 to exit-status
    set address of text-bytes to query-at
    if text-size = 8 and text-bytes(1:8) = "status=7" move 7 to exit-status end-if

    move -1 to entries
    perform with test after until entry-at = null
        add 1 to entries
        call "FCGX_RequestParamAt" using by value request by value entries
            by reference omitted omitted returning entry-at
    end-perform
    move entries to shown
    string crlf "X-Params: " function trim(shown) crlf delimited by size into head pointer head-end
    call "FCGX_RequestParam" using by value request by value query-at by reference text-size returning text-at
    if text-at not = null
        string "X-Value: " delimited by size into head pointer head-end
        perform write-head
        perform write-text
        string crlf delimited by size into head pointer head-end
    end-if
    string crlf delimited by size into head pointer head-end
    perform write-head

    perform until result < 0
        call "FCGX_RequestRead" using by value request by reference piece by value piece-size returning result
        if result <= 0 exit perform end-if
        set text-at to address of piece
        move result to text-size
        perform write-text
    end-perform
    if result >= 0
        call "FCGX_RequestLog" using by value request by reference log-line by value log-size returning result
    end-if
    if result >= 0
        call "FCGX_RequestEnd" using by value request by value exit-status returning result
    end-if.

write-head.
    if result >= 0
        subtract 1 from head-end giving head-size
        call "FCGX_RequestWrite" using by value request by reference head by value head-size returning result
    end-if
    move 1 to head-end.

write-text.
    if result >= 0
        call "FCGX_RequestWrite" using by value request by value text-at by value text-size returning result
    end-if.

*> Writes what a negative result means.
report-failure.
    call "FCGX_ErrorText" using by value result returning text-at
    set address of text-bytes to text-at
    move 1 to head-end
    string "echo: " delimited by size text-bytes delimited by x"00" into head pointer head-end
    display head(1:head-end - 1) upon syserr.
