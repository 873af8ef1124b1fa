// Saved sessions: they go on with the same bits; files that are damaged, cut short, of another model or another arithmetic are refused.
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

constexpr std::size_t kVocab = 65;

ModelPtr load_with(rapt_kv_dtype kv_dtype, const char* isa = nullptr, rapt_arithmetic arithmetic = RAPT_ARITHMETIC_I8) {
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.kv_dtype = kv_dtype;
  params.isa = isa;
  params.arithmetic = arithmetic;
  rapt_model* model = nullptr;
  EXPECT_EQ(rapt_model_load(kModel.c_str(), &params, &model), RAPT_OK) << rapt_last_error();
  return ModelPtr(model);
}

std::vector<float> next_logits(rapt_session* session, const std::int32_t* ids, std::size_t count) {
  std::vector<float> logits(kVocab, NAN);
  EXPECT_EQ(rapt_session_append(session, ids, count, nullptr, logits.data()), RAPT_OK) << rapt_last_error();
  return logits;
}

class SessionFileTest : public ::testing::Test {
 protected:
  SessionPtr load(rapt_model* model) {
    rapt_session* session = nullptr;
    EXPECT_EQ(rapt_session_load(model, path_.c_str(), &session), RAPT_OK) << rapt_last_error();
    return SessionPtr(session);
  }
  ::testing::AssertionResult refuses(rapt_status status, const std::vector<std::string>& parts, rapt_model* model) {
    rapt_session* session = reinterpret_cast<rapt_session*>(this);
    const rapt_status found = rapt_session_load(model, path_.c_str(), &session);
    EXPECT_EQ(session, nullptr);
    return failed_with(status, found, parts);
  }

  std::ptrdiff_t files() const { return std::distance(std::filesystem::directory_iterator(folder_.path()), {}); }

  const std::vector<std::int32_t> ids_ = read_ids(SafeTensors(kGolden), "ids");
  ScratchFolder folder_;
  const std::string path_ = folder_.file("a.session");
};

TEST_F(SessionFileTest, GoesOnWithTheSameBits) {
  for (const rapt_kv_dtype dtype : {RAPT_KV_F32, RAPT_KV_BF16, RAPT_KV_F16, RAPT_KV_I8}) {
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{64}, std::size_t{100}}) {
      const ModelPtr model = load_with(dtype), again = load_with(dtype);
      const SessionPtr session = create_session(model.get());
      if (length > 0) next_logits(session.get(), ids_.data(), length);
      ASSERT_EQ(rapt_session_save(session.get(), path_.c_str()), RAPT_OK) << rapt_last_error();
      const SessionPtr loaded = load(again.get());
      ASSERT_EQ(rapt_session_length(loaded.get()), static_cast<std::int64_t>(length));
      std::vector<std::int32_t> found(length);
      std::size_t count = 0;
      ASSERT_EQ(rapt_session_ids(loaded.get(), found.data(), length, &count), RAPT_OK);
      EXPECT_TRUE(count == length && std::equal(found.begin(), found.end(), ids_.begin()));
      const std::int32_t* const rest = ids_.data() + length;
      EXPECT_EQ(next_logits(loaded.get(), rest, 3), next_logits(session.get(), rest, 3)) << dtype << " " << length;
    }
  }
}

// Panels have other widths there. New tokens that round to the other of two 16-bit numbers make the larger differences.
TEST_F(SessionFileTest, TravelsBetweenIsaLevels) {
  for (const auto& [dtype, bound] : {std::pair{RAPT_KV_F32, 1e-4}, std::pair{RAPT_KV_BF16, 1e-2}, std::pair{RAPT_KV_F16, 1e-3}}) {
    const ModelPtr here = load_with(dtype), there = load_with(dtype, "scalar");
    const SessionPtr session = create_session(here.get());
    next_logits(session.get(), ids_.data(), 100);
    ASSERT_EQ(rapt_session_save(session.get(), path_.c_str()), RAPT_OK) << rapt_last_error();
    const SessionPtr loaded = load(there.get());
    const double difference =
        largest_difference(next_logits(loaded.get(), ids_.data() + 100, 5), next_logits(session.get(), ids_.data() + 100, 5));
    EXPECT_LE(difference, bound) << dtype;
    // What it saves again is the same file.
    const std::string first = read_file(path_);
    ASSERT_EQ(rapt_session_rollback(loaded.get(), 100), RAPT_OK);
    ASSERT_EQ(rapt_session_save(loaded.get(), path_.c_str()), RAPT_OK);
    EXPECT_TRUE(read_file(path_) == first);
  }
}

