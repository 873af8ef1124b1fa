// Implements attention/shapes.h.
#include "bench/attention/shapes.h"

#include <algorithm>
#include <charconv>

#include "bench/common/program.h"

namespace rapt::bench {
namespace {

constexpr rapt_causal kFull = RAPT_CAUSAL_NONE;
constexpr rapt_causal kCausal = RAPT_CAUSAL_BOTTOM_RIGHT;
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 24;

Shape from_numbers(const std::string& text) {
  std::vector<std::int64_t> numbers;
  const char* at = text.data();
  const char* end = at + text.size();
  for (bool more = true; more;) {
    std::int64_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number < 1 || number > kMaxExtent || (next != end && *next != ',')) {
      numbers.clear();
      break;
    }
    numbers.push_back(number);
    more = next != end;
    at = next + 1;
  }
  if (numbers.size() != 6 && numbers.size() != 7)
    throw BadInput("--shape=" + text + " is neither the name of a shape nor B,Hq,Hkv,Lq,Lk,D[,Dv], each from 1 to " +
                   std::to_string(kMaxExtent) + ", as in --shape=1,32,8,512,512,128");
  if (numbers.size() == 6) numbers.push_back(numbers[5]);
  return {text, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6]};
}

struct Keys {
  std::int64_t begin, end;
};

// The keys that query i sees.
Keys visible_keys(const Shape& shape, std::int64_t query) {
  const std::int64_t position = query + (shape.causal == RAPT_CAUSAL_TOP_LEFT ? 0 : shape.kv_len - shape.q_len);
  std::int64_t begin = 0, end = shape.kv_len;
  if (shape.causal != RAPT_CAUSAL_NONE) end = std::min(end, position + 1);
  if (shape.window_left >= 0) begin = std::max(begin, position - shape.window_left);
  if (shape.window_right >= 0) end = std::min(end, position + shape.window_right + 1);
  return {begin, std::max(begin, end)};
}

}  // namespace

const std::vector<Shape>& named_shapes() {
  static const std::vector<Shape> shapes = {
#include "bench/attention/named_shapes.inc"
  };
  return shapes;
}

Shape parse_shape(const std::string& text) {
  for (const Shape& shape : named_shapes())
    if (shape.name == text) return shape;
  Shape shape = from_numbers(text);
  if (shape.q_heads % shape.kv_heads != 0)
    throw BadInput("--shape=" + text + ": Hq must be a multiple of Hkv, but " + std::to_string(shape.q_heads) +
                   " is not one of " + std::to_string(shape.kv_heads));
  return shape;
}

double visible_pairs(const Shape& shape) {
  double pairs = 0;
  for (std::int64_t i = 0; i < shape.q_len; ++i) {
    const Keys keys = visible_keys(shape, i);
    pairs += static_cast<double>(keys.end - keys.begin);
  }
  return pairs;
}

double attention_flops(const Shape& shape) {
  const double heads = static_cast<double>(shape.batch) * static_cast<double>(shape.q_heads);
  return 2 * heads * visible_pairs(shape) * static_cast<double>(shape.head_dim + shape.head_dim_v);
}

double kv_bytes(const Shape& shape, std::size_t element_size) {
  const double heads = static_cast<double>(shape.batch) * static_cast<double>(shape.kv_heads);
  const std::int64_t keys = visible_keys(shape, shape.q_len - 1).end - visible_keys(shape, 0).begin;
  return static_cast<double>(element_size) * heads * static_cast<double>(keys) * static_cast<double>(shape.head_dim + shape.head_dim_v);
}

}  // namespace rapt::bench
