// SPDX-License-Identifier: GPL-2.0
/*
 * Counts instructions of private-memory operations. Meant for a host under -icount
 * with one processor, where the time stamp counter counts executed instructions.
 * Prints "@bench NAME VALUE" lines.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vm.h"

#define REPEATS 9

static void result(const char *name, uint64_t value)
{
	printf("@bench %s %" PRIu64 "\n", name, value);
	fflush(stdout);
}

/* The smallest of some repeats is one that no timer tick fell into. */
struct smallest {
	uint64_t value, start;
};

#define repeat(s) \
	for (int turn = ((s)->value = ~0ull, 0); turn < REPEATS; turn++)

static void begin(struct smallest *s)
{
	s->start = now();
}

static void end(struct smallest *s)
{
	uint64_t took = now() - s->start;

	if (took < s->value)
		s->value = took;
}

static void make(struct vm *vm, struct vcpu *vcpu, uint64_t size, uint64_t offset)
{
	vm_create(vm);
	vm_add_area(vm, size, offset);
	vcpu_create(vm, vcpu, 0);
}

static void unmake(struct vm *vm, struct vcpu *vcpu)
{
	vcpu_destroy(vcpu);
	vm_destroy(vm);
}

/*
 * 4 KiB mappings: an offset of one page in the file keeps slot and file from
 * being aligned to each other, so that no larger page can be mapped.
 */
static void bench_fault_4k(void)
{
	struct smallest map, both, touch, alloc;
	struct vm vm, other;
	struct vcpu vcpu;

	/* Single pages are allocated in a file without large folios. */
	vm_create(&other);
	vm_add_area(&other, 16 * MIB, 4096);
	make(&vm, &vcpu, 16 * MIB, 4096);
	vm_private(&vm, AREA, 16 * MIB);
	vcpu_prefault(&vcpu, AREA, 4096);
	map.value = both.value = touch.value = alloc.value = ~0ull;
	for (int i = 0; i < REPEATS; i++) {
		uint64_t at = (i + 1) * 8 * 4096;

		begin(&both);
		vcpu_prefault(&vcpu, AREA + at, 4096);
		end(&both);
		begin(&alloc);
		vm_allocate(&other, at, 4096);
		end(&alloc);
		vm_allocate(&vm, at + 2 * 4096, 4096);
		begin(&map);
		vcpu_prefault(&vcpu, AREA + at + 4096, 4096);
		end(&map);
		vcpu_set_work(&vcpu, GUEST_TOUCH, AREA + at + 3 * 4096, 4096, 1);
		begin(&touch);
		vcpu_run(&vm, &vcpu, KVM_EXIT_HLT);
		end(&touch);
	}
	result("fault-4k-prefault-allocate-and-map", both.value);
	result("fault-4k-allocate", alloc.value);
	result("fault-4k-prefault-map", map.value);
	result("fault-4k-guest-touch", touch.value);
	unmake(&vm, &vcpu);
	vm_destroy(&other);
}

static void bench_fault_many_4k(void)
{
	struct smallest s;
	struct vm vm;
	struct vcpu vcpu;

	repeat(&s) {
		make(&vm, &vcpu, 4 * MIB, 4096);
		vm_private(&vm, AREA, 4 * MIB);
		begin(&s);
		vcpu_prefault(&vcpu, AREA, 2 * MIB);
		end(&s);
		unmake(&vm, &vcpu);
	}
	result("fault-4k-prefault-512-pages", s.value);
}

static void bench_fault_2m(void)
{
	struct smallest s, map, touch;
	struct vm vm;
	struct vcpu vcpu;

	s.value = map.value = touch.value = ~0ull;
	for (int i = 0; i < REPEATS; i++) {
		make(&vm, &vcpu, 8 * MIB, 0);
		vm_private(&vm, AREA, 8 * MIB);
		vcpu_prefault(&vcpu, AREA, 4096);
		begin(&s);
		vcpu_prefault(&vcpu, AREA + 2 * MIB, 2 * MIB);
		end(&s);
		vm_allocate(&vm, 4 * MIB, 2 * MIB);
		begin(&map);
		vcpu_prefault(&vcpu, AREA + 4 * MIB, 2 * MIB);
		end(&map);
		vcpu_set_work(&vcpu, GUEST_TOUCH, AREA + 6 * MIB, 4096, 512);
		begin(&touch);
		vcpu_run(&vm, &vcpu, KVM_EXIT_HLT);
		end(&touch);
		unmake(&vm, &vcpu);
	}
	result("fault-2m-prefault-allocate-and-map", s.value);
	result("fault-2m-prefault-map", map.value);
	result("fault-2m-guest-touches-512-pages", touch.value);
}

