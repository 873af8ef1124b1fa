// Elementary functions on vectors. Layer: ops. Coefficients by tools/fit_polynomials.py (weighted least squares, minimax).
#pragma once
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// 2^x for x <= 0 (and a little above): x = n + f, n integral, |f| <= 1/2; 2^f by a polynomial of degree 6.
// Relative error of the polynomial 2.0e-9, of the f32 evaluation 8e-8 (0.7 ulp); exactly 1 at 0, so that a row with one
// visible key returns its V row. Degree 5 saves one FMA of 14 operations and doubles the error to 1.7e-7.
// Below 2^-126.5 the result is 0: beside the row's maximum, which is 1, it could not be seen. -inf gives 0, NaN gives NaN.
template <simd::Isa I>
inline __attribute__((always_inline)) typename I::V exp2(typename I::V x) {
  x = I::max(I::broadcast(-127.0f), x);  // in this order NaN passes
  const typename I::V n = I::round(x);
  const typename I::V f = I::sub(x, n);
  typename I::V p = I::broadcast(0x1.41fbbcp-13f);
  p = I::fma(p, f, I::broadcast(0x1.5f3e54p-10f));
  p = I::fma(p, f, I::broadcast(0x1.3b2d4cp-7f));
  p = I::fma(p, f, I::broadcast(0x1.c6aee8p-5f));
  p = I::fma(p, f, I::broadcast(0x1.ebfbdcp-3f));
  p = I::fma(p, f, I::broadcast(0x1.62e430p-1f));
  p = I::fma(p, f, I::broadcast(1.0f));
  return I::scale_by_power_of_2(p, n);
}

// erf(x) = x P(x^2) / Q(x^2) for |x| <= 4, beyond it the value at 4 (1 - erf(4) = 1.5e-8). Relative error 3.5e-7 in f32.
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
  return I::div(I::mul(x, p), q);
}

}  // namespace
}  // namespace rapt
