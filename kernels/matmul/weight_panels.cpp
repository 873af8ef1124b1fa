#include "kernels/matmul/weight_panels.h"

#include <algorithm>
#include <cstring>

#include "kernels/matmul/weight_format.h"

namespace rapt {
namespace {

using Byte = std::uint8_t;

// `count` elements of `size` bytes from byte `at` of a block on. In a panel each element stands once for every column, side by
// side, and the runs of a format follow each other.
struct Run {
  int at, size, count;
};

struct PanelFormat {
  int bytes;  // of one column's block
  Run runs[3];
  // A file's block to the bytes that the runs speak of, and back; null where they are the same.
  void (*to_panel)(const Byte* file, Byte* block);
  void (*to_file)(const Byte* block, Byte* file);
};

// The fifth bits of Q5_0 and Q5_1: bit 4 t + i of the file's word becomes bit 8 i + t, so that a shift brings element 4 t + i's
// into byte i.
template <int kAt, int kBytes, bool kBack>
void move_fifth_bits(const Byte* from, Byte* to) {
  std::memcpy(to, from, kBytes);
  std::uint32_t word, moved = 0;
  std::memcpy(&word, from + kAt, sizeof word);
  for (int t = 0; t < 8; ++t)
    for (int i = 0; i < 4; ++i)
      moved |= kBack ? (word >> (8 * i + t) & 1) << (4 * t + i) : (word >> (4 * t + i) & 1) << (8 * i + t);
  std::memcpy(to + kAt, &moved, sizeof moved);
}

// Twelve bytes of Q4_K and Q5_K hold eight pairs of 6-bit numbers; a panel has a byte for each. kRest: bytes behind them.
template <int kRest>
void spread_six_bits(const Byte* from, Byte* to) {
  std::memcpy(to, from, 4);
  const Byte* const packed = from + 4;
  for (int j = 0; j < 4; ++j) {
    to[4 + j] = packed[j] & 63;
    to[12 + j] = packed[j + 4] & 63;
    to[8 + j] = static_cast<Byte>((packed[j + 8] & 15) | packed[j] >> 6 << 4);
    to[16 + j] = static_cast<Byte>(packed[j + 8] >> 4 | packed[j + 4] >> 6 << 4);
  }
  std::memcpy(to + 20, from + 16, kRest);
}
template <int kRest>
void gather_six_bits(const Byte* from, Byte* to) {
  std::memcpy(to, from, 4);
  Byte* const packed = to + 4;
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<Byte>(from[4 + j] | from[8 + j] >> 4 << 6);
    packed[j + 4] = static_cast<Byte>(from[12 + j] | from[16 + j] >> 4 << 6);
    packed[j + 8] = static_cast<Byte>((from[8 + j] & 15) | (from[16 + j] & 15) << 4);
  }
  std::memcpy(to + 16, from + 20, kRest);
}

// Where packed bytes have a number s of 6 bits: the lower four of them and the upper two. A panel has s - 32 as a byte.
struct SixBits {
  int low, low_shift, high, high_shift;
};
// Number k of a format's kCount in kBytes.
struct ScalesOfQ3_K {
  static constexpr int kCount = 16, kBytes = 12;
  static constexpr SixBits at(int k) { return {k % 8, k / 8 * 4, 8 + k % 4, k / 4 * 2}; }
};
struct ScalesOfIQ4_XS {
  static constexpr int kCount = 8, kBytes = 6;
  static constexpr SixBits at(int k) { return {2 + k / 2, k % 2 * 4, k / 4, k % 4 * 2}; }
};
template <class Scales>
void spread_scales(const Byte* packed, Byte* to) {
  for (int k = 0; k < Scales::kCount; ++k) {
    const auto [low, low_shift, high, high_shift] = Scales::at(k);
    to[k] = static_cast<Byte>(((packed[low] >> low_shift & 15) | (packed[high] >> high_shift & 3) << 4) - 32);
  }
}
template <class Scales>
void gather_scales(const Byte* from, Byte* packed) {
  std::memset(packed, 0, Scales::kBytes);
  for (int k = 0; k < Scales::kCount; ++k) {
    const auto [low, low_shift, high, high_shift] = Scales::at(k);
    const int s = (from[k] + 32) & 63;
    packed[low] = static_cast<Byte>(packed[low] | (s & 15) << low_shift);
    packed[high] = static_cast<Byte>(packed[high] | s >> 4 << high_shift);
  }
}

// The bits of Q3_K before its scales, and back: upper ones are turned around, so that 1 takes 4 off.
void turn_upper_bits(const Byte* from, Byte* to) {
  for (int i = 0; i < 32; ++i) to[i] = static_cast<Byte>(~from[i]);
  std::memcpy(to + 32, from + 32, 64);
}
void q3_k_to_panel(const Byte* from, Byte* to) {
  turn_upper_bits(from, to);
  spread_scales<ScalesOfQ3_K>(from + 96, to + 96);
  std::memcpy(to + 112, from + 108, 2);
}
void q3_k_to_file(const Byte* from, Byte* to) {
  turn_upper_bits(from, to);
  gather_scales<ScalesOfQ3_K>(from + 96, to + 96);
  std::memcpy(to + 108, from + 112, 2);
}

void iq4_xs_to_panel(const Byte* from, Byte* to) {
  std::memcpy(to, from, 2);
  spread_scales<ScalesOfIQ4_XS>(from + 2, to + 2);
  std::memcpy(to + 10, from + 8, 128);
}
void iq4_xs_to_file(const Byte* from, Byte* to) {
  std::memcpy(to, from, 2);
  gather_scales<ScalesOfIQ4_XS>(from + 2, to + 2);
  std::memcpy(to + 8, from + 10, 128);
}

constexpr PanelFormat kFormats[kNumWeightTypes] = {
    {4, {{0, 4, 1}}, nullptr, nullptr},                                                         // F32
    {2, {{0, 2, 1}}, nullptr, nullptr},                                                         // BF16
    {2, {{0, 2, 1}}, nullptr, nullptr},                                                         // F16
    {34, {{0, 2, 1}, {2, 4, 8}}, nullptr, nullptr},                                             // Q8_0
    {18, {{0, 2, 1}, {2, 4, 4}}, nullptr, nullptr},                                             // Q4_0
    {20, {{0, 2, 2}, {4, 4, 4}}, nullptr, nullptr},                                             // Q4_1
    {22, {{0, 2, 1}, {2, 4, 5}}, move_fifth_bits<2, 22, false>, move_fifth_bits<2, 22, true>},  // Q5_0
    {24, {{0, 2, 2}, {4, 4, 5}}, move_fifth_bits<4, 24, false>, move_fifth_bits<4, 24, true>},  // Q5_1
    {84, {{80, 2, 2}, {0, 4, 20}}, nullptr, nullptr},                                           // Q2_K
    {114, {{112, 2, 1}, {96, 1, 16}, {0, 4, 24}}, q3_k_to_panel, q3_k_to_file},                 // Q3_K
    {148, {{0, 2, 2}, {4, 1, 16}, {20, 4, 32}}, spread_six_bits<128>, gather_six_bits<128>},    // Q4_K
    {180, {{0, 2, 2}, {4, 1, 16}, {20, 4, 40}}, spread_six_bits<160>, gather_six_bits<160>},    // Q5_K
    {210, {{208, 2, 1}, {192, 1, 16}, {0, 4, 48}}, nullptr, nullptr},                           // Q6_K
    {18, {{0, 2, 1}, {2, 4, 4}}, nullptr, nullptr},                                             // IQ4_NL
    {138, {{0, 2, 1}, {2, 1, 8}, {10, 4, 32}}, iq4_xs_to_panel, iq4_xs_to_file},                // IQ4_XS
};

// A run of `rows` blocks that lie `stride` bytes apart, to the first columns of a panel. Element by element, so that the panel is written as it lies.
template <int kSize>
void scatter(const Byte* from, std::int64_t stride, int elements, std::int64_t rows, std::int64_t columns, Byte* to) {
  for (int i = 0; i < elements; ++i, from += kSize, to += columns * kSize)
#pragma GCC unroll 8
    for (std::int64_t r = 0; r < rows; ++r) std::memcpy(to + r * kSize, from + r * stride, kSize);
}
// One column's run back to its block.
template <int kSize>
void gather(const Byte* from, Byte* to, int elements, std::int64_t columns) {
  for (int i = 0; i < elements; ++i) std::memcpy(to + i * kSize, from + i * columns * kSize, kSize);
}
constexpr decltype(&scatter<1>) kScatter[] = {nullptr, scatter<1>, scatter<2>, nullptr, scatter<4>};
constexpr decltype(&gather<1>) kGather[] = {nullptr, gather<1>, gather<2>, nullptr, gather<4>};

constexpr std::int64_t kBlock = 256;  // bytes, at least those of any format
static_assert(std::ranges::all_of(kFormats, [](const PanelFormat& format) { return format.bytes <= kBlock; }));

}  // namespace

