// A model file brought to memory: model, tokenizer, and how to make contexts for it. Who calls: everything that
// computes with one: sessions, generation, vectors, inspecting, evaluation.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/models/model.h"
#include "engine/tokenizers/tokenizer.h"
#include "rapt/engine.h"

namespace rapt::engine {

struct DestroyContext {
  void operator()(rapt_context* context) const { rapt_context_destroy(context); }
};
using ContextPtr = std::unique_ptr<rapt_context, DestroyContext>;

// A context as `params` ask for; throws Error with the text of rapt_context_create.
ContextPtr make_context(const rapt_model_params& params);
ContextPtr make_context(int num_threads, const char* backend, const char* isa);

class LoadedModel {
 public:
  // path: a safetensors or GGUF file, of GGUF files in parts the first, an index of safetensors files, or a directory that holds
  // model.safetensors or model.safetensors.index.json.
  LoadedModel(const std::string& path, const rapt_model_params& params);

  const Model& model() const { return *model_; }
  const ModelShape& shape() const { return model_->shape(); }
  const Tokenizer* tokenizer() const { return tokenizer_.get(); }  // null: none
  // The tokenizer, or RAPT_INVALID_ARGUMENT if there is none.
  const Tokenizer& need_tokenizer() const;
  // A context for one more session: same threads, backend and ISA level as the weights were packed for.
  ContextPtr new_context() const { return new_context(num_threads_); }
  // An empty cache in the pool that all sessions of the model share. RAPT_UNSUPPORTED if the model does not write.
  KvCache new_cache() const;
  const char* kv_dtype() const;  // as rapt_model_info has it
  // See WeightReader::fingerprint.
  std::uint32_t fingerprint() const { return fingerprint_; }
  // That was asked for: see WeightReader.
  Arithmetic arithmetic() const { return arithmetic_; }
  // What a call without a session works with, from a stock of the model's: returned when the handle goes. Its context has the model's threads
  // or one.
  enum class DeskThreads { kAll, kOne };
  struct DeskThings {
    DeskThreads threads;
    ContextPtr context;
    Scratch scratch;
  };
  struct ReturnDesk {
    const LoadedModel* model;
    void operator()(DeskThings* things) const { model->return_desk(things); }
  };
  using Desk = std::unique_ptr<DeskThings, ReturnDesk>;
  Desk borrow_desk(DeskThreads threads = DeskThreads::kAll) const;
  // ids[count] are in the vocabulary, or RAPT_INVALID_ARGUMENT. name: of the argument.
  void check_ids(const char* name, const std::int32_t* ids, std::size_t count) const;

 private:
  void load_file(rapt_context* context, const std::string& path, const rapt_model_params& params);
  void load_safetensors(rapt_context* context, const std::string& path, const rapt_model_params& params);
  void load_shards(rapt_context* context, const std::string& path, const rapt_model_params& params);
  void load_gguf(rapt_context* context, const std::string& path, const rapt_model_params& params);
  void load_weights(rapt_context* context, const WeightSource& source, const ModelFiles& files,
                    const rapt_model_params& params);

  ContextPtr new_context(int num_threads) const { return make_context(num_threads, backend_.c_str(), isa_.c_str()); }
  void return_desk(DeskThings* things) const;

  int num_threads_;
  Arithmetic arithmetic_;
  std::string backend_, isa_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::shared_ptr<KvPool> pool_;
  std::uint32_t fingerprint_ = 0;
  bool rounds_inputs_ = false;
  mutable std::mutex desks_mutex_;
  mutable std::vector<std::unique_ptr<DeskThings>> desks_;
  mutable std::size_t num_desks_ = 0;  // here and borrowed
};

}  // namespace rapt::engine
