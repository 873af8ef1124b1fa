// The calls whose instructions are counted by callgrind. Each runs twice, the second time counted, through the checks, the plan and
// the loop of backend "rapt", on a machine whose caches are written down here, so that the plan is the same everywhere.
// Run under valgrind by instruction_counts_test.py; alone it only says what the calls are.
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/attention/plan.h"
#include "kernels/attention/problem.h"
#include "kernels/kernels.h"
#include "kernels/runtime/kernel_table.h"
#include "kernels/runtime/machine.h"
#include "rapt/rapt.h"

namespace rapt {
namespace {

struct Case {
  const char* name;
  std::int64_t batch, q_heads, kv_heads, q_len, kv_len, head_dim;
  rapt_causal causal;
  rapt_dtype type;
};

// One of each kind of work: both gemms and the softmax; trimming at the diagonal; tails in every direction; a group's rows
// sharing keys; one row against many keys; conversion while packing; and what a call costs before it computes.
constexpr Case kCases[] = {
    {"prefill", 1, 2, 2, 256, 256, 64, RAPT_CAUSAL_NONE, RAPT_F32},
    {"causal", 1, 2, 2, 256, 256, 64, RAPT_CAUSAL_BOTTOM_RIGHT, RAPT_F32},
    {"tails", 1, 1, 1, 77, 203, 40, RAPT_CAUSAL_NONE, RAPT_F32},
    {"group", 1, 8, 2, 64, 128, 128, RAPT_CAUSAL_BOTTOM_RIGHT, RAPT_F32},
    {"decode", 1, 8, 2, 1, 1500, 128, RAPT_CAUSAL_NONE, RAPT_F32},
    {"decode_one_row", 1, 4, 4, 1, 1024, 64, RAPT_CAUSAL_NONE, RAPT_F32},
    {"bf16", 1, 2, 2, 128, 128, 64, RAPT_CAUSAL_NONE, RAPT_BF16},
    {"short", 1, 1, 1, 16, 16, 64, RAPT_CAUSAL_NONE, RAPT_F32},
    {"smallest", 1, 1, 1, 1, 1, 1, RAPT_CAUSAL_NONE, RAPT_F32},
};

Machine written_down() {
  Machine m;
  m.l1d_bytes = 32 << 10;
  m.l2_bytes = 512 << 10;
  m.l3_bytes = 32 << 20;
  return m;
}

struct Tensor {
  std::vector<std::uint32_t> memory;  // small numbers in either type: two bf16 of the same bits, or one f32
  rapt_tensor view;

  Tensor(rapt_dtype type, std::int64_t batch, std::int64_t heads, std::int64_t length, std::int64_t dim)
      : memory(static_cast<std::size_t>(batch * heads * length * dim)) {
    std::uint32_t state = 12345;
    for (std::uint32_t& word : memory) {
      state = state * 1664525u + 1013904223u;
      const float value = static_cast<float>(state >> 8) / static_cast<float>(1 << 23) - 1;
      std::memcpy(&word, &value, sizeof word);
      if (type == RAPT_BF16) word = (word & 0xffff0000u) | (word >> 16);
    }
    view = rapt_tensor_of(memory.data(), type, batch, heads, length, dim);
  }
};

void check(rapt_status status) {
  if (status == RAPT_OK) return;
  std::fprintf(stderr, "%s\n", rapt_last_error());
  std::exit(1);
}

// What backend/native.cpp does, with the machine given.
void run(const rapt_attention_params& params, const Machine& machine, const KernelTable& kernels, void* workspace) {
  AttentionProblem problem;
  check(make_problem(&params, DataCheck::kRequired, "guard", &problem));
  attention(problem, make_plan(problem, machine, kernels), kernels, 1, workspace);
}

void count(const Case& c, const char* isa, const KernelTable& kernels) {
  const Machine machine = written_down();
  Tensor q(c.type, c.batch, c.q_heads, c.q_len, c.head_dim), k(c.type, c.batch, c.kv_heads, c.kv_len, c.head_dim),
      v(c.type, c.batch, c.kv_heads, c.kv_len, c.head_dim), out(c.type, c.batch, c.q_heads, c.q_len, c.head_dim);
  rapt_attention_params params;
  rapt_attention_params_init(&params);
  params.q = q.view;
  params.k = k.view;
  params.v = v.view;
  params.out = out.view;
  params.causal = c.causal;
  AttentionProblem problem;
  check(make_problem(&params, DataCheck::kRequired, "guard", &problem));
  const Plan plan = make_plan(problem, machine, kernels);
  const std::size_t bytes = (plan.workspace_shared + plan.workspace_per_thread + 4095) / 4096 * 4096;
  void* const workspace = std::aligned_alloc(4096, bytes + 4096);

  const std::string name = std::string(isa) + " " + c.name;
  run(params, machine, kernels, workspace);
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  run(params, machine, kernels, workspace);
  CALLGRIND_DUMP_STATS_AT(name.c_str());
  CALLGRIND_STOP_INSTRUMENTATION;
  std::free(workspace);
  std::printf("%s\n", name.c_str());
}

}  // namespace
}  // namespace rapt

int main() {
  for (const char* isa : {"scalar", "avx2"}) {  // valgrind knows no AVX-512
    const rapt::KernelTable* kernels = rapt::kernel_table(isa);
    if (!kernels) continue;
    for (const rapt::Case& c : rapt::kCases) rapt::count(c, isa, *kernels);
  }
}
