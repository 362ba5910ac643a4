/*
 * The configuration that programs written for libfcgi look at. Written by hand, and the same on every
 * system: what is named here is part of POSIX and of C99. Without a guard, because programs include
 * it beside a config.h of their own and undefine names in between.
 */

#define HAVE_ARPA_INET_H 1
#define HAVE_DLFCN_H 1
#define HAVE_FILENO_PROTO 1
#define HAVE_FPOS 1
#define HAVE_INTTYPES_H 1
#define HAVE_LIBNSL 1
#define HAVE_LIMITS_H 1
#define HAVE_NETDB_H 1
#define HAVE_NETINET_IN_H 1
#define HAVE_SOCKLEN 1
#define HAVE_STDINT_H 1
#define HAVE_STDIO_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STREAMBUF_CHAR_TYPE 1
#define HAVE_STRERROR 1
#define HAVE_STRINGS_H 1
#define HAVE_STRING_H 1
#define HAVE_SYS_PARAM_H 1
#define HAVE_SYS_SOCKET_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_UNISTD_H 1
#define STDC_HEADERS 1

#define LT_OBJDIR ".libs/"
#define PACKAGE "fcgi"
#define PACKAGE_BUGREPORT ""
#define PACKAGE_NAME "fcgi"
#define PACKAGE_STRING "fcgi 2.4.7"
#define PACKAGE_TARNAME "fcgi"
#define PACKAGE_URL ""
#define PACKAGE_VERSION "2.4.7"
#define VERSION "2.4.7"
