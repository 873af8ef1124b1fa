// "1,8,8,1024,1024,64". Layer: tools.
#include "tools/rapt/shape.h"

#include <algorithm>
#include <charconv>

namespace rapt::tool {
namespace {

constexpr long long kMaxExtent = 1 << 24;
constexpr double kMaxElements = 1LL << 31;  // of one tensor; 8 GiB

// The text is empty when all is right.
std::string parse(const std::string& text, Shape* shape) {
  long long* const fields[] = {&shape->batch, &shape->q_heads, &shape->kv_heads,
                               &shape->q_len, &shape->kv_len,  &shape->head_dim};
  const std::string wrong = "is \"" + text + "\", but must be ";
  const char* at = text.data();
  const char* const end = at + text.size();
  for (long long* field : fields) {
    const bool first = field == fields[0];
    if (!first && (at == end || *at++ != ',')) return wrong + "six numbers with commas between, as in 1,8,8,1024,1024,64";
    const auto [stop, error] = std::from_chars(at, end, *field);
    if (error != std::errc() || *field < 1 || *field > kMaxExtent) {
      return wrong + "six whole numbers from 1 to " + std::to_string(kMaxExtent) + ", as in 1,8,8,1024,1024,64";
    }
    at = stop;
  }
  if (at != end) return wrong + "six numbers and nothing after, as in 1,8,8,1024,1024,64";
  if (shape->q_heads % shape->kv_heads != 0) return wrong + "such that the query heads are a multiple of the KV heads";
  const double rows = std::max(static_cast<double>(shape->q_heads) * static_cast<double>(shape->q_len),
                               static_cast<double>(shape->kv_heads) * static_cast<double>(shape->kv_len));
  if (rows * static_cast<double>(shape->batch) * static_cast<double>(shape->head_dim) > kMaxElements) {
    return wrong + "such that no tensor has more than 2^31 elements";
  }
  return "";
}

}  // namespace

double Shape::visible_pairs(bool causal) const {
  double pairs = 0;
  for (long long i = 0; i < q_len; ++i) {
    pairs += static_cast<double>(causal ? std::clamp(i + 1 + kv_len - q_len, 0LL, kv_len) : kv_len);
  }
  return pairs * static_cast<double>(batch) * static_cast<double>(q_heads);
}

CLI::Validator shape_text() {
  return CLI::Validator(
      [](std::string& text) {
        Shape shape;
        return parse(text, &shape);
      },
      "");
}

Shape parse_shape(const std::string& text) {
  Shape shape;
  parse(text, &shape);
  return shape;
}

}  // namespace rapt::tool
