// Loading a model with a progress bar, as every command does that computes with one. Layer: tools.
#pragma once
#include <memory>
#include <string>

#include "rapt/engine.h"
#include "tools/rapt/arguments.h"

namespace rapt::tool {

struct FreeModel {
  void operator()(rapt_model* model) const { rapt_model_free(model); }
};
using Model = std::unique_ptr<rapt_model, FreeModel>;

// The MODEL argument and the options of where to compute.
struct ModelOptions {
  std::string path;
  ComputeOptions compute;
  std::string arithmetic = "int8";
  std::string kv_dtype = "auto";
};

void add_model_options(CLI::App& app, ModelOptions& options, const std::vector<std::string>& backends = backend_names());

// Of commands that keep keys and values, which making vectors does not.
void add_kv_dtype_option(CLI::App& app, ModelOptions& options);

Model load_model(const ModelOptions& options);

}  // namespace rapt::tool
