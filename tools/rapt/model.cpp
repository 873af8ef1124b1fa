// The model of a subcommand. Layer: tools.
#include "tools/rapt/model.h"

#include "tools/rapt/failure.h"
#include "tools/rapt/terminal.h"

namespace rapt::tool {

void add_model_options(CLI::App& app, ModelOptions& options, const std::vector<std::string>& backends) {
  app.add_option("MODEL", options.path,
                 "a .gguf or .safetensors file, or a folder with\nmodel.safetensors or model.safetensors.index.json in it;\n"
                 "of .gguf in parts the first, NAME-00001-of-00003.gguf")
      ->required()
      ->check(not_empty());
  add_threads_option(app, options.compute);
  add_backend_option(app, options.compute, backends);
  add_isa_option(app, options.compute);
  app.add_option("--arithmetic", options.arithmetic,
                 "of linear layers: int8 (inputs rounded to 8 bits where\nweights are quantised), f32 (exact, slower) or bf16\n"
                 "(weights and inputs rounded where that errs little;\nfrom level avx512_bf16 on)\n(default: int8)")
      ->type_name("NAME")
      ->check(one_of({"int8", "f32", "bf16"}));
}

void add_kv_dtype_option(CLI::App& app, ModelOptions& options) {
  app.add_option("--kv-dtype", options.kv_dtype,
                 "type of the cache of keys and values: f32, bf16, f16, int8,\nor auto: f16 where --arithmetic rounds inputs "
                 "(bf16 for int8 on\namx_bf16), else f32\n(default: auto)")
      ->type_name("NAME")
      ->check(one_of({"auto", "f32", "bf16", "f16", "int8"}));
}

namespace {

rapt_kv_dtype kv_dtype_of(const std::string& name) {
  return name == "f32"    ? RAPT_KV_F32
         : name == "bf16" ? RAPT_KV_BF16
         : name == "f16"  ? RAPT_KV_F16
         : name == "int8" ? RAPT_KV_I8
                          : RAPT_KV_AUTO;
}

}  // namespace

Model load_model(const ModelOptions& options) {
  if (options.compute.backend == "onednn" && options.kv_dtype != "auto" && options.kv_dtype != "f32") {
    throw CLI::ValidationError("--kv-dtype", "is \"" + options.kv_dtype + "\", but must be auto or f32 with --backend onednn");
  }
  Progress progress("loading");
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.num_threads = options.compute.threads;
  params.backend = options.compute.backend_or_null();
  params.isa = options.compute.isa_or_null();
  params.arithmetic = options.arithmetic == "f32"    ? RAPT_ARITHMETIC_F32
                      : options.arithmetic == "bf16" ? RAPT_ARITHMETIC_BF16
                                                     : RAPT_ARITHMETIC_I8;
  params.kv_dtype = kv_dtype_of(options.kv_dtype);
  params.on_progress = Progress::on_progress;
  params.user = &progress;
  rapt_model* model = nullptr;
  try {
    check(rapt_model_load(options.path.c_str(), &params, &model));
  } catch (const Error& error) {
    std::string text = text_of(error);  // in the words of the option, where it is about --arithmetic
    constexpr std::string_view kName = "params->arithmetic is RAPT_ARITHMETIC_BF16";
    if (text.starts_with(kName)) text.replace(0, kName.size(), "--arithmetic is bf16");
    throw Error(error.status(), text);
  }
  return Model(model);
}

}  // namespace rapt::tool
