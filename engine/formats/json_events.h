// RapidJSON's parser of events, for files that must not become trees: memory stays within a few times the file's (nlohmann-json's
// parser of events holds a word twice, with room to double). Who calls: safetensors_header.cpp, safetensors_index.cpp; included by
// .cpp files alone.
#pragma once
// Under another name, so that it does not meet a user's own copy in a program that links this library statically.
#define RAPIDJSON_NAMESPACE rapt_rapidjson
#define RAPIDJSON_NAMESPACE_BEGIN namespace rapt_rapidjson {
#define RAPIDJSON_NAMESPACE_END }
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace rapt::engine {

using JsonSize = rapt_rapidjson::SizeType;

// The library writes to what it gets, also where that is NULL.
class JsonMemory : public rapt_rapidjson::CrtAllocator {
 public:
  void* Malloc(std::size_t size) { return checked(CrtAllocator::Malloc(size), size); }
  void* Realloc(void* old, std::size_t old_size, std::size_t size) {
    return checked(CrtAllocator::Realloc(old, old_size, size), size);
  }

 private:
  static void* checked(void* memory, std::size_t size) {
    if (memory == nullptr && size > 0) throw std::bad_alloc();
    return memory;
  }
};

// What every receiver of events must have and none gets: numbers come as text.
struct JsonEvents {
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
};

// Parses `text` and tells `events` what is in it, numbers as text (RawNumber): RapidJSON 1.1 reads outside its table of powers where an
// exponent is very small. Without recursion. It checks bytes, but not escapes: of a pair of surrogates half may come alone.
// RAPT_INVALID_FILE, beginning with `where` (a file, or a part of it), for what is not JSON.
template <class Events>
void parse_json_events(std::string_view text, const std::string& where, Events& events) {
  // The parser takes a NUL for the end of its input, so what follows one would go unseen.
  if (text.find('\0') != std::string_view::npos) throw_error(RAPT_INVALID_FILE, "%s has a NUL byte", where.c_str());
  namespace json = rapt_rapidjson;
  constexpr unsigned kFlags = json::kParseIterativeFlag | json::kParseValidateEncodingFlag | json::kParseNumbersAsStringsFlag;
  json::MemoryStream stream(text.data(), text.size());
  json::GenericReader<json::UTF8<>, json::UTF8<>, JsonMemory> parser;
  const json::ParseResult parsed = parser.Parse<kFlags>(stream, events);
  if (!parsed) throw_error(RAPT_INVALID_FILE, "%s is not JSON (at its byte %zu)", where.c_str(), parsed.Offset());
}

}  // namespace rapt::engine
