// Element offsets past 2^31: tensors spread over address space of which only a few pages are ever touched.
#include <gtest/gtest.h>

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/support/call.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

// A shape at strides so wide that memory is reserved, not provided.
class SparseTensor {
 public:
  SparseTensor(const Tensor& like, const Shape& strides) {
    std::int64_t extent = 1;
    for (std::size_t i = 0; i < 4; ++i) extent += (like.shape()[i] - 1) * strides[i];
    bytes_ = static_cast<std::size_t>(extent) * sizeof(float);
    void* const memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    view_ = like.view();
    view_.data = memory;
    for (std::size_t i = 0; i < 4; ++i) view_.strides[i] = strides[i];
  }
  SparseTensor(const SparseTensor&) = delete;
  SparseTensor& operator=(const SparseTensor&) = delete;
  ~SparseTensor() {
    if (view_.data) munmap(view_.data, bytes_);
  }
  const rapt_tensor& view() const { return view_; }
  float* row(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return static_cast<float*>(view_.data) + b * view_.strides[0] + h * view_.strides[1] + i * view_.strides[2];
  }

 private:
  std::size_t bytes_ = 0;
  rapt_tensor view_ = {};
};

template <class F>
void for_each_row(const Shape& shape, F f) {
  for (std::int64_t b = 0; b < shape[0]; ++b)
    for (std::int64_t h = 0; h < shape[1]; ++h)
      for (std::int64_t i = 0; i < shape[2]; ++i) f(b, h, i);
}

class AttentionLargeOffsets : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

// Offsets of 2^31 elements and more between batches, between heads, and between rows.
TEST_P(AttentionLargeOffsets, InEveryDimension) {
  constexpr std::int64_t kFar = (std::int64_t{1} << 31) + 16;
  const Context context(GetParam(), 2);
  const Sizes sizes = {2, 2, 2, 3, 5, 7, 6, RAPT_CAUSAL_BOTTOM_RIGHT};
  const Call near(sizes);
  near.run(context);
  for (const Shape& strides : {Shape{kFar, 100, 10, 1}, Shape{100, kFar, 10, 1}, Shape{100, 50, kFar, 1}}) {
    std::vector<std::unique_ptr<SparseTensor>> far;
    for (const Tensor* t : {&near.q, &near.k, &near.v, &near.out, &near.lse}) {
      far.push_back(std::make_unique<SparseTensor>(*t, strides));
      if (!far.back()->view().data) GTEST_SKIP() << "this system does not reserve so much address space";
      for_each_row(t->shape(),
                   [&](auto b, auto h, auto i) { std::copy_n(t->row(b, h, i), t->shape()[3], far.back()->row(b, h, i)); });
    }
    rapt_attention_params p = near.params();
    rapt_tensor* const tensors[] = {&p.q, &p.k, &p.v, &p.out, &p.lse};
    for (std::size_t i = 0; i < 5; ++i) *tensors[i] = far[i]->view();
    for_each_row(near.out.shape(), [&](auto b, auto h, auto i) { std::fill_n(far[3]->row(b, h, i), sizes.head_dim_v, 0.0f); });
    for_each_row(near.lse.shape(), [&](auto b, auto h, auto i) { *far[4]->row(b, h, i) = 0; });
    ASSERT_EQ(rapt_attention(context.get(), &p), RAPT_OK) << rapt_last_error();
    for_each_row(near.out.shape(), [&](auto b, auto h, auto i) {
      EXPECT_TRUE(same_bits(*far[4]->row(b, h, i), *near.lse.row(b, h, i)));
      for (std::int64_t d = 0; d < sizes.head_dim_v; ++d)
        EXPECT_TRUE(same_bits(far[3]->row(b, h, i)[d], near.out.at(b, h, i, d)));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionLargeOffsets, testing::ValuesIn(all_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
