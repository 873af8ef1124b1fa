// Dot products of bytes; for the levels with VNNI. Layer: bench.
#pragma once
#include "bench/machine/loops_avx512.h"

namespace rapt::bench {
namespace {

// 64 products each, added in 32 bits to what the register holds.
void int8(std::int64_t steps) { RAPT_PRODUCTS("vpdpbusd", steps); }

}  // namespace
}  // namespace rapt::bench
