// All argument checks of the attention calls, in one file. Layer: kernels/attention.
#include "kernels/attention/problem.h"

#include <algorithm>
#include <cfloat>
#include <cinttypes>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/runtime/error.h"

namespace rapt {
namespace {

// Far above any real call, and low enough that sizes computed from them cannot overflow: the workspace of a thread is a few
// times group x head size floats, at most 2^44 bytes, that of 2^12 threads 2^56.
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;
constexpr std::int64_t kMaxDim = std::int64_t{1} << 20;
constexpr std::int64_t kMaxGroup = std::int64_t{1} << 20;
constexpr std::int64_t kMaxBytes = PTRDIFF_MAX;

// An enumeration as C hands it over: any int. Reading it as the enumeration would be undefined for values without a name.
template <class Enum>
int raw(const Enum& value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

enum class Use { kInput, kOutput };

// Checks of tensors in one call; after the first failure the rest pass, and status() tells.
class Checker {
 public:
  Checker(const char* where, DataCheck data) : where_(where), data_(data) {}
  rapt_status status() const { return status_; }

  template <class... Args>
  void wrong(const char* format, Args... args) {
    if (status_ == RAPT_OK) status_ = fail(RAPT_INVALID_ARGUMENT, where_, format, args...);
  }

  void tensor(const char* name, const rapt_tensor& t, Use use) {
    if (raw(t.dtype) != RAPT_F32) return wrong("%s.dtype is %d; RAPT_F32 (0) is supported", name, raw(t.dtype));
    std::int64_t elements = 1;  // with extents of 0 taken as 1: products of the others are computed too
    bool none = false;
    for (int i = 0; i < 4; ++i) {
      if (t.shape[i] < 0) return wrong("%s.shape[%d] is %" PRId64 "; it must not be negative", name, i, t.shape[i]);
      if (t.shape[i] > kMaxExtent) return wrong("%s.shape[%d] is %" PRId64 "; at most 2^40 is possible", name, i, t.shape[i]);
      none |= t.shape[i] == 0;
    }
    for (int i = 0; i < 4; ++i)
      if (__builtin_mul_overflow(elements, std::max<std::int64_t>(1, t.shape[i]), &elements) || elements > kMaxElements)
        return wrong("%s.shape is [%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 "]; at most 2^48 elements are possible", name,
                     t.shape[0], t.shape[1], t.shape[2], t.shape[3]);
    if (none) return;
    if (t.shape[3] > 1 && t.strides[3] != 1)
      return wrong("%s.strides[3] is %" PRId64 "; the last dimension must be contiguous (stride 1)", name, t.strides[3]);
    extent(name, t);
    if (use == Use::kOutput)
      for (int i = 0; i < 4; ++i)
        if (t.shape[i] > 1 && t.strides[i] == 0)
          return wrong("%s.strides[%d] is 0; an output cannot repeat its elements", name, i);
    if (data_ == DataCheck::kRequired && !t.data) wrong("%s.data is NULL", name);
  }

  void same(const char* a, std::int64_t x, int i, const char* b, std::int64_t y, int j, const char* what) {
    if (x != y) wrong("%s.shape[%d] is %" PRId64 ", but %s.shape[%d] is %" PRId64 "; the %s must agree", a, i, x, b, j, y, what);
  }

  // The first dimensions of a and b agree.
  void same_shape(const char* a, const rapt_tensor& x, const char* b, const rapt_tensor& y, int dimensions) {
    static const char* const kWhat[] = {"batch sizes", "numbers of heads", "lengths", "head sizes"};
    for (int i = 0; i < dimensions; ++i) same(a, x.shape[i], i, b, y.shape[i], i, kWhat[i]);
  }

 private:
  // The farthest offsets from data, in bytes, must fit.
  void extent(const char* name, const rapt_tensor& t) {
    std::int64_t low = 0, high = 0;
    for (int i = 0; i < 4; ++i) {
      std::int64_t reach;
      bool overflow = __builtin_mul_overflow(t.shape[i] - 1, t.strides[i], &reach);
      if (!overflow) overflow = __builtin_add_overflow(reach < 0 ? low : high, reach, reach < 0 ? &low : &high);
      if (overflow || low < -kMaxBytes / 4 || high > kMaxBytes / 4 - 1)
        return wrong("%s.strides[%d] is %" PRId64 "; with shape[%d] = %" PRId64 " the offsets do not fit in memory", name, i,
                     t.strides[i], i, t.shape[i]);
    }
  }

  const char* where_;
  DataCheck data_;
  rapt_status status_ = RAPT_OK;
};

// The stride of an extent of 1 is never needed and may be anything; usual ones keep pointer arithmetic within the tensor.
TensorView view(const rapt_tensor& t) {
  const auto stride = [&](int i, std::int64_t usual) { return t.shape[i] > 1 ? t.strides[i] : usual; };
  return {static_cast<float*>(t.data), t.shape[0], t.shape[1], t.shape[2], t.shape[3], stride(0, 0), stride(1, 0), stride(2, t.shape[3])};
}

void check_attention(const rapt_attention_params& p, bool wants_lse, Checker& check) {
  check.tensor("q", p.q, Use::kInput);
  check.tensor("k", p.k, Use::kInput);
  check.tensor("v", p.v, Use::kInput);
  check.tensor("out", p.out, Use::kOutput);
  check.same("k", p.k.shape[0], 0, "q", p.q.shape[0], 0, "batch sizes");
  check.same("k", p.k.shape[3], 3, "q", p.q.shape[3], 3, "head sizes of q and k");
  check.same_shape("v", p.v, "k", p.k, 3);
  check.same_shape("out", p.out, "q", p.q, 3);
  check.same("out", p.out.shape[3], 3, "v", p.v.shape[3], 3, "head sizes of v and out");
  if (wants_lse) {
    check.tensor("lse", p.lse, Use::kOutput);
    check.same_shape("lse", p.lse, "q", p.q, 3);
    if (p.lse.shape[3] != 1) check.wrong("lse.shape[3] is %" PRId64 "; it must be 1", p.lse.shape[3]);
  }
  const std::int64_t q_heads = p.q.shape[1], kv_heads = p.k.shape[1];
  if (kv_heads < 1) check.wrong("k.shape[1] is %" PRId64 "; at least one head is needed", kv_heads);
  if (q_heads < 1) check.wrong("q.shape[1] is %" PRId64 "; at least one head is needed", q_heads);
  if (kv_heads > 0 && q_heads % kv_heads != 0)
    check.wrong("q.shape[1] is %" PRId64 ", but k.shape[1] is %" PRId64 "; the query heads must be a multiple of the KV heads",
                q_heads, kv_heads);
  if (kv_heads > 0 && q_heads / kv_heads > kMaxGroup)
    check.wrong("q.shape[1] is %" PRId64 ", but k.shape[1] is %" PRId64 "; at most 2^20 query heads can share a KV head", q_heads,
                kv_heads);
  for (const auto& [name, dim] : {std::pair{"q", p.q.shape[3]}, std::pair{"v", p.v.shape[3]}})
    if (dim < 1 || dim > kMaxDim) check.wrong("%s.shape[3] is %" PRId64 "; a head size is 1 to %" PRId64, name, dim, kMaxDim);
  if (raw(p.causal) < RAPT_CAUSAL_NONE || raw(p.causal) > RAPT_CAUSAL_BOTTOM_RIGHT)
    check.wrong("causal is %d; it is RAPT_CAUSAL_NONE (0), RAPT_CAUSAL_TOP_LEFT (1) or RAPT_CAUSAL_BOTTOM_RIGHT (2)", raw(p.causal));
  // It goes into Q as an f32, times log2(e).
  if (std::abs(p.softmax_scale) > FLT_MAX / 2)
    check.wrong("softmax_scale is %g; it must be finite as a float, or NAN for 1 / sqrt(head_dim)", p.softmax_scale);
}

}  // namespace

rapt_status make_problem(const rapt_attention_params* params, DataCheck data, const char* where, AttentionProblem* problem) {
  if (!params) return fail(RAPT_INVALID_ARGUMENT, where, "params is NULL");
  if (params->struct_size != sizeof *params)
    return fail(RAPT_INVALID_ARGUMENT, where, "params.struct_size is %zu; call rapt_attention_params_init first", params->struct_size);
  const rapt_attention_params& p = *params;
  // An lse tensor was meant if it has data or, where data does not count, a shape.
  const bool wants_lse = p.lse.data || (data == DataCheck::kIgnored && p.lse.shape[3] != 0);
  Checker check(where, data);
  check_attention(p, wants_lse, check);
  if (check.status() != RAPT_OK) return check.status();

  AttentionProblem& a = *problem;
  a.q = view(p.q);
  a.k = view(p.k);
  a.v = view(p.v);
  a.out = view(p.out);
  a.lse = view(p.lse);
  a.batch = a.q.batch;
  a.num_q_heads = a.q.heads;
  a.num_kv_heads = a.k.heads;
  a.group_size = a.num_q_heads / a.num_kv_heads;
  a.q_len = a.q.length;
  a.kv_len = a.k.length;
  a.head_dim = a.q.dim;
  a.head_dim_v = a.v.dim;
  a.softmax_scale = std::isnan(p.softmax_scale) ? 1.0 / std::sqrt(static_cast<double>(a.head_dim)) : p.softmax_scale;
  a.mask.kv_len = a.kv_len;
  a.mask.causal = p.causal != RAPT_CAUSAL_NONE;
  a.mask.q_offset = p.causal == RAPT_CAUSAL_BOTTOM_RIGHT ? a.kv_len - a.q_len : 0;
  return RAPT_OK;
}

rapt_status make_merge_problem(const rapt_merge_params* params, const char* where, MergeProblem* problem) {
  if (!params) return fail(RAPT_INVALID_ARGUMENT, where, "params is NULL");
  if (params->struct_size != sizeof *params)
    return fail(RAPT_INVALID_ARGUMENT, where, "params.struct_size is %zu; call rapt_merge_params_init first", params->struct_size);
  const rapt_merge_params& p = *params;
  Checker check(where, DataCheck::kRequired);
  check.tensor("a", p.a, Use::kInput);
  check.tensor("b", p.b, Use::kInput);
  check.tensor("out", p.out, Use::kOutput);
  check.same_shape("b", p.b, "a", p.a, 4);
  check.same_shape("out", p.out, "a", p.a, 4);
  check.tensor("lse_a", p.lse_a, Use::kInput);
  check.tensor("lse_b", p.lse_b, Use::kInput);
  check.tensor("lse", p.lse, Use::kOutput);
  const std::pair<const char*, const rapt_tensor*> sums[] = {{"lse_a", &p.lse_a}, {"lse_b", &p.lse_b}, {"lse", &p.lse}};
  for (const auto& [name, tensor] : sums) {
    check.same_shape(name, *tensor, "a", p.a, 3);
    if (tensor->shape[3] != 1) check.wrong("%s.shape[3] is %" PRId64 "; it must be 1", name, tensor->shape[3]);
  }
  if (check.status() != RAPT_OK) return check.status();
  *problem = {view(p.a), view(p.lse_a), view(p.b), view(p.lse_b), view(p.out), view(p.lse)};
  return RAPT_OK;
}

}  // namespace rapt
