// The ways in which attention_fuzz reads its input. Each aborts on what must not happen, with a line that says what.
#pragma once
#include <string>

#include "tests/fuzz/bytes.h"

namespace rapt::fuzz {

[[noreturn]] void give_up(const std::string& text);

// A call in which every field fits the others (tests/kernels/attention/random_case.h): it runs and agrees with the reference.
void run_consistent(Bytes bytes);
// Any numbers in any field of rapt_attention_params, behind them memory that is as large as they say, where that is little:
// checks, plan and sizes hold; what is accepted runs, and agrees with the reference.
void run_anything(Bytes bytes);
// The same for rapt_merge_params and rapt_kv_append_params, without a reference.
void merge_anything(Bytes bytes);
void append_anything(Bytes bytes);

}  // namespace rapt::fuzz
