// See json_steps.h. A table for each place: the name of a step, and what it adds.
#include "engine/tokenizers/json_steps.h"

#include <functional>

#include "engine/error.h"
#include "engine/tokenizers/splitter.h"

namespace rapt::engine {
namespace {

constexpr const char* kSpaceMark = "\u2581";

using Matches = PreTokenizer::Matches;

class StepReader {
 public:
  StepReader(const std::string& where, PipelineParts* parts, JsonSteps* steps) : where_(where), parts_(parts), steps_(steps) {}

  void read(const Json& root, const char* key, const char* list, void (StepReader::*step)(const Json&, const std::string&)) {
    const auto it = root.find(key);
    if (it == root.end() || it->is_null()) return;
    place_ = where_ + ": " + key;
    num_steps_ = 0;
    visit(*it, list, step);
  }

  void normalizer(const Json& step, const std::string& type) {
    Normalizer& normalizer = parts_->normalizer;
    if (type == "NFC") return normalizer.add_form(NormalForm::kNfc);
    if (type == "NFD") return normalizer.add_form(NormalForm::kNfd);
    if (type == "NFKC") return normalizer.add_form(NormalForm::kNfkc);
    if (type == "NFKD") return normalizer.add_form(NormalForm::kNfkd);
    if (type == "Lowercase") return normalizer.add_lower_case();
    if (type == "StripAccents") return normalizer.add_strip_accents();
    if (type == "Prepend") return normalizer.add_prepend(json_string(step, "prepend", "", place_));
    if (type == "Replace") return normalizer.add_replace(pattern(step, "String"), json_string(step, "content", "", place_));
    if (type != "BertNormalizer") refuse(type);
    BertRules rules;
    rules.clean = json_bool(step, "clean_text", true, place_);
    rules.space_chinese = json_bool(step, "handle_chinese_chars", true, place_);
    rules.lower_case = json_bool(step, "lowercase", true, place_);
    rules.strip_accents = json_bool(step, "strip_accents", rules.lower_case, place_);
    normalizer.add_bert(rules);
  }

  void pre_tokenizer(const Json& step, const std::string& type) {
    PreTokenizer& words = parts_->pre_tokenizer;
    if (type == "BertPreTokenizer") return words.add_bert();
    if (type == "Digits") return words.add_digits(json_bool(step, "individual_digits", false, place_));
    if (type == "Whitespace") return words.add_pattern(R"(\w+|[^\w\s]+)", Matches::kRemoved, true, place_);
    if (type == "WhitespaceSplit") return words.add_pattern(R"(\s+)", Matches::kRemoved, false, place_);
    if (type == "ByteLevel") return byte_level(step);
    if (type == "Metaspace") return metaspace(step);
    if (type != "Split") refuse(type);
    const std::string text = step.contains("pattern") && step["pattern"].contains("String") ? escaped(pattern(step, "String"))
                                                                                           : pattern(step, "Regex");
    words.add_pattern(text, behavior(step), json_bool(step, "invert", false, place_), place_);
  }

  void post_processor(const Json& step, const std::string& type) {
    TokenizerRoles& roles = parts_->roles;
    if (type == "ByteLevel") return;  // moves offsets, which rapt does not give
    if (type == "BertProcessing" || type == "RobertaProcessing") {
      roles.before = {id_of_pair(step, "cls")};
      roles.after = {id_of_pair(step, "sep")};
      return;
    }
    if (type != "TemplateProcessing") refuse(type);
    bool after = false;
    for (const Json& item : json_member(step, "single", Json::value_t::array, place_)) {
      if (item.is_object() && item.contains("Sequence")) {
        after = true;
      } else if (item.is_object() && item.contains("SpecialToken")) {
        const std::string name =
            json_string(json_member(item, "SpecialToken", Json::value_t::object, place_), "id", "", place_);
        add_special(step, name, after ? &roles.after : &roles.before);
      } else {
        refuse("TemplateProcessing with other parts");
      }
    }
  }

  void decoder(const Json& step, const std::string& type) {
    if (type == "WordPiece") steps_->cleanup = json_bool(step, "cleanup", true, place_);
    if (type == "Strip") steps_->strips = json_string(step, "content", "", place_) == " ";
    if (type == "Metaspace") steps_->strips = !parts_->word_prefix.empty();
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw_error(RAPT_INVALID_FILE, "%s: rapt has no %s", place_.c_str(), printable(what).c_str());
  }

  // A step, or the steps of a "Sequence", which may nest.
  void visit(const Json& step, const char* list, void (StepReader::*add)(const Json&, const std::string&)) {
    if (!step.is_object()) throw_error(RAPT_INVALID_FILE, "%s: a step is not an object", place_.c_str());
    const std::string type = json_string(step, "type", "", place_);
    if (type != "Sequence") {
      // Each is a call within another; real files have up to ten.
      if (++num_steps_ > kMostSteps) throw_error(RAPT_INVALID_FILE, "%s: more than %d steps", place_.c_str(), kMostSteps);
      return (this->*add)(step, type);
    }
    for (const Json& inner : json_member(step, list, Json::value_t::array, place_)) visit(inner, list, add);
  }

