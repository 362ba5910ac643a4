/* <fcgi_request.h> for R's .Call, with one request for the process. */
#include <R.h>
#include <Rinternals.h>
#include <fcgi_request.h>
#include <string.h>

static struct FCGX_Request *request;

/* Returns a result, or raises the error that a negative one stands for. */
static ptrdiff_t check(ptrdiff_t result) {
  if (result < 0)
    Rf_error("%s", FCGX_ErrorText((int) result));
  return result;
}

static SEXP bytes(const char *text, size_t length) {
  SEXP raw = Rf_allocVector(RAWSXP, (R_xlen_t) length);
  if (length > 0)
    memcpy(RAW(raw), text, length);
  return raw;
}

SEXP fcgx_listen(SEXP socket) {
  request = FCGX_RequestNew(Rf_asInteger(socket), FCGX_TAKE_SIGNALS);
  return R_NilValue;
}

/* Returns TRUE when there is a request, FALSE when the program is to end. */
SEXP fcgx_next(void) {
  int result = FCGX_RequestNext(request, -1);
  return Rf_ScalarLogical(result != FCGX_SHUT_DOWN && check(result));
}

SEXP fcgx_end(SEXP status) {
  check(FCGX_RequestEnd(request, Rf_asInteger(status)));
  return R_NilValue;
}

/* Returns a list of raw values. Its names are bytes, which R compares as they are. */
SEXP fcgx_params(void) {
  const char *entry;
  size_t count = 0, name, length;
  while (FCGX_RequestParamAt(request, count, NULL, NULL))
    count++;
  SEXP list = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t) count));
  SEXP names = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t) count));
  for (R_xlen_t i = 0; (entry = FCGX_RequestParamAt(request, (size_t) i, &name, &length)); i++) {
    SET_STRING_ELT(names, i, Rf_mkCharLenCE(entry, (int) name, CE_BYTES));
    SET_VECTOR_ELT(list, i, bytes(entry + name + 1, length - name - 1));
  }
  Rf_setAttrib(list, R_NamesSymbol, names);
  UNPROTECT(2);
  return list;
}

SEXP fcgx_read(void) {
  static char buffer[65536];
  return bytes(buffer, (size_t) check(FCGX_RequestRead(request, buffer, sizeof buffer)));
}

SEXP fcgx_write(SEXP data) {
  check(FCGX_RequestWrite(request, RAW(data), (size_t) XLENGTH(data)));
  return R_NilValue;
}

SEXP fcgx_log(SEXP text) {
  check(FCGX_RequestLog(request, RAW(text), (size_t) XLENGTH(text)));
  return R_NilValue;
}
