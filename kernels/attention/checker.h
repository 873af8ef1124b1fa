// Argument checks that name the argument and say what is right. Layer: kernels/attention. For problem.cpp and merge_problem.cpp.
#pragma once
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstring>
#include <string>

#include "kernels/attention/problem.h"
#include "kernels/runtime/error.h"

namespace rapt {

// Far above any real call, and low enough that sizes computed from them cannot overflow: the workspace of a thread is a few
// times group x head size floats, at most 2^44 bytes, that of 2^12 threads 2^56.
inline constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40;
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;
inline constexpr std::int64_t kMaxDim = std::int64_t{1} << 20;
inline constexpr std::int64_t kMaxGroup = std::int64_t{1} << 20;
inline constexpr std::int64_t kMaxBytes = PTRDIFF_MAX;

// Sets of rapt_dtype, a bit each.
inline constexpr unsigned kF32Only = 1u << RAPT_F32, kFloats = kF32Only | 1u << RAPT_BF16 | 1u << RAPT_F16,
                          kStored = kFloats | 1u << RAPT_I8, kBoolOnly = 1u << RAPT_BOOL;

// An enumeration as C hands it over: any int. Reading it as the enumeration would be undefined for values without a name.
template <class Enum>
int raw(const Enum& value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

// Where there is none, data may be null.
inline bool has_elements(const rapt_tensor& t) {
  return std::none_of(t.shape, t.shape + 4, [](std::int64_t extent) { return extent == 0; });
}

enum class Use { kInput, kOutput };

// Checks of tensors in one call; after the first failure the rest pass, and status() tells.
class Checker {
 public:
  Checker(const char* where, DataCheck data) : where_(where), data_(data) {}
  rapt_status status() const { return status_; }

  template <class... Args>
  void wrong(const char* format, Args... args) {
    if (status_ != RAPT_OK) return;
    if constexpr (sizeof...(args) == 0)
      status_ = fail(RAPT_INVALID_ARGUMENT, where_, "%s", format);
    else
      status_ = fail(RAPT_INVALID_ARGUMENT, where_, format, args...);
  }

  // types: a bit for each allowed rapt_dtype.
  void tensor(const char* name, const rapt_tensor& t, Use use, unsigned types) {
    const int type = raw(t.dtype);
    if (type < 0 || type > RAPT_BOOL || !(types >> type & 1))
      return wrong("%s.dtype is %d; it may be %s", name, type, type_names(types).c_str());
    const std::int64_t size = size_of(static_cast<DType>(type));
    std::int64_t elements = 1;  // with extents of 0 taken as 1: products of the others are computed too
    bool none = false;
    for (int i = 0; i < 4; ++i) {
      if (t.shape[i] < 0) return wrong("%s.shape[%d] is %" PRId64 "; it must not be negative", name, i, t.shape[i]);
      if (t.shape[i] > kMaxExtent) return wrong("%s.shape[%d] is %" PRId64 "; at most 2^40 is possible", name, i, t.shape[i]);
      none |= t.shape[i] == 0;
    }
    for (int i = 0; i < 4; ++i)
      if (__builtin_mul_overflow(elements, std::max<std::int64_t>(1, t.shape[i]), &elements) || elements > kMaxElements)
        return wrong("%s.shape is [%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 "]; at most 2^48 elements are possible", name,
                     t.shape[0], t.shape[1], t.shape[2], t.shape[3]);
    if (none) return;
    if (t.shape[3] > 1 && t.strides[3] != 1)
      return wrong("%s.strides[3] is %" PRId64 "; the last dimension must be contiguous (stride 1)", name, t.strides[3]);
    extent(name, t, kMaxBytes / size);
    if (use == Use::kOutput)
      for (int i = 0; i < 4; ++i)
        if (t.shape[i] > 1 && t.strides[i] == 0)
          return wrong("%s.strides[%d] is 0; an output cannot repeat its elements", name, i);
    if (data_ == DataCheck::kIgnored) return;
    if (!t.data) return wrong("%s.data is NULL", name);
    if (reinterpret_cast<std::uintptr_t>(t.data) % static_cast<std::uintptr_t>(size) != 0)
      wrong("%s.data is %p; it must be aligned to the %" PRId64 " bytes of its type", name, t.data, size);
  }

  // shape[i] is `extent`, or 1, which is broadcast.
  void broadcasts(const char* name, const rapt_tensor& t, int i, std::int64_t extent, const char* what) {
    if (t.shape[i] != extent && t.shape[i] != 1)
      wrong("%s.shape[%d] is %" PRId64 "; it must be %" PRId64 " (%s) or 1", name, i, t.shape[i], extent, what);
  }
  void is(const char* name, const rapt_tensor& t, int i, std::int64_t extent, const char* what) {
    if (t.shape[i] != extent) wrong("%s.shape[%d] is %" PRId64 "; it must be %" PRId64 " (%s)", name, i, t.shape[i], extent, what);
  }

  // Pages of keys in panels (RAPT_KV_PANELS).
  void panels(const char* name, const rapt_tensor& pages) {
    const std::int64_t size = pages.shape[2], stride = pages.strides[2];
    if (raw(pages.dtype) == RAPT_I8) wrong("k_layout is RAPT_KV_PANELS; that needs f32, bf16 or f16, but %s is RAPT_I8", name);
    if (size % 64 != 0)
      wrong("k_layout is RAPT_KV_PANELS; that needs pages of a multiple of 64 tokens, but %s.shape[2] is %" PRId64, name, size);
    if (stride != pages.shape[3])
      wrong("k_layout is RAPT_KV_PANELS; a page of one head must be contiguous, but %s.strides[2] is %" PRId64, name, stride);
  }

  void same(const char* a, std::int64_t x, int i, const char* b, std::int64_t y, int j, const char* what) {
    if (x != y) wrong("%s.shape[%d] is %" PRId64 ", but %s.shape[%d] is %" PRId64 "; the %s must agree", a, i, x, b, j, y, what);
  }

  // The first dimensions of a and b agree.
  void same_shape(const char* a, const rapt_tensor& x, const char* b, const rapt_tensor& y, int dimensions) {
    static const char* const kWhat[] = {"batch sizes", "numbers of heads", "lengths", "head sizes"};
    for (int i = 0; i < dimensions; ++i) same(a, x.shape[i], i, b, y.shape[i], i, kWhat[i]);
  }

 private:
  static std::string type_names(unsigned types) {
    static const char* const kNames[] = {"RAPT_F32 (0)", "RAPT_BF16 (1)", "RAPT_F16 (2)", "RAPT_I8 (3)", "RAPT_BOOL (4)"};
    std::string names;
    for (unsigned i = 0; i < 5; ++i)
      if (types >> i & 1) names += (names.empty() ? "" : ", ") + std::string(kNames[i]);
    return names;
  }

  // The farthest offsets from data must fit: at most `most` elements either way.
  void extent(const char* name, const rapt_tensor& t, std::int64_t most) {
    std::int64_t low = 0, high = 0;
    for (int i = 0; i < 4; ++i) {
      std::int64_t reach;
      bool overflow = __builtin_mul_overflow(t.shape[i] - 1, t.strides[i], &reach);
      if (!overflow) overflow = __builtin_add_overflow(reach < 0 ? low : high, reach, reach < 0 ? &low : &high);
      if (overflow || low < -most || high > most - 1)
        return wrong("%s.strides[%d] is %" PRId64 "; with shape[%d] = %" PRId64 " the offsets do not fit in memory", name, i,
                     t.strides[i], i, t.shape[i]);
    }
  }

  const char* where_;
  DataCheck data_;
  rapt_status status_ = RAPT_OK;
};

// The stride of an extent of 1 is never needed and may be anything: 0, which also broadcasts it.
inline TensorView view(const rapt_tensor& t) {
  const auto stride = [&](int i) { return t.shape[i] == 1 ? 0 : t.strides[i]; };
  return {static_cast<char*>(t.data), static_cast<DType>(t.dtype), t.shape[0], t.shape[1], t.shape[2], t.shape[3],
          stride(0), stride(1), stride(2)};
}

}  // namespace rapt
