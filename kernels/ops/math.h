// Elementary functions on vectors. Layer: ops. Coefficients: weighted least squares, iterated to the minimax error (Lawson).
#pragma once
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// e^x for x <= 0 (and up to 87): x log2(e) = n + f, n integral, |f| <= 1/2; 2^f by a polynomial of degree 6, times 2^n.
// Relative error of the polynomial 2.0e-9, of the f32 evaluation 8e-8 (0.7 ulp) near 0, growing as |x| 2^-26 with the rounding of
// log2(e); exactly 1 at 0, so that a row with one visible key returns its V row. Degree 5 saves one of 14 operations and doubles
// the error. Below -87.7 the result is 0: beside the row's maximum, which is 1, it could not be seen. -inf gives 0, NaN gives NaN.
//
// N vectors at once, step by step: one chain has 12 dependent operations (about 45 cycles) and a core's scheduler holds too few
// waiting operations to find several chains by itself (measured on Zen 3: 8 cycles a vector one by one, 6.5 in fours).
template <simd::Isa I, int N>
inline __attribute__((always_inline)) void exp_by_polynomial(typename I::V* x) {
  using V = typename I::V;
  // Adding 1.5 * 2^23 + 127 leaves no bits for a fraction: the sum's last bits are n + 127, the exponent of 2^n.
  const V lowest = I::broadcast(-88.0296f), log2e = I::broadcast(0x1.715476p+0f), magic = I::broadcast(12582912.0f + 127.0f);
  V rounded[N], f[N], p[N];
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) x[i] = I::max(lowest, x[i]);  // in this order NaN passes
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) rounded[i] = I::fma(x[i], log2e, magic);
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) f[i] = I::fma(x[i], log2e, I::sub(magic, rounded[i]));
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) p[i] = I::broadcast(0x1.41fbbcp-13f);
  constexpr float kCoefficients[] = {0x1.5f3e54p-10f, 0x1.3b2d4cp-7f, 0x1.c6aee8p-5f, 0x1.ebfbdcp-3f, 0x1.62e430p-1f, 1.0f};
#pragma GCC unroll 8
  for (int c = 0; c < 6; ++c)
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) p[i] = I::fma(p[i], f[i], I::broadcast(kCoefficients[c]));
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) x[i] = I::mul(p[i], I::low_bits_to_exponent(rounded[i]));
}

// The same where a register can be a table of 16: x log2(e) = n / 16 + f, |f| <= 1/32, e^x = 2^(n/16) (1 + q), q = 2^f - 1 by a
// polynomial of degree 3 (relative error 1.6e-9) plus what the table's entry lacks. 5 multiplications instead of 9: where products
// and sums have pipes of their own (Zen 5: two each), 2.5 cycles a vector by count instead of 4.5. x log2(e) is rounded for it, which costs
// |x| 2^-24 of the value at most.
// kCoarse, for weights that are rounded to bf16: 32 powers, |f| <= 1/64, degree 2 (relative error 5.3e-8) and the entries as they are. 4
// multiplications; in all at most 3 units of 2^-24, and again the rounding of x log2(e).
// In steps, so that other work can go on between them (ops/softmax_gemm.h). After the last, x holds the results.
template <simd::Isa I, int N, bool kCoarse = false>
struct TableExp {
  using V = typename I::V;
  static constexpr int kSteps = 10;
  // The lowest x, log2(e), 1.5 * 2^23 in units of the powers' distance, and the polynomial from its highest degree on.
  static constexpr float kConstants[] = {-88.0296f,
                                         0x1.715476p+0f,
                                         kCoarse ? 0x1.8p+18f : 0x1.8p+19f,
                                         kCoarse ? 0x1.ebfbe0p-3f : 0x1.c6ac6ap-5f,
                                         kCoarse ? 0x1.62e584p-1f : 0x1.ebfff4p-3f,
                                         kCoarse ? 0.0f : 0x1.62e430p-1f};

  V x[N], rounded[N], q[N];

