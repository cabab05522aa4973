// SPDX-License-Identifier: GPL-2.0
/*
 * Talk to the emulator's monitor from within the host (lab/boot --qmp): each
 * argument is a QMP command, its answer goes to stdout. The exit code is 1 if
 * one is an error. Shorthands:
 *
 *   fail SPEC   what the firmware is to fail, COMMAND:STATUS[:NTH][+...]
 *   delay SPEC  what the firmware is slow with, COMMAND:MILLISECONDS[+...]
 *   audit       the pages of the RMP by state
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static FILE *in, *out;

/* Read lines until the answer: events come in between. Returns 0, or 1 for an error. */
static int answer(int quiet)
{
	static char line[1 << 16];

	while (fgets(line, sizeof(line), in)) {
		int error = !strncmp(line, "{\"error\"", 8);

		if (!error && strncmp(line, "{\"return\"", 9))
			continue;
		if (!quiet)
			fputs(line, error ? stderr : stdout);
		return error;
	}
	return 1;
}

static int command(const char *text, int quiet)
{
	if (fprintf(out, "%s\n", text) < 0 || fflush(out)) {
		perror("qmp");
		return 1;
	}
	return answer(quiet);
}

int main(int argc, char **argv)
{
	static char text[4096];
	int i, rc = 0;
	glob_t ports;

	in = glob("/dev/vport*p1", 0, NULL, &ports) ? NULL : fopen(ports.gl_pathv[0], "r+");
	out = in ? fdopen(dup(fileno(in)), "w") : NULL;
	if (!out) {
		fprintf(stderr, "qmp: no port (lab/boot --qmp)\n");
		return 2;
	}
	/* Refused if it was said before. */
	command("{\"execute\":\"qmp_capabilities\"}", 1);
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "audit")) {
			rc |= command("{\"execute\":\"x-query-amd-rmp\"}", 0);
		} else if ((!strcmp(argv[i], "fail") || !strcmp(argv[i], "delay")) && i + 1 < argc) {
			snprintf(text, sizeof(text), "{\"execute\":\"qom-set\",\"arguments\":{\"path\":"
				 "\"/machine/peripheral/psp\",\"property\":\"x-%s\",\"value\":\"%s\"}}",
				 argv[i], argv[i + 1]);
			rc |= command(text, 1);
			i++;
		} else {
			rc |= command(argv[i], 0);
		}
	}
	return rc;
}
