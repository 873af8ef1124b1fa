// GPT-2's byte-level BPE (Radford et al. 2019): the text is split into words by a regular expression, every word becomes the
// tokens of its bytes, and the pair of neighbours that was learnt first is merged until none is left. See tokenizer.h.
// No text is special: "<|endoftext|>" in a prompt is spelled out, as tiktoken's encode_ordinary does.
#include <queue>
#include <unordered_map>

#include "engine/error.h"
#include "engine/formats/json.h"
#include "engine/formats/mapped_file.h"
#include "engine/tokenizers/splitter.h"
#include "engine/tokenizers/tokenizer.h"
#include "engine/utf8.h"

namespace rapt::engine {
namespace {

constexpr std::int32_t kNoToken = -1;

// GPT-2 writes each byte of a token as one visible character: printable Latin-1 stands for itself, the other 68 bytes for
// U+0100 onwards in their order (bytes_to_unicode in its encoder.py).
class ByteAlphabet {
 public:
  ByteAlphabet() {
    std::uint32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool visible = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
      letters_.push_back(visible ? byte : next++);
      bytes_.emplace(letters_.back(), static_cast<char>(byte));
    }
  }

  std::string letter(std::size_t byte) const { return encode_utf8(letters_[byte]); }

  // The bytes that `token` stands for. A token in other letters (a special one) is its own text.
  std::string decode(std::string_view token) const {
    std::string bytes;
    for (std::size_t at = 0; at < token.size();) {
      const Utf8Char next = decode_utf8(token.substr(at));
      const auto it = bytes_.find(next.code_point);
      if (next.size == 0 || it == bytes_.end()) return std::string(token);
      bytes += it->second;
      at += static_cast<std::size_t>(next.size);
    }
    return bytes;
  }

 private:
  std::vector<std::uint32_t> letters_;  // by byte
  std::unordered_map<std::uint32_t, char> bytes_;
};

struct Merge {
  std::int32_t rank = 0, result = kNoToken;
};

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

class ByteLevelBpe : public Tokenizer {
 public:
  ByteLevelBpe(const std::string& vocab_path, const std::string& merges_path) {
    read_vocab(vocab_path);
    read_merges(merges_path);
  }

