// Implements model.h. Arrays come from _model.py, which makes them: contiguous, of the element type and size that is needed.
#include "model.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "context.h"
#include "gil.h"
#include "rapt/engine.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Ids = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<float, nb::c_contig, nb::device::cpu>;

// The call with the GIL released; its failure as an exception. rapt_last_error() is the thread's own, so it waits for us.
template <class Call>
void call(Call&& body) {
  rapt_status status = RAPT_OK;
  {
    const ReleasedGil released;
    status = body();
  }
  check(status);
}

// The on_progress of a call: signals of Python are looked at, and what their handlers raise (KeyboardInterrupt) ends it. So does the end
// of Python.
int on_progress(double, void*) {
  return ReleasedGil::with_gil([] { return PyErr_CheckSignals() != 0 ? 1 : 0; }, 1);
}

class Model {
 public:
  Model(const nb::bytes& path, int threads, const std::optional<std::string>& backend, const std::optional<std::string>& isa,
        int kv_dtype, int arithmetic) {
    rapt_model_params params;
    rapt_model_params_init(&params);
    params.num_threads = threads;
    params.backend = backend ? backend->c_str() : nullptr;
    params.isa = isa ? isa->c_str() : nullptr;
    params.kv_dtype = static_cast<rapt_kv_dtype>(kv_dtype);
    params.arithmetic = static_cast<rapt_arithmetic>(arithmetic);
    params.on_progress = on_progress;
    call([&] { return rapt_model_load(path.c_str(), &params, &model_); });
    rapt_model_info_init(&info_);
    check(rapt_model_get_info(model_, &info_));
  }
  ~Model() { rapt_model_free(model_); }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  rapt_model* get() const { return model_; }
  const rapt_model_info& info() const { return info_; }

 private:
  rapt_model* model_ = nullptr;
  rapt_model_info info_;
};
using ModelPtr = std::shared_ptr<Model>;

nb::dict info_of(const Model& model) {
  const rapt_model_info& info = model.info();
  nb::dict result;
  result["family"] = info.family;
  result["tokenizer"] = info.tokenizer;
  result["chat"] = info.chat;
  result["num_layers"] = info.num_layers;
  result["num_heads"] = info.num_heads;
  result["num_kv_heads"] = info.num_kv_heads;
  result["embed_dim"] = info.embed_dim;
  result["vocab_size"] = info.vocab_size;
  result["context_length"] = info.context_length;
  result["num_parameters"] = info.num_parameters;
  result["kv_dtype"] = info.kv_dtype;
  result["writes_text"] = info.writes_text != 0;
  result["makes_vectors"] = info.makes_vectors != 0;
  return result;
}

// fill(data, capacity, size) writes what has room and says how much there is. `likely`: room that suffices as a rule, so that it is
// asked once.
template <class Elements, class Fill>
Elements filled(std::size_t likely, Fill&& fill) {
  Elements elements;
  call([&] {
    std::size_t size = likely, capacity = 0;
    rapt_status status = RAPT_OK;
    do {
      elements.resize(size);
      capacity = size;
      status = fill(elements.data(), capacity, &size);
    } while (status == RAPT_OK && size > capacity);
    if (status == RAPT_OK) elements.resize(size);
    return status;
  });
  return elements;
}

// Of a text an id has at least a byte, unless a normalizer makes more of it.
std::vector<std::int32_t> tokenize(const Model& model, const nb::bytes& text) {
  const char* const start = text.c_str();
  const std::size_t size = text.size();
  return filled<std::vector<std::int32_t>>(size + 1, [&](std::int32_t* ids, std::size_t capacity, std::size_t* count) {
    return rapt_tokenize(model.get(), start, size, ids, capacity, count);
  });
}

nb::bytes detokenize(const Model& model, const Ids& ids) {
  constexpr std::size_t kBytesOfAnId = 8;  // twice what the tokens of a text have in the mean
  const std::int32_t* const begin = ids.data();
  const std::size_t count = ids.size();
  const auto text = filled<std::string>(count * kBytesOfAnId + 1, [&](char* bytes, std::size_t capacity, std::size_t* size) {
    return rapt_detokenize(model.get(), begin, count, bytes, capacity, size);
  });
  return nb::bytes(text.data(), text.size());
}

