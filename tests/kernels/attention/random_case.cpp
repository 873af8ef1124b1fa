#include "tests/kernels/attention/random_case.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace rapt::test {
namespace {

// Lengths and the like, of which larger values make sense too; the others are choices.
bool is_size(const CaseField& f) { return f.most >= 20 || f.simplest == 1; }

// Goes down with every step of shrink, also where make_consistent changes other fields.
std::int64_t distance_from_simplest(const RandomCase& c) {
  std::int64_t distance = 0;
  for (const CaseField& f : case_fields()) distance += std::abs(c.*f.value - f.simplest);
  return distance;
}

}  // namespace

void make_consistent(RandomCase& c) {
  constexpr std::int64_t kLargest = 100000;
  for (const CaseField& f : case_fields())
    c.*f.value = std::clamp<std::int64_t>(c.*f.value, 0, is_size(f) ? std::max(f.most, kLargest) : f.most);
  c.kv_heads = std::max<std::int64_t>(c.kv_heads, 1);
  c.group = std::max<std::int64_t>(c.group, 1);
  c.dim = std::max<std::int64_t>(c.dim, 1);
  c.dim_v = std::max<std::int64_t>(c.dim_v, 1);
  if (c.prefix) c.window_left = 0;
  if (c.ragged) {
    c.batch = std::max<std::int64_t>(c.batch, 1);
    c.kv_lengths = c.page_size = c.mask = c.bias = c.block_mask = c.documents = c.tree = c.weights = 0;
  }
  if (c.panels && c.page_size) c.page_size = c.page_size % 2 ? 2 : 4;
  if (!c.page_size) c.panels = 0;
  if (c.panels && c.kv_type == 3) {  // i8, of which there are no panels
    if (!c.v_type) c.v_type = c.kv_type + 1;
    c.kv_type = 0;
  }
  if (c.v_type == c.kv_type + 1) c.v_type = 0;
  if (c.page_size) c.kv_lengths = 1;
  if (!c.mask) c.mask_broadcast = 0;
  if (!c.bias) c.bias_broadcast = 0;
  if (!c.block_mask) c.block_mask_broadcast = 0;
}

RandomCase random_case(std::mt19937_64& random) {
  RandomCase c;
  // Every case takes some options and leaves most, so that both single options and combinations come up. Small sizes are as
  // likely as large ones.
  const std::uint64_t density = random() % 4;
  for (const CaseField& f : case_fields()) {
    std::uint64_t most = static_cast<std::uint64_t>(f.most);
    if (is_size(f) && random() % 2) most = random() % (most + 1);
    if (is_size(f) || random() % 8 < 1 + 2 * density) c.*f.value = static_cast<std::int64_t>(random() % (most + 1));
  }
  if (random() % 16) c.batch = std::max<std::int64_t>(c.batch, 1);
  if (random() % 4) c.window_left = 0;
  if (random() % 4) c.window_right = 0;
  if (random() % 4) c.block_mask = 0;
  if (random() % 4) c.ragged = 0;                                                        // which leaves out many others
  if (random() % 16 == 0) c.kv_len = static_cast<std::int64_t>(1000 + random() % 1400);  // more than one split
  if (random() % 4 == 0) c.q_len = static_cast<std::int64_t>(random() % 5);              // decoding
  if (random() % 32 == 0) (random() % 2 ? c.dim : c.dim_v) = static_cast<std::int64_t>(80 + random() % 300);
  if (random() % 8 == 0) {  // all bf16: some levels have an arithmetic of its own for it
    c.q_type = c.kv_type = 1;
    c.v_type = c.panels = 0;
  }
  make_consistent(c);
  return c;
}

std::string to_string(const RandomCase& c) {
  std::string text;
  for (const CaseField& f : case_fields())
    if (c.*f.value != f.simplest) {
      if (!text.empty()) text += ' ';
      text += f.name;
      text += '=';
      text += std::to_string(c.*f.value);
    }
  return text;
}

RandomCase parse_case(const std::string& text) {
  RandomCase c;
  std::istringstream words(text);
  for (std::string word; words >> word;)
    for (const CaseField& f : case_fields())
      if (word.rfind(std::string(f.name) + "=", 0) == 0) c.*f.value = std::stoll(word.substr(word.find('=') + 1));
  make_consistent(c);
  return c;
}

RandomCase shrink(RandomCase c, const Target& target, const Property& property) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (const CaseField& f : case_fields())
      for (const std::int64_t value : {f.simplest, (c.*f.value + f.simplest) / 2, c.*f.value - 1}) {
        RandomCase next = c;
        next.*f.value = value;
        make_consistent(next);
        if (distance_from_simplest(next) >= distance_from_simplest(c) || property(next, target).empty()) continue;
        c = next;
        smaller = true;
        break;
      }
  }
  return c;
}

}  // namespace rapt::test