static void bench_faults_1g(void)
{
	struct vm vm;
	struct vcpu vcpu;
	uint64_t before, start;

	make(&vm, &vcpu, GIB, 0);
	vm_private(&vm, AREA, GIB);
	before = vcpu_stat(&vcpu, "pf_taken");
	vcpu_set_work(&vcpu, GUEST_TOUCH, AREA, 4096, GIB / 4096);
	start = now();
	vcpu_run(&vm, &vcpu, KVM_EXIT_HLT);
	result("touch-1g-instructions", now() - start);
	result("touch-1g-faults", vcpu_stat(&vcpu, "pf_taken") - before);
	unmake(&vm, &vcpu);
}

static void attributes_unmapped(const char *name, uint64_t size)
{
	struct smallest private, shared;
	int repeats = size <= 2 * MIB ? REPEATS : 1;
	char label[64];
	struct vm vm;

	private.value = shared.value = ~0ull;
	vm_create(&vm);
	for (int i = 0; i < repeats; i++) {
		begin(&private);
		vm_private(&vm, TIB, size);
		end(&private);
		begin(&shared);
		vm_shared(&vm, TIB, size);
		end(&shared);
	}
	snprintf(label, sizeof(label), "attributes-unmapped-%s-private", name);
	result(label, private.value);
	snprintf(label, sizeof(label), "attributes-unmapped-%s-shared", name);
	result(label, shared.value);
	vm_destroy(&vm);
}

/* A range whose private pages are all mapped becomes shared, and one that is not becomes private. */
static void attributes_mapped(const char *name, uint64_t size, uint64_t offset)
{
	struct smallest s, back;
	int repeats = size <= 2 * MIB ? REPEATS : 1;
	char label[64];
	struct vm vm;
	struct vcpu vcpu;

	s.value = back.value = ~0ull;
	make(&vm, &vcpu, size < 4 * MIB ? 4 * MIB : size, offset);
	for (int i = 0; i < repeats; i++) {
		vm_private(&vm, AREA, size);
		vcpu_prefault(&vcpu, AREA, size);
		begin(&s);
		vm_shared(&vm, AREA, size);
		end(&s);
		vcpu_prefault(&vcpu, AREA, size);
		begin(&back);
		vm_private(&vm, AREA, size);
		end(&back);
	}
	snprintf(label, sizeof(label), "attributes-mapped-%s-to-shared", name);
	result(label, s.value);
	snprintf(label, sizeof(label), "attributes-mapped-%s-to-private", name);
	result(label, back.value);
	unmake(&vm, &vcpu);
}

/* The whole way: attributes, and every page mapped again on the other side. */
static void bench_conversion_2m(void)
{
	struct smallest s, back;
	struct vm vm;
	struct vcpu vcpu;

	s.value = back.value = ~0ull;
	make(&vm, &vcpu, 4 * MIB, 0);
	vm_private(&vm, AREA, 4 * MIB);
	vcpu_prefault(&vcpu, AREA, 4 * MIB);
	for (int i = 0; i < REPEATS; i++) {
		begin(&s);
		vm_shared(&vm, AREA, 2 * MIB);
		vm_punch(&vm, 0, 2 * MIB);
		vcpu_prefault(&vcpu, AREA, 2 * MIB);
		end(&s);
		begin(&back);
		vm_private(&vm, AREA, 2 * MIB);
		vcpu_prefault(&vcpu, AREA, 2 * MIB);
		end(&back);
	}
	result("convert-2m-to-shared-and-refault", s.value);
	result("convert-2m-to-private-and-refault", back.value);
	unmake(&vm, &vcpu);
}

static uint64_t slab_kib(void)
{
	uint64_t value, sum = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	must(!!f, "/proc/meminfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "SReclaimable: %" SCNu64, &value) == 1 ||
		    sscanf(line, "SUnreclaim: %" SCNu64, &value) == 1)
			sum += value;
	fclose(f);
	return sum;
}

/* What this process has been charged for, in its own memory cgroup. */
static uint64_t charged_kib(void)
{
	static const char *group = "/sys/fs/cgroup/bench";
	char line[128], path[64];
	uint64_t value = 0;
	FILE *f;

	mkdir(group, 0755);
	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	f = fopen(path, "w");
	if (!f)
		return 0;
	fprintf(f, "0\n");
	fclose(f);
	snprintf(path, sizeof(path), "%s/memory.stat", group);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "slab %" SCNu64, &value) == 1)
			break;
	fclose(f);
	return value / 1024;
}

