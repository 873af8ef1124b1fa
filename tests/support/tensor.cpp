#include "tests/support/tensor.h"

#include <bit>
#include <stdexcept>

namespace rapt::test {
namespace {

constexpr std::uint32_t kCanary = 0x7fc5a5a5u;  // a quiet NaN
constexpr std::int64_t kMargin = 16;            // canaries on either side of heap tensors

template <class F>
void for_each_index(const Shape& shape, F f) {
  for (std::int64_t b = 0; b < shape[0]; ++b)
    for (std::int64_t h = 0; h < shape[1]; ++h)
      for (std::int64_t i = 0; i < shape[2]; ++i)
        for (std::int64_t d = 0; d < shape[3]; ++d) f(b, h, i, d);
}

rapt_tensor slice(rapt_tensor t, int dimension, std::int64_t first, std::int64_t count) {
  constexpr std::int64_t kSizes[] = {4, 2, 2, 1, 1};  // of rapt_dtype
  t.data = static_cast<char*>(t.data) + first * t.strides[dimension] * kSizes[t.dtype];
  t.shape[dimension] = count;
  return t;
}

}  // namespace

Layout contiguous() { return {}; }

Layout length_before_heads() {
  Layout layout;
  layout.order = {0, 2, 1, 3};
  return layout;
}

Layout gaps() {
  Layout layout;
  layout.gap = {7, 5, 3, 0};
  return layout;
}

Layout backwards() {
  Layout layout = gaps();
  layout.reversed = {true, true, true, false};
  return layout;
}

Layout one_for_all_heads() {
  Layout layout;
  layout.repeated = {true, true, false, false};
  return layout;
}

Tensor::Tensor(const Shape& shape, const Layout& layout, Place place) : shape_(shape) {
  view_.dtype = RAPT_F32;
  std::int64_t extent = 1, low = 0, high = 0;  // extent: elements that one index of the next outer dimension takes
  for (int place_in_order = 3; place_in_order >= 0; --place_in_order) {
    const int dimension = layout.order[static_cast<std::size_t>(place_in_order)];
    const auto at = static_cast<std::size_t>(dimension);
    if ((dimension == 3) != (place_in_order == 3)) throw std::invalid_argument("the last dimension stays last");
    std::int64_t stride = place_in_order == 3 ? 1 : extent + layout.gap[at];
    if (layout.repeated[at]) stride = 0;
    if (stride != 0) extent = stride * (shape[at] > 0 ? shape[at] : 1);
    if (layout.reversed[at]) stride = -stride;
    const std::int64_t reach = shape[at] > 0 ? (shape[at] - 1) * stride : 0;
    (reach < 0 ? low : high) += reach;
    view_.shape[at] = shape[at];
    view_.strides[at] = stride;
  }
  const std::int64_t count = size() > 0 ? high - low + 1 : 0, margin = place == Place::kHeap ? kMargin : 0;
  memory_ = std::make_shared<Memory>(count + 2 * margin, place);
  view_.data = memory_->data() + margin - low;
  set_canaries();
}

Tensor::Tensor(std::shared_ptr<Memory> memory, std::int64_t offset, const Shape& shape, const Shape& strides)
    : memory_(std::move(memory)), shape_(shape) {
  view_ = rapt_tensor_f32(memory_->data() + offset, shape[0], shape[1], shape[2], shape[3]);
  for (int i = 0; i < 4; ++i) view_.strides[i] = strides[static_cast<std::size_t>(i)];
}

float* Tensor::row(std::int64_t b, std::int64_t h, std::int64_t i) const {
  return static_cast<float*>(view_.data) + b * view_.strides[0] + h * view_.strides[1] + i * view_.strides[2];
}

std::vector<float> Tensor::values() const {
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(size()));
  for_each_index(shape_, [&](auto b, auto h, auto i, auto d) { values.push_back(at(b, h, i, d)); });
  return values;
}

void Tensor::set_values(const std::vector<float>& values) const {
  std::size_t next = 0;
  for_each_index(shape_, [&](auto b, auto h, auto i, auto d) { at(b, h, i, d) = values.at(next++); });
}

void Tensor::fill(Rng& rng, float amplitude) const {
  for_each_index(shape_, [&](auto b, auto h, auto i, auto d) { at(b, h, i, d) = amplitude * rng.unit(); });
}

void Tensor::fill(float value) const {
  for_each_index(shape_, [&](auto b, auto h, auto i, auto d) { at(b, h, i, d) = value; });
}

void Tensor::set_canaries() const {
  for (std::int64_t i = 0; i < memory_->count(); ++i) memory_->data()[i] = std::bit_cast<float>(kCanary);
}

bool Tensor::surroundings_intact() const {
  std::vector<bool> is_element(static_cast<std::size_t>(memory_->count()));
  for_each_index(shape_, [&](auto b, auto h, auto i, auto d) {
    is_element[static_cast<std::size_t>(&at(b, h, i, d) - memory_->data())] = true;
  });
  for (std::int64_t i = 0; i < memory_->count(); ++i)
    if (!is_element[static_cast<std::size_t>(i)] && std::bit_cast<std::uint32_t>(memory_->data()[i]) != kCanary) return false;
  return true;
}

bool Tensor::has_canary() const {
  bool found = false;
  for_each_index(shape_,
                 [&](auto b, auto h, auto i, auto d) { found |= std::bit_cast<std::uint32_t>(at(b, h, i, d)) == kCanary; });
  return found;
}

bool same_bits(float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); }

std::int64_t count_different_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) throw std::invalid_argument("shapes differ");
  std::int64_t count = 0;
  for_each_index(a.shape(), [&](auto i, auto j, auto k, auto l) { count += !same_bits(a.at(i, j, k, l), b.at(i, j, k, l)); });
  return count;
}

rapt_tensor slice_batch(const rapt_tensor& t, std::int64_t first, std::int64_t count) { return slice(t, 0, first, count); }
rapt_tensor slice_heads(const rapt_tensor& t, std::int64_t first, std::int64_t count) { return slice(t, 1, first, count); }
rapt_tensor slice_length(const rapt_tensor& t, std::int64_t first, std::int64_t count) { return slice(t, 2, first, count); }
rapt_tensor slice_dim(const rapt_tensor& t, std::int64_t first, std::int64_t count) { return slice(t, 3, first, count); }

}  // namespace rapt::test
