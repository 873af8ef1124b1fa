// See sharded_safetensors.h.
#include "engine/formats/sharded_safetensors.h"

#include <sys/stat.h>

#include "engine/error.h"
#include "engine/formats/part_name.h"
#include "engine/formats/paths.h"
#include "engine/formats/safetensors_header.h"
#include "engine/formats/safetensors_index.h"

namespace rapt::engine {
namespace {

constexpr std::string_view kExtension = ".safetensors";

void read_index(const std::string& path, TextTable* weight_map) {
  const MappedFile file(path);
  const std::string_view text = file.bytes();
  if (text.size() > kMaxHeaderBytes) {
    throw_error(RAPT_INVALID_FILE, "%s: an index of %zu bytes; %llu are the most allowed", printable(path).c_str(), text.size(),
                static_cast<unsigned long long>(kMaxHeaderBytes));
  }
  parse_safetensors_index(text, printable(path), weight_map);
}

}  // namespace

ShardedSafeTensors::ShardedSafeTensors(const std::string& path) : path_(path) {
  TextTable weight_map;
  read_index(path, &weight_map);
  open_shards(weight_map);
  places_.sort();
}

void ShardedSafeTensors::open_shards(const TextTable& weight_map) {
  const std::string folder = folder_of(path_);
  for (std::size_t i = 0; i < weight_map.size(); ++i) {
    const auto [tensor, name] = weight_map[i];
    const auto found = shards_.find(name);
    const SafeTensors& shard = found != shards_.end() ? found->second : open_shard(folder, name, tensor);
    if (shard.has(tensor)) continue;
    throw_error(RAPT_INVALID_FILE, "%s: there is no tensor %s, which %s says is in it", printable(shard.path()).c_str(),
                printable(tensor).c_str(), printable(path_.substr(folder.size())).c_str());
  }
}

const SafeTensors& ShardedSafeTensors::open_shard(const std::string& folder, const std::string& name,
                                                  const std::string& tensor) {
  if (shards_.size() == kMostParts) {
    throw_error(RAPT_INVALID_FILE, "%s: more than %lld files in 'weight_map', the most allowed", printable(path_).c_str(),
                static_cast<long long>(kMostParts));
  }
  check_is_another_file(folder, name);
  try {
    const SafeTensors& shard = shards_.try_emplace(name, folder + name).first->second;
    for (const auto& [in_shard, entry] : shard.tensors()) places_.add(in_shard, shard);
    places_.sort_if_doubled();  // copies may share their bytes on disk: they are found before many are open
    return shard;
  } catch (const Error& error) {
    if (error.status() != RAPT_IO_ERROR) throw;
    throw_error(RAPT_IO_ERROR, "%s: tensor %s: %s", printable(path_).c_str(), printable(tensor).c_str(), error.what());
  }
}

void ShardedSafeTensors::check_is_another_file(const std::string& folder, const std::string& name) {
  struct stat status;
  if (stat((folder + name).c_str(), &status) != 0) return;  // opening it says why
  const auto [other, is_new] = names_.try_emplace({status.st_dev, status.st_ino}, name);
  if (is_new) return;
  throw_error(RAPT_INVALID_FILE,
              "%s: %s and %s in 'weight_map' are the same file; of a model's files each must be another",
              printable(path_).c_str(), printable(other->second).c_str(), printable(name).c_str());
}

std::uint64_t ShardedSafeTensors::data_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, shard] : shards_) bytes += shard.data_bytes();
  return bytes;
}

void check_is_no_shard(const std::string& path) {
  const auto part = parse_part_name(path, kExtension);
  if (!part || part->count == 1) return;
  const std::string index = part->base + std::string(kExtension) + std::string(kIndexExtension);
  if (!exists(index)) return;
  throw_error(RAPT_INVALID_FILE, "%s: one of the %lld files of a model; load their folder, or their index, %s",
              printable(path).c_str(), static_cast<long long>(part->count), printable(index).c_str());
}

}  // namespace rapt::engine