TEST_F(SessionFileTest, EveryPrefixAndEveryFlippedByteIsRefused) {
  const ModelPtr model = load_with(RAPT_KV_F32);
  const SessionPtr session = create_session(model.get());
  next_logits(session.get(), ids_.data(), 2);
  ASSERT_EQ(rapt_session_save(session.get(), path_.c_str()), RAPT_OK);
  const std::string bytes = read_file(path_);
  for (std::size_t size = 0; size < bytes.size(); size += size < 80 ? 1 : 997) {
    folder_.write("a.session", bytes.substr(0, size));
    EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"a.session"}, model.get())) << size;
  }
  for (std::size_t at = 0; at < bytes.size(); at += at < 80 ? 1 : 499) {
    std::string wrong = bytes;
    wrong[at] = static_cast<char>(wrong[at] ^ 1 << at % 8);
    folder_.write("a.session", wrong);
    EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"a.session"}, model.get())) << at;
  }
  folder_.write("a.session", bytes + "x");
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"a.session"}, model.get()));
}

TEST_F(SessionFileTest, IsOfOneModelOneArithmeticAndOneTypeOfCache) {
  const ModelPtr model = load_with(RAPT_KV_F32);
  const SessionPtr session = create_session(model.get());
  next_logits(session.get(), ids_.data(), 2);
  ASSERT_EQ(rapt_session_save(session.get(), path_.c_str()), RAPT_OK);
  const ModelPtr other = load_model(kData + "/gpt2"), rounded = load_with(RAPT_KV_BF16);
  EXPECT_TRUE(refuses(RAPT_INVALID_ARGUMENT, {"another model"}, other.get()));
  EXPECT_TRUE(refuses(RAPT_INVALID_ARGUMENT, {"another type of the KV cache", "kv_dtype"}, rounded.get()));
  const ModelPtr exact = load_with(RAPT_KV_F32, nullptr, RAPT_ARITHMETIC_F32);
  EXPECT_TRUE(refuses(RAPT_INVALID_ARGUMENT, {"another arithmetic"}, exact.get()));
}

// The same weights, but keys turned otherwise.
TEST_F(SessionFileTest, IsOfOneConfiguration) {
  const ScratchFolder folder;
  const std::string config = read_file(kData + "/llama/config.json"), theta = "\"rope_theta\": ";
  folder.write("model.safetensors", read_file(kData + "/llama/model.safetensors"));
  folder.write("config.json", config);
  const ModelPtr model = load_model(folder.path());
  const SessionPtr session = create_session(model.get());
  ASSERT_EQ(rapt_session_append(session.get(), ids_.data(), 2, nullptr, nullptr), RAPT_OK) << rapt_last_error();
  ASSERT_EQ(rapt_session_save(session.get(), path_.c_str()), RAPT_OK);
  std::string other = config;
  const std::size_t at = other.find(theta);
  ASSERT_NE(at, std::string::npos);
  other.insert(at + theta.size(), "1");
  folder.write("config.json", other);
  EXPECT_TRUE(refuses(RAPT_INVALID_ARGUMENT, {"another model"}, load_model(folder.path()).get()));
  folder.write("config.json", config);
  EXPECT_NE(load(load_model(folder.path()).get()), nullptr);
}

