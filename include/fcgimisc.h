/* Small helpers that programs written for libfcgi expect here. Written by hand. */
#ifndef _FCGIMISC_H
#define _FCGIMISC_H

#ifndef TRUE
#define TRUE (1)
#endif
#ifndef FALSE
#define FALSE (0)
#endif

#ifndef min
#define min(a,b) ((a) < (b) ? (a) : (b))
#endif
#ifndef max
#define max(a,b) ((a) > (b) ? (a) : (b))
#endif

/* A program that uses it includes <assert.h>. */
#ifndef ASSERT
#define ASSERT(assertion) assert(assertion)
#endif

#endif /* _FCGIMISC_H */
