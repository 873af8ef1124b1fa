// Not one byte outside the tensors: each lies flush against an unreadable page, at its end and then at its start, over all tails
// of lengths and head sizes, for every backend and level. Inputs are read-only, and the workspace ends at such a page too.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "tests/support/call.h"
#include "tests/support/memory.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

// Hands out workspaces that end at a guard page: their size is a multiple of a page.
class GuardedWorkspaces {
 public:
  static void* alloc(std::size_t bytes, std::size_t, void* user) {
    auto memory = std::make_unique<Memory>(static_cast<std::int64_t>(bytes / sizeof(float)), Place::kBeforeGuard);
    void* const data = memory->data();
    static_cast<GuardedWorkspaces*>(user)->blocks_[data] = std::move(memory);
    return data;
  }
  static void free(void* pointer, void* user) { static_cast<GuardedWorkspaces*>(user)->blocks_.erase(pointer); }

 private:
  std::map<void*, std::unique_ptr<Memory>> blocks_;
};

class AttentionGuard : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override {
    RAPT_SKIP_IF_UNAVAILABLE(GetParam());
    rapt_context_params params;
    rapt_context_params_init(&params);
    params.num_threads = 1;
    params.backend = GetParam().backend.c_str();
    params.isa = GetParam().isa.empty() ? nullptr : GetParam().isa.c_str();
    params.alloc = GuardedWorkspaces::alloc;
    params.free = GuardedWorkspaces::free;
    params.user = &workspaces_;
    context_ = std::make_unique<Context>(params);
  }

  void run_at_both_ends(const Sizes& sizes, const Layouts& layouts = {}) const {
    if (GetParam().backend == "onednn" && !full_tier() && ++turn_ % 10 != 0) return;  // see AttentionAccuracy
    for (const Place place : {Place::kBeforeGuard, Place::kAfterGuard}) {
      name_case_for_faults(std::string(place == Place::kBeforeGuard ? "guard at the end, " : "guard at the start, ") +
                           rapt_context_isa(context_->get()) + ", " + to_string(sizes));
      const Call call(sizes, 1, layouts, place);
      for (const Tensor* input : {&call.q, &call.k, &call.v}) input->make_read_only();
      call.run(*context_);
    }
  }

 private:
  GuardedWorkspaces workspaces_;
  std::unique_ptr<Context> context_;
  mutable int turn_ = 0;
};

TEST_P(AttentionGuard, Lengths) {
  for (std::int64_t length = 1; length <= 130; length += length < 34 ? 1 : 19)
    for (const std::int64_t other : {1, 5, 16, 33, 70}) {
      run_at_both_ends({1, 2, 1, length, other, 5, 7, RAPT_CAUSAL_BOTTOM_RIGHT});
      run_at_both_ends({1, 2, 1, other, length, 16, 3, RAPT_CAUSAL_TOP_LEFT});
      run_at_both_ends({1, 1, 1, other, length, 9, 20});
    }
}

TEST_P(AttentionGuard, HeadSizes) {
  for (std::int64_t dim = 1; dim <= 130; ++dim)
    for (const std::int64_t other : {1, 7, 64})
      for (const std::int64_t q_len : {1, 9, 30}) {
        run_at_both_ends({1, 2, 2, q_len, 19, dim, other});
        run_at_both_ends({1, 2, 2, q_len, 19, other, dim});
      }
}

// The last row has no gap behind it.
TEST_P(AttentionGuard, Strides) {
  for (const Layout& layout : {gaps(), length_before_heads(), backwards()})
    for (const std::int64_t dim : {1, 5, 8, 15, 16, 17, 64, 65})
      for (const std::int64_t kv_len : {1, 4, 17, 64, 67})
        for (const std::int64_t q_len : {1, 6, 25})
          run_at_both_ends({2, 2, 1, q_len, kv_len, dim, 0, RAPT_CAUSAL_BOTTOM_RIGHT},
                           {layout, layout, layout, layout, layout});
  // Windows: the next row starts within this one.
  const std::int64_t kv_len = 50, dim = 20;
  Call call({1, 1, 1, 5, kv_len, dim});
  for (const Place place : {Place::kBeforeGuard, Place::kAfterGuard})
    for (Tensor* tensor : {&call.k, &call.v}) {
      const auto signal = std::make_shared<Memory>(kv_len - 1 + dim, place);
      Rng rng(1);
      *tensor = Tensor(signal, 0, tensor->shape(), {0, 0, 1, 1});
      tensor->fill(rng);
      call.run(Context(GetParam()));
    }
}

TEST_P(AttentionGuard, BlocksAndSplits) {
  for (const std::int64_t kv_len : {255, 257, 1023, 1025, 2100})
    for (const std::int64_t q_len : {1, 3, 100})
      for (const std::int64_t group : {1, 3})
        run_at_both_ends({2, 2 * group, 2, q_len, kv_len, 18, 21, RAPT_CAUSAL_BOTTOM_RIGHT});
}

// With all the threads that a context has, whose parts of the workspace lie one after the other.
TEST_P(AttentionGuard, WorkspaceOfSeveralThreads) {
  GuardedWorkspaces workspaces;
  rapt_context_params params;
  rapt_context_params_init(&params);
  params.num_threads = 3;
  params.backend = GetParam().backend.c_str();
  params.isa = GetParam().isa.empty() ? nullptr : GetParam().isa.c_str();
  params.alloc = GuardedWorkspaces::alloc;
  params.free = GuardedWorkspaces::free;
  params.user = &workspaces;
  for (const Sizes& sizes : {Sizes{2, 4, 2, 100, 300, 33, 20}, Sizes{1, 8, 2, 1, 9000, 40}, Sizes{1, 3, 3, 400, 400, 128}}) {
    name_case_for_faults("three threads, " + to_string(sizes));
    Call(sizes).run(Context(params));
  }
}

// Masked values that are not finite are looked at once more, and their rows added one by one.
TEST_P(AttentionGuard, MaskedValuesThatAreNotFinite) {
  const Context context(GetParam());
  for (const Place place : {Place::kBeforeGuard, Place::kAfterGuard})
    for (std::int64_t kv_len = 2; kv_len < 40; ++kv_len)
      for (const std::int64_t dim : {1, 6, 17}) {
        Sizes sizes = {1, 1, 1, kv_len, kv_len, 3, dim};
        sizes.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
        name_case_for_faults("infinity in the last value, " + to_string(sizes));
        const Call call(sizes, 1, {}, place);
        call.v.at(0, 0, kv_len - 1, dim - 1) = INFINITY;
        call.run(context);
      }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionGuard, testing::ValuesIn(all_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
