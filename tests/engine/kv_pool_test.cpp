// Pages: counted users, addresses that stay, memory by the page.
#include "engine/kv_pool.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <new>
#include <thread>

#include "tests/engine/support.h"

#define RAPT_SANITIZED 0
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef RAPT_SANITIZED
#define RAPT_SANITIZED 1
#endif
#endif

namespace rapt::engine::testing {
namespace {

const KvShape kShape = {.num_layers = 2, .num_kv_heads = 3, .head_dim = 8, .context_length = 200};

char* bytes_of(const KvPool& pool, std::int32_t page) {
  return static_cast<char*>(pool.tensors(0).k.data) + static_cast<std::size_t>(page) * pool.page_bytes();
}

TEST(KvPoolTest, APageIsFreeWhenItsLastUserLeaves) {
  KvPool pool(kShape);
  const std::int32_t a = pool.take(), b = pool.take();
  EXPECT_NE(a, b);
  EXPECT_FALSE(pool.is_shared(a));
  pool.share(a);
  EXPECT_TRUE(pool.is_shared(a));
  pool.release(a);
  EXPECT_FALSE(pool.is_shared(a));
  const std::int32_t c = pool.take();
  EXPECT_TRUE(c != a && c != b);
  const std::size_t bytes = pool.bytes();
  EXPECT_EQ(bytes, 3 * pool.page_bytes());
  pool.release(a);
  EXPECT_EQ(pool.take(), a);
  EXPECT_EQ(pool.bytes(), bytes);
}

TEST(KvPoolTest, PagesDoNotMoveAndDoNotOverlap) {
  for (const rapt_dtype dtype : {RAPT_F32, RAPT_BF16, RAPT_F16, RAPT_I8}) {
    KvShape shape = kShape;
    shape.dtype = dtype;
    KvPool pool(shape);
    const std::int32_t first = pool.take();
    char* const address = bytes_of(pool, first);
    std::memset(address, 1, pool.page_bytes());
    for (int i = 2; i < 100; ++i) std::memset(bytes_of(pool, pool.take()), i, pool.page_bytes());
    EXPECT_EQ(bytes_of(pool, first), address);
    EXPECT_EQ(std::string(address, pool.page_bytes()), std::string(pool.page_bytes(), 1));
    const std::int32_t copy = pool.take();
    pool.copy(first, copy);
    EXPECT_EQ(std::string(bytes_of(pool, copy), pool.page_bytes()), std::string(pool.page_bytes(), 1));
  }
}

TEST(KvPoolTest, KeysLieInPanelsWhereThereAreSuch) {
  for (const rapt_dtype dtype : {RAPT_F32, RAPT_BF16, RAPT_F16, RAPT_I8}) {
    KvShape shape = kShape;
    shape.dtype = dtype;
    EXPECT_EQ(KvPool(shape).tensors(0).k_layout, dtype == RAPT_I8 ? RAPT_KV_ROWS : RAPT_KV_PANELS);
  }
}

// Every tensor of every layer has bytes of its own inside the page.
TEST(KvPoolTest, LayersAndPartsDoNotOverlap) {
  KvShape shape = kShape;
  shape.dtype = RAPT_I8;
  KvPool pool(shape);
  const std::int32_t page = pool.take();
  std::string seen(pool.page_bytes(), 0);
  for (std::int64_t layer = 0; layer < shape.num_layers; ++layer) {
    const KvTensors tensors = pool.tensors(layer);
    for (const rapt_tensor& tensor : {tensors.k, tensors.v, tensors.k_scale, tensors.v_scale}) {
      const std::size_t size = static_cast<std::size_t>(3 * 64 * tensor.shape[3]) * (tensor.dtype == RAPT_F32 ? 4 : 1);
      const std::size_t at = static_cast<std::size_t>(static_cast<char*>(tensor.data) - bytes_of(pool, 0));
      EXPECT_EQ(tensor.strides[0] * (tensor.dtype == RAPT_F32 ? 4 : 1), static_cast<std::int64_t>(pool.page_bytes()));
      ASSERT_LE(at + size, pool.page_bytes());
      for (std::size_t i = at; i < at + size; ++i) EXPECT_EQ(seen[i]++, 0) << layer << " " << i;
    }
  }
  pool.release(page);
}

TEST(KvPoolTest, RefusesWhatNoMemoryHolds) {
  for (const KvShape& shape : {KvShape{1 << 16, 1 << 16, 1 << 20, 1 << 24}, KvShape{1 << 16, 1 << 16, INT64_MAX / 2, 1},
                               KvShape{1 << 10, 1 << 10, 1 << 10, 1 << 24}}) {
    EXPECT_THROW(KvPool pool(shape), std::bad_alloc);
  }
  KvPool small({.num_layers = 1, .num_kv_heads = 1, .head_dim = 1, .context_length = 1});
  for (std::int64_t i = 0; i < small.max_pages(); ++i) small.take();
  EXPECT_TRUE(contains(error_of(RAPT_OUT_OF_MEMORY, [&] { small.take(); }), "all 65536 pages of 64 tokens are taken"));
}

std::int64_t address_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t pages = 0;
  file >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

// Exits with 0 if what is to be seen under a limit of so many more bytes of addresses is seen.
[[noreturn]] void exit_after(std::int64_t more, const KvShape& shape, bool (*seen)(KvPool& pool)) {
  const rlim_t bytes = static_cast<rlim_t>(address_bytes() + more);
  const rlimit limit = {bytes, bytes};
  if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(2);
  try {
    KvPool pool(shape);
    _exit(seen(pool) ? 0 : 1);
  } catch (const Error& error) {
    std::fputs(error.what(), stderr);
    _exit(3);
  }
}

TEST(KvPoolTest, FewerAddressesMakeFewerPages) {
  if (RAPT_SANITIZED) GTEST_SKIP() << "sanitizers need addresses without a limit";
  KvShape shape = kShape;
  shape.head_dim = 512;  // pages of 1.5 MB, 6 MB a context
  const std::int64_t wanted = KvPool(shape).max_pages();
  EXPECT_EQ(wanted, 1 << 16);
  const auto works = [](KvPool& pool) {
    const bool fewer = pool.max_pages() >= 32 && pool.max_pages() < 1 << 10;
    std::memset(bytes_of(pool, pool.take()), 1, pool.page_bytes());
    return fewer &&  // and something is left for others
           mmap(nullptr, 100 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
  };
  EXPECT_EXIT(exit_after(std::int64_t{400} << 20, shape, works), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_after(std::int64_t{5} << 20, shape, works), ::testing::ExitedWithCode(3), "no 8388608 bytes of addresses");
}

TEST(KvPoolTest, ThreadsTakeAndReleaseAtOnce) {
  KvPool pool(kShape);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      std::vector<std::int32_t> mine;
      for (int i = 0; i < 50; ++i) mine.push_back(pool.take());
      for (const std::int32_t page : mine) std::memset(bytes_of(pool, page), page, pool.page_bytes());
      for (const std::int32_t page : mine) EXPECT_EQ(*bytes_of(pool, page), static_cast<char>(page));
      for (const std::int32_t page : mine) pool.release(page);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(pool.bytes(), 150 * pool.page_bytes());
}

}  // namespace
}  // namespace rapt::engine::testing
