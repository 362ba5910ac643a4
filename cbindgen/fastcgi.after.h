/*
 * The variables that a web server may ask for in an FCGI_GET_VALUES record.
 */
#define FCGI_MAX_CONNS "FCGI_MAX_CONNS"
#define FCGI_MAX_REQS "FCGI_MAX_REQS"
#define FCGI_MPXS_CONNS "FCGI_MPXS_CONNS"

#endif /* _FASTCGI_H */
