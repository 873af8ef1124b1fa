// libFuzzer target: safetensors. An Error, or tensors whose bytes can be read, and perhaps a model or a module that computes.
#include "engine/formats/safetensors.h"

#include "engine/error.h"
#include "rapt/engine.h"
#include "tests/fuzz/input_file.h"

namespace {

void read_everything(const std::string& path) {
  const rapt::engine::SafeTensors file(path);
  for (const auto& [name, entry] : file.tensors()) {
    const std::string_view bytes = file.bytes(name);
    if (bytes.size() != entry.end - entry.begin) std::abort();
    try {
      file.read_f32(name, entry.shape);
    } catch (const rapt::engine::Error&) {  // a type that is no float
    }
  }
}

void compute(const std::string& path) {
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.num_threads = 1;
  rapt_model* model = nullptr;
  if (rapt_model_load(path.c_str(), &params, &model) == RAPT_OK) {
    rapt_generate_params call;
    rapt_generate_params_init(&call);
    call.prompt = "a";
    call.num_tokens = 2;
    rapt_generate(model, &call, nullptr);
    rapt_model_free(model);
  }
  rapt_module* module = nullptr;
  rapt_module_params wanted;
  rapt_module_params_init(&wanted);
  wanted.model.num_threads = 1;
  if (rapt_multi_head_attention_load(path.c_str(), &wanted, &module) == RAPT_OK) rapt_module_free(module);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rapt::fuzz::read_and_compute(data, size, read_everything, compute);
  return 0;
}
