// Quantised weights in panels: how to read 32 elements of NR columns, for each format. Layer: ops. For int8_gemm.h and dequant.h.
//
// A panel holds NR = NV * kLanes columns (outputs), block after block of each format's elements (inputs). A block is the file's
// blocks of the columns word by word: word w of all columns lies together, [words][NR][4 bytes], so that a vector has four
// elements of each of its columns; 16-bit scales are [NR] f16. Nothing is added or lost (scales of 6 bits take 8).
// kernels/matmul/weight_panels.cpp packs, and describes the same layouts as lists.
//
// A value is scale * q + offset; q: bytes, four of one column in a lane, elements 4 t .. 4 t + 3 of the 32 in quad t. quad_at is quad where t is
// no constant.
#pragma once
#include "kernels/runtime/weight_type.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// What the formats share. p: the block; columns of vector v begin at byte v * 4 * kLanes of a word.
template <simd::Isa I, int NV>
struct WeightBlock {
  using Isa = I;
  using V = typename I::V;
  using B = typename I::B;
  static constexpr int kVectors = NV;
  static constexpr int kColumns = NV * I::kLanes;
  static constexpr int kWord = 4 * kColumns;  // bytes of one word of all columns
  static constexpr int kScales = 1;           // scales, and offsets, of the 32 elements: 1, or 2 for 16 each
  static constexpr bool kSigned = false;      // q is signed, and there is no offset

  static V half(const std::uint8_t* p, int v) { return I::load((const F16*)p + v * I::kLanes); }
  static B word(const std::uint8_t* p, int w, int v) { return I::load_bytes(p + w * kWord + v * 4 * I::kLanes); }
  static B low_nibbles(B b) { return I::bit_and(b, I::splat_byte(15)); }
  // Quad t of 32 nibbles in four words: the low nibbles are elements 0 .. 15.
  static B nibble_quad(const std::uint8_t* p, int t, int v) {
    return low_nibbles(t < 4 ? word(p, t, v) : I::shift_right(word(p, t - 4, v), 4));
  }
  // The same for a t that is known only when it runs.
  static B nibble_quad_at(const std::uint8_t* p, int t, int v) {
    return low_nibbles(I::shift_right(word(p, t % 4, v), t / 4 * 4));
  }
  // Bit t of each byte of a word, as 16 or 0.
  static B fifth_bits(B word, int t) {
    return I::bit_and(t < 4 ? I::shift_left(word, 4 - t) : I::shift_right(word, t - 4), I::splat_byte(16));
  }
  static B fifth_bits_at(B word, int t) { return I::shift_left(I::bit_and(I::shift_right(word, t), I::splat_byte(1)), 4); }
};

// {f16 d; 32 nibbles}: d * (q - 8)
template <simd::Isa I, int NV>
struct Q4_0 : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  static constexpr int kMost = 15, kBlock = 32, kBytes = 18 * Base::kColumns;
  const std::uint8_t* p;
  explicit Q4_0(const std::uint8_t* block, int) : p(block) {}
  auto scale(int v, int = 0) const { return Base::half(p, v); }
  auto offset(int v, int = 0) const { return I::mul(scale(v), I::broadcast(-8.0f)); }
  auto quad(int t, int v) const { return Base::nibble_quad(p + 2 * Base::kColumns, t, v); }
  auto quad_at(int t, int v) const { return Base::nibble_quad_at(p + 2 * Base::kColumns, t, v); }
};

// {f16 d, m; 32 nibbles}: d * q + m
template <simd::Isa I, int NV>
struct Q4_1 : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  static constexpr int kMost = 15, kBlock = 32, kBytes = 20 * Base::kColumns;
  const std::uint8_t* p;
  explicit Q4_1(const std::uint8_t* block, int) : p(block) {}
  auto scale(int v, int = 0) const { return Base::half(p, v); }
  auto offset(int v, int = 0) const { return Base::half(p + 2 * Base::kColumns, v); }
  auto quad(int t, int v) const { return Base::nibble_quad(p + 4 * Base::kColumns, t, v); }
  auto quad_at(int t, int v) const { return Base::nibble_quad_at(p + 4 * Base::kColumns, t, v); }
};

