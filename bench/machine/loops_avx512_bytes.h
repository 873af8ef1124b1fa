// Products of bytes without VNNI; for the levels with 512-bit vectors that lack it. Layer: bench.
#pragma once
#include "bench/machine/loops_avx512.h"

namespace rapt::bench {
namespace {

// 64 products each; pairs are added in 16 bits.
void int8(std::int64_t steps) { RAPT_PRODUCTS("vpmaddubsw", steps); }

}  // namespace
}  // namespace rapt::bench
