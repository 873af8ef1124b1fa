// libFuzzer target: model.safetensors.index.json. An Error, or tensors whose files are plain names; and, beside no such files, an Error.
#include "engine/formats/safetensors_index.h"

#include <cstdlib>
#include <filesystem>

#include "engine/error.h"
#include "engine/formats/sharded_safetensors.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/input_file.h"

namespace {

void read_everything(const std::string& path) {
  const rapt::engine::MappedFile file(path);
  rapt::engine::TextTable weight_map;
  rapt::engine::parse_safetensors_index(file.bytes(), "index", &weight_map);
  if (weight_map.size() == 0) std::abort();
  for (std::size_t i = 0; i < weight_map.size(); ++i) {
    const auto [tensor, name] = weight_map[i];
    const bool leads_out =
        name.empty() || name == "." || name == ".." || name.find('/') != name.npos || name.find('\0') != name.npos;
    if (leads_out || weight_map.at(tensor) != name) std::abort();
  }
}

// Through a link in a folder of its own, so that no file is found: at most the index itself, which is no safetensors file.
void open_files(const std::string& path) {
  const std::string link = rapt::fuzz::own_folder() + "model.safetensors.index.json";
  std::filesystem::remove(link);
  std::filesystem::create_symlink(path, link);
  try {
    const rapt::engine::ShardedSafeTensors files(link);
  } catch (const rapt::engine::Error&) {
    return;
  }
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rapt::fuzz::read_and_compute(data, size, read_everything, open_files);
  return 0;
}