// {f16 d; a word of fifth bits: bit t of byte i is element 4 t + i's; 32 nibbles}: d * (q - 16)
template <simd::Isa I, int NV>
struct Q5_0 : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  static constexpr int kMost = 31, kBlock = 32, kBytes = 22 * Base::kColumns;
  const std::uint8_t* p;
  explicit Q5_0(const std::uint8_t* block, int) : p(block) {}
  auto scale(int v, int = 0) const { return Base::half(p, v); }
  auto offset(int v, int = 0) const { return I::mul(scale(v), I::broadcast(-16.0f)); }
  auto quad(int t, int v) const {
    const std::uint8_t* const words = p + 2 * Base::kColumns;
    return I::bit_or(Base::fifth_bits(Base::word(words, 0, v), t), Base::nibble_quad(words + Base::kWord, t, v));
  }
  auto quad_at(int t, int v) const {
    const std::uint8_t* const words = p + 2 * Base::kColumns;
    return I::bit_or(Base::fifth_bits_at(Base::word(words, 0, v), t), Base::nibble_quad_at(words + Base::kWord, t, v));
  }
};

// {f16 d, m; a word of fifth bits; 32 nibbles}: d * q + m
template <simd::Isa I, int NV>
struct Q5_1 : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  static constexpr int kMost = 31, kBlock = 32, kBytes = 24 * Base::kColumns;
  const std::uint8_t* p;
  explicit Q5_1(const std::uint8_t* block, int) : p(block) {}
  auto scale(int v, int = 0) const { return Base::half(p, v); }
  auto offset(int v, int = 0) const { return Base::half(p + 2 * Base::kColumns, v); }
  auto quad(int t, int v) const {
    const std::uint8_t* const words = p + 4 * Base::kColumns;
    return I::bit_or(Base::fifth_bits(Base::word(words, 0, v), t), Base::nibble_quad(words + Base::kWord, t, v));
  }
  auto quad_at(int t, int v) const {
    const std::uint8_t* const words = p + 4 * Base::kColumns;
    return I::bit_or(Base::fifth_bits_at(Base::word(words, 0, v), t), Base::nibble_quad_at(words + Base::kWord, t, v));
  }
};

// {f16 d; 32 signed bytes}: d * q
template <simd::Isa I, int NV>
struct Q8_0 : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  static constexpr int kMost = 128, kBlock = 32, kBytes = 34 * Base::kColumns;
  static constexpr bool kSigned = true;
  const std::uint8_t* p;
  explicit Q8_0(const std::uint8_t* block, int) : p(block) {}
  auto scale(int v, int = 0) const { return Base::half(p, v); }
  auto quad(int t, int v) const { return Base::word(p + 2 * Base::kColumns, t, v); }
  auto quad_at(int t, int v) const { return quad(t, v); }
};

// Part j is 32 of the 256 elements of a block in the formats that follow; it is run r = j % 4 of half h = j / 4.
// What Q2_K and Q3_K share: elements of two bits in 16 words, bits 2 r and 2 r + 1 of words 8 h .. + 7.
template <simd::Isa I, int NV>
struct TwoBits : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  const std::uint8_t* words;
  int run;
  explicit TwoBits(const std::uint8_t* at, int j) : words(at + j / 4 * 8 * Base::kWord), run(j % 4) {}
  auto quad(int t, int v) const { return I::bit_and(I::shift_right(Base::word(words, t, v), 2 * run), I::splat_byte(3)); }
};

// {f16 d, m; 4 words: byte i % 4 of word i / 4 is s[i], the low nibble, and t[i]; 16 words of two bits}: d s q - m t, both for 16 elements.
template <simd::Isa I, int NV>
struct Q2_K : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  static constexpr int kMost = 3, kBlock = 256, kBytes = 84 * Base::kColumns, kScales = 2;
  const std::uint8_t* p;
  TwoBits<I, NV> low;
  int part;
  explicit Q2_K(const std::uint8_t* block, int j) : p(block), low(block + 4 * Base::kColumns + 4 * Base::kWord, j), part(j) {}
  auto scale(int v, int half = 0) const { return I::mul(Base::half(p, v), four_bits(8 * half, v)); }
  auto offset(int v, int half = 0) const {
    return I::sub(I::zero(), I::mul(Base::half(p + 2 * Base::kColumns, v), four_bits(8 * half + 4, v)));
  }
  auto quad(int t, int v) const { return low.quad(t, v); }
  auto quad_at(int t, int v) const { return quad(t, v); }

 private:
  // From bit `at` of the part's 16 on.
  auto four_bits(int at, int v) const {
    const auto word = Base::word(p + 4 * Base::kColumns, part / 2, v);
    return I::to_float(I::bit_and(I::shift_right(word, part % 2 * 16 + at), I::shift_right(I::splat_byte(15), 24)));
  }
};