  // constant(c): a vector of kConstants[c].
  template <class F>
  inline __attribute__((always_inline)) void step(int i, F constant) {
    const V log2e = constant(1), magic = constant(2);
#pragma GCC unroll 8
    for (int v = 0; v < N; ++v) switch (i) {
        case 0: x[v] = I::max(constant(0), x[v]); break;  // in this order NaN passes
        case 1: x[v] = I::mul(x[v], log2e); break;
        case 2: rounded[v] = I::add(x[v], magic); break;
        case 3: q[v] = I::sub(magic, rounded[v]); break;
        case 4: x[v] = I::add(x[v], q[v]); break;  // f
        case 5: q[v] = I::fma(constant(3), x[v], constant(4)); break;
        case 6:
          if constexpr (!kCoarse) q[v] = I::fma(q[v], x[v], constant(5));
          break;
        case 7:
          if constexpr (kCoarse)
            q[v] = I::mul(q[v], x[v]);
          else
            q[v] = I::fma(q[v], x[v], I::power_error(rounded[v]));
          break;
        case 8:
          if constexpr (kCoarse)
            rounded[v] = I::power_of_32nds(rounded[v]);
          else
            rounded[v] = I::power_of_sixteenths(rounded[v]);
          break;
        case 9: x[v] = I::fma(rounded[v], q[v], rounded[v]); break;
        default: break;
      }
  }
};

template <simd::Isa I, int N, bool kCoarse = false>
inline __attribute__((always_inline)) void exp_by_table(typename I::V* x) {
  using Exp = TableExp<I, N, kCoarse>;
  Exp e;
#pragma GCC unroll 8
  for (int v = 0; v < N; ++v) e.x[v] = x[v];
#pragma GCC unroll 16
  for (int i = 0; i < e.kSteps; ++i) e.step(i, [](int c) __attribute__((always_inline)) { return I::broadcast(Exp::kConstants[c]); });
#pragma GCC unroll 8
  for (int v = 0; v < N; ++v) x[v] = e.x[v];
}

// The same with an instruction for f = t - n, t = x log2(e), and one for p 2^floor(n): 2^f by a polynomial that is 1 at 0, of degree 6 for
// |f| <= 1/2 (relative error 3.0e-9 with its coefficients in f32). Coarsely n is floor(t), which need not be computed, and the polynomial one of
// degree 5 on [0, 1) (8.3e-8). Where every instruction takes one of two pipes (Intel's cores) that is 11 and 9 places instead of 14 and
// 11. On Zen 5 both instructions take the two pipes of additions.
template <simd::Isa I, int N, bool kCoarse = false>
inline __attribute__((always_inline)) void exp_by_scaling(typename I::V* x) {
  using V = typename I::V;
  constexpr int kDegree = kCoarse ? 5 : 6;
  constexpr float kFine[] = {0x1.417d74p-13f, 0x1.5f0952p-10f, 0x1.3b2dd0p-7f, 0x1.c6af7ap-5f, 0x1.ebfbdcp-3f, 0x1.62e430p-1f, 1.0f};
  constexpr float kCoarser[] = {0x1.e96900p-10f, 0x1.277c1ep-7f, 0x1.c91c10p-5f, 0x1.ebdb6ap-3f, 0x1.62e4bap-1f, 1.0f};
  const float* const coefficients = kCoarse ? kCoarser : kFine;
  const V lowest = I::broadcast(-87.7f), log2e = I::broadcast(0x1.715476p+0f);
  V t[N], f[N], p[N];
#pragma GCC unroll 8
  for (int v = 0; v < N; ++v) t[v] = I::mul(x[v], log2e);
#pragma GCC unroll 8
  for (int v = 0; v < N; ++v) f[v] = kCoarse ? I::above_floor(t[v]) : I::beside_nearest(t[v]);
#pragma GCC unroll 8
  for (int v = 0; v < N && !kCoarse; ++v) t[v] = I::sub(t[v], f[v]);
#pragma GCC unroll 8
  for (int v = 0; v < N; ++v) p[v] = I::broadcast(coefficients[0]);
#pragma GCC unroll 8
  for (int i = 1; i <= kDegree; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < N; ++v) p[v] = I::fma(p[v], f[v], I::broadcast(coefficients[i]));
#pragma GCC unroll 8
  for (int v = 0; v < N; ++v) x[v] = I::scaled_unless_less(x[v], lowest, p[v], t[v]);
}

