/* A client of signalbox with nothing but sockets.
 *
 *   cc -o signalbox-c signalbox.c
 *   signalbox-c send NUMBER TEXT     sends a text
 *   signalbox-c file NUMBER FILE     sends a file
 *   signalbox-c group TITLE TEXT     writes to the group of that title
 *   signalbox-c bot                  answers "ping" with "pong", for ever
 *
 * Replies are one line of JSON each. This takes them apart with a scanner (member, element) that knows strings and
 * nesting, and no more: enough for replies, which are always well-formed.
 */
#define _POSIX_C_SOURCE 200809L
#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A piece of JSON, as it is written. */
typedef struct {
    const char *at;
    size_t length;
} json;

static FILE *requests, *replies;

static void fail(const char *why) {
    fprintf(stderr, "signalbox-c: %s\n", why);
    exit(1);
}

static void connect_to_signalbox(void) {
    const char *port = getenv("SIGNALBOX_PORT");
    struct addrinfo hints = {0}, *found, *a;
    int fd = -1;
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo("localhost", port ? port : "6789", &hints, &found) != 0) fail("localhost is not known");
    for (a = found; a; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) break;
        if (fd >= 0) close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    if (fd < 0) fail("signalbox does not listen");
    requests = fdopen(fd, "w");
    replies = fdopen(dup(fd), "r");
    if (!requests || !replies) fail("out of memory");
}

/* The end of the value that begins at p: just after it. */
static const char *skip(const char *p) {
    int depth = 0;
    do {
        if (*p == '"') {
            for (p++; *p != '"'; p++)
                if (*p == '\\') p++;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            depth--;
        } else if (depth == 0) { /* a number, or true, false, null */
            while (isalnum((unsigned char)p[1]) || p[1] == '.' || p[1] == '-' || p[1] == '+') p++;
        }
        p++;
    } while (depth > 0);
    return p;
}

/* The value of a member of an object; its length is 0 where there is none. */
static json member(json object, const char *name) {
    const char *p = object.at + 1, *end = object.at + object.length;
    json value = {"", 0};
    while (p < end && *p == '"') {
        const char *key = p + 1, *after = skip(p);
        size_t length = (size_t)(after - key) - 1;
        const char *last = skip(after + 1); /* after the colon */
        if (length == strlen(name) && memcmp(key, name, length) == 0) {
            value.at = after + 1;
            value.length = (size_t)(last - value.at);
            return value;
        }
        p = last + 1; /* after the comma */
    }
    return value;
}

/* The first element of an array, or the one after another; its length is 0 after the last. */
static json element(json array, const json *before) {
    const char *p = before ? before->at + before->length + 1 : array.at + 1;
    json value = {p, 0};
    if (array.length > 0 && p < array.at + array.length - 1) value.length = (size_t)(skip(p) - p);
    return value;
}

static int is(json value, const char *text) {
    return value.length == strlen(text) && memcmp(value.at, text, value.length) == 0;
}

/* Writes a text as a JSON string. */
static void put_string(const char *text) {
    fputc('"', requests);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') fprintf(requests, "\\%c", c);
        else if (c < 0x20) fprintf(requests, "\\u%04x", c);
        else fputc(c, requests);
    }
    fputc('"', requests);
}

static void put(json value) { fwrite(value.at, 1, value.length, requests); }

/* Writes a file in base64, a few bytes at a time. */
static void put_file(const char *path) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    FILE *file = fopen(path, "rb");
    unsigned char in[3];
    size_t n;
    if (!file) fail("the file cannot be read");
    while ((n = fread(in, 1, 3, file)) > 0) {
        unsigned long bits = (unsigned long)in[0] << 16 | (n > 1 ? in[1] : 0) << 8 | (n > 2 ? in[2] : 0);
        fputc(digits[bits >> 18 & 63], requests);
        fputc(digits[bits >> 12 & 63], requests);
        fputc(n > 1 ? digits[bits >> 6 & 63] : '=', requests);
        fputc(n > 2 ? digits[bits & 63] : '=', requests);
    }
    fclose(file);
}

