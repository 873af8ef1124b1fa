// libFuzzer target: session files of tests/data/chat/model.gguf. The last four bytes are made the right checksum, because no fuzzer
// finds one. An error, or a session that goes on.
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "rapt/engine.h"
#include "tests/fuzz/input_file.h"

namespace {

rapt_model* load() {
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.num_threads = 1;
  rapt_model* model = nullptr;
  if (rapt_model_load(RAPT_TEST_DATA "/chat/model.gguf", &params, &model) != RAPT_OK) std::abort();
  return model;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static rapt_model* const model = load();
  std::vector<std::uint8_t> bytes(data, data + size);
  if (size >= 4) {
    const std::uint32_t crc = static_cast<std::uint32_t>(crc32_z(0, bytes.data(), size - 4));
    std::memcpy(bytes.data() + size - 4, &crc, 4);
  }
  const rapt::fuzz::InputFile file(bytes.data(), bytes.size());
  rapt_session* session = nullptr;
  if (rapt_session_load(model, file.path().c_str(), &session) != RAPT_OK) return 0;
  const std::int32_t id = 10;
  std::vector<float> logits(260);
  rapt_session_append(session, &id, 1, nullptr, logits.data());
  rapt_session_free(session);
  return 0;
}
