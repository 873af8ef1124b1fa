#!/usr/bin/env bash
# Runs one Linux x86-64 program under an emulated AVX-512 CPU (Bochs, full system).
# See README.md beside this file for what it costs and where it stops.
set -euo pipefail

usage() {
  cat <<'EOF'
Usage: run_avx512.sh [OPTION]... -- PROGRAM [ARG]...

Runs PROGRAM inside a minimal Linux guest on Bochs, whose CPU has AVX-512.
Prints the program's stdout and stderr as they come and exits with its status.

  --cpu MODEL             Bochs CPU model (default corei7_skylake_x; another is
                          corei7_icelake_u, which adds VNNI, VBMI, BITALG, ...;
                          `bochs --help cpu` lists them)
  --timeout SECONDS       wall-clock limit for boot and program (default 600)
  --memory MIB            guest memory (default 1024, or more if the files need it)
  --file HOST[:GUEST]     copy a file or directory into the guest; GUEST defaults
                          to the same absolute path. May be repeated.
  --env NAME=VALUE        set a variable for the program. May be repeated.
  --work DIR              put work files (logs, images) in DIR and keep them
  --stats                 print times and instruction counts on stderr at the end
  --help                  this text

PROGRAM, its shared libraries and the working directory have the same paths in
the guest as on the host; nothing else of the host's files is there. stdin is
/dev/null.

Exit status: the program's own (128+N if signal N ended it); or
  2    wrong usage, or the program or a file cannot be read
  3    a needed package is missing and cannot be installed
  124  --timeout ran out
  125  the emulator or the guest failed
EOF
}

say() { printf 'run_avx512: %s\n' "$*" >&2; }
die() { local status=$1; shift; say "$*"; exit "$status"; }

repo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=$repo_root/build/emulation
cache_format=1              # raise this when the cached kernel's layout changes

cpu=corei7_skylake_x
timeout_s=600
memory_mib=              # empty: chosen by choose_memory
work=
stats=
files=()
env_assignments=()
program=
program_args=()

# Emulated instructions per emulated second. Close to what Bochs reaches on a
# current machine, so that times the program prints look like wall time. The
# guest kernel is told the same number (tsc_early_khz); were the two to differ,
# its timers and its clock would disagree.
readonly guest_ips=40000000
readonly kernel_base=0x1000000   # where the kernel is linked to run
readonly max_memory_mib=2048     # the most that Bochs keeps in memory

