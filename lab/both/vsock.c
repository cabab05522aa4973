// SPDX-License-Identifier: GPL-2.0
/*
 * Both ends of a vsock connection between a guest and its host:
 *   vsock listen [PORT]       wait for connections until a conversation is whole
 *   vsock connect CID [PORT]  the same from the other side, which calls again and again
 * Without a port: that of the guest's own CID. A conversation is 2 MiB in each direction at once, of which every
 * word is looked at; it is whole if all of them came and the other side has closed. That a caller gave up while the
 * other side was not there yet must not count. Ends with its parent.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#define WORDS (2 * 1024 * 1024 / sizeof(uint64_t))
#define CHUNK 8192

static uint64_t next(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

static unsigned int own_cid(void)
{
	unsigned int cid = VMADDR_CID_ANY;
	int fd = open("/dev/vsock", O_RDONLY);

	if (fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid))
		perror("vsock: /dev/vsock");
	if (fd >= 0)
		close(fd);
	return cid;
}

/* The first word is random, each following one comes from that before it. */
static int say(int fd)
{
	uint64_t words[CHUNK], x = 0;
	size_t done, i;
	int random = open("/dev/urandom", O_RDONLY);

	if (random < 0 || read(random, &x, sizeof(x)) != sizeof(x))
		return 1;
	close(random);
	x |= 1;
	for (done = 0; done < WORDS; done += CHUNK) {
		char *at = (char *)words;
		ssize_t n;

		for (i = 0; i < CHUNK; i++, x = next(x))
			words[i] = x;
		for (; at < (char *)(words + CHUNK); at += n) {
			n = write(fd, at, (char *)(words + CHUNK) - at);
			if (n <= 0) {
				perror("vsock: write");
				return 1;
			}
		}
	}
	return shutdown(fd, SHUT_WR) ? 1 : 0;
}

static int hear(FILE *in)
{
	uint64_t word, want = 0;
	size_t count = 0;

	for (; fread(&word, sizeof(word), 1, in) == 1; count++, want = next(word)) {
		if (count && word != want) {
			fprintf(stderr, "vsock: word %zu is not what was sent\n", count);
			return 1;
		}
	}
	if (count != WORDS)
		fprintf(stderr, "vsock: %zu words of %zu\n", count, WORDS);
	return count != WORDS;
}

static int talk(int fd)
{
	int status, heard;
	pid_t child;
	FILE *in;

	if (fd < 0)
		return 1;
	in = fdopen(dup(fd), "r");
	child = fork();
	if (!in || child < 0)
		exit(1);
	if (!child)
		_exit(say(fd));
	heard = hear(in);
	fclose(in);
	waitpid(child, &status, 0);
	close(fd);
	return heard || status;
}

static int call(const struct sockaddr_vm *addr)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (!connect(fd, (const void *)addr, sizeof(*addr)))
		return talk(fd);
	close(fd);
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_vm addr = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY };
	int listens = argc > 1 && !strcmp(argv[1], "listen"), at = listens ? 2 : 3, server = -1;

	if (argc < at || argc > at + 1 || (!listens && strcmp(argv[1], "connect")))
		return 2;
	if (!listens)
		addr.svm_cid = strtoul(argv[2], NULL, 0);
	addr.svm_port = argc > at ? strtoul(argv[at], NULL, 0) : own_cid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (listens) {
		server = socket(AF_VSOCK, SOCK_STREAM, 0);
		if (bind(server, (void *)&addr, sizeof(addr)) || listen(server, 1)) {
			perror("vsock");
			return 1;
		}
	}
	while (listens ? talk(accept(server, NULL, NULL)) : call(&addr))
		usleep(250000);
	return 0;
}
