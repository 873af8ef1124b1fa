// What the engine may use of kernels/ beyond include/rapt/rapt.h: linear layers, normalisation, activations, rotary positions.
// The only internal header that engine/ includes. Every function takes the context of rapt.h for its threads and ISA level.
// Activations are row-major f32. Each result row depends on its own input row alone, with the same bits whatever the number
// of rows and threads: a prompt in one piece or in chunks gives the same numbers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

#include "kernels/runtime/activation.h"
#include "kernels/runtime/dtype.h"
#include "kernels/runtime/function_ref.h"
#include "kernels/runtime/weight_type.h"
#include "rapt/rapt.h"

namespace rapt {

// --- Weights as files hold them ------------------------------------------------------------------------------------------

struct WeightFormat {
  const char* name;  // "Q4_1"
  int block_elements, block_bytes;
};
const WeightFormat& weight_format(WeightType type);

// Bytes of a row. Throws std::invalid_argument, which names the type and its block, if `in` is no multiple of it.
std::int64_t weight_row_bytes(WeightType type, std::int64_t in);

// out[n, in] = the rows `ids` of a stored weight (an embedding table) as exact f32: the format's formula, rounded once.
// data need not be aligned. The ids must be valid.
void stored_rows(WeightType type, const void* data, std::int64_t in, const std::int32_t* ids, std::int64_t n, float* out);

// --- Linear layers -------------------------------------------------------------------------------------------------------

// How x W' is computed.
enum class Arithmetic : int {
  kF32,  // the weight's exact f32 values, f32 fused multiply-adds
  kInt8,  // quantised weights only: x is rounded to 8 bits in blocks of 32 with an f32 scale each; integer dot products are exact
  kBf16,      // the weight's values and x are rounded to bf16, products summed in f32; only on levels with products of bf16
  kInt8Fine,  // as kInt8, but the largest of each block is kept in 15 bits, and the others' scale is the second largest's
  // Weights of f32 only, and levels with tiles: each number is the sum of three of bf16. As exact as kF32, but numbers below 2^-103 lose bits and products below 2^-126
  // count as 0. From 64 rows on faster; one row takes longer.
  kBf16x3,
};
inline bool multiplies_bytes(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kInt8 || arithmetic == Arithmetic::kInt8Fine;
}
bool supports(WeightType type, Arithmetic arithmetic);
bool supports(const rapt_context* context, Arithmetic arithmetic);

// The weight of a linear layer in the panels that the kernels of one ISA level read. Packed once, used from any thread.
// The values are kept exactly, in about the bytes of the file; those for bf16 arithmetic rounded, in two bytes each.
class PackedWeight {
 public:
  PackedWeight() = default;
  // rows: [out_features, in_features] as the file has them, needed only during the call; of any alignment.
  // Throws std::bad_alloc, and std::invalid_argument where in_features is no multiple of the type's block or the type or the
  // context's level does not support the arithmetic.
  PackedWeight(rapt_context* context, WeightType type, const void* rows, std::int64_t out_features, std::int64_t in_features,
               Arithmetic arithmetic = Arithmetic::kF32);
  std::int64_t in_features() const { return in_; }
  std::int64_t out_features() const { return out_; }
  WeightType type() const { return type_; }
  Arithmetic arithmetic() const { return arithmetic_; }
  std::size_t bytes() const { return bytes_; }  // of memory held
  const std::byte* panels() const { return panels_.get(); }

