// SPDX-License-Identifier: GPL-2.0-only
/*
 * $title
 *
$needs
 *
 * Build: cc -O2 -Wall -o reproducer reproducer.c
 * Run:   ./reproducer /dev/nvme0n1
 *
 * It reads, and writes nothing.  Exit codes: 0 reproduced, 1 not, 2 not possible here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OFFSET ${offset}UL
#define SIZE ${size}UL
#define STEP 4096UL
#define TRIES 4096

static size_t huge_page_size(void)
{
	char line[256];
	size_t kib = 0;
	FILE *file = fopen("/proc/meminfo", "r");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Hugepagesize: %zu kB", &kib) == 1)
			break;
	fclose(file);
	return kib << 10;
}

/* Physically contiguous memory, as one huge page is. */
static char *contiguous(size_t *size)
{
	char *memory;

	*size = huge_page_size();
	if (OFFSET + SIZE > *size) {
		fprintf(stderr, "huge pages of %lu bytes or more are needed\n",
			OFFSET + SIZE);
		exit(2);
	}
	memory = mmap(NULL, *size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (memory == MAP_FAILED) {
		perror("a huge page: echo 1 > /proc/sys/vm/nr_hugepages");
		exit(2);
	}
	memset(memory, 0, *size);
	return memory;
}

static void failed(const char *what, unsigned int tries)
{
	if (errno == EINVAL) {
		fprintf(stderr, "%s: no I/O from this offset: see dma_alignment "
			"and logical_block_size in the queue of the device\n", what);
		exit(2);
	}
	printf("reproduced after %u reads: %s: %s; see dmesg\n", tries, what,
	       strerror(errno));
	exit(0);
}

int main(int argc, char **argv)
{
	unsigned int tries;
	char *memory;
	size_t huge;
	ssize_t got;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DEVICE|FILE\n", argv[0]);
		return 2;
	}
	memory = contiguous(&huge);
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0) {
		perror(argv[1]);
		return 2;
	}
	for (tries = 1; tries <= TRIES; tries++) {
		/* Short reads move the index at which the next search starts. */
		got = pread(fd, memory, STEP * (1 + tries % 8), 0);
		if (got < 0) {
			perror("a short read");
			return 2;
		}
		got = pread(fd, memory + OFFSET, SIZE, 0);
		if (got < 0)
			failed(argv[1], tries);
		if ((size_t)got < SIZE) {
			fprintf(stderr, "%s: shorter than %lu bytes\n", argv[1], SIZE);
			return 2;
		}
	}
	printf("%u reads went through: $silent\n", TRIES);
	return 1;
}
