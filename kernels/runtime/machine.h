// What the process may use: CPU features, caches, threads. Layer: runtime. Read once.
#pragma once
#include <cstdint>
#include <string>

#include "kernels/runtime/cpu_features.h"

namespace rapt {

struct Machine {
  std::string cpu;              // brand string
  std::uint32_t features = 0;   // CpuFeature bits
  std::int64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // L1 and L2 of one core; 0: unknown
  int logical_cpus = 1;
  int num_threads = 1;          // what num_threads = 0 means
  std::string threads_reason;   // which limit decided it
};

const Machine& machine();

// What a line of /proc/self/cgroup, "id:controllers:path", says of CPU quotas. The path may have colons. Version 2 has one line, "0::/path";
// version 1 has one for each set of controllers, "4:cpu,cpuacct:/path", of which cpuset is another.
struct CpuGroup {
  int version = 0;  // 0: nothing
  std::string path;
};
CpuGroup cpu_group(const std::string& line);

}  // namespace rapt
