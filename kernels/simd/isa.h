// The vector operations an ISA level provides, as a concept. Layer: simd (knows no matrix).
// scalar.h, avx2.h and avx512.h implement it; the templates of kernels/ops are written against it.
//
// V is a vector of kLanes floats, B one of as many bytes: kLanes groups of four, little-endian 32-bit lanes. "First n" operations touch the memory of lanes 0 .. n-1 only, 0 <= n <= kLanes:
// the other lanes are neither read (they come as 0) nor written, whatever lies behind them.
#pragma once
#include <concepts>
#include <cstdint>

#include "kernels/runtime/dtype.h"

namespace rapt::simd {

template <class I>
concept Isa = requires(const float* in, float* out, const Bf16* bf16, const F16* f16, const std::int8_t* i8, Bf16* to_bf16, F16* to_f16,
                       std::uint8_t* u8, std::int8_t* to_i8, typename I::V v, typename I::V* rows, typename I::B b,
                       const typename I::B* in_lanes, float f, int n) {
  { I::kLanes } -> std::convertible_to<int>;
  { I::kRegisters } -> std::convertible_to<int>;  // architectural vector registers
  { I::kName } -> std::convertible_to<const char*>;
  { I::zero() } -> std::same_as<typename I::V>;
  { I::broadcast(f) } -> std::same_as<typename I::V>;
  { I::load(in) } -> std::same_as<typename I::V>;
  { I::load_first(in, n) } -> std::same_as<typename I::V>;
  { I::store(out, v) };
  { I::store_first(out, v, n) };
  // The same from and to the other storage types: exact to f32, rounded to nearest even from it, NaN stays NaN.
  { I::load(bf16) } -> std::same_as<typename I::V>;
  { I::load(f16) } -> std::same_as<typename I::V>;
  { I::load(i8) } -> std::same_as<typename I::V>;
  { I::load_first(bf16, n) } -> std::same_as<typename I::V>;
  { I::load_first(f16, n) } -> std::same_as<typename I::V>;
  { I::load_first(i8, n) } -> std::same_as<typename I::V>;
  { I::store(to_bf16, v) };
  { I::store(to_f16, v) };
  { I::store_first(to_bf16, v, n) };
  { I::store_first(to_f16, v, n) };
  { I::iota() } -> std::same_as<typename I::V>;  // 0, 1, 2, ...
  { I::add(v, v) } -> std::same_as<typename I::V>;
  { I::sub(v, v) } -> std::same_as<typename I::V>;
  { I::mul(v, v) } -> std::same_as<typename I::V>;
  { I::div(v, v) } -> std::same_as<typename I::V>;
  { I::fma(v, v, v) } -> std::same_as<typename I::V>;  // a * b + c; rounded once where the CPU can, always the same way
  { I::max(v, v) } -> std::same_as<typename I::V>;     // a > b ? a : b, so b if either is NaN
  { I::min(v, v) } -> std::same_as<typename I::V>;     // a < b ? a : b, so b if either is NaN
  { I::low_bits_to_exponent(v) } -> std::same_as<typename I::V>;  // the bits of v shifted left by 23
  { I::abs(v) } -> std::same_as<typename I::V>;
  { I::select_less(v, v, v, v) } -> std::same_as<typename I::V>;  // a < b ? c : d, lane by lane
  { I::keep_first(v, v, n) } -> std::same_as<typename I::V>;      // lanes < n of a, the others of b
  { I::reduce_add(v) } -> std::same_as<float>;
  { I::reduce_max(v) } -> std::same_as<float>;
  { I::all_finite(v) } -> std::same_as<bool>;
  { I::any_nan(v, v) } -> std::same_as<bool>;  // in either
  { I::transpose(rows) };  // rows[kLanes]: a square of floats, in place

  { I::equal_lanes(v, v) } -> std::same_as<unsigned>;  // bit i: lane i has the same bits in both
  { I::max_bits(v, v) } -> std::same_as<typename I::V>;  // the larger as integers: of magnitudes, the larger, NaN above all
  { I::to_int(v) } -> std::same_as<typename I::B>;  // nearest integers, ties to even; anything for what is not finite
  { I::store_narrow(to_i8, in_lanes) };              // 32 bytes from the lanes of 32 / kLanes vectors; anything where |lane| > 127
  { I::load_bytes(u8) } -> std::same_as<typename I::B>;
  { I::store_bytes(u8, b) };
  { I::broadcast_lane(i8) } -> std::same_as<typename I::B>;  // four bytes into every lane
  { I::splat_byte(n) } -> std::same_as<typename I::B>;
  { I::bit_and(b, b) } -> std::same_as<typename I::B>;
  { I::bit_or(b, b) } -> std::same_as<typename I::B>;
  { I::shift_right(b, n) } -> std::same_as<typename I::B>;  // lanes, zeros come in; 0 <= n < 32
  { I::shift_right_signed(b, n) } -> std::same_as<typename I::B>;
  { I::shift_left(b, n) } -> std::same_as<typename I::B>;
  { I::sub_bytes(b, b) } -> std::same_as<typename I::B>;
  { I::look_up(i8, b) } -> std::same_as<typename I::B>;  // of 16 bytes those with the numbers in b, each below 16
  { I::add_lanes(b, b) } -> std::same_as<typename I::B>;
  { I::to_float(b) } -> std::same_as<typename I::V>;  // signed lanes
  // Integer dot products of four unsigned with four signed bytes, lane by lane, summed: dot(u, s), then dot(sum, u, s) for up to
  // dot_terms(most u) - 1 further terms (sums are 16-bit on some levels; |s| <= 127), then dot_sum gives the lanes as 32 bits.
  { I::dot(b, b) } -> std::same_as<typename I::B>;
  { I::dot(b, b, b) } -> std::same_as<typename I::B>;
  { I::dot_sum(b) } -> std::same_as<typename I::B>;
  { I::dot_terms(n) } -> std::convertible_to<int>;
  { I::dot_128(b, b) } -> std::same_as<typename I::B>;  // 128 * dot_sum(dot(u, s))
  // Signed w with signed s: dot(magnitude(w), with_sign(s, w)), to which -128 times the sum of s belongs where kSignedOffset.
  { I::magnitude(b) } -> std::same_as<typename I::B>;
  { I::with_sign(b, b) } -> std::same_as<typename I::B>;
  { I::kSignedOffset } -> std::convertible_to<bool>;
};

// What a level with products of bf16 pairs has beyond that. B holds kLanes pairs.
template <class I>
concept Bf16Isa = Isa<I> && requires(const Bf16* bf16, Bf16* to_bf16, typename I::V v, typename I::B b, int n) {
  { I::load_pairs(bf16) } -> std::same_as<typename I::B>;
  { I::load_first_pairs(bf16, n) } -> std::same_as<typename I::B>;  // n elements, 0 <= n <= 2 * kLanes
  { I::broadcast_pair(bf16) } -> std::same_as<typename I::B>;
  { I::store_pairs(to_bf16, b) };
  { I::interleave(bf16, bf16) } -> std::same_as<typename I::B>;  // (a[0], b[0]), (a[1], b[1]), ...: kLanes of each
  { I::interleave_first(bf16, bf16, n) } -> std::same_as<typename I::B>;
  { I::dot_pairs(v, b, b) } -> std::same_as<typename I::V>;  // a * b of the second ones, then of the first ones, added to v
  { I::round_to_pairs(v, v) } -> std::same_as<typename I::B>;  // kLanes elements of each, in order
};

// What a level with matrix registers has beyond that: tiles of kTileRows rows by 64 bytes, numbered 0 to 7. Templates of their numbers are load_tile,
// store_tile, zero_tile and dot_tiles.
template <class I>
concept TileIsa = Bf16Isa<I> && requires(typename I::V v, typename I::B b, const int (&rows)[8], unsigned mode) {
  { I::kTileRows } -> std::convertible_to<int>;
  { I::kTileColumns } -> std::convertible_to<int>;  // of f32 sums
  { I::kTileDepth } -> std::convertible_to<int>;    // products that dot_tiles adds to an element
  { I::configure(rows) };                           // of each tile, before any is used
  { I::release() };
  { I::flush_subnormals() } -> std::same_as<unsigned>;
  { I::restore_mode(mode) };
  { I::first_of_pairs(b) } -> std::same_as<typename I::V>;  // as f32
  { I::second_of_pairs(b) } -> std::same_as<typename I::V>;
  { I::nearest_bf16(v) } -> std::same_as<typename I::V>;  // as f32
  { I::upper_half(v) } -> std::same_as<typename I::V>;    // of each element's bits; the others are 0
  { I::upper_halves_in_pairs(v, v) } -> std::same_as<typename I::B>;
};

}  // namespace rapt::simd