parse_arguments() {
  while (($#)); do
    case $1 in
      --help) usage; exit 0 ;;
      --stats) stats=1; shift; continue ;;
      --) shift; break ;;
      --cpu | --timeout | --memory | --file | --env | --work)
        (($# >= 2)) || die 2 "$1 needs a value" ;;
      *) die 2 "unknown argument '$1' (see --help; PROGRAM comes after --)" ;;
    esac
    case $1 in
      --cpu) cpu=$2 ;;
      --timeout) timeout_s=$2 ;;
      --memory) memory_mib=$2 ;;
      --file) files+=("$2") ;;
      --env) env_assignments+=("$2") ;;
      --work) work=$2 ;;
    esac
    shift 2
  done
  (($#)) || die 2 "no PROGRAM given (see --help)"
  program=$1
  program_args=("${@:2}")

  [[ $cpu =~ ^[a-z0-9_]+$ ]] || die 2 "--cpu: not a model name: '$cpu'"
  [[ $timeout_s =~ ^[1-9][0-9]*$ ]] || die 2 "--timeout: not a number of seconds: '$timeout_s'"
  [[ $memory_mib =~ ^([1-9][0-9]*)?$ ]] || die 2 "--memory: not a number of MiB: '$memory_mib'"
  local a
  for a in ${env_assignments[@]+"${env_assignments[@]}"}; do
    [[ $a =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || die 2 "--env: not NAME=VALUE: '$a'"
  done
  # A bare name is looked up in PATH, as a shell would.
  if [[ $program != */* ]]; then program=$(type -P -- "$program") || die 2 "no program '$1' in PATH"; fi
  [[ -f $program && -r $program ]] || die 2 "cannot read program '$program'"
  [[ $(head -c 4 -- "$program") == $'\x7fELF' ]] || die 2 "'$program' is not an ELF program"
  # The directory is resolved but not a link in the last place: argv[0] matters
  # to multi-call programs.
  program=$(cd "$(dirname -- "$program")" && pwd)/$(basename -- "$program")
}

# --- packages ----------------------------------------------------------------

term_gui() { compgen -G '/usr/lib/*/bochs/plugins/libbx_term_gui.so' >/dev/null; }

# The guest has no libraries but the program's, so its shell must be static.
static_busybox() {
  command -v busybox >/dev/null && ! ldd "$(command -v busybox)" >/dev/null 2>&1 &&
    [[ $(busybox --list) == *$'\n'cpio$'\n'* ]]
}

# Prints the Debian packages that are not there yet, judged by what they provide.
missing_packages() {
  command -v bochs >/dev/null || echo bochs
  term_gui || echo bochs-term
  static_busybox || echo busybox-static
  [[ -x $(command -v as) && -x $(command -v objcopy) && -x $(command -v readelf) ]] || echo binutils
  [[ -s $cache/kernel-$cache_format.bin ]] || command -v lz4 >/dev/null || echo lz4
}

ensure_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    die 3 "missing packages: ${missing[*]} (not installed: needs root and apt-get)"
  fi
  say "installing ${missing[*]}"
  { apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  } >"$work/apt.log" 2>&1 || { tail -n 5 "$work/apt.log" >&2; die 3 "could not install ${missing[*]}"; }
}

# --- guest kernel ------------------------------------------------------------

# Debian's smallest kernel image, fetched as a package but never installed.
fetch_vmlinuz() {
  local dir=$1 package
  say "fetching the guest kernel (once; kept in build/emulation)"
  package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends:/ {print $2; exit}')
  if [[ -z $package ]] && ((EUID == 0)); then   # the package lists may just not be there
    apt-get update -qq >"$dir/apt.log" 2>&1 || true
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends:/ {print $2; exit}')
  fi
  [[ -n $package ]] || die 3 "missing package: linux-image-cloud-amd64 (apt-get knows none)"
  (cd "$dir" && apt-get -o APT::Sandbox::User=root download "$package") >"$dir/download.log" 2>&1 ||
    { tail -n 3 "$dir/download.log" >&2; die 3 "could not download $package"; }
  dpkg-deb --fsys-tarfile "$dir/$package"_*.deb |
    tar -x -C "$dir" --wildcards --strip-components=2 './boot/vmlinuz-*'
  mv "$dir"/vmlinuz-* "$dir/vmlinuz"
}

# A bzImage is a loader with the compressed kernel inside. Unpacking it here takes
# a fraction of a second; in the emulator it would take minutes.
unpack_vmlinux() {
  local vmlinuz=$1 vmlinux=$2 setup_sectors offset length start
  setup_sectors=$(od -An -tu1 -j $((0x1f1)) -N 1 "$vmlinuz")
  read -r offset length < <(od -An -tu4 -j $((0x248)) -N 8 "$vmlinuz")
  start=$(((setup_sectors + 1) * 512 + offset))
  payload() {   # without the last 4 bytes, which hold the unpacked size
    dd if="$vmlinuz" iflag=skip_bytes,count_bytes skip="$start" count=$((length - 4)) bs=1M status=none
  }
  case $(payload | od -An -tx1 -N 4 | tr -d ' ') in
    02214c18) payload | lz4 -dcq >"$vmlinux" ;;
    28b52ffd) payload | zstd -dcq >"$vmlinux" ;;
    fd377a58) payload | xz -dcq >"$vmlinux" ;;
    *) die 125 "the guest kernel is packed in a way this script does not know" ;;
  esac
}

# Address of the kernel's 32-bit PVH entry: ELF note type 0x12 of owner Xen.
pvh_entry() {
  readelf -nW "$1" 2>/dev/null |
    sed -nE 's/.*Xen .*\(0x00000012\).*data: (..) (..) (..) (..).*/0x\4\3\2\1/p'
}

prepare_kernel() {
  kernel=$cache/kernel-$cache_format.bin
  kernel_entry=$cache/kernel-$cache_format.entry
  if [[ -s $kernel && -s $kernel_entry ]]; then return; fi
  { mkdir -p "$cache" && exec 9>"$cache/lock"; } 2>/dev/null || die 125 "cannot write to $cache"
  flock 9                # several runs may start at once in a fresh tree
  if [[ ! -s $kernel || ! -s $kernel_entry ]]; then
    local dir=$work/kernel
    mkdir -p "$dir"
    fetch_vmlinuz "$dir"
    unpack_vmlinux "$dir/vmlinuz" "$dir/vmlinux"
    pvh_entry "$dir/vmlinux" >"$dir/entry"
    [[ -s $dir/entry ]] || die 125 "the guest kernel has no PVH entry point"
    # Without its BPF type data the kernel boots 1 to 3 seconds sooner.
    objcopy -O binary -R .BTF "$dir/vmlinux" "$dir/kernel.bin"
    cp "$dir/entry" "$kernel_entry"
    cp "$dir/kernel.bin" "$kernel.tmp"
    mv "$kernel.tmp" "$kernel"
    rm -r "$dir"
  fi
  exec 9>&-
}

# --- guest file system -------------------------------------------------------

copy_in() {   # copy_in HOSTPATH GUESTPATH; links are followed
  local target=$root$2
  mkdir -p -- "$(dirname -- "$target")"
  if [[ -d $1 ]]; then mkdir -p -- "$target"; cp -rL -- "$1/." "$target/"; else cp -L -- "$1" "$target"; fi
}

# Shared libraries, at the paths where the host's loader finds them. The guest
# has no ld.so.cache, so their directories go into LD_LIBRARY_PATH.
copy_libraries() {
  local listing library directory
  library_dirs=
  listing=$(ldd "$program" 2>&1) || return 0   # fails for static programs: nothing to do
  if grep -q 'not found' <<<"$listing"; then
    grep 'not found' <<<"$listing" >&2
    die 2 "shared libraries of '$program' were not found"
  fi
  while IFS= read -r library; do
    library=$(realpath -ms -- "$library")   # a linked-in relative path stays relative
    copy_in "$library" "$library"
    directory=$(dirname "$library")
    [[ :$library_dirs: == *:$directory:* ]] || library_dirs+=${library_dirs:+:}$directory
  done < <(sed -nE 's/^\t(.* => )?(.*\/.*) \(0x[0-9a-f]+\)$/\2/p' <<<"$listing")
}

quote() { local s=${1//\'/\'\\\'\'}; printf "'%s' " "$s"; }   # for the guest's shell

# What the guest's init runs, with the environment the program sees.
write_command() {
  local a has_ld_path=
  for a in ${env_assignments[@]+"${env_assignments[@]}"}; do
    if [[ $a == LD_LIBRARY_PATH=* ]]; then has_ld_path=1; fi
  done
  {
    printf 'cd '; quote "$PWD"
    printf '\nexec /bin/busybox env -i PATH=/bin:/usr/bin HOME=/tmp TMPDIR=/tmp '
    if [[ -n $library_dirs && -z $has_ld_path ]]; then quote "LD_LIBRARY_PATH=$library_dirs"; fi
    for a in ${env_assignments[@]+"${env_assignments[@]}"}; do quote "$a"; done
    quote "$program"
    for a in ${program_args[@]+"${program_args[@]}"}; do quote "$a"; done
    printf '\n'
  } >"$root/emulation/command"
}

# stdout, stderr and the exit status each have a serial line of their own, so
# that the kernel's messages (on the first line) never mix with them.
write_init() {
  # Where both go to one place here, they share a line there: that keeps the order.
  local stderr_line=4
  if [[ /dev/fd/1 -ef /dev/fd/2 ]]; then stderr_line=3; fi
  cat >"$root/init" <<EOF
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t devtmpfs dev /dev
\$b mount -t proc proc /proc
\$b mount -t sysfs sys /sys
\$b mkdir -p /dev/shm
\$b mount -t tmpfs shm /dev/shm
\$b ln -sf /proc/self/fd /dev/fd
\$b date -s @$(date +%s) >/dev/null
for line in 1 2 3; do \$b stty -F /dev/ttyS\$line raw clocal -echo 115200; done
uptime() { read up rest </proc/uptime; echo \$up; }
exec 3>/dev/ttyS1 4>/dev/ttyS2
start=\$(uptime)
\$b sh /emulation/command </dev/null >&3 2>&$stderr_line 3>&- 4>&-
status=\$?
end=\$(uptime)
# Closing a line waits until all of it has been sent.
exec 3>&- 4>&-
echo "exit \$status \$start \$end" >/dev/ttyS3
# The kernel parameter reboot=t makes this a triple fault, which ends Bochs.
\$b reboot -f
EOF
  chmod +x "$root/init"
}

build_initramfs() {
  root=$work/root
  initramfs=$work/initramfs
  mkdir -p "$root"/{bin,dev,proc,sys,tmp,emulation} "$root$PWD"
  cp "$(command -v busybox)" "$root/bin/busybox"
  ln -s busybox "$root/bin/sh"          # for system() and popen()
  copy_in "$program" "$program"
  chmod +x "$root$program"
  copy_libraries
  local spec host guest
  for spec in ${files[@]+"${files[@]}"}; do
    host=${spec%%:*}
    guest=$(realpath -ms -- "$host")
    if [[ $spec == *:* ]]; then guest=$(realpath -ms -- "${spec#*:}"); fi
    [[ -r $host ]] || die 2 "--file: cannot read '$host'"
    copy_in "$host" "$guest"
  done
  write_command
  write_init
  (cd "$root" && find . | busybox cpio -o -H newc) >"$initramfs" 2>"$work/cpio.log" ||
    { cat "$work/cpio.log" >&2; die 125 "could not pack the guest's files"; }
  rm -r "$root"
}

# --- machine -----------------------------------------------------------------

choose_memory() {
  # The packed and the unpacked files are in memory together for a while.
  local initramfs_mib need
  initramfs_mib=$(($(stat -c %s "$initramfs") / 1048576 + 1))
  need=$((256 + 3 * initramfs_mib))
  if [[ -z $memory_mib ]]; then memory_mib=$((need > 1024 ? need : 1024)); fi
  ((memory_mib >= need)) || die 2 "--memory: the files need at least $need MiB"
  ((memory_mib <= max_memory_mib)) || die 2 "the guest would need $memory_mib MiB; $max_memory_mib is the most"
}

# Kernel and initramfs as one image that Bochs loads straight into memory: no
# BIOS, boot loader or disk has to be emulated.
build_memory_image() {
  local megabyte=$((1 << 20)) kernel_size
  kernel_size=$(stat -c %s "$kernel")
  image=$work/memory.img
  initramfs_base=$((kernel_base + (kernel_size + 2 * megabyte - 1) / megabyte * megabyte))
  cp "$kernel" "$image"
  truncate -s $((initramfs_base - kernel_base)) "$image"
  cat "$initramfs" >>"$image"
  image_end=$((kernel_base + $(stat -c %s "$image")))
}

write_kernel_command_line() {
  local parameters=(
    console=ttyS0 quiet rdinit=/init
    # A reboot, also the one after a panic, is a triple fault and so ends Bochs.
    panic=-1 reboot=t
    # There is no firmware and no PCI; one CPU with the old interrupt controller.
    acpi=off pci=off nosmp noapic nolapic no_timer_check idle=halt
    tsc_early_khz=$((guest_ips / 1000)) tsc=reliable
    # CPU features that the guest kernel must not use; programs still see them in
    # CPUID. XSAVEC, XSAVES and PKU: Bochs 2.7 reports wrong sizes and offsets for
    # their state, at which Linux gives up AVX altogether; plain XSAVE is right.
    # FSRM: Bochs lacks the register that keeps ERMS on, and the kernel's memmove
    # overruns when FSRM comes without ERMS.
    clearcpuid=321,323,515,580
    # The rest only makes the boot shorter.
    mitigations=off dis_ucode_ldr init_on_alloc=0 audit=0 cryptomgr.notests
    initcall_blacklist=load_system_certificate_list,i8042_init,trace_eval_init,cubictcp_register,tracer_init_tracefs,init_trace_printk_function_export,init_graph_tracefs,trace_events_synth_init,init_evm,init_ima,cmos_init
  )
  printf '%s' "${parameters[*]}" >"$work/cmdline"
}

# The only firmware: it starts at the reset vector, enters 32-bit mode and jumps
# to the kernel's PVH entry with the description that this entry expects
# (struct hvm_start_info in Linux's xen/interface/hvm/start_info.h).
build_rom() {
  cat >"$work/rom.S" <<'EOF'
        .set ROM, 0xf0000               # the ROM is also seen here, below 1 MiB
        .code16
rom:
reset:  cli
        lgdtl %cs:(gdtr - rom)
        movl %cr0, %eax
        orb $1, %al
        movl %eax, %cr0
        ljmpl $8, $(ROM + protected - rom)
        .code32
protected:
        movw $16, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
# Bochs allots host memory to guest memory block by block, in the order of first
# use, but reads the image as if the blocks followed each other. So use them in
# rising order before anything else touches memory.
        movl $IMAGE, %ebx
touch:  movb (%ebx), %al
        addl $0x1000, %ebx
        cmpl $IMAGE_END, %ebx
        jb touch
        movl $(ROM + start_info - rom), %ebx
        movl $ENTRY, %eax
        jmp *%eax

        .balign 8
gdt:    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff   # none, flat code, flat data
gdtr:   .word gdtr - gdt - 1
        .long ROM + gdt - rom
        .balign 8
start_info:
        .long 0x336ec578, 1, 0, 1       # magic, version, flags, number of modules
        .quad ROM + modules - rom, ROM + cmdline - rom, 0, ROM + memory_map - rom
        .long 2, 0                      # entries in the memory map
modules:
        .quad INITRAMFS, INITRAMFS_SIZE, 0, 0
memory_map:
        .quad 0, 0xa0000
        .long 1, 0                      # 1: usable memory
        .quad 0x100000, MEMORY - 0x100000
        .long 1, 0
cmdline: .incbin "cmdline"
        .byte 0
        .org 0xfff0                     # the CPU starts here
        .code16
        jmp reset
        .org 0x10000
EOF
  (cd "$work" && as -o rom.o rom.S \
    --defsym ENTRY="$(cat "$kernel_entry")" \
    --defsym IMAGE=$((kernel_base)) --defsym IMAGE_END=$image_end \
    --defsym INITRAMFS=$initramfs_base --defsym INITRAMFS_SIZE="$(stat -c %s "$initramfs")" \
    --defsym MEMORY=$((memory_mib << 20)) &&
    objcopy -O binary rom.o rom.bin) || die 125 "could not assemble the boot ROM"
}

# Relative paths: Bochs runs in the work directory, whose name may hold anything.
write_bochsrc() {
  cat >"$work/bochsrc" <<EOF
config_interface: textconfig
display_library: term
cpu: model=$cpu, count=1, ips=$guest_ips, reset_on_triple_fault=0
clock: sync=none
memory: guest=$memory_mib, host=$memory_mib
romimage: file=rom.bin, address=0xffff0000
optramimage1: file=memory.img, address=$kernel_base
pci: enabled=0
ata0: enabled=0
ata1: enabled=0
com1: enabled=1, mode=file, dev=console.log
com2: enabled=1, mode=file, dev=stdout.fifo
com3: enabled=1, mode=file, dev=stderr.fifo
com4: enabled=1, mode=file, dev=status
plugin_ctrl: speaker=0, parallel=0, gameport=0, biosdev=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
log: bochs.log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
EOF
  # Debian builds Bochs with its debugger, which stops before the first instruction.
  echo continue >"$work/debugger.rc"
}

# Sets emulator_status; 124 means that the time ran out.
run_emulator() {
  mkfifo "$work/stdout.fifo" "$work/stderr.fifo"
  # Each reader ends when Bochs closes its end. Opening for reading and writing
  # keeps it from blocking should Bochs fail before it opens the pipe.
  exec 5<>"$work/stdout.fifo" 6<>"$work/stderr.fifo"
  cat <"$work/stdout.fifo" 5>&- 6>&- &
  local out_reader=$!
  cat <"$work/stderr.fifo" >&2 5>&- 6>&- &
  local err_reader=$!
  # Bochs does not end at SIGTERM, hence KILL for the time limit and, a second
  # after the TERM that cleanup sends, for that too.
  (cd "$work" && TERM=xterm exec timeout -s KILL -k 1 "$timeout_s" bochs -q -f bochsrc -rc debugger.rc) \
    >"$work/bochs.out" 2>&1 </dev/null 5>&- 6>&- &
  emulator_pid=$!
  emulator_status=0
  { wait "$emulator_pid" || emulator_status=$?; } 2>/dev/null   # no "Killed" from bash
  emulator_pid=
  exec 5>&- 6>&-
  wait "$out_reader" "$err_reader" || true
}

explain_failure() {
  local log
  say "the emulator ended without a result; the last lines of its logs:"
  for log in bochs.out bochs.log console.log; do
    if [[ -s $work/$log ]]; then
      { echo "--- $log"; grep -av '| ' "$work/$log" | tail -n 8; } >&2
    fi
  done
}

# Sets children_cpu to the CPU seconds of this shell's finished children. Not in
# a subshell, which would have no children to report on.
measure_children() {
  times >"$work/times"
  children_cpu=$(awk 'NR == 2 {split($1 "m" $2, t, /[ms]+/); print t[1] * 60 + t[2] + t[3] * 60 + t[4]}' "$work/times")
}

print_stats() {   # print_stats START_UPTIME END_UPTIME WALL_SECONDS CPU_SECONDS
  local ticks
  ticks=$(tail -n 1 "$work/bochs.log" | grep -oE '^[0-9]+' || echo 0)
  awk -v s="$1" -v e="$2" -v wall="$3" -v cpu="$4" -v ticks="$ticks" -v ips=$guest_ips 'BEGIN {
    printf "run_avx512: the emulator took %.1f s (%.1f s CPU) for %.0f million instructions (%.1f MIPS of CPU time),\n", wall, cpu, ticks / 1e6, ticks / cpu / 1e6
    printf "run_avx512: of which about %.0f million for the boot and %.0f million for the program (%.2f guest seconds)\n", s * ips / 1e6, (e - s) * ips / 1e6, e - s
  }' >&2
}

cleanup() {
  if [[ -n ${emulator_pid:-} ]]; then kill "$emulator_pid" 2>/dev/null || true; fi
  if [[ -n $own_work ]]; then rm -rf -- "$own_work"; fi
}

main() {
  parse_arguments "$@"

  own_work=
  emulator_pid=
  trap cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [[ -z $work ]]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/run_avx512.XXXXXX")
    own_work=$work
  else
    mkdir -p -- "$work"
    work=$(cd "$work" && pwd)
    # What an earlier run left there.
    rm -rf "$work"/{root,kernel,status,console.log,bochs.log,stdout.fifo,stderr.fifo}
  fi

  ensure_packages
  prepare_kernel
  build_initramfs
  choose_memory
  build_memory_image
  write_kernel_command_line
  build_rom
  write_bochsrc

  local began=$EPOCHREALTIME began_cpu ended word status start end
  measure_children
  began_cpu=$children_cpu
  run_emulator
  ended=$EPOCHREALTIME

  # The result counts even if the time ran out just after it.
  if read -r word status start end 2>/dev/null <"$work/status" && [[ $word == exit && -n $end ]]; then
    if [[ -n $stats ]]; then
      measure_children
      print_stats "$start" "$end" "$(awk "BEGIN {print $ended - $began}")" \
        "$(awk "BEGIN {print $children_cpu - $began_cpu}")"
    fi
    exit "$status"
  fi
  if ((emulator_status == 124 || emulator_status == 137)); then
    die 124 "stopped after $timeout_s s (--timeout)"
  fi
  explain_failure
  exit 125
}

main "$@"
