#ifdef HAVE_FPOS
/**
 * Stores the position of a file for FCGI_fsetpos.
 *
 * Returns: 0; nonzero on failure, -1 if fp is not a file.
 *
 * Errors: ESPIPE if fp is not a file.
 */
DLLAPI int FCGI_fgetpos(FCGI_FILE *fp, fpos_t *pos);

/**
 * Moves a file to a position that FCGI_fgetpos has stored.
 *
 * Returns: 0; nonzero on failure, -1 if fp is not a file.
 *
 * Errors: ESPIPE if fp is not a file.
 */
DLLAPI int FCGI_fsetpos(FCGI_FILE *fp, const fpos_t *pos);
#endif

/*
 * The three standard streams.
 */
#define FCGI_stdin (&_fcgi_sF[0])
#define FCGI_stdout (&_fcgi_sF[1])
#define FCGI_stderr (&_fcgi_sF[2])

/*
 * What a FCGI_FILE stands for: one of the two is NULL.
 */
#define FCGI_ToFILE(fcgi_file) (fcgi_file->stdio_stream)
#define FCGI_ToFcgiStream(fcgi_file) (fcgi_file->fcgx_stream)

#ifdef __cplusplus
}
#endif

/*
 * The names of C's stdio.h mean the functions above, so that a CGI program becomes a FastCGI program
 * by including this header. A program that wants both kinds defines NO_FCGI_DEFINES before.
 */
#ifndef NO_FCGI_DEFINES

#undef FILE
#define FILE FCGI_FILE
#undef stdin
#define stdin FCGI_stdin
#undef stdout
#define stdout FCGI_stdout
#undef stderr
#define stderr FCGI_stderr
#undef clearerr
#define clearerr FCGI_clearerr
#undef fclose
#define fclose FCGI_fclose
#undef fdopen
#define fdopen FCGI_fdopen
#undef feof
#define feof FCGI_feof
#undef ferror
#define ferror FCGI_ferror
#undef fflush
#define fflush FCGI_fflush
#undef fgetc
#define fgetc FCGI_fgetc
#undef fgetpos
#define fgetpos FCGI_fgetpos
#undef fgets
#define fgets FCGI_fgets
#undef fileno
#define fileno FCGI_fileno
#undef fopen
#define fopen FCGI_fopen
#undef fprintf
#define fprintf FCGI_fprintf
#undef fputc
#define fputc FCGI_fputc
#undef fputs
#define fputs FCGI_fputs
#undef fread
#define fread FCGI_fread
#undef freopen
#define freopen FCGI_freopen
#undef fseek
#define fseek FCGI_fseek
#undef fsetpos
#define fsetpos FCGI_fsetpos
#undef ftell
#define ftell FCGI_ftell
#undef fwrite
#define fwrite FCGI_fwrite
#undef getc
#define getc FCGI_fgetc
#undef getchar
#define getchar FCGI_getchar
#undef gets
#define gets FCGI_gets
#undef pclose
#define pclose FCGI_pclose
#undef perror
#define perror FCGI_perror
#undef popen
#define popen FCGI_popen
#undef printf
#define printf FCGI_printf
#undef putc
#define putc FCGI_fputc
#undef putchar
#define putchar FCGI_putchar
#undef puts
#define puts FCGI_puts
#undef rewind
#define rewind FCGI_rewind
#undef setbuf
#define setbuf FCGI_setbuf
#undef setvbuf
#define setvbuf FCGI_setvbuf
#undef tmpfile
#define tmpfile FCGI_tmpfile
#undef ungetc
#define ungetc FCGI_ungetc
#undef vfprintf
#define vfprintf FCGI_vfprintf
#undef vprintf
#define vprintf FCGI_vprintf

#endif /* NO_FCGI_DEFINES */

#endif /* _FCGI_STDIO */
