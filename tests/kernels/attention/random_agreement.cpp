// How far two results of one call may be apart; and agrees_with_reference: one by a backend, one by the reference in double.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "kernels/runtime/kernel_table.h"
#include "rapt/rapt.h"
#include "tests/kernels/attention/random_call.h"

namespace rapt::test {
namespace {

// As in oracle.h: a score is off by a few 2^-24 of the sum of its products' magnitudes and of what is added to it, a weight by
// as much relatively. Elements are 0.87 in the mean and 1.7 at most; i8 ones, of two factors, 1.1 and 4.4.
double tolerance(const RandomCase& c, rapt_dtype type, double more) {
  const double kMagnitudes[] = {1, 0.01, 8, 1e5}, kScales[] = {1 / std::sqrt(static_cast<double>(c.dim)), 0.3, 0.5, 0};
  const bool k_is_i8 = c.kv_type == RAPT_I8, v_is_i8 = c.v_type ? c.v_type - 1 == RAPT_I8 : k_is_i8;
  const double products =
      kScales[c.scale] * static_cast<double>(c.dim) * 0.87 * (k_is_i8 ? 1.1 : 0.87) * kMagnitudes[c.magnitude];
  const double distance = c.alibi ? 0.5 * static_cast<double>(c.kv_len + c.q_len) : 0;
  const double keys = 1 + static_cast<double>(c.kv_len) / 20000;  // sums over so many
  const double arithmetic = 0x1p-24 * (v_is_i8 ? 4.4 : 1.7) * (4 + 4 * (products + distance + 6 + more)) * keys;
  constexpr double kRounding[] = {0, 1.0 / 128, 1.0 / 1024};  // one unit in the last place: a result next to a boundary
  return arithmetic + kRounding[type];
}

// More for an output of bf16 products: each weight is rounded by at most 2^-8 of itself, and values are 1.7 at most.
constexpr double kBf16Weights = 1.7 * 0x1p-8;

// Where the reference is not finite the result is not either, and NaN stays NaN. exact: -infinity stays too, which is what lse and max_score
// of a row that sees nothing are; in sums of values it may meet infinity.
bool close(double got, double want, double tolerance, bool exact) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want || (std::isnan(got) && !(exact && want < 0));
  return std::fabs(got - want) <= tolerance * std::max(1.0, std::fabs(want));
}

std::string compare(const char* name, const TypedTensor& got, const TypedTensor& want, double tolerance, bool exact = false) {
  std::ostringstream text;
  bool found = false;
  if (!got || !want) return "";
  got.for_each([&](auto b, auto h, auto i, auto d) {
    const double x = got.get(b, h, i, d), y = want.get(b, h, i, d);
    if (found || x == y || close(x, y, tolerance, exact)) return;
    found = true;
    text.precision(9);
    text << name << "[" << b << ", " << h << ", " << i << ", " << d << "] is " << x << ", not " << y;
  });
  return text.str();
}

}  // namespace

std::int64_t panel_width(const Target& target) { return kernel_table(target.isa ? target.isa : rapt_context_isa(nullptr))->nr; }

bool has_bf16_products(const RandomCase& c, const Target& target) {
  const bool all_bf16 = c.q_type == RAPT_BF16 && c.kv_type == RAPT_BF16 && (c.v_type == 0 || c.v_type - 1 == RAPT_BF16);
  const Bf16Kernels& kernels = kernel_table(target.isa ? target.isa : rapt_context_isa(nullptr))->bf16;
  return all_bf16 && target.backend == std::string("rapt") && kernels.serves_attention && (!c.panels || kernels.gemm_stored);
}

std::string different_values(const Outputs& got, const Outputs& want, const RandomCase& c, const Target& target, double more) {
  const double weights = has_bf16_products(c, target) ? kBf16Weights : 0;
  const double f32 = tolerance(c, RAPT_F32, more);
  const std::string results[] = {compare("out", got.out, want.out, tolerance(c, got.out.type(), more) + weights),
                                 compare("lse", got.lse, want.lse, f32, true),
                                 compare("weights", got.weights, want.weights, f32),
                                 compare("column_sums", got.column_sums, want.column_sums, f32 * 4),
                                 compare("entropy", got.entropy, want.entropy, f32 * 8),
                                 compare("max_score", got.max_score, want.max_score, f32, true)};
  for (const std::string& result : results)
    if (!result.empty()) return result;
  return "";
}

std::string agrees_with_reference(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const Outputs got = call.make_outputs(), want = call.make_outputs();
  if (const std::string wrong = call.run(got, target, static_cast<int>(c.threads) + 1); !wrong.empty()) return wrong;
  if (const std::string wrong = call.run(want, {"reference", target.isa}); !wrong.empty()) return "the reference: " + wrong;
  return different_values(got, want, c, target);
}

}  // namespace rapt::test
