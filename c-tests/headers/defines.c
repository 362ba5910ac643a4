/* The names of stdio.h mean FastCGI streams. */
#include <fcgi_stdio.h>

int serve(FILE *file);

int serve(FILE *file)
{
    FCGI_FILE *same = file;
    FCGX_Stream *stream = FCGI_ToFcgiStream(same);
    char line[8];

    if (FCGI_ToFILE(stdin) != NULL || stream == NULL || fgets(line, sizeof line, stdin) == NULL)
        return EOF;
    fprintf(stderr, "%s", line);
    return printf("%d\n", putc(getc(file), stdout)) + fclose(file);
}
