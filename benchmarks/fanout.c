/* The load client and the floor of the fan-out figures: cheap, so that they are not what is measured.

   fanout watch PORT PATH EXECUTION VIEWERS SLOW DEAF   watches one run over WebSockets (flowscope.v1) until all have seen it end
   fanout serve VIEWERS FRAMES INTERVAL_US BYTES        what a server does at the least: the same bytes to every viewer

   `watch` says "ready" when all have their snapshot, and at the end one JSON object. A viewer applies a frame if and only if
   `prev` is its cursor, asks again at a gap, answers pings, and keeps the status of every node n0, n1, …: `states` counts
   the different pictures that viewers end with. SLOW of them read 4 KiB every 20 ms, DEAF of them nothing. `serve` says its port, and at
   the end the CPU seconds that its frames took. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NODES = 4096, PARALLEL = 200, SLOWEST_MS = 60000 };
enum manner { ATTENTIVE, SLOW, DEAF };

struct viewer {
    int fd, open, ready, ended;
    enum manner manner;
    long cursor;
    char *rest;
    size_t length, room;
    unsigned char nodes[NODES];
};

static const char *execution;
static long frames, bytes, gaps, again;
static long latencies[SLOWEST_MS + 1], measured;
static char picture[NODES + 1];

static void die(const char *what) { perror(what); exit(1); }

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void answer(struct viewer *v, int opcode, const char *text, size_t length) {
    unsigned char frame[512] = {0x80 | opcode, 0x80 | length}; /* a mask of zeros, and less than 126 bytes */
    if (length > 125) die("answer");
    memcpy(frame + 6, text, length);
    if (write(v->fd, frame, 6 + length) < 0 && errno != EAGAIN) v->open = 0;
}

static long number_after(const char *text, const char *end, const char *key) {
    const char *found = memmem(text, end - text, key, strlen(key));
    return found ? atol(found + strlen(key)) : -1;
}

/* The statuses in a message: `"nodeId":"n<k>"`, and then `"status":"<word>"`. */
static void fold(struct viewer *v, const char *text, const char *end) {
    static const char node[] = "\"nodeId\":\"n", status[] = "\"status\":\"";
    while ((text = memmem(text, end - text, node, sizeof node - 1))) {
        long k = atol(text + sizeof node - 1);
        text = memmem(text, end - text, status, sizeof status - 1);
        if (!text) return;
        if (k >= 0 && k < NODES) v->nodes[k] = text[sizeof status - 1];
    }
}

static void hear(struct viewer *v, const char *text, size_t length) {
    const char *end = text + length;
    frames++;
    if (memmem(text, length < 40 ? length : 40, "EXECUTION_SNAPSHOT", 18)) {
        v->cursor = number_after(text, end, "\"seq\":");
        v->ready = 1;
        memset(v->nodes, 0, sizeof v->nodes);
    } else if (memmem(text, length < 200 ? length : 200, "\"prev\":", 7)) {
        long prev = number_after(text, end, "\"prev\":"), seq = number_after(text, end, "\"seq\":");
        if (prev != v->cursor && seq > v->cursor) {
            char ask[126];
            gaps++;
            answer(v, 1, ask, snprintf(ask, sizeof ask, "{\"type\":\"SUBSCRIBE\",\"executionId\":\"%s\",\"after\":%ld}", execution, v->cursor));
            return;
        }
        if (seq <= v->cursor && prev != v->cursor) return;
        v->cursor = seq;
    } else {
        again += memmem(text, length, "LAGGED", 6) != NULL;
        return;
    }
    fold(v, text, end);
    const char *tail = length > 700 ? end - 700 : text;
    if (v->manner == ATTENTIVE && v->ready) {
        const char *stamp = NULL, *at = tail;
        while ((at = memmem(at, end - at, "\"timestamp\":", 12))) stamp = at += 12;
        if (stamp) {
            long late = (long)(now(CLOCK_REALTIME) * 1000) - atol(stamp);
            latencies[late < 0 ? 0 : late > SLOWEST_MS ? SLOWEST_MS : late]++;
            measured++;
        }
    }
    int whole = memmem(text, length < 40 ? length : 40, "EXECUTION_SNAPSHOT", 18) != NULL;
    const char *facts = whole ? text : NULL, *next = tail;
    while (!whole && (next = memmem(next, end - next, "EXECUTION_UPDATE", 16))) facts = next++;
    const char *status = facts ? memmem(facts, end - facts, "\"status\":\"", 10) : NULL;
    if (status && end - status > 18 && !memcmp(status + 10, "success", 7)) v->ended = 1;
}

