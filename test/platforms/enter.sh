#!/bin/sh
# Runs a command in a namespace in which this machine also has another platform's loader, libraries and Node:
#   unshare --user --map-root-user --mount sh enter.sh LIBRARIES NODE EMULATOR COMMAND...
# EMULATOR runs arm64 programs, or is empty. The machine itself is not changed.
set -eu
libraries=$1 node=$2 emulator=$3
shift 3
mount -t overlay -o "lowerdir=$libraries:/usr/lib" overlay /usr/lib
if [ -n "$emulator" ]; then
  mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
  # The first 20 bytes of a 64-bit little-endian ELF program for AArch64 (elf(5)), and which of them count.
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf ':arm64:M::%s:%s:%s:FP' "$magic" "$mask" "$emulator" > /proc/sys/fs/binfmt_misc/register
fi
PATH=$(dirname "$node"):$PATH exec "$@"