// What Q4_K and Q5_K share: {f16 d, m; bytes s[8], t[8]; ...; 32 words of nibbles, from word kFirst on}: d s q - m t. Part j is in words
// 8 (j / 2) .. + 7: the low nibbles of even parts, the high ones of odd parts.
template <simd::Isa I, int NV, int kFirst>
struct ScaledParts : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  static constexpr int kBlock = 256;
  const std::uint8_t *p, *words;
  int part;
  explicit ScaledParts(const std::uint8_t* block, int j)
      : p(block), words(block + 20 * Base::kColumns + (kFirst + j / 2 * 8) * Base::kWord), part(j) {}
  auto scale(int v, int = 0) const { return I::mul(Base::half(p, v), six_bits(part, v)); }
  auto offset(int v, int = 0) const {
    return I::sub(I::zero(), I::mul(Base::half(p + 2 * Base::kColumns, v), six_bits(8 + part, v)));
  }
  auto quad(int t, int v) const { return Base::low_nibbles(I::shift_right(Base::word(words, t, v), part % 2 * 4)); }
  auto quad_at(int t, int v) const { return quad(t, v); }

 private:
  auto six_bits(int at, int v) const { return I::load((const std::int8_t*)p + (4 + at) * Base::kColumns + v * I::kLanes); }
};

template <simd::Isa I, int NV>
struct Q4_K : ScaledParts<I, NV, 0> {
  static constexpr int kMost = 15, kBytes = 148 * WeightBlock<I, NV>::kColumns;
  using ScaledParts<I, NV, 0>::ScaledParts;
};

// Bit j of each byte of the 8 words before the nibbles is the fifth of an element of part j.
template <simd::Isa I, int NV>
struct Q5_K : ScaledParts<I, NV, 8> {
  using Nibbles = ScaledParts<I, NV, 8>;
  static constexpr int kMost = 31, kBytes = 180 * Nibbles::kColumns;
  using Nibbles::Nibbles;
  auto quad(int t, int v) const {
    const auto fifth = Nibbles::fifth_bits_at(Nibbles::word(this->p + 20 * Nibbles::kColumns, t, v), this->part);
    return I::bit_or(fifth, Nibbles::quad(t, v));
  }
  auto quad_at(int t, int v) const { return quad(t, v); }
};

// What Q3_K and Q6_K share: {f16 d; signed bytes s[16]; words}: d s q, s for 16 elements.
template <simd::Isa I, int NV>
struct SignedParts : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  static constexpr int kBlock = 256, kScales = 2;
  static constexpr bool kSigned = true;
  const std::uint8_t* p;
  int part;
  explicit SignedParts(const std::uint8_t* block, int j) : p(block), part(j) {}
  auto scale(int v, int half = 0) const {
    const auto s = I::load((const std::int8_t*)p + (2 + 2 * part + half) * Base::kColumns + v * I::kLanes);
    return I::mul(Base::half(p, v), s);
  }
};

// Words: 8, of whose bytes bit j takes 4 off an element of part j; 16 of its two other bits.
template <simd::Isa I, int NV>
struct Q3_K : SignedParts<I, NV> {
  using Base = SignedParts<I, NV>;
  static constexpr int kMost = 4, kBytes = 114 * Base::kColumns;
  TwoBits<I, NV> low;
  explicit Q3_K(const std::uint8_t* block, int j) : Base(block, j), low(block + 18 * Base::kColumns + 8 * Base::kWord, j) {}
  auto quad(int t, int v) const {
    const auto minus = I::bit_and(I::shift_right(Base::word(this->p + 18 * Base::kColumns, t, v), this->part), I::splat_byte(1));
    return I::sub_bytes(low.quad(t, v), I::shift_left(minus, 2));
  }
  auto quad_at(int t, int v) const { return quad(t, v); }
};

