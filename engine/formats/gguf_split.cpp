// See gguf_split.h.
#include "engine/formats/gguf_split.h"

#include "engine/error.h"
#include "engine/formats/part_name.h"

namespace rapt::engine {
namespace {

constexpr std::string_view kExtension = ".gguf", kNumber = "split.no", kCount = "split.count", kTensors = "split.tensors.count";

// In how many files the model is that this is one of. Some of those in one say so.
std::int64_t count_of(const Gguf& file) { return file.integer(kCount, 0, kMostParts, 1); }

// Opens part name.number of those that `first` begins.
void open_part(const PartName& name, const Gguf& first, std::deque<Gguf>* parts) {
  const std::string path = part_path(name, kExtension);
  try {
    parts->emplace_back(path);
  } catch (const Error& error) {
    if (error.status() != RAPT_IO_ERROR) throw;
    throw_error(RAPT_IO_ERROR, "%s: a model in %lld files: %s", printable(first.path()).c_str(),
                static_cast<long long>(name.count), error.what());
  }
  const Gguf& part = parts->back();
  const std::int64_t count = part.integer(kCount, 0, UINT16_MAX), number = part.integer(kNumber, 0, UINT16_MAX);
  if (count == name.count && number == name.number - 1) return;
  throw_error(RAPT_INVALID_FILE, "%s: split.no is %lld and split.count %lld; they must be %lld and %lld, as its name says",
              printable(path).c_str(), static_cast<long long>(number), static_cast<long long>(count),
              static_cast<long long>(name.number - 1), static_cast<long long>(name.count));
}

}  // namespace

GgufSplit::GgufSplit(const std::string& path) {
  parts_.emplace_back(path);
  check_is_first_part(first());
  const std::int64_t count = count_of(first());
  if (count > 1) {
    open_others(count);
    check_number_of_tensors();
  }
  note_places();
}

void GgufSplit::open_others(std::int64_t count) {
  const auto name = parse_part_name(first().path(), kExtension);
  if (!name || name->number != 1 || name->count != count) {
    throw_error(
        RAPT_INVALID_FILE,
        "%s: the first of the %lld files of a model, as its split.count says; it must be called %s for the others to be found",
        printable(first().path()).c_str(), static_cast<long long>(count),
        printable(part_path({"NAME", 1, count}, kExtension)).c_str());
  }
  for (std::int64_t number = 2; number <= count; ++number) open_part({name->base, number, count}, first(), &parts_);
}

void GgufSplit::check_number_of_tensors() const {
  std::int64_t found = 0;
  for (const Gguf& part : parts_) found += static_cast<std::int64_t>(part.tensors().size());
  for (const Gguf& part : parts_) {
    if (part.integer(kTensors, 0, INT64_MAX, found) == found) continue;
    throw_error(RAPT_INVALID_FILE, "%s: split.tensors.count is %lld, but the %zu files have %lld tensors",
                printable(part.path()).c_str(), static_cast<long long>(part.integer(kTensors, 0, INT64_MAX)), parts_.size(),
                static_cast<long long>(found));
  }
}

void GgufSplit::note_places() {
  for (const Gguf& part : parts_) {
    for (const GgufTensor& tensor : part.tensors()) places_.add(tensor.name, part);
  }
  places_.sort();
}

std::uint64_t GgufSplit::data_bytes() const {
  std::uint64_t bytes = 0;
  for (const Gguf& part : parts_) bytes += part.data_bytes();
  return bytes;
}

void check_is_first_part(const Gguf& file) {
  const std::int64_t count = count_of(file);
  if (count <= 1 || file.integer(kNumber, 0, count - 1) == 0) return;
  const auto name = parse_part_name(file.path(), kExtension);
  const std::string first =
      name ? printable(part_path({name->base, 1, name->count}, kExtension)) : "the one whose name has 00001 in it";
  throw_error(RAPT_INVALID_FILE, "%s: not the first of the %lld files of a model; load the first, %s",
              printable(file.path()).c_str(), static_cast<long long>(count), first.c_str());
}

}  // namespace rapt::engine