  // step.pattern[kind]: {"String": " "} or {"Regex": "..."}; not empty.
  std::string pattern(const Json& step, const char* kind) const {
    const std::string text = json_string(json_member(step, "pattern", Json::value_t::object, place_), kind, "", place_);
    if (text.empty()) throw_error(RAPT_INVALID_FILE, "%s: a pattern must be a %s that is not empty", place_.c_str(), kind);
    return text;
  }

  static std::string escaped(const std::string& text) {
    std::string result;
    for (const char c : text) {
      if (std::string_view("\\^$.|?*+()[]{}-").find(c) != std::string_view::npos) result += '\\';
      result += c;
    }
    return result;
  }

  Matches behavior(const Json& step) const {
    static constexpr struct {
      const char* name;
      Matches matches;
    } kBehaviors[] = {{"Isolated", Matches::kIsolated},
                      {"Removed", Matches::kRemoved},
                      {"MergedWithPrevious", Matches::kMergedWithPrevious},
                      {"MergedWithNext", Matches::kMergedWithNext},
                      {"Contiguous", Matches::kContiguous}};
    const std::string name = json_string(step, "behavior", "", place_);
    for (const auto& known : kBehaviors) {
      if (name == known.name) return known.matches;
    }
    refuse("behavior " + name);
  }

  void byte_level(const Json& step) {
    steps_->byte_level = true;
    if (json_bool(step, "add_prefix_space", true, place_)) parts_->word_prefix = std::string(1, ' ');  // = " " sets off -Wrestrict (GCC bug 105651)
    if (json_bool(step, "use_regex", true, place_)) {
      parts_->pre_tokenizer.add_pattern(kGpt2Pattern, Matches::kIsolated, false, place_);
    }
  }

  // Spaces become marks, and words begin with them.
  void metaspace(const Json& step) {
    const std::string scheme = json_string(
        step, "prepend_scheme", json_bool(step, "add_prefix_space", true, place_) ? "always" : "never", place_);
    if (scheme != "always" && scheme != "first" && scheme != "never") refuse("prepend_scheme " + scheme);
    if (json_string(step, "replacement", kSpaceMark, place_) != kSpaceMark) refuse("replacement other than U+2581");
    parts_->normalizer.add_replace(" ", kSpaceMark);
    if (scheme != "never") parts_->word_prefix = kSpaceMark;
    parts_->prefix_first_only = scheme == "first";
    if (json_bool(step, "split", true, place_)) {
      parts_->pre_tokenizer.add_pattern(kSpaceMark, Matches::kMergedWithNext, false, place_);
    }
  }

  std::int32_t id_of_pair(const Json& step, const char* key) const {
    const Json& pair = json_member(step, key, Json::value_t::array, place_);
    const bool fits = pair.size() == 2 && pair[1].is_number_unsigned() && pair[1].get<std::uint64_t>() <= INT32_MAX;
    if (!fits) throw_error(RAPT_INVALID_FILE, "%s: '%s' must be a token and its id", place_.c_str(), key);
    return pair[1].get<std::int32_t>();
  }

  void add_special(const Json& step, const std::string& name, std::vector<std::int32_t>* ids) const {
    const Json& all = json_member(step, "special_tokens", Json::value_t::object, place_);
    const Json& token = json_member(all, name.c_str(), Json::value_t::object, place_);
    for (const Json& id : json_member(token, "ids", Json::value_t::array, place_)) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() > INT32_MAX) {
        throw_error(RAPT_INVALID_FILE, "%s: an id of %s is no token's", place_.c_str(), printable(name).c_str());
      }
      if (ids->size() == kMostAddedIds)
        throw_error(RAPT_INVALID_FILE, "%s: more than %zu ids around a text", place_.c_str(), kMostAddedIds);
      ids->push_back(id.get<std::int32_t>());
    }
  }

  const std::string& where_;
  PipelineParts* parts_;
  JsonSteps* steps_;
  std::string place_;  // "file: pre_tokenizer"
  int num_steps_ = 0;  // there
  // Far beyond any real file's, because a small hostile one could name as many as would fill the stack or the memory.
  static constexpr int kMostSteps = 64;
  static constexpr std::size_t kMostAddedIds = 256;
};

}  // namespace

const Json& json_member(const Json& object, const char* key, Json::value_t type, const std::string& where) {
  const auto it = object.find(key);
  if (it == object.end() || it->type() != type) {
    throw_error(RAPT_INVALID_FILE, "%s: %s is missing or of the wrong kind", where.c_str(), printable(key).c_str());
  }
  return *it;
}

JsonSteps read_steps(const Json& root, const std::string& where, PipelineParts* parts) {
  JsonSteps steps;
  StepReader reader(where, parts, &steps);
  reader.read(root, "normalizer", "normalizers", &StepReader::normalizer);
  reader.read(root, "pre_tokenizer", "pretokenizers", &StepReader::pre_tokenizer);
  reader.read(root, "post_processor", "processors", &StepReader::post_processor);
  reader.read(root, "decoder", "decoders", &StepReader::decoder);
  return steps;
}

}  // namespace rapt::engine