  const char* kind() const override { return "bpe"; }
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(pieces_.size()); }
  std::string_view piece(std::int32_t id) const override { return pieces_[static_cast<std::size_t>(id)]; }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    splitter_.split(text, [&](std::string_view word) { append_word(word, &ids); });
    return ids;
  }

 private:
  // A token of the word being merged; the list is linked so that a merge touches its neighbours alone.
  struct Node {
    std::int32_t id, previous, next;
  };
  // A pair that may be merged; stale if either id has changed since.
  struct Candidate {
    std::int32_t rank, left, left_id, right_id;
    bool operator<(const Candidate& other) const {  // priority_queue gives the largest first
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };

  void read_vocab(const std::string& path) {
    const MappedFile file(path);
    const std::string where = printable(path);
    const Json vocab = parse_json_object(file.bytes(), where, 1);
    const ByteAlphabet alphabet;
    pieces_.resize(vocab.size());
    std::vector<bool> taken(vocab.size());
    for (const auto& [token, value] : vocab.items()) {
      const bool fits = value.is_number_unsigned() && value.get<std::uint64_t>() < vocab.size();
      const std::size_t id = fits ? value.get<std::size_t>() : 0;
      if (!fits || taken[id]) {
        throw_error(RAPT_INVALID_FILE, "%s: the id of %s must be one of 0 to %zu that no other token has", where.c_str(),
                    printable(token).c_str(), vocab.size() - 1);
      }
      taken[id] = true;
      pieces_[id] = alphabet.decode(token);
      ids_.emplace(token, static_cast<std::int32_t>(id));
    }
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const auto it = ids_.find(alphabet.letter(byte));
      if (it == ids_.end()) throw_error(RAPT_INVALID_FILE, "%s: no token for the byte 0x%02zX", where.c_str(), byte);
      byte_ids_.push_back(it->second);
    }
  }

  void read_merges(const std::string& path) {
    const MappedFile file(path);
    std::string_view rest = file.bytes();
    for (std::size_t line_number = 1; !rest.empty(); ++line_number) {
      const std::size_t end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      const bool comment = line_number == 1 && line.substr(0, 8) == "#version";
      if (!line.empty() && !comment) add_merge(line, line_number, path);
    }
  }

  void add_merge(std::string_view line, std::size_t line_number, const std::string& path) {
    const std::size_t space = line.find(' ');
    const std::string left(line.substr(0, space));
    const std::string right(space == std::string_view::npos ? "" : line.substr(space + 1));
    const auto a = ids_.find(left), b = ids_.find(right), result = ids_.find(left + right);
    if (a == ids_.end() || b == ids_.end() || result == ids_.end()) {
      throw_error(RAPT_INVALID_FILE,
                  "%s, line %zu: expected two tokens of the vocabulary whose concatenation is one too, found %s",
                  printable(path).c_str(), line_number, printable(line).c_str());
    }
    merges_.emplace(pair_key(a->second, b->second), Merge{static_cast<std::int32_t>(merges_.size()), result->second});
  }

  // O(n log n) for a word of n bytes: a text of one long word must not take quadratic time.
  void append_word(std::string_view word, std::vector<std::int32_t>* ids) const {
    if (word.size() > INT32_MAX) throw_error(RAPT_INVALID_ARGUMENT, "the text has a word of more than 2^31 - 1 bytes");
    std::vector<Node> nodes(word.size());
    const std::int32_t size = static_cast<std::int32_t>(word.size());
    for (std::int32_t i = 0; i < size; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      nodes[at] = {byte_ids_[static_cast<unsigned char>(word[at])], i - 1, i + 1 < size ? i + 1 : -1};
    }
    merge_all(nodes);
    for (std::int32_t i = size > 0 ? 0 : -1; i >= 0; i = nodes[static_cast<std::size_t>(i)].next) {
      ids->push_back(nodes[static_cast<std::size_t>(i)].id);
    }
  }

  void merge_all(std::vector<Node>& nodes) const {
    std::priority_queue<Candidate> candidates;
    const auto node = [&](std::int32_t i) -> Node& { return nodes[static_cast<std::size_t>(i)]; };
    const auto offer = [&](std::int32_t left) {
      if (left < 0 || node(left).next < 0) return;
      const std::int32_t left_id = node(left).id, right_id = node(node(left).next).id;
      const auto it = merges_.find(pair_key(left_id, right_id));
      if (it != merges_.end()) candidates.push({it->second.rank, left, left_id, right_id});
    };
    for (std::size_t i = 0; i + 1 < nodes.size(); ++i) offer(static_cast<std::int32_t>(i));
    while (!candidates.empty()) {
      const Candidate best = candidates.top();
      candidates.pop();
      Node& left = node(best.left);
      if (left.id != best.left_id || left.next < 0 || node(left.next).id != best.right_id) continue;
      Node& right = node(left.next);
      left.id = merges_.at(pair_key(best.left_id, best.right_id)).result;
      right.id = kNoToken;
      left.next = right.next;
      if (left.next >= 0) node(left.next).previous = best.left;
      offer(best.left);
      offer(left.previous);
    }
  }

  Splitter splitter_{kGpt2Pattern};
  std::vector<std::string> pieces_;                    // bytes by id
  std::unordered_map<std::string, std::int32_t> ids_;  // by the spelling in the files
  std::vector<std::int32_t> byte_ids_;                 // by byte
  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_byte_level_bpe(const std::string& vocab_path, const std::string& merges_path) {
  return std::make_unique<ByteLevelBpe>(vocab_path, merges_path);
}

}  // namespace rapt::engine
