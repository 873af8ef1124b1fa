// Which of several files holds the tensor of a name: 24 bytes a tensor, while they become more too. Who calls: gguf_split.cpp,
// sharded_safetensors.cpp.
#pragma once
#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace rapt::engine {

template <class File>
class TensorPlaces {
 public:
  // The file owns the name and does not move.
  void add(std::string_view name, const File& file) { places_.push_back({name, &file}); }

  // Sorts, so that tensors are found. RAPT_INVALID_FILE if two files hold one of the same name: which of them counts is open.
  void sort() {
    std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) {
      return a.name != b.name ? a.name < b.name : a.file->path() < b.file->path();
    });
    const auto twice =
        std::adjacent_find(places_.begin(), places_.end(), [](const Place& a, const Place& b) { return a.name == b.name; });
    num_sorted_ = places_.size();
    if (twice == places_.end()) return;
    throw_error(RAPT_INVALID_FILE, "%s: tensor %s is in %s too; of a model's files one must hold it",
                printable(twice[1].file->path()).c_str(), printable(twice->name).c_str(),
                printable(twice->file->path()).c_str());
  }

  // The same once there are twice as many as when last sorted: for the error before all files are open. All these sorts together take
  // about as long as the last.
  void sort_if_doubled() {
    if (places_.size() >= 2 * num_sorted_) sort();
  }

  const File* find(std::string_view name) const {
    const auto it = std::lower_bound(places_.begin(), places_.end(), name,
                                     [](const Place& place, std::string_view wanted) { return place.name < wanted; });
    return it != places_.end() && it->name == name ? it->file : nullptr;
  }

 private:
  struct Place {
    std::string_view name;
    const File* file;
  };
  std::deque<Place> places_;
  std::size_t num_sorted_ = 0;
};

}  // namespace rapt::engine