static void take(struct viewer *v) {
    size_t at = 0;
    if (!v->open) {
        char *head = memmem(v->rest, v->length, "\r\n\r\n", 4);
        if (!head) return;
        if (memcmp(v->rest, "HTTP/1.1 101", 12)) { fprintf(stderr, "%.200s\n", v->rest); exit(1); }
        v->open = 1;
        at = head + 4 - v->rest;
    }
    while (v->length - at >= 2) {
        unsigned char *frame = (unsigned char *)v->rest + at;
        size_t head = 2, size = frame[1] & 127;
        if (size == 126) { head = 4; if (v->length - at < head) break; size = frame[2] << 8 | frame[3]; }
        else if (size == 127) { head = 10; if (v->length - at < head) break; size = 0; for (int k = 2; k < 10; k++) size = size << 8 | frame[k]; }
        if (v->length - at < head + size) break;
        int opcode = frame[0] & 15;
        if (opcode == 1) hear(v, (char *)frame + head, size);
        else if (opcode == 9) answer(v, 10, (char *)frame + head, size);
        else if (opcode == 8) v->open = 0;
        at += head + size;
    }
    v->length -= at;
    memmove(v->rest, v->rest + at, v->length);
    if (!v->length) { free(v->rest); v->rest = NULL; v->room = 0; }
}

static void receive(struct viewer *v, size_t most) {
    for (size_t got = 0; got < most;) {
        if (v->room - v->length < 65536) v->rest = realloc(v->rest, v->room = v->length + 131072);
        ssize_t n = read(v->fd, v->rest + v->length, most - got < 65536 ? most - got : 65536);
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) { close(v->fd); v->fd = -1; v->open = 0; return; }
        got += n, bytes += n, v->length += n;
        take(v);
    }
    if (v->rest && !v->length) { free(v->rest); v->rest = NULL; v->room = 0; }
}

