/* lookup ROUNDS NAME: looks a name up so often, as programs do, and prints one line: the median time in microseconds, how it
 * ended (0 or what getaddrinfo returned; "mixed" where rounds differ), the canonical name or -, the least number of addresses
 * in a round, and all addresses of all rounds, each once. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { ROUNDS_MAX = 10000, ADDRESSES_MAX = 256 };

static double microseconds[ROUNDS_MAX];
static char known[ADDRESSES_MAX][INET6_ADDRSTRLEN];
static int known_count;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int by_size(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

static void remember(const struct addrinfo *one)
{
    char text[INET6_ADDRSTRLEN];
    const void *address = one->ai_family == AF_INET6
        ? (const void *)&((const struct sockaddr_in6 *)one->ai_addr)->sin6_addr
        : (const void *)&((const struct sockaddr_in *)one->ai_addr)->sin_addr;
    if (!inet_ntop(one->ai_family, address, text, sizeof text))
        return;
    for (int at = 0; at < known_count; at++)
        if (!strcmp(known[at], text))
            return;
    if (known_count < ADDRESSES_MAX)
        strcpy(known[known_count++], text);
}

int main(int count, char **words)
{
    int rounds = count == 3 ? atoi(words[1]) : 0;
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "lookup ROUNDS NAME\n");
        return 2;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    int first_end = 0, mixed = 0, least = ADDRESSES_MAX;
    char canonical[256] = "-";
    for (int round = 0; round < rounds; round++) {
        struct addrinfo *found = NULL;
        double start = now();
        int end = getaddrinfo(words[2], NULL, &hints, &found);
        microseconds[round] = now() - start;
        if (round == 0)
            first_end = end;
        mixed |= end != first_end;
        int own = 0;
        if (!end) {
            if (found->ai_canonname)
                snprintf(canonical, sizeof canonical, "%s", found->ai_canonname);
            for (struct addrinfo *one = found; one; one = one->ai_next, own++)
                remember(one);
            freeaddrinfo(found);
        }
        if (own < least)
            least = own;
    }
    qsort(microseconds, rounds, sizeof *microseconds, by_size);
    printf("%.1f ", microseconds[rounds / 2]);
    if (mixed)
        printf("mixed ");
    else
        printf("%d ", first_end);
    printf("%s %d", canonical, least);
    for (int at = 0; at < known_count; at++)
        printf(" %s", known[at]);
    printf("\n");
    return 0;
}
