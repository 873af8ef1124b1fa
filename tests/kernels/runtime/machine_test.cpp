// What the process may use. The figures differ from machine to machine; how they hang together does not.
#include "kernels/runtime/machine.h"

#include <gtest/gtest.h>

#include <sched.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "kernels/runtime/kernel_table.h"

namespace rapt::test {
namespace {

TEST(MachineTest, SmokeIsReadOnceAndHangsTogether) {
  const Machine& m = machine();
  EXPECT_EQ(&m, &machine());
  EXPECT_FALSE(m.cpu.empty());
  EXPECT_EQ(m.cpu.find_first_of("\n\t"), std::string::npos);
  EXPECT_GE(m.logical_cpus, 1);
  EXPECT_GE(m.num_threads, 1);
  EXPECT_FALSE(m.threads_reason.empty());
  EXPECT_EQ(m.features, cpu_features());
  for (const std::int64_t bytes : {m.l1d_bytes, m.l2_bytes, m.l3_bytes}) EXPECT_GE(bytes, 0);
  EXPECT_TRUE(m.l1d_bytes == 0 || m.l1d_bytes >= 4096) << m.l1d_bytes;
  EXPECT_TRUE(m.l2_bytes == 0 || m.l2_bytes > m.l1d_bytes) << m.l2_bytes;
}

#if defined(__x86_64__)
TEST(MachineTest, FeaturesAreThoseThatTheCompilerSees) {
  __builtin_cpu_init();
  EXPECT_EQ((cpu_features() & kCpuAvx2) != 0, __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ((cpu_features() & kCpuFma) != 0, __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ((cpu_features() & kCpuAvx512F) != 0, __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ((cpu_features() & kCpuAvx512Bw) != 0, __builtin_cpu_supports("avx512bw") != 0);
  EXPECT_EQ((cpu_features() & kCpuAvx512Dq) != 0, __builtin_cpu_supports("avx512dq") != 0);
  EXPECT_EQ((cpu_features() & kCpuAvx512Vl) != 0, __builtin_cpu_supports("avx512vl") != 0);
  EXPECT_EQ((cpu_features() & kCpuAvx512Vnni) != 0, __builtin_cpu_supports("avx512vnni") != 0);
  EXPECT_EQ((cpu_features() & kCpuAvx512Bf16) != 0, __builtin_cpu_supports("avx512bf16") != 0);
}
#endif

TEST(MachineTest, GroupsOfQuotasMayHaveColonsInTheirPaths) {
  const auto expect = [](const std::string& line, int version, const std::string& path) {
    const CpuGroup group = cpu_group(line);
    EXPECT_TRUE(group.version == version && group.path == path) << line << ": " << group.version << " " << group.path;
  };
  expect("0::/", 2, "/");
  expect("0::/kubepods.slice/a.slice:cri-containerd:0123", 2, "/kubepods.slice/a.slice:cri-containerd:0123");
  expect("4:cpuacct,cpu:/a:b", 1, "/a:b");
  expect("4:cpu:/a", 1, "/a");
  for (const char* other : {"", "4", "4:cpu", "3:cpuset:/a", "1:name=systemd:/cpu,x", "2:cpuacct:/x:cpu:/y"}) expect(other, 0, "");
}

// In a process of its own, since the machine is read once: exits with its number of threads, or 200, which a status can hold,
// and says why on stderr.
[[noreturn]] void exit_with_threads_when(const char* omp_num_threads, bool one_cpu) {
  omp_num_threads ? setenv("OMP_NUM_THREADS", omp_num_threads, 1) : unsetenv("OMP_NUM_THREADS");
  if (one_cpu) {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    int first = 0;
    while (!CPU_ISSET(first, &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  fprintf(stderr, "%s\n", machine().threads_reason.c_str());
  std::exit(std::min(machine().num_threads, 200));
}

TEST(MachineTest, NumberOfThreads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  int usual = 0;
  const auto note_usual = [&](int status) { return WIFEXITED(status) && (usual = WEXITSTATUS(status)) > 0; };
  const auto is_usual = [&](int status) { return WIFEXITED(status) && WEXITSTATUS(status) == usual; };
  EXPECT_EXIT(exit_with_threads_when(nullptr, false), note_usual, "");
  EXPECT_EXIT(exit_with_threads_when(nullptr, true), testing::ExitedWithCode(1), "affinity mask of 1 CPU|OpenMP");
  EXPECT_EXIT(exit_with_threads_when("1", false), testing::ExitedWithCode(1), usual > 1 ? "OMP_NUM_THREADS=1" : "");
  // No more than the process may use, and nonsense counts for nothing.
  for (const char* value : {"1000", "0", "-3", "many", ""})
    EXPECT_EXIT(exit_with_threads_when(value, false), is_usual, "") << value;
}

}  // namespace
}  // namespace rapt::test
