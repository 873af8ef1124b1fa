// A model in several safetensors files (shards) that an index, model.safetensors.index.json, stands beside, as one. The index must be
// right: every tensor in it is in the file that it names, and no two files hold one tensor. What a file holds beyond the index is
// there too, as in Hugging Face's transformers: an optional tensor that were overlooked would be another model. Errors are
// RAPT_INVALID_FILE, or RAPT_IO_ERROR for a file that cannot be read, and name file and tensor. Who calls: loaded_model.cpp.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "engine/formats/safetensors.h"
#include "engine/formats/tensor_places.h"
#include "engine/formats/text_table.h"

namespace rapt::engine {

// After the name of the model that would be whole: "model.safetensors".
inline constexpr std::string_view kIndexExtension = ".index.json";

class ShardedSafeTensors {
 public:
  // path: of the index.
  explicit ShardedSafeTensors(const std::string& path);

  const std::string& path() const { return path_; }  // of the index
  std::uint64_t data_bytes() const;                  // of all files
  // The file that holds the tensor; null: none does.
  const SafeTensors* find(std::string_view tensor) const { return places_.find(tensor); }

 private:
  void open_shards(const TextTable& weight_map);
  // tensor: the first that the index says is in the file, for errors.
  const SafeTensors& open_shard(const std::string& folder, const std::string& name, const std::string& tensor);
  // By a link a file may have many names. Its header would be in memory once for each, however little lies on disk.
  void check_is_another_file(const std::string& folder, const std::string& name);

  std::string path_;
  std::map<std::string, SafeTensors> shards_;  // by name
  std::map<std::pair<dev_t, ino_t>, std::string> names_;  // by what they are on disk
  TensorPlaces<SafeTensors> places_;
};

// RAPT_INVALID_FILE, naming the index, if the path is of one shard of several and their index stands beside it.
void check_is_no_shard(const std::string& path);

}  // namespace rapt::engine