/* Ends a request, and returns its reply, which is valid until the next one. */
static json reply(void) {
    static char *line;
    static size_t size;
    json object, message;
    ssize_t length;
    fputs("}\n", requests);
    if (fflush(requests) != 0) fail("the connection broke");
    length = getline(&line, &size, replies);
    if (length <= 0) fail("signalbox has closed the connection");
    object.at = line;
    object.length = (size_t)length - 1;
    if (is(member(object, "statusCode"), "0")) return object;
    message = member(object, "errorMessage");
    fprintf(stderr, "signalbox-c: %.*s\n", (int)message.length, message.at);
    exit(1);
}

static void begin(const char *command) { fprintf(requests, "{\"command\":\"%s\"", command); }

static void send_text(const char *number, const char *text) {
    begin("send_message");
    fputs(",\"recipient\":", requests);
    put_string(number);
    fputs(",\"dataMessage\":{\"message\":", requests);
    put_string(text);
    fputs("}", requests);
    reply();
}

static void send_file(const char *number, const char *path) {
    const char *name = strrchr(path, '/');
    begin("send_message");
    fputs(",\"recipient\":", requests);
    put_string(number);
    fputs(",\"dataMessage\":{\"attachments\":[{\"filename\":", requests);
    put_string(name ? name + 1 : path);
    fputs(",\"base64Data\":\"", requests);
    put_file(path);
    fputs("\"}]}", requests);
    reply();
}

/* Titles are compared as JSON writes them: one with a quote or a backslash is not found. */
static void send_to_group(const char *title, const char *text) {
    json groups, group;
    begin("list_groups");
    groups = member(reply(), "groups");
    for (group = element(groups, NULL); group.length > 0; group = element(groups, &group)) {
        json found = member(group, "title");
        if (found.length == strlen(title) + 2 && memcmp(found.at + 1, title, strlen(title)) == 0) {
            begin("send_message");
            fputs(",\"groupId\":", requests);
            put(member(group, "groupId"));
            fputs(",\"dataMessage\":{\"message\":", requests);
            put_string(text);
            fputs("}", requests);
            reply();
            return;
        }
    }
    fail("there is no such group");
}

/* Answers a message to where it came from. Should the message come again, the key has the answer leave once. */
static void answer(json message, const char *text) {
    json group = member(message, "groupId"), id = member(message, "id");
    begin("send_message");
    fputs(group.length > 0 ? ",\"groupId\":" : ",\"recipient\":", requests);
    put(group.length > 0 ? group : member(message, "senderUuid"));
    fprintf(requests, ",\"idempotencyKey\":\"pong-%.*s\",\"dataMessage\":{\"message\":", (int)id.length - 2, id.at + 1);
    put_string(text);
    fputs("}", requests);
    reply();
    puts("answered");
    fflush(stdout);
}

/* Takes one message at a time, and acknowledges it once it is dealt with. */
static void bot(void) {
    for (;;) {
        json message;
        char id[64];
        begin("receive_messages");
        fputs(",\"timeout\":-1,\"ack\":\"manual\",\"maxMessages\":1,\"types\":[\"message\"]", requests);
        message = element(member(reply(), "messages"), NULL);
        if (message.length == 0) continue;
        snprintf(id, sizeof id, "%.*s", (int)member(message, "id").length, member(message, "id").at);
        if (is(member(message, "body"), "\"ping\"")) answer(message, "pong");
        begin("ack_messages");
        fprintf(requests, ",\"ids\":[%s]", id);
        reply();
    }
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    connect_to_signalbox();
    if (argc == 4 && strcmp(what, "send") == 0) send_text(argv[2], argv[3]);
    else if (argc == 4 && strcmp(what, "file") == 0) send_file(argv[2], argv[3]);
    else if (argc == 4 && strcmp(what, "group") == 0) send_to_group(argv[2], argv[3]);
    else if (argc == 2 && strcmp(what, "bot") == 0) bot();
    else fail("usage: send NUMBER TEXT | file NUMBER FILE | group TITLE TEXT | bot");
    return 0;
}
