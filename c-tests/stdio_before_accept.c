/*
 * Before the first FCGI_Accept the three standard streams are closed: both of their pointers are
 * NULL, and every FCGI_ function on them is harmless. (stdio_closed.c has the functions that fail
 * in the original.)
 */
#define NO_FCGI_DEFINES
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <fcgi_config.h>
#include <fcgi_stdio.h>

static int via_vprintf(const char *format, ...)
{
    va_list args;
    int written;

    va_start(args, format);
    written = FCGI_vprintf(format, args);
    va_end(args);
    return written;
}

static int via_vfprintf(FCGI_FILE *fp, const char *format, ...)
{
    va_list args;
    int written;

    va_start(args, format);
    written = FCGI_vfprintf(fp, format, args);
    va_end(args);
    return written;
}

static void use(FCGI_FILE *fp)
{
    char text[64] = "text";
    fpos_t position;

    memset(&position, 0, sizeof position);
    printf("a file: %d, a stream: %d\n", FCGI_ToFILE(fp) != NULL, FCGI_ToFcgiStream(fp) != NULL);
    printf("fflush: %d\n", FCGI_fflush(fp));
    printf("setvbuf: %d\n", FCGI_setvbuf(fp, NULL, _IONBF, 0));
    FCGI_setbuf(fp, NULL);
    printf("fseek: %d\n", FCGI_fseek(fp, 0, SEEK_SET));
    printf("ftell: %d\n", FCGI_ftell(fp));
    FCGI_rewind(fp);
    printf("fgetpos: %d\n", FCGI_fgetpos(fp, &position));
    printf("fsetpos: %d\n", FCGI_fsetpos(fp, &position));
    printf("fgetc: %d\n", FCGI_fgetc(fp));
    printf("ungetc: %d\n", FCGI_ungetc('x', fp));
    printf("fgets: %d\n", FCGI_fgets(text, sizeof text, fp) != NULL);
    printf("fputc: %d\n", FCGI_fputc('x', fp));
    printf("fputs: %d\n", FCGI_fputs("x", fp));
    printf("vfprintf: %d\n", via_vfprintf(fp, "%d", 1));
    printf("feof: %d\n", FCGI_feof(fp));
    printf("ferror: %d\n", FCGI_ferror(fp));
    FCGI_clearerr(fp);
    printf("fileno: %d\n", FCGI_fileno(fp));
    printf("pclose: %d\n", FCGI_pclose(fp));
    printf("fclose: %d\n", FCGI_fclose(fp));
}

int main(void)
{
    char text[64] = "text";
    int i;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (i = 0; i < 3; i++) {
        printf("\nstream %d\n", i);
        use(&_fcgi_sF[i]);
    }
    printf("\nwithout a stream in their arguments\n");
    printf("getchar: %d\n", FCGI_getchar());
    printf("gets: %d\n", FCGI_gets(text) != NULL);
    printf("putchar: %d\n", FCGI_putchar('x'));
    printf("puts: %d\n", FCGI_puts("x"));
    printf("printf: %d\n", FCGI_printf("%s", "x"));
    printf("vprintf: %d\n", via_vprintf("%s", "x"));
    FCGI_perror("perror");
    FCGI_SetExitStatus(3);
    FCGI_Finish();
    printf("done\n");
    return 0;
}
