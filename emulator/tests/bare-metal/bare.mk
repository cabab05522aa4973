# Rules for programs without an operating system, which QEMU starts as
# multiboot kernels. The including Makefile sets SRC, its own directory with
# the programs t-*.c, LIB, the objects of its own that all of them get, and
# HEADERS.
#
# SPDX-License-Identifier: GPL-2.0-or-later

BARE := $(dir $(lastword $(MAKEFILE_LIST)))
VPATH := $(SRC):$(BARE)
CC ?= gcc
OBJCOPY ?= objcopy
QEMU ?= qemu-system-x86_64
CFLAGS := -O1 -g -Wall -Werror -std=gnu11 -m64 -ffreestanding -fno-pie \
	-fno-stack-protector -fno-builtin -mno-red-zone -I$(BARE) \
	-mgeneral-regs-only -fcf-protection=none -fno-asynchronous-unwind-tables
LDFLAGS := -nostdlib -static -no-pie -z noexecstack -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments

TESTS := $(sort $(patsubst $(SRC)%.c,%,$(wildcard $(SRC)t-*.c)))
ELFS := $(TESTS:=.elf)
OBJS := boot.o lib.o $(LIB)

all: $(ELFS)

%.o: %.c lib.h $(HEADERS)
	@$(CC) $(CFLAGS) -c -o $@ $<

%.o: %.S
	@$(CC) $(CFLAGS) -c -o $@ $<

# Multiboot loaders want a 32-bit file
%.elf: %.o $(OBJS) bare.ld
	@$(CC) $(CFLAGS) $(LDFLAGS) -T $(BARE)bare.ld -o $@.64 $(filter %.o, $^)
	@$(OBJCOPY) -O elf32-i386 $@.64 $@

check: $(ELFS)
	$(SRC)run --qemu $(QEMU) $(TESTS)

clean:
	rm -f *.o *.elf *.elf.64

.PHONY: all check clean
.SECONDARY:
