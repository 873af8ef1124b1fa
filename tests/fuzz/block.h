// Memory for a tensor that the fuzzer described: exactly the elements that its shape and strides reach, so that the address
// sanitizer sees every step outside.
#pragma once
#include <memory>
#include <vector>

#include "rapt/rapt.h"
#include "tests/fuzz/bytes.h"

namespace rapt::fuzz {

// A contiguous or otherwise strided tensor of this shape, by the next bytes.
rapt_tensor make_tensor(Bytes& bytes, rapt_dtype type, std::int64_t b, std::int64_t h, std::int64_t l, std::int64_t d);
// Any number in the place of one of its fields.
void change(Bytes& bytes, rapt_tensor& t);

class Block {
 public:
  // Fills it with numbers of size 1, small masks and factors. False if the tensor reaches over more than `most` elements.
  bool provide(rapt_tensor& t, std::int64_t most);
  // Whether no two elements share an address.
  static bool is_injective(const rapt_tensor& t);

 private:
  std::unique_ptr<char[]> memory_;
};

double element(const rapt_tensor& t, std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t d);
std::int64_t count(const rapt_tensor& t);

}  // namespace rapt::fuzz
