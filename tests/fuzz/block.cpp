#include "tests/fuzz/block.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "kernels/runtime/convert.h"

namespace rapt::fuzz {

std::int64_t count(const rapt_tensor& t) { return t.shape[0] * t.shape[1] * t.shape[2] * t.shape[3]; }

namespace {

// Of a type that may be none: 4 bytes then.
DType type_of(const rapt_tensor& t) {
  int type;
  std::memcpy(&type, &t.dtype, sizeof type);
  return type >= 0 && type <= RAPT_BOOL ? static_cast<DType>(type) : DType::kF32;
}
std::int64_t size_of_type(const rapt_tensor& t) { return size_of(type_of(t)); }

// Lowest and highest offset of an element from data, or false where they do not fit into `most` elements.
bool reach(const rapt_tensor& t, std::int64_t most, std::int64_t& low, std::int64_t& high) {
  low = high = 0;
  for (int i = 0; i < 4; ++i)
    if (t.shape[i] < 0 || t.shape[i] > most) return false;
  if (count(t) == 0) return true;
  for (int i = 0; i < 4; ++i) {
    std::int64_t far;
    if (__builtin_mul_overflow(t.shape[i] - 1, t.strides[i], &far)) return false;
    if (far < -most || far > most) return false;
    (far < 0 ? low : high) += far;
  }
  return high - low < most;
}

template <class F>
void for_each_element(const rapt_tensor& t, F f) {
  for (std::int64_t b = 0; b < t.shape[0]; ++b)
    for (std::int64_t h = 0; h < t.shape[1]; ++h)
      for (std::int64_t i = 0; i < t.shape[2]; ++i)
        for (std::int64_t d = 0; d < t.shape[3]; ++d) f(b * t.strides[0] + h * t.strides[1] + i * t.strides[2], d);
}

}  // namespace

rapt_tensor make_tensor(Bytes& bytes, rapt_dtype type, std::int64_t b, std::int64_t h, std::int64_t l, std::int64_t d) {
  rapt_tensor t = rapt_tensor_of(nullptr, type, b, h, l, d);
  const std::uint64_t layout = bytes.next(1);
  if (layout & 1) {  // [B, L, H, D]
    t.strides[1] = d;
    t.strides[2] = h * d;
  }
  for (int i = 0; i < 3; ++i)
    if (layout >> (i + 1) & 1) t.strides[i] = -t.strides[i];
  if (layout & 16) t.strides[layout >> 5 & 1] = static_cast<std::int8_t>(bytes.next(1));
  return t;
}

void change(Bytes& bytes, rapt_tensor& t) {
  const std::int64_t what = bytes.below(9);
  const std::int64_t value = bytes.number();
  const int type = static_cast<int>(value);
  if (what < 4)
    t.shape[what] = value;
  else if (what < 8)
    t.strides[what - 4] = value;
  else
    std::memcpy(&t.dtype, &type, sizeof type);
}

bool Block::provide(rapt_tensor& t, std::int64_t most) {
  std::int64_t low, high;
  t.data = nullptr;
  if (!reach(t, most, low, high)) return false;
  const std::int64_t size = size_of_type(t), elements = count(t) == 0 ? 0 : high - low + 1;
  memory_ = std::make_unique<char[]>(static_cast<std::size_t>(elements * size));
  for (std::int64_t i = 0; i < elements; ++i) {
    const double x = static_cast<double>((i * 7 + 3) % 31 - 15) / 10;
    if (size == 1)
      memory_[static_cast<std::size_t>(i)] = static_cast<char>(i % 3 ? i % 100 : 0);
    else
      from_double(type_of(t), x, memory_.get(), i);
  }
  t.data = memory_.get() - low * size;
  return true;
}

bool Block::is_injective(const rapt_tensor& t) {
  std::set<std::int64_t> seen;
  bool injective = true;
  for_each_element(t, [&](std::int64_t row, std::int64_t d) { injective = injective && seen.insert(row + d).second; });
  return injective;
}

double element(const rapt_tensor& t, std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t d) {
  const std::int64_t offset = b * t.strides[0] + h * t.strides[1] + i * t.strides[2];
  return to_double(type_of(t), static_cast<const char*>(t.data) + offset * size_of_type(t), d);
}

}  // namespace rapt::fuzz
