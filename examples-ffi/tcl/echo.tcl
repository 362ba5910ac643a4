# A FastCGI program on critcl: answers with its parameters and the body.

lappend auto_path [file join [file dirname [info script]] lib]
package require fcgx

proc get {dict key} {
    return [expr {[dict exists $dict $key] ? [dict get $dict $key] : ""}]
}

proc serve {} {
    set env [fcgx::params]
    set query [get $env QUERY_STRING]
    set head "Content-Type: application/octet-stream\r\n"
    append head "X-Method: [get $env REQUEST_METHOD]\r\n"
    append head "X-Query: $query\r\nX-Params: [dict size $env]\r\n"
    if {[dict exists $env $query]} {
        append head "X-Value: [dict get $env $query]\r\n"
    }
    fcgx::write "$head\r\n"
    while {[string length [set piece [fcgx::read]]] > 0} {
        fcgx::write $piece
    }
    fcgx::log "served by Tcl\n"
    fcgx::end [expr {$query eq "status=7" ? 7 : 0}]
}

fcgx::listen 0
while {[fcgx::next]} {
    if {[catch serve message]} {
        puts stderr $message
    }
}
