// See matrix.h.
#include "engine/modules/matrix.h"

#include "engine/error.h"

namespace rapt::engine {
namespace {

const ProjectionNames* find_names(const WeightReader& reader, const std::string& prefix) {
  for (const ProjectionNames& names : kProjectionNames) {
    if (reader.has(prefix + names.query + ".weight")) return &names;
  }
  return nullptr;
}

}  // namespace

void Matrix::stack(const Matrix& below) {
  if (!bias.empty() || !below.bias.empty()) {
    bias.resize(static_cast<std::size_t>(out));
    bias.insert(bias.end(), below.bias.begin(), below.bias.end());
    bias.resize(static_cast<std::size_t>(out + below.out));
  }
  weight.insert(weight.end(), below.weight.begin(), below.weight.end());
  out += below.out;
}

Matrix Matrix::rows(std::int64_t begin, std::int64_t end) const {
  Matrix part;
  part.out = end - begin;
  part.in = in;
  part.weight.assign(weight.begin() + begin * in, weight.begin() + end * in);
  if (!bias.empty()) part.bias.assign(bias.begin() + begin, bias.begin() + end);
  return part;
}

Matrix read_matrix(WeightReader& reader, const std::string& name) {
  const std::vector<std::int64_t> shape = reader.shape(name + ".weight", 2);
  Matrix matrix;
  matrix.out = shape[0];
  matrix.in = shape[1];
  matrix.weight = reader.read(name + ".weight", shape);
  matrix.bias = reader.read_optional(name + ".bias", {shape[0]});
  return matrix;
}

bool has_projections(const WeightReader& reader, const std::string& prefix) { return find_names(reader, prefix) != nullptr; }

Projections read_projections(WeightReader& reader, const std::string& prefix) {
  const ProjectionNames* const names = find_names(reader, prefix);
  if (names == nullptr) {
    throw_error(RAPT_INVALID_FILE, "%s: there is no tensor %s, nor one called query.weight or W_q.weight",
                printable(reader.path()).c_str(), reader.full_name(prefix + "q_proj.weight").c_str());
  }
  Projections all = {read_matrix(reader, prefix + names->query), read_matrix(reader, prefix + names->key),
                     read_matrix(reader, prefix + names->value)};
  if (all.key.out != all.query.out || all.key.in != all.query.in || all.value.in != all.query.in) {
    throw_error(
        RAPT_INVALID_FILE,
        "%s: the projections %s, %s and %s are %s, %s and %s; query and key must agree, and all must read the same width",
        printable(reader.path()).c_str(), names->query, names->key, names->value,
        shape_text({all.query.out, all.query.in}).c_str(), shape_text({all.key.out, all.key.in}).c_str(),
        shape_text({all.value.out, all.value.in}).c_str());
  }
  return all;
}

}  // namespace rapt::engine