static void memory_alternating(const char *name, uint64_t total, uint64_t grain)
{
	uint64_t slab, charged, start;
	char label[64];
	struct vm vm;

	vm_create(&vm);
	charged = charged_kib();
	slab = slab_kib();
	start = now();
	for (uint64_t at = 0; at < total; at += 2 * grain)
		vm_private(&vm, TIB + at, grain);
	snprintf(label, sizeof(label), "alternating-%s-instructions", name);
	result(label, now() - start);
	snprintf(label, sizeof(label), "alternating-%s-slab-kib", name);
	/* Somebody else may free some of it, so it can be less than before. */
	slab = slab_kib() - slab;
	result(label, (int64_t)slab < 0 ? 0 : slab);
	snprintf(label, sizeof(label), "alternating-%s-charged-kib", name);
	result(label, charged_kib() - charged);
	vm_destroy(&vm);
}

#define CONVERSIONS 64

struct worker {
	struct vm *vm;
	struct vcpu vcpu;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	vcpu_run(worker->vm, &worker->vcpu, KVM_EXIT_HLT);
	return NULL;
}

/* Each vCPU asks for conversions of a page of its own; instructions for one of them. */
static void bench_vcpus(int count)
{
	struct worker workers[16];
	struct vm vm;
	uint64_t start;
	char label[64];

	vm_create(&vm);
	vm_add_area(&vm, 64 * MIB, 0);
	vm_private(&vm, AREA, 64 * MIB);
	for (int i = 0; i < count; i++) {
		workers[i].vm = &vm;
		vcpu_create(&vm, &workers[i].vcpu, i);
		vcpu_prefault(&workers[i].vcpu, AREA + i * 2 * MIB, 2 * MIB);
		vcpu_set_work(&workers[i].vcpu, GUEST_CONVERT, AREA + i * 2 * MIB, 4096, CONVERSIONS);
	}
	start = now();
	for (int i = 0; i < count; i++)
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	for (int i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	snprintf(label, sizeof(label), "conversion-4k-with-%d-vcpus", count);
	result(label, (now() - start) / (CONVERSIONS * count));
	for (int i = 0; i < count; i++)
		vcpu_destroy(&workers[i].vcpu);
	vm_destroy(&vm);
}

/* Closing waits for grace periods; this clock, unlike now(), stands still then. */
static uint64_t cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void bench_teardown(const char *name, uint64_t size)
{
	struct vm vm;
	struct vcpu vcpu;
	char label[64];
	uint64_t start;

	make(&vm, &vcpu, size, 0);
	vm_private(&vm, AREA, size);
	vcpu_prefault(&vcpu, AREA, size);
	snprintf(label, sizeof(label), "teardown-%s", name);
	start = cpu_time();
	unmake(&vm, &vcpu);
	result(label, cpu_time() - start);
}

static void short_ones(void)
{
	bench_fault_4k();
	bench_fault_many_4k();
	bench_fault_2m();
	attributes_unmapped("4k", 4 * KIB);
	attributes_unmapped("2m", 2 * MIB);
	attributes_mapped("4k", 4 * KIB, 0);
	attributes_mapped("2m", 2 * MIB, 0);
	bench_conversion_2m();
	for (int count = 1; count <= 8; count *= 2)
		bench_vcpus(count);
	bench_teardown("2m", 2 * MIB);
	bench_teardown("64m", 64 * MIB);
	memory_alternating("256m-by-4k", 256 * MIB, 4 * KIB);
}

static void long_ones(void)
{
	attributes_unmapped("1g", GIB);
	attributes_mapped("1g", GIB, 0);
	bench_faults_1g();
	bench_teardown("1g", GIB);
	memory_alternating("64g-by-2m", 64 * GIB, 2 * MIB);
	attributes_unmapped("64g", 64 * GIB);
}

/* Not a measurement: trees of ranges with several levels, dropped with the VM or by one change. */
static void many_ranges(void)
{
	struct vm vm;

	for (uint64_t count = 8; count <= 32768; count *= 8) {
		for (int whole = 0; whole < 2; whole++) {
			vm_create(&vm);
			for (uint64_t i = 0; i < count; i++)
				vm_private(&vm, TIB + i * 2 * 4096, 4096);
			if (whole)
				vm_shared(&vm, TIB, count * 2 * 4096);
			vm_destroy(&vm);
			sleep(1);	/* what is freed after a grace period shall be */
		}
		printf("ok %" PRIu64 " ranges\n", count);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "short")) {
		short_ones();
	} else if (argc == 2 && !strcmp(argv[1], "long")) {
		long_ones();
	} else if (argc == 2 && !strcmp(argv[1], "1t")) {
		attributes_unmapped("1t", TIB);
	} else if (argc == 2 && !strcmp(argv[1], "ranges")) {
		many_ranges();
	} else {
		fprintf(stderr, "usage: bench short|long|1t|ranges\n");
		return 2;
	}
	return 0;
}
