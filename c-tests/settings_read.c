/*
 * The settings are read when the library is initialised, and again when it is started again. The
 * defaults apply before, and later changes of the environment are ignored until then.
 */
#include "settings.h"

static void show(const char *when)
{
    printf("%s: closing %s\n", when, closing_waits() ? "waits" : "does not wait");
    fflush(stdout);
}

int main(void)
{
    alarm(60);
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    show("before");
    OS_LibInit(NULL);
    show("initialised");
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "1500", 1);
    OS_LibInit(NULL);
    FCGX_Init();
    show("the environment changed");
    OS_LibShutdown();
    show("shut down");
    OS_LibInit(NULL);
    show("initialised again");
    return 0;
}