// roles and contents of the messages, one after the other.
std::vector<std::int32_t> chat_ids(const Model& model, const std::vector<std::string>& roles,
                                   const std::vector<std::string>& contents) {
  constexpr std::size_t kAround = 128;  // more than the bytes of markers and role, or of the family's system message
  std::vector<rapt_chat_message> messages;
  std::size_t likely = 2 * kAround;
  for (std::size_t n = 0; n < roles.size(); ++n) {
    messages.push_back({roles[n].c_str(), contents.at(n).c_str()});
    likely += contents[n].size() + kAround;
  }
  return filled<std::vector<std::int32_t>>(likely, [&](std::int32_t* ids, std::size_t capacity, std::size_t* count) {
    return rapt_chat_ids(model.get(), messages.data(), messages.size(), ids, capacity, count);
  });
}

void embed(const Model& model, const nb::list& texts, Floats& vectors) {
  std::vector<const char*> starts;
  std::vector<std::size_t> sizes;
  for (const nb::handle text : texts) {
    const nb::bytes bytes = nb::cast<nb::bytes>(text);
    starts.push_back(bytes.c_str());  // the list keeps the bytes alive
    sizes.push_back(bytes.size());
  }
  float* const data = vectors.data();
  call([&] { return rapt_embed(model.get(), starts.data(), sizes.data(), sizes.size(), on_progress, nullptr, data); });
}

