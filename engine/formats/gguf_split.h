// A model in GGUF files, one or several, as one: llama.cpp's gguf-split writes NAME-00001-of-00003.gguf, ... The first has all the
// metadata, and perhaps no tensor; each of the others has some of the tensors, and says in its own split.no and split.count which one
// it is. Errors are RAPT_INVALID_FILE, or RAPT_IO_ERROR for a part that cannot be read, and name the file. Who calls: loaded_model.cpp.
#pragma once
#include <cstdint>
#include <deque>
#include <string>

#include "engine/formats/gguf.h"
#include "engine/formats/tensor_places.h"

namespace rapt::engine {

class GgufSplit {
 public:
  // path: of the first part, or of the whole.
  explicit GgufSplit(const std::string& path);

  const Gguf& first() const { return parts_.front(); }  // with the metadata
  std::uint64_t data_bytes() const;                     // of all parts
  // The part that holds the tensor; null: none does.
  const Gguf* find(std::string_view tensor) const { return places_.find(tensor); }

 private:
  void open_others(std::int64_t count);
  void check_number_of_tensors() const;
  void note_places();

  std::deque<Gguf> parts_;
  TensorPlaces<Gguf> places_;
};

// RAPT_INVALID_FILE, naming the first, if the file is another part of several.
void check_is_first_part(const Gguf& file);

}  // namespace rapt::engine
