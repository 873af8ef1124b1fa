// The list of tokenizers: which files hold which. See load.h.
#include "engine/tokenizers/load.h"

#include "engine/error.h"
#include "engine/formats/gguf_split.h"
#include "engine/formats/json.h"
#include "engine/formats/paths.h"
#include "engine/formats/sharded_safetensors.h"
#include "engine/tokenizers/kinds.h"

namespace rapt::engine {
namespace {

// The metadata that say it are in the first part of a model in several files; the others need not be there.
std::unique_ptr<Tokenizer> from_gguf(const Gguf& file) {
  check_is_first_part(file);
  return tokenizer_from_gguf(file);
}

// The kind of a file is told by its first bytes and its name.
std::unique_ptr<Tokenizer> from_file(const std::string& path) {
  const std::string folder = folder_of(path);
  const std::string_view name = std::string_view(path).substr(folder.size());
  if (name.ends_with(".safetensors")) return tokenizer_of_safetensors(SafeTensors(path), folder);
  if (name.ends_with(".txt")) return make_wordpiece(path, folder);
  if (name.ends_with(kIndexExtension)) return tokenizer_from_folder(folder);
  if (name.ends_with(".json")) return make_from_json(path, folder);
  if (MappedFile(path).bytes().substr(0, 4) == "GGUF") return from_gguf(Gguf(path));
  throw_error(
      RAPT_INVALID_FILE,
      "%s is no file that rapt reads a tokenizer from: a GGUF file, a .safetensors file or the index of several, a "
      "tokenizer.json, or a vocab.txt",
      printable(path).c_str());
}

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_from_folder(const std::string& folder) {
  if (exists(folder + "tokenizer.json")) return make_from_json(folder + "tokenizer.json", folder);
  if (exists(folder + "vocab.json")) return make_byte_level_bpe(folder);
  if (exists(folder + "vocab.txt")) return make_wordpiece(folder + "vocab.txt", folder);
  return nullptr;
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& json, const std::string& folder, const std::string& what) {
  const std::string where = what + ": rapt.tokenizer";
  if (json.empty()) return nullptr;
  const std::string type = json_string(parse_json_object(json, where, 2), "type", "", where);
  if (type == "none") return nullptr;
  if (type == "characters") return make_character_tokenizer(json, where);
  if (type == "bpe") return make_byte_level_bpe(folder);
  throw_error(RAPT_INVALID_FILE, "%s: type is %s; it must be 'characters', 'bpe' or 'none'", where.c_str(),
              printable(type).c_str());
}

std::unique_ptr<Tokenizer> tokenizer_of_safetensors(const SafeTensors& file, const std::string& folder) {
  const auto tokenizer = file.metadata().find("rapt.tokenizer");
  if (tokenizer) return load_tokenizer(*tokenizer, folder, printable(file.path()));
  return file.metadata().find("rapt.family") ? nullptr : tokenizer_from_folder(folder);
}

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& path) {
  std::unique_ptr<Tokenizer> tokenizer;
  if (!is_directory(path)) {
    tokenizer = from_file(path);
  } else if (const std::string model = path + "/model.safetensors"; exists(model)) {
    tokenizer = tokenizer_of_safetensors(SafeTensors(model), path + "/");
  } else {
    tokenizer = tokenizer_from_folder(path + "/");
  }
  if (tokenizer == nullptr) throw_error(RAPT_INVALID_FILE, "%s has no tokenizer", printable(path).c_str());
  return tokenizer;
}

}  // namespace rapt::engine
