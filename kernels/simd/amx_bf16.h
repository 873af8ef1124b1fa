// ISA level "amx_bf16": level avx512_bf16 with matrix registers, "tiles", of 16 rows of 64 bytes and products of two of them. Layer: simd.
// Include only from kernels/isa/amx_bf16.cpp.
//
// Tiles have numbers in their instructions, hence templates; and inline assembly, because GCC 12's own functions do not say that they read
// memory. Every thread configures its tiles before it uses them and releases them afterwards: in use they are 8 KiB of state to save at
// each switch between threads.
#pragma once
#include "kernels/simd/avx512_bf16.h"
#include "kernels/simd/avx512_intel.h"

namespace rapt::simd {
namespace {

struct AmxBf16 : OfIntel<Avx512Bf16> {
  static constexpr const char* kName = "amx_bf16";
  static constexpr int kTileRows = 16, kTileColumns = 16, kTileDepth = 32;  // of f32 sums; products of a row by a column

  // Tiles 0 to 7: rows of each, all of 64 bytes. A tile with no rows must not be used.
  static void configure(const int (&rows)[8]) {
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t bytes[16] = {};
      std::uint8_t rows[16] = {};
    } config;
    for (int i = 0; i < 8; ++i) {
      config.rows[i] = (std::uint8_t)rows[i];
      config.bytes[i] = rows[i] > 0 ? 64 : 0;
    }
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  static void release() { asm volatile("tilerelease"); }

  template <int kTile>
  static inline __attribute__((always_inline)) void zero_tile() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  // stride: bytes between rows in memory.
  template <int kTile>
  static inline __attribute__((always_inline)) void load_tile(const void* from, std::int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static inline __attribute__((always_inline)) void store_tile(void* to, std::int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  // sum += a b of f32 [rows, 16], bf16 [rows, 32] and pairs [16, 16, 2]: of each element two sums, of the even and of the odd products, with
  // a fused multiply-add each, and their sum; subnormal numbers count as 0 (Intel's manual, TDPBF16PS).
  template <int kSum, int kA, int kB>
  static inline __attribute__((always_inline)) void dot_tiles() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
  }

  // From here to restore_mode() subnormal numbers are 0 in this thread's vectors too, as they are in tiles.
  static unsigned flush_subnormals() {
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
    return before;
  }
  static void restore_mode(unsigned before) { _mm_setcsr(before); }

  // To nearest, half away from zero; 3.39e38 and more to infinity, NaN to anything.
  static V nearest_bf16(V x) { return upper_half(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000)))); }
  // The lower 16 bits as 0; by a mask, which takes no vector register.
  static V upper_half(V x) { return _mm512_castsi512_ps(_mm512_maskz_mov_epi16(0xaaaaaaaa, _mm512_castps_si512(x))); }
  // The upper halves of each element, a's before b's.
  static B upper_halves_in_pairs(V a, V b) { return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(_mm512_castps_si512(a), 16), _mm512_castps_si512(b)); }

  static V first_of_pairs(B b) { return _mm512_castsi512_ps(_mm512_slli_epi32(b, 16)); }
  static V second_of_pairs(B b) { return _mm512_castsi512_ps(_mm512_and_si512(b, _mm512_set1_epi32((int)0xffff0000))); }
};
static_assert(TileIsa<AmxBf16>);

}  // namespace
}  // namespace rapt::simd