std::int64_t panel_column_bytes(WeightType type, std::int64_t in) {
  return in / weight_format(type).block_elements * kFormats[static_cast<int>(type)].bytes;
}

void pack_columns(WeightType type, const void* rows, std::int64_t row_bytes, std::int64_t in, std::int64_t count, std::int64_t columns,
                  void* panel) {
  const WeightFormat& file = weight_format(type);
  const PanelFormat& format = kFormats[static_cast<int>(type)];
  const Byte* from = static_cast<const Byte*>(rows);
  Byte *to = static_cast<Byte*>(panel), blocks[kMaxColumns * kBlock];
  std::int64_t behind = count * row_bytes;  // what the next panel is made of, as many bytes again
  for (std::int64_t k = 0; k < in; k += file.block_elements, from += file.block_bytes) {
    for (const std::int64_t end = count * (row_bytes + (k / file.block_elements + 1) * file.block_bytes); behind < end; behind += 64)
      __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(rows) + static_cast<std::uintptr_t>(behind)), 0, 2);
    if (format.to_panel)
      for (std::int64_t r = 0; r < count; ++r) format.to_panel(from + r * row_bytes, blocks + r * kBlock);
    const Byte* const read = format.to_panel ? blocks : from;
    for (const Run& run : format.runs) {
      if (run.count) kScatter[run.size](read + run.at, format.to_panel ? kBlock : row_bytes, run.count, count, columns, to);
      to += run.size * run.count * columns;
    }
  }
}

void unpack_column(WeightType type, const void* panel, std::int64_t in, std::int64_t column, std::int64_t columns, void* row) {
  const WeightFormat& file = weight_format(type);
  const PanelFormat& format = kFormats[static_cast<int>(type)];
  const Byte* from = static_cast<const Byte*>(panel);
  Byte *to = static_cast<Byte*>(row), block[kBlock];
  for (std::int64_t k = 0; k < in; k += file.block_elements, to += file.block_bytes) {
    for (const Run& run : format.runs) {
      if (run.count) kGather[run.size](from + column * run.size, (format.to_file ? block : to) + run.at, run.count, columns);
      from += run.size * run.count * columns;
    }
    if (format.to_file) format.to_file(block, to);
  }
}

}  // namespace rapt