static void connect_one(struct viewer *v, int port, const char *path, int poll) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[1024];
    v->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (v->manner != ATTENTIVE) setsockopt(v->fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    if (connect(v->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    int length = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: flowscope.v1\r\n\r\n", path);
    if (write(v->fd, request, length) != length) die("request");
    fcntl(v->fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(poll, EPOLL_CTL_ADD, v->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = v});
}

static long percentile(double share) {
    long seen = 0;
    for (long k = 0; k <= SLOWEST_MS; k++) if ((seen += latencies[k]) >= share * measured) return k;
    return SLOWEST_MS;
}

static int watch(char **argument) {
    int port = atoi(argument[0]), count = atoi(argument[3]), slow = atoi(argument[4]), deaf = atoi(argument[5]);
    int poll = epoll_create1(0), begun = 0, ready = 0, ended = 0;
    struct viewer *viewers = calloc(count, sizeof *viewers);
    struct epoll_event events[512];
    execution = argument[2];
    for (int k = 0; k < count; k++) viewers[k].manner = k < slow ? SLOW : k < slow + deaf ? DEAF : ATTENTIVE;
    while (ended < count - deaf) {
        while (begun < count && begun - ready < PARALLEL) connect_one(&viewers[begun++], port, argument[1], poll);
        int n = epoll_wait(poll, events, 512, ready == count && slow ? 20 : 60000);
        if (n == 0 && !slow) { fprintf(stderr, "nothing for a minute; %d of %d have seen the end\n", ended, count - deaf); break; }
        for (int k = 0; k < n; k++) {
            struct viewer *v = events[k].data.ptr;
            int was = v->ready, had = v->ended;
            receive(v, SIZE_MAX);
            if (v->fd < 0 && !v->ended) ended++; /* gone without the end: `states` will tell */
            ready += v->ready - was;
            ended += v->ended - had;
            if (v->ready && !was && v->manner != ATTENTIVE) epoll_ctl(poll, EPOLL_CTL_DEL, v->fd, NULL);
            if (v->ready && !was && ready == count) { printf("ready\n"); fflush(stdout); frames = bytes = 0; }
        }
        static double last;
        if (ready == count && slow && now(CLOCK_MONOTONIC) - last > 0.02) {
            last = now(CLOCK_MONOTONIC);
            for (int k = 0; k < slow; k++) if (!viewers[k].ended && viewers[k].fd >= 0) {
                receive(&viewers[k], 4096);
                ended += viewers[k].ended || viewers[k].fd < 0;
            }
        }
    }
    int states = 0, different = 0;
    long cursor = viewers[count - 1].cursor;
    for (int k = 0; k < NODES; k++) picture[k] = viewers[count - 1].nodes[k] ? viewers[count - 1].nodes[k] : '.';
    for (int k = NODES; k > 0 && picture[k - 1] == '.'; k--) picture[k - 1] = 0;
    for (int k = 0; k < count; k++) if (viewers[k].manner != DEAF) {
        states += viewers[k].ended;
        different += viewers[k].cursor != cursor || memcmp(viewers[k].nodes, viewers[count - 1].nodes, NODES);
    }
    printf("{\"ended\":%d,\"different\":%d,\"seq\":%ld,\"frames\":%ld,\"bytes\":%ld,\"gaps\":%ld,\"lagged\":%ld,\"p50\":%ld,\"p99\":%ld,\"picture\":\"%s\"}\n",
           states, different, cursor, frames, bytes, gaps, again, percentile(.5), percentile(.99), picture);
    return 0;
}

static int serve(char **argument) {
    int count = atoi(argument[0]), total = atoi(argument[1]), interval = atoi(argument[2]), size = atoi(argument[3]);
    int *fds = calloc(count, sizeof *fds), listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 2048)) die("listen");
    getsockname(listener, (struct sockaddr *)&at, &length);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    char *frame = malloc(size + 512), buffer[4096];
    for (int k = 0; k < count; k++) {
        if ((fds[k] = accept(listener, NULL, NULL)) < 0) die("accept");
        setsockopt(fds[k], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        for (int n = 0; n < 4 || memcmp(buffer + n - 4, "\r\n\r\n", 4);) n += read(fds[k], buffer + n, sizeof buffer - n);
        static const char hello[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x30{\"type\":\"EXECUTION_SNAPSHOT\",\"data\":{\"seq\":0}}  ";
        if (write(fds[k], hello, sizeof hello - 1) < 0) die("hello");
    }
    if (!fgets(buffer, sizeof buffer, stdin)) return 1; /* go */
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    double next = now(CLOCK_MONOTONIC);
    for (int seq = 1; seq <= total; seq++) {
        int head = size < 126 ? 2 : size < 65536 ? 4 : 10;
        memset(frame, ' ', size + head);
        frame[0] = 0x81;
        if (head == 4) frame[1] = 126, frame[2] = size >> 8, frame[3] = size;
        else if (head == 2) frame[1] = size;
        else { frame[1] = 127; for (int k = 0; k < 8; k++) frame[2 + k] = (uint64_t)size >> (56 - 8 * k); }
        int n = snprintf(frame + head, size, "{\"executionId\":\"e\",\"prev\":%d,\"seq\":%d", seq - 1, seq);
        frame[head + n] = ',';
        if (seq == total) {
            static const char end[] = "EXECUTION_UPDATE \"status\":\"success\"           ";
            memcpy(frame + head + size - sizeof end, end, sizeof end - 1);
        }
        for (int k = 0; k < count; k++)
            for (int sent = 0; sent < head + size;) {
                ssize_t n = write(fds[k], frame + sent, head + size - sent);
                if (n < 0) die("write");
                sent += n;
            }
        next += interval / 1e6;
        double pause = next - now(CLOCK_MONOTONIC);
        if (pause > 0) usleep(pause * 1e6);
    }
    getrusage(RUSAGE_SELF, &after);
    double cpu = after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec
               + (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    printf("%f\n", cpu);
    return 0;
}

int main(int count, char **argument) {
    if (count == 8 && !strcmp(argument[1], "watch")) return watch(argument + 2);
    if (count == 6 && !strcmp(argument[1], "serve")) return serve(argument + 2);
    fprintf(stderr, "usage: fanout watch PORT PATH EXECUTION VIEWERS SLOW DEAF | fanout serve VIEWERS FRAMES INTERVAL_US BYTES\n");
    return 2;
}
