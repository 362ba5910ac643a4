/* Calls every function in every situation, each in its own child, and prints a line for each. */
#include "values.h"

/* tests/edges/main.rs generates this file. */
#include "calls.h"

/* The time after which a call counts as waiting. (Closing may take 2 s.) */
#define LIMIT_S 6

/* With more combinations or more parameters, only one parameter changes at a time. */
#define MOST_COMBINATIONS 400
#define MOST_COMBINED 4

static void make_file(const char *name, const char *text)
{
    FILE *file;

    unlink(name);
    file = fopen(name, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 || chmod(name, 0700) != 0)
        die(name);
}

static void run(const struct function *function, const struct situation *const *chosen, int out)
{
    int null = open("/dev/null", O_RDWR), i;

    for (i = 0; i < 3; i++)
        dup2(null, i);
    close(null);
    unlink(absent);
    make_file(a_file, "file text\n");
    make_file(a_program, "#!/bin/sh\n");
    alarm(LIMIT_S);
    function->call(chosen);
    if (write(out, report, report_length) != (ssize_t)report_length)
        die("write");
    _exit(0);
}

/* Prints, in the parent, what the child reported or how it ended. */
static void judge(int in, pid_t child)
{
    char text[sizeof report];
    size_t length = 0;
    ssize_t n;
    int status;

    while ((n = read(in, text + length, sizeof text - length)) > 0)
        length += (size_t)n;
    if (waitpid(child, &status, 0) != child)
        die("waitpid");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        printf("waits\n");
    else if (WIFSIGNALED(status))
        printf("signal %d\n", WTERMSIG(status));
    else if (length == 0)
        printf("exit %d\n", WEXITSTATUS(status));
    else
        printf("%.*s\n", (int)length, text);
}

static void try(const struct function *function, const struct situation *const *chosen)
{
    int ends[2], i;
    pid_t child;

    printf("%s |", function->name);
    for (i = 0; chosen[i] != NULL; i++)
        printf(" %s", chosen[i]->name);
    printf(" | ");
    fflush(stdout);
    if (pipe(ends) != 0)
        die("pipe");
    child = fork();
    if (child == 0) {
        int out = fcntl(ends[1], F_DUPFD_CLOEXEC, 200);

        close(ends[0]);
        close(ends[1]);
        run(function, chosen, out);
    }
    close(ends[1]);
    judge(ends[0], child);
    close(ends[0]);
}

static int count(const struct situation *kind)
{
    int n = 0;

    while (kind[n].name != NULL)
        n++;
    return n;
}

/* Tries every combination of the parameters from index `at` on. */
static void combine(const struct function *function, const struct situation **chosen, int at)
{
    const struct situation *kind = function->kinds[at];

    if (kind == NULL) {
        try(function, chosen);
        return;
    }
    for (; kind->name != NULL; kind++) {
        chosen[at] = kind;
        combine(function, chosen, at + 1);
    }
}

/* Tries every situation of each parameter while the others stay in their last one. */
static void change_one(const struct function *function, const struct situation **chosen)
{
    int i, j;

    for (i = 0; function->kinds[i] != NULL; i++)
        for (j = count(function->kinds[i]) - (i > 0); j-- > 0;) {
            int k;

            for (k = 0; function->kinds[k] != NULL; k++)
                chosen[k] = function->kinds[k] + count(function->kinds[k]) - 1;
            chosen[i] = function->kinds[i] + j;
            try(function, chosen);
        }
}

int main(int argc, char **argv)
{
    struct rlimit no_core = { 0, 0 };
    const struct function *function;

    setrlimit(RLIMIT_CORE, &no_core);
    mkdir(a_directory, 0700);
    for (function = functions; function->name != NULL; function++) {
        const struct situation *chosen[MOST + 1] = { NULL };
        int combinations = 1, i;

        if (argc > 1 && strcmp(argv[1], function->name) != 0)
            continue;
        for (i = 0; function->kinds[i] != NULL; i++)
            combinations *= count(function->kinds[i]);
        if (combinations <= MOST_COMBINATIONS && i <= MOST_COMBINED)
            combine(function, chosen, 0);
        else
            change_one(function, chosen);
    }
    return 0;
}
