// libFuzzer target: GGUF. Whatever the bytes, an Error, or values, tensors and a tokenizer that can be read, and perhaps a model that
// computes.
#include "engine/formats/gguf.h"

#include "engine/error.h"
#include "engine/tokenizers/load.h"
#include "rapt/engine.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/read_text.h"

namespace {

void read_everything(const std::string& path) {
  using rapt::engine::Gguf;
  const Gguf file(path);
  const auto ask = [](auto&& question) {
    try {
      question();
    } catch (const rapt::engine::Error&) {  // the value is of another kind
    }
  };
  for (const rapt::engine::GgufValue& value : file.values()) {
    ask([&] { file.text(value.key); });
    ask([&] { file.integer(value.key, INT64_MIN, INT64_MAX); });
    ask([&] { file.number(value.key); });
    ask([&] { file.flag(value.key, false); });
    ask([&] { file.texts(value.key); });
    ask([&] { file.integers(value.key); });
    ask([&] { file.numbers(value.key); });
  }
  for (const rapt::engine::GgufTensor& tensor : file.tensors()) {
    ask([&] {
      const std::string_view bytes = file.bytes(tensor);
      for (std::size_t i = 0; i < bytes.size(); i += 64) static_cast<void>(*static_cast<const volatile char*>(&bytes[i]));
    });
  }
  ask([&] { rapt::fuzz::read_text(*rapt::engine::tokenizer_from_gguf(file), "Thé 漢 <|im_end|>\n 12"); });
}

void compute(const std::string& path) {
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.num_threads = 1;
  rapt_model* model = nullptr;
  if (rapt_model_load(path.c_str(), &params, &model) != RAPT_OK) return;
  rapt_session* session = nullptr;
  const std::int32_t ids[] = {0, 1, 2};
  if (rapt_session_create(model, &session) == RAPT_OK) rapt_session_append(session, ids, 3, nullptr, nullptr);
  rapt_session_free(session);
  rapt_model_free(model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rapt::fuzz::read_and_compute(data, size, read_everything, compute);
  return 0;
}
