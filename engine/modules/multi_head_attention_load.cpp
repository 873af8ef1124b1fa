// Reads the weights of a MultiHeadAttention under the names that PyTorch programs give them. See multi_head_attention.h.
#include "engine/error.h"
#include "engine/modules/multi_head_attention.h"

namespace rapt::engine {
namespace {

// torch.nn.MultiheadAttention: the three projections stacked in in_proj_weight [3 * dim, dim].
Projections read_torch(WeightReader& reader) {
  if (reader.has("bias_k") || reader.has("bias_v")) {
    throw_error(RAPT_UNSUPPORTED, "%s: add_bias_kv=True of torch.nn.MultiheadAttention is not supported",
                printable(reader.path()).c_str());
  }
  const std::vector<std::int64_t> shape = reader.shape("in_proj_weight", 2);
  const std::int64_t dim = shape[1];
  if (shape[0] != 3 * dim) {
    throw_error(RAPT_INVALID_FILE, "%s: in_proj_weight is %s; it must be [3 * dim, dim]", printable(reader.path()).c_str(),
                shape_text(shape).c_str());
  }
  Matrix all;
  all.out = 3 * dim;
  all.in = dim;
  all.weight = reader.read("in_proj_weight", shape);
  all.bias = reader.read_optional("in_proj_bias", {3 * dim});
  return {all.rows(0, dim), all.rows(dim, 2 * dim), all.rows(2 * dim, 3 * dim)};
}

// heads.0, heads.1, ...: one small projection each, stacked to one large.
Projections read_heads(WeightReader& reader, std::int64_t num_heads) {
  Projections all;
  std::int64_t found = 0;
  for (; has_projections(reader, "heads." + std::to_string(found) + "."); ++found) {
    const Projections head = read_projections(reader, "heads." + std::to_string(found) + ".");
    if (found == 0) {
      all = head;
      continue;
    }
    const bool same =
        head.query.in == all.query.in && head.query.out * found == all.query.out && head.value.out * found == all.value.out;
    if (!same) {
      throw_error(RAPT_INVALID_FILE, "%s: heads.%lld has not the shapes of the heads before it",
                  printable(reader.path()).c_str(), static_cast<long long>(found));
    }
    all.query.stack(head.query);
    all.key.stack(head.key);
    all.value.stack(head.value);
  }
  if (found != num_heads) {
    throw_error(RAPT_INVALID_ARGUMENT, "params->num_heads is %lld, but %s has %lld heads", static_cast<long long>(num_heads),
                printable(reader.path()).c_str(), static_cast<long long>(found));
  }
  return all;
}

std::string output_name(const WeightReader& reader) {
  for (const ProjectionNames& names : kProjectionNames) {
    if (reader.has(std::string(names.output) + ".weight")) return names.output;
  }
  return kProjectionNames[0].output;
}

}  // namespace

MultiHeadAttention load_multi_head_attention(WeightReader& reader, std::int64_t num_heads, bool causal) {
  if (num_heads < 1) {
    throw_error(RAPT_INVALID_ARGUMENT, "params->num_heads is %lld; it must be at least 1", static_cast<long long>(num_heads));
  }
  const Projections projections = reader.has("in_proj_weight")          ? read_torch(reader)
                                  : has_projections(reader, "heads.0.") ? read_heads(reader, num_heads)
                                                                        : read_projections(reader, "");
  if (projections.key.out % num_heads != 0 || projections.value.out % num_heads != 0) {
    throw_error(RAPT_INVALID_ARGUMENT,
                "params->num_heads is %lld, which does not divide the %lld columns of the keys and %lld of the values",
                static_cast<long long>(num_heads), static_cast<long long>(projections.key.out),
                static_cast<long long>(projections.value.out));
  }
  const std::string name = output_name(reader);
  const Matrix output = read_matrix(reader, name);
  if (output.in != projections.value.out) {
    throw_error(RAPT_INVALID_FILE, "%s: %s.weight is %s, but the heads give %lld columns", printable(reader.path()).c_str(),
                name.c_str(), shape_text({output.out, output.in}).c_str(), static_cast<long long>(projections.value.out));
  }
  return MultiHeadAttention(reader.context(), num_heads, projections, output, causal);
}

}  // namespace rapt::engine
