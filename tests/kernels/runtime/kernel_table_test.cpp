// The list of levels and their tables.
#include "kernels/runtime/kernel_table.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "kernels/kernels.h"
#include "kernels/runtime/machine.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

// Whether one of the levels 0 .. last has this name.
bool is_level_up_to(const std::string& name, int last) {
  for (int i = 0; i <= last; ++i)
    if (isa_at(i)->name == name) return true;
  return false;
}

// Every level needs the instructions that the one below it needs, so that "best" means the last one the CPU has.
TEST(KernelTableTest, SmokeLevelsGrow) {
  std::uint32_t needed = 0;
  bool all_so_far = true;
  int count = 0;
  for (; isa_at(count); ++count) {
    const std::uint32_t instructions = isa_at(count)->cpu_features & ~kCpuIntel;
    EXPECT_EQ(instructions & needed, needed) << isa_at(count)->name;
    needed = instructions;
    const bool has = (needed & ~cpu_features()) == 0;
    EXPECT_TRUE(all_so_far || !has) << isa_at(count)->name;
    all_so_far = has;
    EXPECT_STREQ(rapt_isa_name(count), isa_at(count)->name);
  }
  ASSERT_GE(count, 1);
  EXPECT_STREQ(isa_at(0)->name, "scalar");
  EXPECT_EQ(isa_at(0)->cpu_features, 0u);
  EXPECT_EQ(isa_at(-1), nullptr);
}

TEST(KernelTableTest, SmokeTablesAreComplete) {
  for (int i = 0; isa_at(i); ++i) {
    const KernelTable* table = kernel_table(isa_at(i)->name);
    ASSERT_EQ(table != nullptr, (isa_at(i)->cpu_features & ~cpu_features()) == 0) << isa_at(i)->name;
    EXPECT_EQ(table, kernel_table(isa_at(i)->name)) << "built again";
    if (!table) continue;
    EXPECT_STREQ(table->isa, isa_at(i)->name);
    // The level's own, or that of a level below: "avx512_vnni" has gemm of "avx512", or of "avx512_intel".
    const std::string gemm_name = table->gemm_name, gemm_isa = gemm_name.substr(gemm_name.rfind("__") + 2);
    EXPECT_TRUE(is_level_up_to(gemm_isa, i)) << gemm_name;
    EXPECT_NE(std::string(table->gemm_name).find(std::to_string(table->mr) + "x" + std::to_string(table->nr)),
              std::string::npos)
        << table->gemm_name;
    EXPECT_GE(table->mr, 1);
    EXPECT_EQ(table->nr % 4, 0);
    // All entries between the two ends of the table are pointers; none may be missing.
    const auto* first = reinterpret_cast<const char*>(&table->gemm);
    const auto* last = reinterpret_cast<const char*>(&table->add_rows);
    for (const char* entry = first; entry <= last; entry += sizeof(void*)) {
      void* pointer;
      std::memcpy(&pointer, entry, sizeof pointer);
      EXPECT_NE(pointer, nullptr) << table->isa << ", entry " << (entry - first) / static_cast<std::ptrdiff_t>(sizeof(void*));
    }
  }
}

// One row by two panels: on Intel's cores, bytes where they have tiles too.
TEST(KernelTableTest, PanelsByTwos) {
  for (const std::string& level : all_levels()) {
    const KernelTable* table = kernel_table(level.c_str());
    if (!table) continue;
    const bool intel = level == "avx512_intel" || ((cpu_features() & kCpuIntel) && level.starts_with("avx512_")) || level == "amx_bf16";
    for (int type = 0; type < kNumFloatTypes; ++type) EXPECT_EQ(table->gemv_panels[type] != nullptr, intel) << level << " " << type;
    for (int type = 0; type < kNumWeightTypes; ++type) {
      const std::string name = weight_format(static_cast<WeightType>(type)).name;
      const bool one_scale = supports(static_cast<WeightType>(type), Arithmetic::kInt8) && name != "Q2_K" && name != "Q3_K" && name != "Q6_K";
      EXPECT_EQ(table->weights.int8.gemv_panels[type] != nullptr, level == "amx_bf16" && one_scale) << level << " " << name;
      EXPECT_EQ(table->weights.int8_fine.gemv_panels[type] != nullptr, level == "amx_bf16" && one_scale) << level << " " << name;
    }
    if (level == "amx_bf16") { EXPECT_EQ(table->weights.nq, 32) << "the panels that int8_gemv_panels reads"; }
  }
}

