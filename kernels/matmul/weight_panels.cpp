#include "kernels/matmul/weight_panels.h"

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

// Q4_K's twelve bytes hold eight pairs of 6-bit numbers; a panel has a byte for each.
void spread_six_bits(const Byte* from, Byte* to) {
  std::memcpy(to, from, 4);
  const Byte* const packed = from + 4;
  for (int j = 0; j < 4; ++j) {
    to[4 + j] = packed[j] & 63;
    to[12 + j] = packed[j + 4] & 63;
    to[8 + j] = static_cast<Byte>((packed[j + 8] & 15) | packed[j] >> 6 << 4);
    to[16 + j] = static_cast<Byte>(packed[j + 8] >> 4 | packed[j + 4] >> 6 << 4);
  }
  std::memcpy(to + 20, from + 16, 128);
}
void gather_six_bits(const Byte* from, Byte* to) {
  std::memcpy(to, from, 4);
  Byte* const packed = to + 4;
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<Byte>(from[4 + j] | from[8 + j] >> 4 << 6);
    packed[j + 4] = static_cast<Byte>(from[12 + j] | from[16 + j] >> 4 << 6);
    packed[j + 8] = static_cast<Byte>((from[8 + j] & 15) | (from[16 + j] & 15) << 4);
  }
  std::memcpy(to + 16, from + 20, 128);
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
    {148, {{0, 2, 2}, {4, 1, 16}, {20, 4, 32}}, spread_six_bits, gather_six_bits},              // Q4_K
    {210, {{208, 2, 1}, {192, 1, 16}, {0, 4, 48}}, nullptr, nullptr},                           // Q6_K
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

}  // namespace

std::int64_t panel_column_bytes(WeightType type, std::int64_t in) {
  return in / weight_format(type).block_elements * kFormats[static_cast<int>(type)].bytes;
}

void pack_columns(WeightType type, const void* rows, std::int64_t row_bytes, std::int64_t in, std::int64_t count, std::int64_t columns, void* panel) {
  const WeightFormat& file = weight_format(type);
  const PanelFormat& format = kFormats[static_cast<int>(type)];
  const Byte* from = static_cast<const Byte*>(rows);
  Byte *to = static_cast<Byte*>(panel), blocks[kMaxColumns * kBlock];
  auto behind = reinterpret_cast<std::uintptr_t>(rows) + static_cast<std::uintptr_t>(count * row_bytes);
  for (std::int64_t k = 0; k < in; k += file.block_elements, from += file.block_bytes) {
    for (const std::uintptr_t end = behind + static_cast<std::uintptr_t>(count * file.block_bytes); behind < end; behind += 64)
      __builtin_prefetch(reinterpret_cast<const void*>(behind), 0, 2);
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
