/* modulehost-listen PROGRAM [ARGUMENT...]: the host's first process, and all of it that sleeps.
 *
 * It listens on PORT, then becomes the program, Python's keeper, and hands it the socket as systemd
 * would: sd_listen_fds(3). To sleep, the keeper becomes this program again, by exec, with the
 * socket. Given one, it waits for a connection, or the signal to stop, before it becomes the
 * program anew. What it cannot do it leaves to the program: one without a socket listens by
 * itself, and says what is wrong with the port. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WHITE " \t\n\v\f\r"
#define ANSWER "the host cannot start: its keeper cannot be run: %s; see its log\n"

enum {
    SOCKET = 3,        /* SD_LISTEN_FDS_START */
    BACKLOG = 4096,    /* as in keeper/listening.py */
    DEFER_ACCEPT = 30, /* s, as there */
    PATIENCE = 5,      /* s, for a client that is told why the program cannot be run */
};
static const struct timespec PAUSE = {.tv_nsec = 100000000}; /* where none can be taken */
static const sigset_t NONE;           /* blocked while it waits; else those that stop it */
static volatile sig_atomic_t stopped; /* by this signal */

static void stop(int number)
{
    stopped = number;
}

static void take_signals(void)
{
    sigset_t stops = NONE;
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGHUP);
    sigprocmask(SIG_BLOCK, &stops, NULL); /* process 1 loses what nobody handles yet */
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    signal(SIGHUP, isatty(STDIN_FILENO) ? stop : SIG_IGN); /* no terminal, nothing to hang up */
    signal(SIGPIPE, SIG_IGN);
}

/* The port that PORT names; 0 where that is for the program to judge. */
static in_port_t port(void)
{
    const char *given = getenv("PORT"), *text = given ? given + strspn(given, WHITE) : "";
    if (*text == '\0')
        return 8080;
    unsigned number = 0;
    for (; *text >= '0' && *text <= '9' && number <= UINT16_MAX; text++)
        number = 10 * number + (unsigned)(*text - '0');
    return number > UINT16_MAX || text[strspn(text, WHITE)] ? 0 : (in_port_t)number;
}

/* Listen on all addresses, IPv6 and IPv4, at SOCKET. */
static bool listen_on(in_port_t number)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(number)};
    const int on = 1, off = 0, seconds = DEFER_ACCEPT;
    int sock = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const bool both = sock >= 0;
    if (!both) { /* a kernel without IPv6; port and zeros stand at the same places */
        sock = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        address.sin6_family = AF_INET;
    }
    const bool listens =
        sock >= 0 &&
        (!both || setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) &&
        setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        setsockopt(sock, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds) == 0 &&
        bind(sock, (const struct sockaddr *)&address,
             both ? sizeof address : sizeof(struct sockaddr_in)) == 0 &&
        listen(sock, BACKLOG) == 0 && dup2(sock, SOCKET) == SOCKET;
    if (sock >= 0 && sock != SOCKET)
        close(sock);
    return listens;
}

/* Whether the socket was handed over to this process. */
static bool was_given(void)
{
    const char *process = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    return process && count && strtol(process, NULL, 10) == getpid() && strcmp(count, "1") == 0;
}

/* A line of the log, in the form of all others; a reader that stalls does not hold us up. */
static void say(const char *level, const char *event, const char *reason)
{
    char stamp[32], line[512];
    const char *style = getenv("MODULE_LOG_FORMAT");
    const time_t now = time(NULL);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", gmtime(&now));
    const bool plain = style && *style ? !strcasecmp(style, "console") : isatty(STDOUT_FILENO);
    const int size =
        plain ? snprintf(line, sizeof line, "%s %-7s %s %s\n", stamp + 11, level, event, reason)
              : snprintf(line, sizeof line, "{%s:\"%s.000Z\",%s:\"%s\",%s:\"%s\",%s:\"%s\"}\n",
                         "\"timestamp\"", stamp, "\"level\"", level, "\"event\"", event,
                         "\"reason\"", reason);
    struct pollfd log = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&log, 1, 0) == 1 && write(STDOUT_FILENO, line, (size_t)size) < 0)
        return; /* nobody could be told */
}

/* Sleep until there is a connection; ends the process when it is told to stop. */
static void wait_for_connection(void)
{
    struct pollfd waiting = {.fd = SOCKET, .events = POLLIN};
    signal(SIGCHLD, SIG_IGN); /* the kernel reaps orphans itself, but for those that are there */
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    while (!stopped && ppoll(&waiting, 1, NULL, &NONE) < 0)
        ;
    signal(SIGCHLD, SIG_DFL);
    if (stopped && poll(&waiting, 1, 0) != 1) {
        say("info", "stopped", strsignal(stopped));
        exit(EXIT_SUCCESS);
    }
    if (stopped)
        raise(stopped); /* blocked, so for the program: it tells those who have come too late */
}

/* Tell a client why the program cannot be run. */
static void answer(int client, const char *reason, int flags)
{
    char asked[4096] = "", reply[512];
    const bool head = recv(client, asked, sizeof asked, flags) > 4 && !memcmp(asked, "HEAD ", 5);
    const bool question = head || !memcmp(asked, "GET ", 4);
    const int length = snprintf(NULL, 0, ANSWER, reason);
    const int size = snprintf(
        reply, sizeof reply,
        "HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: %d\r\n\r\n" ANSWER,
        question ? "503 Service Unavailable" : "400 Bad Request", length, reason);
    if (send(client, reply, (size_t)(head ? size - length : size), MSG_NOSIGNAL) > 0)
        shutdown(client, SHUT_WR);
    while (recv(client, asked, sizeof asked, flags) > 0)
        ; /* closed with data unread, the answer would be lost */
}

/* Take a connection and answer it, in a child where there can be one: the client may be slow. */
static void refuse(const char *reason)
{
    const int client = accept(SOCKET, NULL, NULL);
    if (client < 0) {
        ppoll(NULL, 0, &PAUSE, &NONE);
        return;
    }
    const pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE);
        answer(client, reason, 0);
        _exit(EXIT_SUCCESS);
    }
    if (child < 0)
        answer(client, reason, MSG_DONTWAIT);
    close(client);
}

int main(int count, char **arguments)
{
    take_signals();
    if (count < 2) {
        fputs("usage: modulehost-listen PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    bool asleep = was_given();
    if (!asleep) {
        char process[16];
        snprintf(process, sizeof process, "%d", getpid());
        unsetenv("MODULEHOST_STARTED"); /* of another host, whose plugin has started this one */
        if (port() == 0 || !listen_on(port()) || setenv("LISTEN_FDS", "1", 1) != 0 ||
            setenv("LISTEN_PID", process, 1) != 0 ||
            setenv("MODULEHOST_LISTENER", arguments[0], 1) != 0) {
            execvp(arguments[1], arguments + 1);
            perror(arguments[1]);
            return 2;
        }
    }
    for (;; asleep = true) {
        if (asleep)
            wait_for_connection();
        execvp(arguments[1], arguments + 1);
        const char *reason = strerror(errno);
        say("error", "the keeper cannot be run", reason);
        if (asleep)
            refuse(reason);
    }
}
