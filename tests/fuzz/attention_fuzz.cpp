// libFuzzer target for the attention call: whatever the descriptor, no crash; an accepted call agrees with the reference.
// The first byte picks one of two ways to read the rest.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "rapt/rapt.h"
#include "tests/kernels/attention/random_case.h"

namespace {

using namespace rapt_test;

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  std::uint64_t next(std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count && left_ > 0; ++i, --left_) value = value << 8 | *data_++;
    return value;
  }
  bool empty() const { return left_ == 0; }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

// A call that can run: two bytes a field, sizes kept small for speed.
void run_consistent(Bytes bytes) {
  RandomCase c;
  for (const CaseField& f : case_fields())
    if (!bytes.empty()) c.*f.value = static_cast<std::int64_t>(bytes.next(2) % static_cast<std::uint64_t>(f.most + 1));
  make_consistent(c);
  c.kv_len = c.kv_len % 64;
  c.q_len = c.q_len % 20;
  make_consistent(c);
  const std::string wrong = run_case(c, rapt_context_isa(nullptr));
  if (wrong.empty()) return;
  std::fprintf(stderr, "%s\nreplay: RAPT_RANDOM_CASE=\"%s\"\n", wrong.c_str(), to_string(c).c_str());
  std::abort();
}

// Any numbers in the descriptors, without data behind them: checks, plan and sizes must hold. Pointers stay null or valid.
void describe_anything(Bytes bytes) {
  static const std::int64_t kLengths[8] = {3, 1, 0, 7, -1, 5, 2, 1};
  static const std::int32_t kTable[8] = {0, 1, 2, 0, 1, 5, -1, 0};
  rapt_attention_params p;
  rapt_attention_params_init(&p);
  const auto number = [&] {
    const std::uint64_t width = bytes.next(1) % 9;  // small numbers as often as large ones
    return static_cast<std::int64_t>(bytes.next(width));
  };
  for (rapt_tensor* t : {&p.q, &p.k, &p.v, &p.out, &p.lse, &p.mask, &p.bias, &p.block_mask, &p.weights, &p.column_sums, &p.entropy,
                         &p.max_score, &p.k_scale, &p.v_scale}) {
    if (bytes.empty()) break;
    const std::uint64_t kind = bytes.next(1);
    if (kind % 3 == 0 && t != &p.q && t != &p.k && t != &p.v && t != &p.out) continue;
    const int type = static_cast<int>(kind >> 2 & 7);
    std::memcpy(&t->dtype, &type, sizeof type);
    const bool usual = kind >> 5 & 1;
    for (int i = 0; i < 4; ++i) {
      t->shape[i] = usual ? static_cast<std::int64_t>(bytes.next(1) % 9) : number();
      t->strides[i] = number();
    }
    if (usual) t->strides[3] = 1;
  }
  const std::uint64_t options = bytes.next(2);
  const int causal = static_cast<int>(bytes.next(1) % 4);
  std::memcpy(&p.causal, &causal, sizeof causal);
  p.window_left = number();
  p.window_right = number();
  p.block_mask_q = number();
  p.block_mask_kv = number();
  p.num_sequences = static_cast<std::int64_t>(bytes.next(1) % 4);
  // The arrays have 8 numbers: enough for batches of up to 8, which "usual" shapes are.
  const bool small = p.q.shape[0] >= 0 && p.q.shape[0] <= 4;
  if (options & 1 && small) p.kv_lengths = kLengths;
  if (options & 2 && small) p.q_offsets = kLengths;
  if (options & 4 && small) p.prefix_lengths = kLengths;
  if (options & 8) p.cu_seqlens_q = kLengths;
  if (options & 16) p.cu_seqlens_k = kLengths;
  if (options & 32 && small) {
    p.block_table = kTable;
    p.block_table_stride = static_cast<std::int64_t>(bytes.next(1) % 2) + 1;
  }
  char text[300];
  std::size_t size = 0;
  if (rapt_explain(nullptr, &p, text, sizeof text) == RAPT_OK && text[0] == 0) std::abort();
  (void)rapt_workspace_size(nullptr, &p, &size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  if (bytes.next(1) & 1)
    run_consistent(bytes);
  else
    describe_anything(bytes);
  return 0;
}
