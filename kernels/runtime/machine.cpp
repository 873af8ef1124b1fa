// CPUID, caches from sysfs, and the number of threads: the least of affinity, container quota and OMP_NUM_THREADS. Layer: runtime.
// A CPU quota (docker --cpus, Kubernetes limits) is invisible to sched_getaffinity and hardware_concurrency; more threads
// than the quota wait for each other at every barrier, so the cgroup files are read.
#include "kernels/runtime/machine.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace rapt {
namespace {

#if defined(__x86_64__)
// XCR0: which register state the operating system saves. Without it the instructions fault although CPUID has them.
// Inline assembly because _xgetbv needs -mxsave for the whole file.
std::uint64_t saved_state() {
  std::uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<std::uint64_t>(high) << 32 | low;
}

// Linux gives a process the state of tiles only once it has asked (asm/prctl.h); threads and forks have it then too. From then on it refuses
// stacks for signals that are too small to save them (12 KiB), and it refuses to give them where a thread has such a stack. So a process whose
// environment names a lower level is not asked for.
bool may_use_tiles() {
  const char* const isa = std::getenv("RAPT_ISA");
  if (isa && *isa && std::strcmp(isa, "amx_bf16") != 0) return false;
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool is_intel() {
  unsigned a, b, c, d;
  return __get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx && c == signature_INTEL_ecx && d == signature_INTEL_edx;
}

std::uint32_t read_features() {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  const bool has_fma = c & bit_FMA, has_f16c = c & bit_F16C, has_xgetbv = c & bit_OSXSAVE;
  if (!has_xgetbv) return 0;
  const std::uint64_t saved = saved_state();
  const bool saves_ymm = (saved & 0x06) == 0x06, saves_zmm = (saved & 0xe6) == 0xe6;
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24, kTileState = 3u << 17;
  unsigned b7 = 0, c7 = 0, d7 = 0;
  if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7)) return 0;
  std::uint32_t features = is_intel() ? std::uint32_t{kCpuIntel} : 0;
  if (saves_ymm && has_fma) features |= kCpuFma;
  if (saves_ymm && has_f16c) features |= kCpuF16c;
  if (saves_ymm && (b7 & bit_AVX2)) features |= kCpuAvx2;
  if (saves_zmm && (b7 & bit_AVX512F)) features |= kCpuAvx512F;
  if (saves_zmm && (b7 & bit_AVX512BW)) features |= kCpuAvx512Bw;
  if (saves_zmm && (b7 & bit_AVX512DQ)) features |= kCpuAvx512Dq;
  if (saves_zmm && (b7 & bit_AVX512VL)) features |= kCpuAvx512Vl;
  if (saves_zmm && (c7 & bit_AVX512VNNI)) features |= kCpuAvx512Vnni;
  if (saves_zmm && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVX512BF16)) features |= kCpuAvx512Bf16;
  if ((saved & kTileState) == kTileState && (d7 & kAmxBf16) && (d7 & kAmxTile) && may_use_tiles()) features |= kCpuAmxBf16;
  return features;
}

std::string read_brand() {
  unsigned words[12] = {};
  for (unsigned i = 0; i < 3; ++i)
    if (!__get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3])) return "unknown";
  char text[49] = {};
  std::memcpy(text, words, 48);
  std::string brand = text;
  const auto first = brand.find_first_not_of(' '), last = brand.find_last_not_of(' ');
  return first == std::string::npos ? "unknown" : brand.substr(first, last - first + 1);
}
#else
std::uint32_t read_features() { return 0; }
std::string read_brand() { return "unknown"; }
#endif

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The caches of CPU 0 as Linux describes them: index*/{level,type,size}, size as "512K".
void read_caches(Machine& m) {
  for (int i = 0; i < 8; ++i) {
    const std::string at = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    const std::string level = first_line(at + "level"), type = first_line(at + "type"), size = first_line(at + "size");
    if (level.empty() || size.empty()) return;
    std::int64_t bytes = std::atoll(size.c_str());
    if (size.back() == 'K') bytes <<= 10;
    if (size.back() == 'M') bytes <<= 20;
    if (level == "1" && type == "Data") m.l1d_bytes = bytes;
    if (level == "2") m.l2_bytes = bytes;
    if (level == "3") m.l3_bytes = bytes;
  }
}

// CPUs of the tightest cgroup quota around this process; infinity if none. Version 2 then version 1.
double cgroup_quota() {
  double cpus = INFINITY;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const CpuGroup group = cpu_group(line);
    if (group.version == 0) continue;
    // A container sees its own group as the mount's root, so every prefix of the path is tried, down to the root.
    for (std::string path = group.path;; path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'))) {
      double quota = 0, period = 0;
      if (group.version == 2) {
        std::istringstream(first_line("/sys/fs/cgroup" + path + "/cpu.max")) >> quota >> period;
      } else {
        quota = std::atof(first_line("/sys/fs/cgroup/cpu" + path + "/cpu.cfs_quota_us").c_str());
        period = std::atof(first_line("/sys/fs/cgroup/cpu" + path + "/cpu.cfs_period_us").c_str());
      }
      if (quota > 0 && period > 0) cpus = std::min(cpus, quota / period);
      if (path.empty() || path == "/") break;
    }
  }
  return cpus;
}

void choose_threads(Machine& m) {
  m.logical_cpus = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  cpu_set_t set;
  CPU_ZERO(&set);
  int allowed = m.logical_cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0) allowed = std::max(1, CPU_COUNT(&set));
  m.num_threads = allowed;
  m.threads_reason = "affinity mask of " + std::to_string(allowed) + " CPUs";
  const double quota = cgroup_quota();
  if (std::isfinite(quota) && quota < m.num_threads) {
    m.num_threads = std::max(1, static_cast<int>(std::floor(quota)));
    char text[64];
    std::snprintf(text, sizeof text, "cgroup quota of %.2f CPUs", quota);
    m.threads_reason = text;
  }
  const char* omp = std::getenv("OMP_NUM_THREADS");
  const int limit = omp ? std::atoi(omp) : 0;
  if (limit > 0 && limit < m.num_threads) {
    m.num_threads = limit;
    m.threads_reason = "OMP_NUM_THREADS=" + std::to_string(limit);
  }
#ifndef _OPENMP
  m.num_threads = 1;
  m.threads_reason = "built without OpenMP";
#endif
}

Machine read_machine() {
  Machine m;
  m.cpu = read_brand();
  m.features = read_features();
  read_caches(m);
  choose_threads(m);
  return m;
}

}  // namespace

CpuGroup cpu_group(const std::string& line) {
  const auto first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
  if (second == std::string::npos) return {};
  if (line.compare(0, 3, "0::") == 0) return {2, line.substr(second + 1)};
  const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
  if (controllers.find(",cpu,") == std::string::npos) return {};
  return {1, line.substr(second + 1)};
}

const Machine& machine() {
  static const Machine m = read_machine();
  return m;
}

std::uint32_t cpu_features() { return machine().features; }

}  // namespace rapt
