// The C ABI of include/rapt/engine.h for looking inside.
#include "engine/api.h"
#include "engine/inspect.h"

rapt_status rapt_inspect(rapt_model* model, const rapt_inspect_params* params) {
  return rapt::engine::guarded("rapt_inspect", [&] {
    rapt::engine::need(model, "model");
    rapt::engine::need(params, "params");
    rapt::engine::check_struct_size(params->struct_size, sizeof *params, "params");
    rapt::engine::need(params->ids, "params->ids");
    rapt::engine::inspect(*model, *params);
  });
}