// Words: 32 of low nibbles, 16 of upper two bits of q + 32. Nibbles: words 16 h + 8 (r % 2) .. + 7, the low ones of runs 0 and 1, the high
// ones of 2 and 3. Upper bits: as TwoBits, which is not used, because GCC then makes up to eight instructions more of a tile.
template <simd::Isa I, int NV>
struct Q6_K : SignedParts<I, NV> {
  using Base = SignedParts<I, NV>;
  static constexpr int kMost = 32, kBytes = 210 * Base::kColumns;
  const std::uint8_t *low, *high;
  int run;
  explicit Q6_K(const std::uint8_t* block, int j)
      : Base(block, j),
        low(block + 18 * Base::kColumns + (j / 4 * 16 + j % 2 * 8) * Base::kWord),
        high(block + 18 * Base::kColumns + (32 + j / 4 * 8) * Base::kWord),
        run(j % 4) {}
  auto quad(int t, int v) const {
    const auto nibbles = Base::low_nibbles(I::shift_right(Base::word(low, t, v), run / 2 * 4));
    const auto upper = I::bit_and(I::shift_right(Base::word(high, t, v), 2 * run), I::splat_byte(3));
    return I::sub_bytes(I::bit_or(nibbles, I::shift_left(upper, 4)), I::splat_byte(32));
  }
  auto quad_at(int t, int v) const { return quad(t, v); }
};

// What IQ4_NL and IQ4_XS share: 32 nibbles in four words, each the number of a signed byte.
template <simd::Isa I, int NV>
struct Iq4Nibbles : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  static constexpr int kMost = 127;
  static constexpr bool kSigned = true;
  const std::uint8_t *p, *words;
  explicit Iq4Nibbles(const std::uint8_t* block, const std::uint8_t* nibbles) : p(block), words(nibbles) {}
  auto quad(int t, int v) const { return I::look_up(kIq4Values, Base::nibble_quad(words, t, v)); }
  auto quad_at(int t, int v) const { return I::look_up(kIq4Values, Base::nibble_quad_at(words, t, v)); }
};

// {f16 d; 32 nibbles}: d * value
template <simd::Isa I, int NV>
struct IQ4_NL : Iq4Nibbles<I, NV> {
  using Base = Iq4Nibbles<I, NV>;
  static constexpr int kBlock = 32, kBytes = 18 * Base::kColumns;
  explicit IQ4_NL(const std::uint8_t* block, int) : Base(block, block + 2 * Base::kColumns) {}
  auto scale(int v, int = 0) const { return Base::half(this->p, v); }
};

// {f16 d; signed bytes s[8]; 32 words of nibbles, four for each part}: d s * value
template <simd::Isa I, int NV>
struct IQ4_XS : Iq4Nibbles<I, NV> {
  using Base = Iq4Nibbles<I, NV>;
  static constexpr int kBlock = 256, kBytes = 138 * Base::kColumns;
  int part;
  explicit IQ4_XS(const std::uint8_t* block, int j) : Base(block, block + 10 * Base::kColumns + 4 * j * Base::kWord), part(j) {}
  auto scale(int v, int = 0) const {
    return I::mul(Base::half(this->p, v), I::load((const std::int8_t*)this->p + (2 + part) * Base::kColumns + v * I::kLanes));
  }
};

// A block of 32 that unpack_panel (dequant.h) has made of any of them: f32 scales and offsets, q as bytes.
template <simd::Isa I, int NV, int kMostQ, int kNumScales, bool kIsSigned>
struct Unpacked : WeightBlock<I, NV> {
  using Base = WeightBlock<I, NV>;
  static constexpr int kMost = kMostQ, kBlock = 32, kScales = kNumScales;
  static constexpr bool kSigned = kIsSigned;
  static constexpr int kFloats = kScales * (kSigned ? 1 : 2);  // of a column
  static constexpr int kBytes = (4 * kFloats + 32) * Base::kColumns;
  const std::uint8_t* p;
  explicit Unpacked(const std::uint8_t* block, int) : p(block) {}
  auto scale(int v, int half = 0) const { return I::load((const float*)p + half * Base::kColumns + v * I::kLanes); }
  auto offset(int v, int half = 0) const { return I::load((const float*)p + (kScales + half) * Base::kColumns + v * I::kLanes); }
  auto quad(int t, int v) const { return Base::word(p + 4 * kFloats * Base::kColumns, t, v); }
  auto quad_at(int t, int v) const { return quad(t, v); }
};
// As large a q as leaves room for as many terms (int8_gemm.h): formats that differ in no instruction share one.
template <class W>
constexpr int most_unpacked() {
  const auto terms = [](int most) { return W::Isa::dot_terms(most) < 8 / W::kScales ? W::Isa::dot_terms(most) : 8 / W::kScales; };
  int most = W::kMost;
  while (most < 128 && terms(most + 1) == terms(W::kMost)) ++most;
  return most;
}
template <class W>
using UnpackedOf = Unpacked<typename W::Isa, W::kVectors, most_unpacked<W>(), W::kScales, W::kSigned>;

}  // namespace
}  // namespace rapt
