/*
 * The FCGI_ functions on ordinary files: each one does what the C library's function of that name
 * does, and fails in the same cases.
 */
#define NO_FCGI_DEFINES
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fcgi_config.h>
#include <fcgi_stdio.h>

static FCGI_FILE *must_open(const char *path, const char *mode)
{
    FCGI_FILE *fp = FCGI_fopen(path, mode);

    if (fp == NULL) {
        perror(path);
        _exit(1);
    }
    return fp;
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

static void show_content(const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");

    printf("content of %s:\n", path);
    while (fgets(line, sizeof line, file) != NULL)
        printf("| %s", line);
    printf("\n");
    fclose(file);
}

static void opening(void)
{
    FCGI_FILE *fp;

    errno = 0;
    fp = FCGI_fopen("no/such/file", "r");
    printf("fopen of nothing: %s, %s\n", fp == NULL ? "NULL" : "open", strerror(errno));
    errno = 0;
    fp = FCGI_fopen("a", "?");
    printf("fopen with a bad mode: %s, %s\n", fp == NULL ? "NULL" : "open", strerror(errno));
    errno = 0;
    fp = FCGI_fdopen(-1, "r");
    printf("fdopen of -1: %s, %s\n", fp == NULL ? "NULL" : "open", strerror(errno));
    errno = 0;
    fp = FCGI_popen("true", "?");
    printf("popen with a bad type: %s, %s\n", fp == NULL ? "NULL" : "open", strerror(errno));

    fp = must_open("opened", "w");
    printf("stdio_stream set: %d, fcgx_stream set: %d\n", FCGI_ToFILE(fp) != NULL,
        FCGI_ToFcgiStream(fp) != NULL);
    printf("fclose: %d\n", FCGI_fclose(fp));
}

static void writing(void)
{
    FCGI_FILE *fp = must_open("written", "w");
    char hello[] = "hello";
    int c;

    printf("fputc: %d\n", FCGI_fputc('A', fp));
    printf("fputc of a value above a byte: %d\n", FCGI_fputc('B' + 256, fp));
    printf("fputs: %d\n", FCGI_fputs("line\n", fp) >= 0);
    printf("fprintf: %d\n", FCGI_fprintf(fp, "%s %05d\n", "number", 42));
    printf("vfprintf: %d\n", via_vfprintf(fp, "%d-%c-%x\n", -7, 'x', 255));
    printf("fwrite: %zu\n", FCGI_fwrite(hello, 1, 5, fp));
    printf("fwrite of pairs: %zu\n", FCGI_fwrite(hello, 2, 2, fp));
    printf("fwrite of size 0: %zu, of 0 members: %zu\n", FCGI_fwrite(hello, 0, 3, fp),
        FCGI_fwrite(hello, 3, 0, fp));
    printf("ftell: %d\n", FCGI_ftell(fp));
    printf("fflush: %d\n", FCGI_fflush(fp));
    errno = 0;
    c = FCGI_fgetc(fp);
    printf("fgetc of a file open for writing: %d, %s\n", c, strerror(errno));
    printf("ferror: %d, feof: %d\n", FCGI_ferror(fp) != 0, FCGI_feof(fp) != 0);
    FCGI_clearerr(fp);
    printf("ferror after clearerr: %d\n", FCGI_ferror(fp));
    fprintf(FCGI_ToFILE(fp), "by the C library\n");
    printf("fclose: %d\n", FCGI_fclose(fp));
    show_content("written");
}

static void reading(void)
{
    FCGI_FILE *fp = must_open("written", "r");
    char text[64];
    int c;

    printf("fgetc: %c\n", FCGI_fgetc(fp));
    printf("ungetc: %c\n", FCGI_ungetc('Z', fp));
    printf("ungetc of EOF: %d\n", FCGI_ungetc(EOF, fp));
    printf("fgetc: %c\n", FCGI_fgetc(fp));
    printf("fgets: %s", FCGI_fgets(text, sizeof text, fp));
    printf("fgets of 4: %s\n", FCGI_fgets(text, 4, fp));
    printf("fgets of 1 is empty: %d\n", FCGI_fgets(text, 1, fp) != NULL && text[0] == '\0');
    memset(text, 0, sizeof text);
    printf("fread: %zu", FCGI_fread(text, 1, 5, fp));
    printf(" <%s>\n", text);
    memset(text, 0, sizeof text);
    printf("fread of threes: %zu", FCGI_fread(text, 3, 2, fp));
    printf(" <%s>\n", text);
    printf("fread of size 0: %zu, of 0 members: %zu\n", FCGI_fread(text, 0, 3, fp),
        FCGI_fread(text, 3, 0, fp));
    printf("feof before the end: %d\n", FCGI_feof(fp) != 0);
    while ((c = FCGI_fgetc(fp)) != EOF)
        ;
    printf("feof at the end: %d, ferror: %d\n", FCGI_feof(fp) != 0, FCGI_ferror(fp) != 0);
    printf("fgets at the end: %d\n", FCGI_fgets(text, sizeof text, fp) != NULL);
    printf("fread at the end: %zu\n", FCGI_fread(text, 1, 1, fp));
    FCGI_clearerr(fp);
    printf("feof after clearerr: %d\n", FCGI_feof(fp) != 0);
    printf("fputc to a file open for reading: %d\n", FCGI_fputc('x', fp));
    printf("ferror: %d\n", FCGI_ferror(fp) != 0);
    printf("fclose: %d\n", FCGI_fclose(fp));
}

static void positioning(void)
{
    FCGI_FILE *fp = must_open("written", "r+");
    fpos_t position;

    printf("fseek: %d\n", FCGI_fseek(fp, 3, SEEK_SET));
    printf("fgetc: %c\n", FCGI_fgetc(fp));
    printf("ftell: %d\n", FCGI_ftell(fp));
    printf("fgetpos: %d\n", FCGI_fgetpos(fp, &position));
    printf("fseek: %d\n", FCGI_fseek(fp, 0, SEEK_END));
    printf("ftell: %d\n", FCGI_ftell(fp));
    errno = 0;
    printf("fseek before the beginning: %d", FCGI_fseek(fp, -1, SEEK_SET));
    printf(", %s\n", strerror(errno));
    printf("fsetpos: %d\n", FCGI_fsetpos(fp, &position));
    printf("ftell: %d\n", FCGI_ftell(fp));
    FCGI_rewind(fp);
    printf("ftell after rewind: %d\n", FCGI_ftell(fp));
    printf("fclose: %d\n", FCGI_fclose(fp));
}

static void reopening(void)
{
    FCGI_FILE *fp = must_open("written", "r");
    FCGI_FILE *again;

    again = FCGI_freopen("other", "w", fp);
    printf("freopen gives the same: %d\n", again == fp);
    printf("fputs: %d\n", FCGI_fputs("through freopen\n", fp) >= 0);
    printf("fclose: %d\n", FCGI_fclose(fp));
    show_content("other");

    fp = must_open("written", "r");
    errno = 0;
    again = FCGI_freopen("no/such/file", "r", fp);
    printf("freopen of nothing: %s, %s\n", again == NULL ? "NULL" : "open", strerror(errno));
}

static void buffering(void)
{
    FCGI_FILE *fp = must_open("buffered", "w");
    static char buffer[BUFSIZ];
    char seen[8] = "";
    int fd;

    printf("setvbuf: %d\n", FCGI_setvbuf(fp, NULL, _IONBF, 0));
    FCGI_fputs("now", fp);
    fd = open("buffered", O_RDONLY);
    printf("unbuffered, in the file at once: %zd\n", read(fd, seen, sizeof seen));
    close(fd);
    FCGI_fclose(fp);

    fp = must_open("buffered", "w");
    FCGI_setbuf(fp, buffer);
    FCGI_fputs("later", fp);
    printf("setbuf, in the program's memory: %.5s\n", buffer);
    FCGI_fclose(fp);
    show_content("buffered");
}

static void descriptors(void)
{
    int pair[2];
    FCGI_FILE *fp = must_open("written", "r");
    struct rlimit limit, none;
    int c;

    printf("fileno is that of the FILE: %d\n", FCGI_fileno(fp) == fileno(FCGI_ToFILE(fp)));
    FCGI_fclose(fp);

    if (pipe(pair) != 0)
        return;
    fp = FCGI_fdopen(pair[1], "w");
    printf("fdopen: %d, fileno is the descriptor: %d\n", fp != NULL, FCGI_fileno(fp) == pair[1]);
    FCGI_fputs("piped\n", fp);
    printf("fclose: %d\n", FCGI_fclose(fp));
    errno = 0;
    c = close(pair[1]);
    printf("fclose has closed the descriptor: %d, %s\n", c, strerror(errno));
    close(pair[0]);

    fp = FCGI_tmpfile();
    printf("tmpfile: %d\n", fp != NULL);
    printf("fputs: %d\n", FCGI_fputs("temporary", fp) >= 0);
    FCGI_rewind(fp);
    printf("fgetc: %c\n", FCGI_fgetc(fp));
    printf("fclose: %d\n", FCGI_fclose(fp));

    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    errno = 0;
    fp = FCGI_tmpfile();
    printf("tmpfile without descriptors: %s, %s\n", fp == NULL ? "NULL" : "open", strerror(errno));
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void pipes(void)
{
    char line[64];
    FCGI_FILE *fp = FCGI_popen("echo out of the command; exit 3", "r");
    int status;

    printf("popen: %d\n", fp != NULL);
    printf("fgets: %s", FCGI_fgets(line, sizeof line, fp));
    printf("fgets at the end: %d\n", FCGI_fgets(line, sizeof line, fp) != NULL);
    status = FCGI_pclose(fp);
    printf("pclose: %d\n", status);

    fp = FCGI_popen("cat > piped", "w");
    printf("fputs: %d\n", FCGI_fputs("into the command\n", fp) >= 0);
    printf("pclose: %d\n", FCGI_pclose(fp));
    show_content("piped");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    opening();
    writing();
    reading();
    positioning();
    reopening();
    buffering();
    descriptors();
    pipes();
    return 0;
}
