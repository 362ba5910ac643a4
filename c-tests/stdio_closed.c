/*
 * Closed streams and NULL streams: every function fails, and none crashes. The original
 * returns (size_t)-1 as a count and 0 from a failed fprintf, and it crashes on NULL.
 *
 * differs: Error when writing
 * differs: NULL, and what is closed, foreign or impossible
 */
#define NO_FCGI_DEFINES
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <fcgi_config.h>
#include <fcgi_stdio.h>

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
    printf("fread: %zu\n", FCGI_fread(text, 1, 4, fp));
    printf("fwrite: %zu\n", FCGI_fwrite(text, 1, 4, fp));
    printf("fprintf: %d\n", FCGI_fprintf(fp, "%d", 1));
    printf("vfprintf: %d\n", via_vfprintf(fp, "%d", 1));
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
    printf("feof: %d\n", FCGI_feof(fp));
    printf("ferror: %d\n", FCGI_ferror(fp));
    FCGI_clearerr(fp);
    printf("fileno: %d\n", FCGI_fileno(fp));
    printf("freopen: %d\n", FCGI_freopen("file", "w", fp) != NULL);
    printf("pclose: %d\n", FCGI_pclose(fp));
    printf("fclose: %d\n", FCGI_fclose(fp));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("closed\n");
    use(&_fcgi_sF[1]);
    printf("\nNULL\n");
    use(NULL);
    printf("\nno request\n");
    printf("StartFilterData: %d\n", FCGI_StartFilterData());
    return 0;
}