// A session serves one call at a time, so calls of several Python threads wait for one another, without the GIL.
class Session {
 public:
  explicit Session(ModelPtr model) : model_(std::move(model)) { check(rapt_session_create(model_->get(), &session_)); }
  ~Session() { rapt_session_free(session_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const ModelPtr& model() const { return model_; }
  std::int64_t loads() const { return loads_; }  // how often load() has put another rapt_session in place

  // body(rapt_session*)
  template <class Body>
  void with(Body&& body) {
    call([&] {
      const std::lock_guard<std::mutex> lock(mutex_);
      return body(session_);
    });
  }

  // all: [count, vocab_size] or empty; last: [vocab_size] or empty. In pieces, between which signals are looked at; wrong ids
  // go as a whole, so that the error comes at once and names the right one.
  void append(const Ids& ids, std::optional<Floats> all, std::optional<Floats> last) {
    const rapt_model_info& info = model_->info();
    const std::int32_t* const begin = ids.data();
    const std::size_t count = ids.size(), vocab_size = static_cast<std::size_t>(info.vocab_size);
    float* const logits = all ? all->data() : nullptr;
    float* const last_logits = last ? last->data() : nullptr;
    with([&](rapt_session* session) {
      const std::int64_t before = rapt_session_length(session);
      const bool right = count <= static_cast<std::size_t>(info.context_length - before) &&
                         std::all_of(begin, begin + count, [&](std::int32_t id) { return 0 <= id && id < info.vocab_size; });
      const std::size_t most = right ? kTokensAtOnce : count;
      rapt_status status = RAPT_OK;
      for (std::size_t first = 0, next; status == RAPT_OK && first < count; first = next) {
        next = std::min(count, first + most);
        status = first > 0 && on_progress(0, nullptr) != 0
                     ? RAPT_CANCELLED
                     : rapt_session_append(session, begin + first, next - first, logits ? logits + first * vocab_size : nullptr,
                                           next == count ? last_logits : nullptr);
      }
      if (status != RAPT_OK) rapt_session_rollback(session, before);
      return status;
    });
  }
  std::int64_t length() {
    std::int64_t length = 0;
    with([&](rapt_session* session) {
      length = rapt_session_length(session);
      return RAPT_OK;
    });
    return length;
  }
  std::vector<std::int32_t> ids() {
    std::vector<std::int32_t> found;
    with([&](rapt_session* session) {
      found.resize(static_cast<std::size_t>(rapt_session_length(session)));
      std::size_t count = 0;
      return rapt_session_ids(session, found.data(), found.size(), &count);
    });
    return found;
  }
  std::shared_ptr<Session> fork() {
    auto other = std::shared_ptr<Session>(new Session(model_, nullptr));
    with([&](rapt_session* session) { return rapt_session_fork(session, &other->session_); });
    return other;
  }
  void rollback(std::int64_t length) {
    with([&](rapt_session* session) { return rapt_session_rollback(session, length); });
  }
  void save(const nb::bytes& path) {
    with([&](rapt_session* session) { return rapt_session_save(session, path.c_str()); });
  }
  void load(const nb::bytes& path) {
    with([&](rapt_session*) {
      rapt_session* loaded = nullptr;
      const rapt_status status = rapt_session_load(model_->get(), path.c_str(), &loaded);
      if (status != RAPT_OK) return status;
      rapt_session_free(session_);
      session_ = loaded;
      ++loads_;
      return status;
    });
  }

 private:
  static constexpr std::size_t kTokensAtOnce = 256;

  Session(ModelPtr model, rapt_session* session) : model_(std::move(model)), session_(session) {}

  ModelPtr model_;
  rapt_session* session_ = nullptr;
  std::int64_t loads_ = 0;
  std::mutex mutex_;
};

// A text on its way, in a session that goes on with it.
class Generation {
 public:
  // prompt: a text in UTF-8 without NUL; or none, and ids.
  Generation(std::shared_ptr<Session> session, const std::optional<nb::bytes>& prompt, const std::optional<Ids>& ids,
             std::int64_t tokens, double temperature, std::int64_t top_k, double top_p, double repetition_penalty,
             std::uint64_t seed, bool ignore_ends)
      : session_(std::move(session)) {
    rapt_generate_params params;
    rapt_generate_params_init(&params);
    if (prompt) params.prompt = prompt->c_str();
    if (ids) params.prompt_ids = ids->size() > 0 ? ids->data() : &kNone;
    if (ids) params.num_prompt_ids = ids->size();
    params.num_tokens = tokens;
    params.temperature = temperature;
    params.top_k = top_k;
    params.top_p = top_p;
    params.repetition_penalty = repetition_penalty;
    params.seed = seed;
    params.ignore_ends = ignore_ends ? 1 : 0;
    params.on_progress = on_progress;
    session_->with([&](rapt_session* held) {
      params.session = held;
      loads_ = session_->loads();
      return rapt_generation_start(session_->model()->get(), &params, &generation_);
    });
  }
  ~Generation() { rapt_generation_free(generation_); }
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // (id, text): id -1 at the end
  nb::tuple next() {
    std::int32_t id = -1;
    std::string text;
    bool same = true;
    session_->with([&](rapt_session*) {
      same = loads_ == session_->loads();
      if (!same) return RAPT_OK;
      const char* start = nullptr;
      std::size_t size = 0;
      const rapt_status status = rapt_generation_next(generation_, &id, &start, &size);
      if (status == RAPT_OK) text.assign(start, size);
      return status;
    });
    if (!same) throw nb::value_error("the session was loaded anew while a text was written in it");
    return nb::make_tuple(id, nb::bytes(text.data(), text.size()));
  }

 private:
  static constexpr std::int32_t kNone = 0;

  std::shared_ptr<Session> session_;
  std::int64_t loads_ = 0;
  rapt_generation* generation_ = nullptr;
};

}  // namespace

void bind_models(nb::module_& m) {
  nb::class_<Model>(m, "Model")
      .def(nb::init<const nb::bytes&, int, const std::optional<std::string>&, const std::optional<std::string>&, int, int>(),
           "path"_a, "threads"_a, "backend"_a.none(), "isa"_a.none(), "kv_dtype"_a, "arithmetic"_a)
      .def("info", &info_of)
      .def("tokenize", &tokenize)
      .def("detokenize", &detokenize)
      .def("chat_ids", &chat_ids)
      .def("embed", &embed);
  nb::class_<Session>(m, "Session")
      .def(nb::init<ModelPtr>())
      .def("append", &Session::append, "ids"_a, "logits"_a.none(), "last_logits"_a.none())
      .def("length", &Session::length)
      .def("ids", &Session::ids)
      .def("fork", &Session::fork)
      .def("rollback", &Session::rollback)
      .def("save", &Session::save)
      .def("load", &Session::load);
  nb::class_<Generation>(m, "Generation")
      .def(nb::init<std::shared_ptr<Session>, const std::optional<nb::bytes>&, const std::optional<Ids>&, std::int64_t, double,
                    std::int64_t, double, double, std::uint64_t, bool>(),
           "session"_a, "prompt"_a.none(), "ids"_a.none(), "tokens"_a, "temperature"_a, "top_k"_a, "top_p"_a,
           "repetition_penalty"_a, "seed"_a, "ignore_ends"_a)
      .def("next", &Generation::next);
}
