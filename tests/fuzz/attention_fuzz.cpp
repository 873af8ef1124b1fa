// libFuzzer target for the calls of rapt.h: whatever the arguments, no crash; an accepted attention call agrees with the
// reference. The first byte picks how the rest is read.
#include "tests/fuzz/targets.h"

#include <cstdio>
#include <cstdlib>

#include "rapt/rapt.h"
#include "tests/kernels/attention/random_case.h"

namespace rapt::fuzz {

void give_up(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::abort();
}

// Two bytes a field, sizes kept small for speed.
void run_consistent(Bytes bytes) {
  test::RandomCase c;
  for (const test::CaseField& f : test::case_fields())
    if (!bytes.empty()) c.*f.value = static_cast<std::int64_t>(bytes.next(2) % static_cast<std::uint64_t>(f.most + 1));
  c.kv_len %= 64;
  c.q_len %= 8;
  c.dim %= 24;
  c.dim_v %= 24;
  make_consistent(c);
  const std::string wrong = agrees_with_reference(c, {"rapt", rapt_context_isa(nullptr)});
  if (!wrong.empty()) give_up(wrong + "\nreplay: RAPT_RANDOM_CASE=\"" + to_string(c) + "\"");
}

}  // namespace rapt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rapt::fuzz::Bytes bytes(data, size);
  switch (bytes.next(1) % 8) {
    case 0: rapt::fuzz::merge_anything(bytes); break;
    case 1: rapt::fuzz::append_anything(bytes); break;
    case 2:
    case 3:
    case 4: rapt::fuzz::run_consistent(bytes); break;
    default: rapt::fuzz::run_anything(bytes);
  }
  return 0;
}
