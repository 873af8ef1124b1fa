// The list of ISA levels and the table of each. Layer: runtime.
#include "kernels/runtime/kernel_table.h"

#include <cstring>

#include "kernels/runtime/cpu_features.h"
#include "rapt_isa_list.h"

namespace rapt {

#define RAPT_DECLARE(name) extern const IsaDescriptor isa_##name;
RAPT_ISA_LIST(RAPT_DECLARE)
#undef RAPT_DECLARE

namespace {
#define RAPT_ADDRESS(name) &isa_##name,
constexpr const IsaDescriptor* kIsas[] = {RAPT_ISA_LIST(RAPT_ADDRESS)};
#undef RAPT_ADDRESS
constexpr int kNumIsas = sizeof kIsas / sizeof *kIsas;

bool cpu_has(const IsaDescriptor& isa) { return (isa.cpu_features & ~cpu_features()) == 0; }

// Level i: the overlays of those of the levels 0 .. i that the CPU has, one over the other. An overlay is itself code of its level (the compiler copies
// its pointers with that level's vectors), so the levels that the CPU lacks are not even built, and what one maker's cores want (avx512_intel) is left out on another's.
struct Tables {
  KernelTable at[kNumIsas] = {};
  Tables() {
    for (int level = 0; level < kNumIsas; ++level)
      for (int i = 0; i <= level && cpu_has(*kIsas[level]); ++i)
        if (cpu_has(*kIsas[i])) kIsas[i]->overlay(at[level]);
  }
};
}  // namespace

const IsaDescriptor* isa_at(int index) { return index >= 0 && index < kNumIsas ? kIsas[index] : nullptr; }

const KernelTable* kernel_table(const char* isa) {
  static const Tables tables;
  for (int i = 0; i < kNumIsas; ++i)
    if (std::strcmp(kIsas[i]->name, isa) == 0) return cpu_has(*kIsas[i]) ? &tables.at[i] : nullptr;
  return nullptr;
}

}  // namespace rapt
