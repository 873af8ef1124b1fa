// See roles.h.
#include "engine/tokenizers/roles.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/formats/json.h"
#include "engine/formats/mapped_file.h"
#include "engine/formats/paths.h"
#include "engine/tokenizers/chat.h"

namespace rapt::engine {
namespace {

constexpr int kMaxDepth = 32;

// The names with which the families end a text or a turn.
constexpr std::string_view kEnds[] = {"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>"};

// The object of a file; an empty one where there is no such file.
Json read_object(const std::string& path) {
  if (!exists(path)) return Json::object();
  const MappedFile file(path);
  return parse_json_object(file.bytes(), printable(path), kMaxDepth);
}

// A token is given as its content or as an object with it.
std::int32_t token_of(const Json& config, const char* key, const std::vector<AddedToken>& added) {
  const auto it = config.find(key);
  if (it == config.end()) return kNoToken;
  const Json* content = &*it;
  if (it->is_object() && it->contains("content")) content = &it->at("content");
  return content->is_string() ? find_added(added, content->get_ref<const std::string&>()) : kNoToken;
}

void add_eos_ids(const Json& config, TokenizerRoles* roles) {
  const auto it = config.find("eos_token_id");
  if (it == config.end()) return;
  const auto add = [&](const Json& id) {
    if (id.is_number_unsigned() && id.get<std::uint64_t>() <= INT32_MAX) roles->ends.push_back(id.get<std::int32_t>());
  };
  if (it->is_array()) {
    for (const Json& id : *it) add(id);
  } else {
    add(*it);
  }
}

// "chat_template" is a text, or a list of named ones, of which "default" counts.
std::string chat_template(const Json& config) {
  const auto it = config.find("chat_template");
  if (it == config.end()) return "";
  if (it->is_string()) return it->get<std::string>();
  if (!it->is_array()) return "";
  for (const Json& item : *it) {
    if (!item.is_object()) continue;
    const std::string name = json_string(item, "name", "", "tokenizer_config.json");
    if (name == "default") return json_string(item, "template", "", "tokenizer_config.json");
  }
  return "";
}

}  // namespace

std::int32_t find_added(const std::vector<AddedToken>& added, std::string_view content) {
  const auto it = std::find_if(added.begin(), added.end(), [&](const AddedToken& token) { return token.content == content; });
  return it != added.end() ? it->id : kNoToken;
}

void read_folder_roles(const std::string& folder, const std::vector<AddedToken>& added, TokenizerRoles* roles) {
  const Json config = read_object(folder + "tokenizer_config.json");
  const auto set = [&](std::int32_t* role, const char* key) {
    const std::int32_t id = token_of(config, key, added);
    if (id != kNoToken) *role = id;
  };
  set(&roles->bos, "bos_token");
  set(&roles->eos, "eos_token");
  set(&roles->padding, "pad_token");
  add_eos_ids(read_object(folder + "generation_config.json"), roles);
  if (roles->ends.empty()) add_eos_ids(read_object(folder + "config.json"), roles);
  std::string text = chat_template(config);
  if (text.empty() && exists(folder + "chat_template.jinja")) {
    text = MappedFile(folder + "chat_template.jinja").bytes();
  }
  roles->chat = find_chat_format(text);
}

void complete_ends(const std::vector<AddedToken>& added, TokenizerRoles* roles) {
  std::vector<std::int32_t> all = roles->ends;
  all.push_back(roles->eos);
  for (const std::string_view name : kEnds) all.push_back(find_added(added, name));
  if (roles->chat != nullptr) all.push_back(find_added(added, roles->chat->end));
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  all.erase(std::remove(all.begin(), all.end(), kNoToken), all.end());
  roles->ends = std::move(all);
}

}  // namespace rapt::engine
