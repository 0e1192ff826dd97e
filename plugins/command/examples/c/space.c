/* A module in C: reserves disk space, and gives it back while it sleeps.
 *
 * One program under five names. All that it must know is in its environment, so it reads no JSON;
 * the little that it remembers it writes with one printf.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Print the reason, which must be the last line on stderr, and end the program. */
static void fail(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "";
}

static const char *folder(void)
{
    const char *given = variable("SPACE_DIR");

    return *given ? given : "/tmp/modulehost-c";
}

/* The path of a file whose name came over the network: look at it first. */
static char *path_of(const char *name)
{
    char *path;

    if (!*name || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name))
        fail("file, in the metadata, names no file: install the module first");
    if (asprintf(&path, "%s/%s", folder(), name) < 0)
        fail("out of memory");
    return path;
}

/* Tell the host what to remember, and wait until it does. Renamed into place, so that it is never
 * read half. */
static void remember(const char *name, long long bytes)
{
    const char *path = variable("MODULE_METADATA_FILE");
    char *draft;
    FILE *file;

    if (asprintf(&draft, "%s.new", path) < 0)
        fail("out of memory");
    file = fopen(draft, "w");
    if (!file || fprintf(file, "{\"file\": \"%s\", \"bytes\": %lld}\n", name, bytes) < 0 ||
        fclose(file) || rename(draft, path))
        fail("%s cannot be written: %s", path, strerror(errno));
    free(draft);
    file = fopen(variable("MODULE_CHECKPOINT_FILE"), "r");
    if (!file || fgetc(file) == EOF)
        fail("the host cannot keep the metadata; see its log");
    fclose(file);
}

static void make_folder(void)
{
    struct stat found;

    if (mkdir(folder(), 0777) && errno != EEXIST)
        fail("%s cannot be made: %s; set SPACE_DIR", folder(), strerror(errno));
    if (stat(folder(), &found) || !S_ISDIR(found.st_mode) || access(folder(), W_OK))
        fail("%s is no folder that can be written to; set SPACE_DIR", folder());
}

static void reserve(const char *path, long long bytes)
{
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    int error = file < 0 ? errno : posix_fallocate(file, 0, bytes);

    if (error)
        fail("%lld bytes cannot be reserved: %s", bytes, strerror(error));
    close(file);
    printf("%s: %lld bytes are reserved\n", path, bytes);
}

static void install(void)
{
    const char *name = variable("MODULE_METADATA_file");
    long long bytes = atoll(variable("MODULE_METADATA_bytes"));

    if (!*name) {
        name = variable("MODULE_CONFIG_name");
        bytes = atoll(variable("MODULE_CONFIG_kibibytes")) * 1024;
        remember(name, bytes); /* before anything is there: uninstall knows where to look */
    }
    make_folder();
    if (access(path_of(name), F_OK)) /* what is there may be asleep, and shall not be woken */
        reserve(path_of(name), bytes);
}

static void uninstall(void)
{
    const char *name = variable("MODULE_METADATA_file");

    if (!*name) {
        puts("nothing was installed");
    } else if (unlink(path_of(name)) && errno != ENOENT) {
        fail("%s cannot be removed: %s", name, strerror(errno));
    }
}

static void fall_asleep(void)
{
    const char *path = path_of(variable("MODULE_METADATA_file"));

    if (truncate(path, 0))
        fail("%s cannot be emptied: %s; install it again", path, strerror(errno));
    printf("%s: nothing is reserved\n", path);
}

static void resume(void)
{
    reserve(path_of(variable("MODULE_METADATA_file")), atoll(variable("MODULE_METADATA_bytes")));
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } operations[] = {
        {"install", install}, {"uninstall", uninstall}, {"sleep", fall_asleep},
        {"resume", resume},   {"health", make_folder},
    };
    const char *operation = variable("MODULE_OPERATION");

    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (!strcmp(operation, operations[i].name)) {
            operations[i].run();
            return 0;
        }
    }
    fail("MODULE_OPERATION is '%s', which is no operation", operation);
}
