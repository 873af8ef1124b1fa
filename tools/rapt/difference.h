// How far apart two results are. Layer: tools. Called by compare.cpp.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

namespace rapt::tool {

// The largest difference of two elements at the same place; NaN where one is.
inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (std::isnan(difference)) return difference;
    largest = std::max(largest, difference);
  }
  return largest;
}

}  // namespace rapt::tool