 private:
  std::int64_t in_ = 0, out_ = 0;
  WeightType type_ = WeightType::kF32;
  Arithmetic arithmetic_ = Arithmetic::kF32;
  std::size_t bytes_ = 0;
  std::shared_ptr<std::byte> panels_;  // never written after packing: copies share it
};

// out[n, in] = rows `ids` of a packed weight as it keeps them, in f32: a token embedding that shares its weight with the head.
// The ids must be valid.
void packed_rows(rapt_context* context, const PackedWeight& weight, const std::int32_t* ids, std::int64_t n, float* out);

// What happens to x W' before it is stored, in this order:
//   y = [y +] activation(x W' + bias) * multiply
struct Epilogue {
  const float* bias = nullptr;  // [out]
  Activation activation = Activation::kNone;
  const float* multiply = nullptr;  // [rows, out], row stride ld_multiply; may be y
  std::int64_t ld_multiply = 0;
  bool accumulate = false;  // a residual: added to what y holds
};

// Rows of f32, or rounded to bf16 for layers of kBf16 arithmetic alone, as they round f32 rows themselves: the same bits, with half
// of the memory traffic. Rows of bf16 have the stride that bf16_stride() says, and zeros from their end up to it.
struct InputRows {
  InputRows(const float* rows) : f32(rows) {}
  InputRows(const Bf16* rows) : bf16(rows) {}
  const float* f32 = nullptr;
  const Bf16* bf16 = nullptr;
};
struct OutputRows {
  OutputRows(float* rows) : f32(rows) {}
  OutputRows(Bf16* rows) : bf16(rows) {}  // on levels with products of bf16; not to accumulate
  float* f32 = nullptr;
  Bf16* bf16 = nullptr;
};

// y[rows, out] = epilogue(x[rows, in] W'). ldx, ldy: row strides in elements. y and x must not overlap. The context must have
// the ISA level that packed the weight. May throw std::bad_alloc, the first time that a context sees so large a call.
void linear(rapt_context* context, std::int64_t rows, InputRows x, std::int64_t ldx, const PackedWeight& weight,
            const Epilogue& epilogue, OutputRows y, std::int64_t ldy);

// Several layers that read the same x (queries, keys and values) in one parallel run: the same bits as one after the other.
// All weights have the same in_features.
struct LinearOutput {
  const PackedWeight* weight;
  Epilogue epilogue;
  OutputRows y;
  std::int64_t ldy;
};
void linear(rapt_context* context, std::int64_t rows, InputRows x, std::int64_t ldx, std::span<const LinearOutput> outputs);

// y[rows, out] = activation(x gate') * (x up'): SwiGLU with kSilu. Both weights have the same sizes; how they are stored and
// multiplied may differ.
void linear_gated(rapt_context* context, std::int64_t rows, InputRows x, std::int64_t ldx, const PackedWeight& gate,
                  const PackedWeight& up, Activation activation, OutputRows y, std::int64_t ldy);

// --- Operations on rows --------------------------------------------------------------------------------------------------

// y = (x - mean) / sqrt(variance + eps) * weight + bias for each of `rows` contiguous rows of `dim`. bias may be null, y may be x.
void layer_norm(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, const float* weight,
                const float* bias, float eps, float* y);

// y = x / sqrt(mean of x^2 + eps) * weight for each row of `dim`; row strides in elements. y may be x (then ldy = ldx).
void rms_norm(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, std::int64_t ldx, const float* weight,
              float eps, float* y, std::int64_t ldy);

// Rotary positions (Su et al. 2021, "RoFormer") in place: each pair (a, b) of a head's first rotary_dim values becomes
// (a cos - b sin, a sin + b cos).
enum class RotaryPairing : int {
  kInterleaved,  // (0, 1), (2, 3), ...: GGUF's Llama, GPT-J
  kHalves,       // (0, rotary_dim / 2), (1, rotary_dim / 2 + 1), ...: Hugging Face's Llama and Qwen, GPT-NeoX
};
// x: [rows, heads, head_dim], row stride ldx. cosines, sines: [positions, rotary_dim / 2], a row for each position.
// positions: [rows], the table row of each row of x; null: row r of the table for row r.
void rotary(rapt_context* context, RotaryPairing pairing, std::int64_t rows, std::int64_t heads, std::int64_t head_dim,
            std::int64_t rotary_dim, const float* cosines, const float* sines, const std::int32_t* positions, float* x,
            std::int64_t ldx);

// In place over n values: x / 2 * (1 + erf(x / sqrt(2))), its tanh approximation (GPT-2's "gelu_new"), and x / (1 + e^-x).
void gelu_erf(rapt_context* context, std::int64_t n, float* x);
void gelu_tanh(rapt_context* context, std::int64_t n, float* x);
void silu(rapt_context* context, std::int64_t n, float* x);

// y[rows, dim] = silu(gate) * up with row strides; y may be either of them.
void silu_mul(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* gate, std::int64_t ld_gate,
              const float* up, std::int64_t ld_up, float* y, std::int64_t ldy);

// In place over n values, none above 0: e^x, which is 1 for 0; below -87.3, where it is subnormal, perhaps 0. On the calling thread.
void exponentials(rapt_context* context, std::int64_t n, float* x);

// y[rows, dim] = x, rounded to bf16: rows of bf16_stride(dim), with zeros behind their end. On levels with products of bf16.
void round_rows(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, Bf16* y);

// y[rows, dim] += x, both contiguous.
void add(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, float* y);

// Columns of a panel of the context's kernels: key pages in RAPT_KV_PANELS layout are [page_size / width][head_dim][width].
std::int64_t panel_width(const rapt_context* context);
// Whether rapt_attention multiplies queries, keys in such pages and values of bf16 in tiles, in a third of the time that f32 takes.
bool multiplies_panels_in_tiles(const rapt_context* context);
// Elements from one row of bf16 to the next (OutputRows): dim, rounded up to whole panels.
std::int64_t bf16_stride(const rapt_context* context, std::int64_t dim);

// Calls f() and keeps the context's threads ready meanwhile for the calls that it makes, rapt_attention among them: for a forward pass, whose
// many short calls would each wake them. multiply_adds: about how many f has; a few are done before a thread wakes. What f throws
// comes out.
void keep_threads(rapt_context* context, double multiply_adds, FunctionRef<void()> f);

// Calls f(task, thread) for each of num_tasks tasks, on as many threads as the context has. Calls that one of several tasks makes run on its
// thread alone, whatever their context, which no other task may use meanwhile; a single task is called as it is. Tasks must not throw.
void for_each_task(rapt_context* context, std::int64_t num_tasks, TaskRef f);

// Sets the calling thread's rapt_last_error() to "where: text" and returns status.
rapt_status fail(rapt_status status, const char* where, const char* format, ...) __attribute__((format(printf, 3, 4)));

}  // namespace rapt