TEST_F(SessionFileTest, AFailureLeavesTheOldFile) {
  const ModelPtr model = load_with(RAPT_KV_F32);
  const SessionPtr session = create_session(model.get());
  EXPECT_TRUE(failed_with(RAPT_IO_ERROR, rapt_session_save(session.get(), "/absent/a.session"), {"/absent/a.session"}));
  std::filesystem::create_directory(path_);
  EXPECT_TRUE(failed_with(RAPT_IO_ERROR, rapt_session_save(session.get(), path_.c_str()), {"a.session", "not a regular file"}));
  EXPECT_TRUE(std::filesystem::is_directory(path_));
  EXPECT_EQ(files(), 1);
  std::filesystem::remove(path_);
  EXPECT_TRUE(refuses(RAPT_IO_ERROR, {"a.session"}, model.get()));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_session_save(session.get(), nullptr), {"path is NULL"}));
}

// What a program may be given for a file: /dev/null, a pipe of the shell's.
TEST_F(SessionFileTest, WhatIsNoFileStays) {
  const ModelPtr model = load_with(RAPT_KV_F32);
  const SessionPtr session = create_session(model.get());
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const std::string link = folder_.file("link.session");
  std::filesystem::create_symlink("a.session", link);
  for (const std::string& path : {path_, link}) {
    EXPECT_TRUE(failed_with(RAPT_IO_ERROR, rapt_session_save(session.get(), path.c_str()), {path, "not a regular file"}));
  }
  EXPECT_TRUE(std::filesystem::is_fifo(path_));
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("link.session", path_);
  EXPECT_TRUE(failed_with(RAPT_IO_ERROR, rapt_session_save(session.get(), link.c_str()), {link, "symbolic links"}));
  EXPECT_EQ(files(), 2);
}

TEST_F(SessionFileTest, LinksAreFollowedAndPermissionsKept) {
  const ModelPtr model = load_with(RAPT_KV_F32);
  const SessionPtr session = create_session(model.get());
  const std::string link = folder_.file("link"), other = folder_.file("other");
  std::filesystem::create_symlink(link, other);
  std::filesystem::create_symlink("a.session", link);
  ASSERT_EQ(rapt_session_save(session.get(), other.c_str()), RAPT_OK) << rapt_last_error();  // to a name that is free
  const auto secret = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;
  std::filesystem::permissions(path_, secret);
  next_logits(session.get(), ids_.data(), 3);
  ASSERT_EQ(rapt_session_save(session.get(), other.c_str()), RAPT_OK) << rapt_last_error();
  EXPECT_TRUE(std::filesystem::is_symlink(link) && std::filesystem::is_symlink(other));
  EXPECT_EQ(std::filesystem::status(path_).permissions(), secret);
  EXPECT_EQ(rapt_session_length(load(model.get()).get()), 3);
  EXPECT_EQ(files(), 3);
}

TEST_F(SessionFileTest, FilesOfOthersStay) {
  const ModelPtr model = load_with(RAPT_KV_F32);
  const SessionPtr session = create_session(model.get());
  const std::string other = folder_.write("a.session.part", "not ours");
  ASSERT_EQ(rapt_session_save(session.get(), path_.c_str()), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(read_file(other), "not ours");
  EXPECT_EQ(files(), 2);
}

TEST_F(SessionFileTest, ANameMayBeAsLongAsNamesCanBe) {
  const ModelPtr model = load_with(RAPT_KV_F32);
  const SessionPtr session = create_session(model.get());
  const std::string path = (std::filesystem::path(path_).parent_path() / std::string(255, 'a')).string();
  EXPECT_EQ(rapt_session_save(session.get(), path.c_str()), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(files(), 1);
}

TEST_F(SessionFileTest, SessionsSavedToOnePathAtOnceAreWhole) {
  const ModelPtr model = load_with(RAPT_KV_F32);
  std::vector<std::thread> threads;
  for (const std::size_t length : {std::size_t{10}, std::size_t{100}}) {
    threads.emplace_back([&, length] {
      const SessionPtr session = create_session(model.get());
      next_logits(session.get(), ids_.data(), length);
      for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(rapt_session_save(session.get(), path_.c_str()), RAPT_OK) << rapt_last_error();
        const std::int64_t found = rapt_session_length(load(model.get()).get());
        ASSERT_TRUE(found == 10 || found == 100) << found;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(files(), 1);
}

}  // namespace
}  // namespace rapt::engine::testing
