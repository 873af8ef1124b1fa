// Division and rounding of sizes. Layer: runtime.
#pragma once
#include <cstdint>

namespace rapt {

// For a >= 0, b > 0.
inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
inline std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

}  // namespace rapt
