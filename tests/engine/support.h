// What the engine's tests share: data folders, scratch files, goldens, safetensors made by hand, and the list of everything
// that a model can run on.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "engine/error.h"
#include "engine/formats/safetensors.h"
#include "rapt/engine.h"
#include "tests/support/scratch_folder.h"

namespace rapt::engine::testing {

inline const std::string kData = RAPT_TEST_DATA;
inline const std::string kModel = RAPT_MODEL_DIR "/nanogpt-char/model.safetensors";
inline const std::string kGolden = kData + "/nanogpt-char/golden.safetensors";

using rapt::test::ScratchFolder;

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// A safetensors file of 32 bit weights, the last of which is not a number.
inline std::string with_nan(const std::string& path) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::string bytes = read_file(path);
  return bytes.replace(bytes.size() - sizeof kNan, sizeof kNan, reinterpret_cast<const char*>(&kNan), sizeof kNan);
}

// The bytes of a safetensors file with this header, right or wrong.
inline std::string safetensors_bytes(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + data;
}

// An I64 tensor of a golden as token ids.
inline std::vector<std::int32_t> read_ids(const SafeTensors& file, const std::string& name) {
  const std::string_view bytes = file.bytes(name);
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    std::int64_t id;
    std::memcpy(&id, bytes.data() + i, 8);
    ids.push_back(static_cast<std::int32_t>(id));
  }
  return ids;
}

inline std::vector<float> read_golden(const SafeTensors& file, const std::string& name) {
  return file.read_f32(name, file.entry(name).shape);
}

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (std::isnan(difference)) return difference;
    largest = std::max(largest, difference);
  }
  return largest;
}

// ||a - b|| / ||b||
inline double relative_rms(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - b[i], 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(error / size);
}

struct FreeModel {
  void operator()(rapt_model* model) const { rapt_model_free(model); }
};
struct FreeSession {
  void operator()(rapt_session* session) const { rapt_session_free(session); }
};
using ModelPtr = std::unique_ptr<rapt_model, FreeModel>;
using SessionPtr = std::unique_ptr<rapt_session, FreeSession>;

// A model, or a failed test and null.
inline ModelPtr load_model(const std::string& path, const char* isa = nullptr, const char* backend = nullptr, int threads = 1,
                           rapt_arithmetic arithmetic = RAPT_ARITHMETIC_I8) {
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.isa = isa;
  params.backend = backend;
  params.num_threads = threads;
  params.arithmetic = arithmetic;
  rapt_model* model = nullptr;
  EXPECT_EQ(rapt_model_load(path.c_str(), &params, &model), RAPT_OK) << rapt_last_error();
  return ModelPtr(model);
}

inline SessionPtr create_session(rapt_model* model) {
  rapt_session* session = nullptr;
  EXPECT_EQ(rapt_session_create(model, &session), RAPT_OK) << rapt_last_error();
  return SessionPtr(session);
}

// The status is as expected, and the error text has every one of `parts` in it.
inline ::testing::AssertionResult failed_with(rapt_status expected, rapt_status status, const std::vector<std::string>& parts) {
  if (status != expected) {
    return ::testing::AssertionFailure() << rapt_status_name(status) << " instead of " << rapt_status_name(expected) << ": "
                                         << rapt_last_error();
  }
  const std::string text = rapt_last_error();
  for (const std::string& part : parts) {
    if (text.find(part) == std::string::npos) return ::testing::AssertionFailure() << "no \"" << part << "\" in: " << text;
  }
  return ::testing::AssertionSuccess();
}

// The text of the Error that `action` throws with this status; "" and a failed test if it throws none.
template <class Action>
std::string error_of(rapt_status status, Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), status) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

inline ::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "no \"" << part << "\" in: " << text;
}

// Every ISA level with every backend. Those that cannot run here are skipped with the reason.
class OnEverything : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override {
    if (rapt_isa_available(isa()) != RAPT_OK || rapt_backend_available(backend()) != RAPT_OK) GTEST_SKIP() << rapt_last_error();
  }
  const char* isa() const { return std::get<0>(GetParam()).c_str(); }
  const char* backend() const { return std::get<1>(GetParam()).c_str(); }
};

inline std::vector<std::string> names(const char* (*name)(int index)) {
  std::vector<std::string> all;
  for (int i = 0; name(i) != nullptr; ++i) all.push_back(name(i));
  return all;
}

inline std::string everything_name(const ::testing::TestParamInfo<OnEverything::ParamType>& info) {
  return std::get<0>(info.param) + "_" + std::get<1>(info.param);
}

}  // namespace rapt::engine::testing

// Instantiates a test fixture derived from OnEverything.
#define RAPT_INSTANTIATE_ON_EVERYTHING(fixture)                                                                      \
  INSTANTIATE_TEST_SUITE_P(All, fixture,                                                                             \
                           ::testing::Combine(::testing::ValuesIn(rapt::engine::testing::names(rapt_isa_name)),      \
                                              ::testing::ValuesIn(rapt::engine::testing::names(rapt_backend_name))), \
                           rapt::engine::testing::everything_name)
