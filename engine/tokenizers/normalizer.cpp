// See normalizer.h.
#include "engine/tokenizers/normalizer.h"

#include "engine/error.h"
#include "engine/tokenizers/bert_unicode.h"
#include "engine/utf8.h"

namespace rapt::engine {
namespace {

template <class Action>
void for_each_character(std::string_view text, Action&& action) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char next = decode_utf8(text.substr(at));
    const std::size_t size = next.size > 0 ? static_cast<std::size_t>(next.size) : 1;
    action(next.code_point, text.substr(at, size));
    at += size;
  }
}

std::string clean_and_space(std::string_view text, const BertRules& rules) {
  std::string result;
  for_each_character(text, [&](std::uint32_t c, std::string_view bytes) {
    if (rules.clean && (c == 0xfffd || is_bert_control(c))) return;
    if (rules.clean && is_white_space(c)) {
      result += ' ';
    } else if (rules.space_chinese && is_bert_chinese(c)) {
      result.append(1, ' ').append(bytes).append(1, ' ');
    } else {
      result += bytes;
    }
  });
  return result;
}

std::string lower_case(std::string_view text) {
  std::string result;
  for_each_character(text, [&](std::uint32_t c, std::string_view) { append_lower_case(c, &result); });
  return result;
}

std::string without(std::string_view text, bool (*dropped)(std::uint32_t)) {
  std::string result;
  for_each_character(text, [&](std::uint32_t c, std::string_view bytes) {
    if (!dropped(c)) result += bytes;
  });
  return result;
}

// A few steps of a hostile file could double a text sixty times. NFKC, at most, makes 11 bytes of one.
void check_growth(std::size_t from, std::size_t to) {
  constexpr std::size_t kMostGrowth = 64, kMostAdded = 1 << 20;
  if (to / kMostGrowth > from + kMostAdded / kMostGrowth) {
    throw_error(RAPT_INVALID_FILE, "the tokenizer's normalizer makes more than %zu bytes of %zu", to, from);
  }
}

}  // namespace

void Normalizer::add_form(NormalForm form) {
  steps_.push_back({[form](std::string_view text) { return normalized(text, form); }});
}

void Normalizer::add_bert(const BertRules& rules) {
  steps_.push_back({[rules](std::string_view text) {
    std::string result = clean_and_space(text, rules);
    if (rules.strip_accents) result = without(normalized(result, NormalForm::kNfd), is_bert_accent);
    return rules.lower_case ? lower_case(result) : result;
  }});
}

void Normalizer::add_lower_case() { steps_.push_back({lower_case}); }

void Normalizer::add_strip_accents() {
  steps_.push_back({[](std::string_view text) { return without(text, is_mark); }});
}

void Normalizer::add_replace(std::string from, std::string to) {
  steps_.push_back({[from = std::move(from), to = std::move(to)](std::string_view text) {
    std::string result;
    std::size_t at = 0;
    for (std::size_t found; (found = text.find(from, at)) != std::string_view::npos; at = found + from.size()) {
      result.append(text.substr(at, found - at)).append(to);
      check_growth(text.size(), result.size());
    }
    return result.append(text.substr(at));
  }});
}

void Normalizer::add_prepend(std::string prefix) {
  const auto prepend = [prefix = std::move(prefix)](std::string_view text) {
    return text.empty() ? std::string() : prefix + std::string(text);
  };
  steps_.push_back({prepend, /*at_beginnings_only=*/true});
}

std::string Normalizer::operator()(std::string_view text, bool begins) const {
  std::string result(text);
  for (const Step& step : steps_) {
    if (begins || !step.at_beginnings_only) result = step.apply(result);
    check_growth(text.size(), result.size());
  }
  return result;
}

}  // namespace rapt::engine
