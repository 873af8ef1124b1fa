// Rows of a table by id, kept in the file's type. Who calls: decoder.cpp, encoder.cpp.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/kernels.h"

namespace rapt::engine {

class Embedding {
 public:
  Embedding() = default;
  // bytes: the table [rows, dim] as the file has it; copied.
  Embedding(WeightType type, std::string_view bytes, std::int64_t dim) : type_(type), dim_(dim), bytes_(bytes.begin(), bytes.end()) {}

  bool empty() const { return bytes_.empty(); }
  std::size_t bytes() const { return bytes_.size(); }
  // out[count, dim] = the rows `ids`, exact
  void rows(const std::int32_t* ids, std::int64_t count, float* out) const {
    stored_rows(type_, bytes_.data(), dim_, ids, count, out);
  }

 private:
  WeightType type_ = WeightType::kF32;
  std::int64_t dim_ = 0;
  std::vector<char> bytes_;
};

}  // namespace rapt::engine
