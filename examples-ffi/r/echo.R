# A FastCGI program on .Call: answers with its parameters and the body.
# Values from outside are raw vectors, because R's strings have an encoding.

dyn.load("fcgx.so")

crlf <- charToRaw("\r\n")

line <- function(name, value) {
  c(charToRaw(paste0(name, ": ")), value, crlf)
}

serve <- function() {
  env <- .Call("fcgx_params")
  query <- env[["QUERY_STRING"]]
  is_value <- vapply(names(env), function(name) identical(charToRaw(name), query), NA)
  head <- c(
    line("Content-Type", charToRaw("application/octet-stream")),
    line("X-Method", env[["REQUEST_METHOD"]]),
    line("X-Query", query),
    line("X-Params", charToRaw(as.character(length(env))))
  )
  if (any(is_value)) {
    head <- c(head, line("X-Value", env[[which(is_value)]]))
  }
  .Call("fcgx_write", c(head, crlf))
  while (length(piece <- .Call("fcgx_read")) > 0) {
    .Call("fcgx_write", piece)
  }
  .Call("fcgx_log", charToRaw("served by R\n"))
  .Call("fcgx_end", if (identical(query, charToRaw("status=7"))) 7L else 0L)
}

.Call("fcgx_listen", 0L)
while (.Call("fcgx_next")) {
  tryCatch(serve(), error = function(failure) message(conditionMessage(failure)))
}
