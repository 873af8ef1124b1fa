// The C ABI of include/rapt/engine.h for attention modules.
#include <algorithm>
#include <memory>

#include "engine/api.h"
#include "engine/loaded_model.h"
#include "engine/modules/multi_head_attention.h"
#include "engine/modules/single_head_attention.h"
#include "rapt/engine.h"

using rapt::engine::AttentionModule;
using rapt::engine::check_struct_size;
using rapt::engine::ContextPtr;
using rapt::engine::guarded;
using rapt::engine::MultiHeadAttention;
using rapt::engine::need;
using rapt::engine::SafeTensors;
using rapt::engine::SafeTensorsSource;
using rapt::engine::SingleHeadAttention;
using rapt::engine::throw_error;
using rapt::engine::WeightReader;

struct rapt_module {
  ContextPtr context;
  std::unique_ptr<AttentionModule> attention;
};

namespace {

// make(reader, params): the module of this kind.
template <class Make>
rapt_status load(const char* where, const char* path, const rapt_module_params* params, rapt_module** module, Make make) {
  return guarded(where, [&] {
    need(module, "module");
    *module = nullptr;
    need(path, "safetensors");
    rapt_module_params wanted;
    rapt_module_params_init(&wanted);
    if (params != nullptr) {
      check_struct_size(params->struct_size, sizeof *params, "params");
      check_struct_size(params->model.struct_size, sizeof params->model, "(&params->model)");
      wanted = *params;
    }
    if (!(wanted.dropout >= 0 && wanted.dropout < 1)) {
      throw_error(RAPT_INVALID_ARGUMENT, "params->dropout is %g; it must be from 0 to below 1", wanted.dropout);
    }
    auto result = std::make_unique<rapt_module>();
    result->context = rapt::engine::make_context(wanted.model);
    const SafeTensors file(path);
    const SafeTensorsSource source(file);
    WeightReader reader(result->context.get(), source, wanted.prefix != nullptr ? wanted.prefix : "", [&wanted](double done) {
      return wanted.model.on_progress != nullptr && wanted.model.on_progress(done, wanted.model.user) != 0;
    });
    result->attention = make(reader, wanted);
    *module = result.release();
  });
}

// batch * length * dim floats fit in memory's addresses.
void check_extent(const char* name, std::int64_t batch, std::int64_t length, std::int64_t dim) {
  std::int64_t count = 0;
  if (length < 0) {
    throw_error(RAPT_INVALID_ARGUMENT, "%s is %lld; it must not be negative", name, static_cast<long long>(length));
  }
  if (__builtin_mul_overflow(batch, length, &count) || __builtin_mul_overflow(count, 4 * dim, &count)) {
    throw_error(RAPT_INVALID_ARGUMENT, "%s is %lld, too large for a batch of %lld", name, static_cast<long long>(length),
                static_cast<long long>(batch));
  }
}

}  // namespace

rapt_status rapt_single_head_attention_load(const char* safetensors, const rapt_module_params* params, rapt_module** module) {
  return load("rapt_single_head_attention_load", safetensors, params, module,
              [](WeightReader& reader, const rapt_module_params& wanted) {
                return std::make_unique<SingleHeadAttention>(reader, wanted.causal != 0);
              });
}

rapt_status rapt_multi_head_attention_load(const char* safetensors, const rapt_module_params* params, rapt_module** module) {
  return load("rapt_multi_head_attention_load", safetensors, params, module,
              [](WeightReader& reader, const rapt_module_params& wanted) {
                return std::make_unique<MultiHeadAttention>(
                    rapt::engine::load_multi_head_attention(reader, wanted.num_heads, wanted.causal != 0));
              });
}

void rapt_module_free(rapt_module* module) { delete module; }

int64_t rapt_module_embed_dim(const rapt_module* module) { return module != nullptr ? module->attention->embed_dim() : 0; }

int64_t rapt_module_output_dim(const rapt_module* module) { return module != nullptr ? module->attention->output_dim() : 0; }

rapt_status rapt_module_forward(rapt_module* module, int64_t batch, int64_t q_len, const float* query, int64_t kv_len,
                                const float* key_value, float* y) {
  return guarded("rapt_module_forward", [&] {
    need(module, "module");
    const AttentionModule& attention = *module->attention;
    const std::int64_t widest = std::max(attention.embed_dim(), attention.output_dim());
    if (batch < 0) throw_error(RAPT_INVALID_ARGUMENT, "batch is %lld; it must not be negative", static_cast<long long>(batch));
    check_extent("q_len", batch, q_len, widest);
    if (batch == 0 || q_len == 0) return;
    need(query, "query");
    need(y, "y");
    const bool self = key_value == nullptr;
    if (!self) check_extent("kv_len", batch, kv_len, widest);
    attention.forward(module->context.get(), batch, q_len, query, self ? q_len : kv_len, self ? query : key_value, y);
  });
}