template <simd::Isa I, int N>
inline __attribute__((always_inline)) void exp(typename I::V* x) {
  if constexpr (requires { I::above_floor(x[0]); })
    exp_by_scaling<I, N>(x);
  else if constexpr (requires { I::power_of_sixteenths(x[0]); })
    exp_by_table<I, N>(x);
  else
    exp_by_polynomial<I, N>(x);
}

template <simd::Isa I, int N>
inline __attribute__((always_inline)) void coarse_exp(typename I::V* x) {
  if constexpr (requires { I::above_floor(x[0]); })
    exp_by_scaling<I, N, true>(x);
  else
    exp_by_table<I, N, true>(x);
}

template <simd::Isa I>
inline __attribute__((always_inline)) typename I::V exp(typename I::V x) {
  exp<I, 1>(&x);
  return x;
}

// tanh(x) = e / (e + 2), e = e^(2x) - 1 = 2^n (2^f - 1) + (2^n - 1) with the polynomial of exp, so that nothing cancels near 0;
// |x| <= 9.02, beyond it the value there (1 - 3e-8). Relative error 2.5e-7 near 0, 1e-7 from 1 on, where a soft-cap needs it
// (a rational P(x^2) / Q(x^2) saves 3 of 16 operations and is off by 3e-7 there).
template <simd::Isa I>
inline __attribute__((always_inline)) typename I::V tanh(typename I::V x) {
  using V = typename I::V;
  x = I::min(I::broadcast(9.02f), I::max(I::broadcast(-9.02f), x));  // in this order NaN passes
  const V two_log2e = I::broadcast(0x1.715476p+1f), magic = I::broadcast(12582912.0f + 127.0f), one = I::broadcast(1.0f);
  const V rounded = I::fma(x, two_log2e, magic);
  const V f = I::fma(x, two_log2e, I::sub(magic, rounded));
  V p = I::broadcast(0x1.41fbbcp-13f);
  constexpr float kCoefficients[] = {0x1.5f3e54p-10f, 0x1.3b2d4cp-7f, 0x1.c6aee8p-5f, 0x1.ebfbdcp-3f, 0x1.62e430p-1f};
#pragma GCC unroll 8
  for (int c = 0; c < 5; ++c) p = I::fma(p, f, I::broadcast(kCoefficients[c]));
  const V power = I::low_bits_to_exponent(rounded);
  const V e = I::fma(I::mul(p, f), power, I::sub(power, one));
  return I::div(e, I::add(e, I::broadcast(2.0f)));
}

// erf(x) = x P(x^2) / Q(x^2) for |x| <= 4, beyond it the value at 4 (1 - erf(4) = 1.5e-8). Relative error 3.5e-7 in f32.
// Never beyond 1, where the quotient's roundings would take it: x / 2 * (1 + erf) of a large negative x is 0, not above.
template <simd::Isa I>
inline __attribute__((always_inline)) typename I::V erf(typename I::V x) {
  x = I::min(I::broadcast(4.0f), I::max(I::broadcast(-4.0f), x));  // in this order NaN passes
  const typename I::V t = I::mul(x, x);
  typename I::V p = I::broadcast(0x1.0aaa8cp-19f);
  p = I::fma(p, t, I::broadcast(0x1.2a62f2p-12f));
  p = I::fma(p, t, I::broadcast(0x1.fcfa96p-9f));
  p = I::fma(p, t, I::broadcast(0x1.b3017cp-5f));
  p = I::fma(p, t, I::broadcast(0x1.8c5f88p-3f));
  p = I::fma(p, t, I::broadcast(0x1.20dd74p+0f));
  typename I::V q = I::broadcast(0x1.39e7c2p-15f);
  q = I::fma(q, t, I::broadcast(0x1.36c820p-10f));
  q = I::fma(q, t, I::broadcast(0x1.f24d38p-7f));
  q = I::fma(q, t, I::broadcast(0x1.d877bep-4f));
  q = I::fma(q, t, I::broadcast(0x1.027c44p-1f));
  q = I::fma(q, t, I::broadcast(1.0f));
  return I::min(I::broadcast(1.0f), I::max(I::broadcast(-1.0f), I::div(I::mul(x, p), q)));
}

}  // namespace
}  // namespace rapt