TEST(KernelTableTest, SmokeWeightKernelsAreComplete) {
  for (const std::string& level : all_levels()) {
    const KernelTable* table = kernel_table(level.c_str());
    if (!table) continue;
    const WeightKernels& weights = table->weights;
    EXPECT_EQ(table->nr % weights.nq, 0);
    EXPECT_NE(weights.int8.quantize_rows, nullptr);
    EXPECT_NE(weights.int8_fine.quantize_rows, nullptr);
    for (int type = 0; type < kNumWeightTypes; ++type) {
      const bool is_quantized = supports(static_cast<WeightType>(type), Arithmetic::kInt8);
      EXPECT_EQ(weights.dequantize_panel[type] != nullptr, is_quantized) << level << " " << type;
      EXPECT_EQ(weights.dequant_gemv[type] != nullptr, is_quantized) << level << " " << type;
      EXPECT_EQ(weights.unpack_panel[type] != nullptr, is_quantized) << level << " " << type;
      EXPECT_EQ(weights.int8.gemm[type] != nullptr, is_quantized) << level << " " << type;
      EXPECT_EQ(weights.int8.gemm_unpacked[type] != nullptr, is_quantized) << level << " " << type;
      EXPECT_EQ(weights.int8_fine.gemm[type] != nullptr, is_quantized) << level << " " << type;
      EXPECT_EQ(weights.int8_fine.gemm_unpacked[type] != nullptr, is_quantized) << level << " " << type;
      EXPECT_EQ(weights.unpacked_bytes[type] > 0, is_quantized) << level << " " << type;
    }
  }
}

// Products of bf16: all of them or none, with the panels of gemm.
TEST(KernelTableTest, SmokeBf16KernelsAreCompleteOrAbsent) {
  for (const std::string& level : all_levels()) {
    const KernelTable* table = kernel_table(level.c_str());
    if (!table) continue;
    const Bf16Kernels& bf16 = table->bf16;
    const bool there = bf16.gemm != nullptr;
    EXPECT_EQ(there, level == "avx512_bf16" || level == "amx_bf16") << level;
    EXPECT_EQ(bf16.transposed_gemm != nullptr, there) << level;
    EXPECT_EQ(bf16.row_gemm != nullptr, there) << level;
    EXPECT_EQ(bf16.gemm_stored != nullptr, level == "amx_bf16") << level;
    EXPECT_EQ(bf16.pack_transposed != nullptr, there) << level;
    EXPECT_EQ(bf16.pack_panels != nullptr, there) << level;
    EXPECT_EQ(bf16.round_rows != nullptr, there) << level;
    EXPECT_EQ(bf16.online_softmax != nullptr, there) << level;
    EXPECT_EQ(bf16.max_gemm != nullptr, there) << level;
    EXPECT_EQ(bf16.softmax_gemm != nullptr, there) << level;
    EXPECT_EQ(bf16.all_finite != nullptr, there) << level;
    for (const auto& finish_rows : bf16.finish_rows) EXPECT_EQ(finish_rows != nullptr, there) << level;
    if (!there) continue;
    EXPECT_EQ(bf16.rows_step % bf16.mr, 0) << level;
    EXPECT_TRUE(bf16.k_step == 2 || bf16.k_step == 32) << level;
    EXPECT_EQ(bf16.gemm_name, "gemm_bf16_" + std::to_string(bf16.mr) + "x" + std::to_string(table->nr) + "__" + level);
  }
}

// f32 by tiles of bf16.
TEST(KernelTableTest, SmokeBf16x3KernelsAreCompleteOrAbsent) {
  for (const std::string& level : all_levels()) {
    const KernelTable* table = kernel_table(level.c_str());
    if (!table) continue;
    EXPECT_EQ(table->bf16x3.split_rows != nullptr, level == "amx_bf16") << level;
    EXPECT_EQ(table->bf16x3.gemm != nullptr, level == "amx_bf16") << level;
  }
}

// What needs 32 vector registers is there together.
TEST(KernelTableTest, SmokeKernelsOfManyRegisters) {
  for (const std::string& level : all_levels()) {
    const KernelTable* table = kernel_table(level.c_str());
    if (!table) continue;
    const bool there = level != "scalar" && level != "avx2";
    EXPECT_EQ(table->softmax_products.max_gemm != nullptr, there) << level;
    EXPECT_EQ(table->softmax_products.softmax_gemm != nullptr, there) << level;
    EXPECT_EQ(table->few_rows.byte_row_gemm != nullptr, there) << level;
    EXPECT_EQ(table->few_rows.transposed_gemm[static_cast<int>(DType::kI8)] != nullptr, there) << level;
    for (const DType type : {DType::kF32, DType::kBf16, DType::kF16})
      EXPECT_EQ(table->few_rows.transposed_gemm[static_cast<int>(type)] != nullptr, there || level == "avx2") << level;
  }
}

// Panels and tiles never shrink from one level to the next.
TEST(KernelTableTest, TilesGrowWithTheLevel) {
  int mr = 0, nr = 0;
  for (const std::string& level : all_levels()) {
    const KernelTable* table = kernel_table(level.c_str());
    if (!table) continue;
    EXPECT_GE(table->mr, mr);
    EXPECT_GE(table->nr, nr);
    mr = table->mr;
    nr = table->nr;
  }
}

TEST(KernelTableTest, NoSuchLevel) {
  EXPECT_EQ(kernel_table("avx3"), nullptr);
  EXPECT_EQ(kernel_table(""), nullptr);
}

}  // namespace
}  // namespace rapt::test
