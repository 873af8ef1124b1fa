// What was said so far, and the model's answer to it. Layer: tools. Called by chat.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/rapt/failure.h"
#include "tools/rapt/model.h"
#include "tools/rapt/sampling.h"

namespace rapt::tool {

struct FreeSession {
  void operator()(rapt_session* session) const { rapt_session_free(session); }
};

// The question cannot be asked: it does not fit into the model's context, or has a NUL in it.
struct BadQuestion : Failure {
  using Failure::Failure;
};

class Conversation {
 public:
  // system: "" for what the model's family says by itself. most: tokens of an answer; 0: what the context has room for.
  Conversation(rapt_model* model, std::string system, const SamplingOptions& sampling, std::int64_t most);

  // Writes the answer to the standard output as it comes, until its end or a Ctrl-C. Where the context is full, the oldest
  // questions and answers are forgotten. Throws BadQuestion, and forgets that question alone.
  rapt_generate_stats answer(const std::string& question);
  void clear() { said_.clear(); }
  bool forgot() const { return forgot_; }  // whether the last answer made room

 private:
  struct Message {
    const char* role;
    std::string content;
  };
  std::vector<std::int32_t> ids() const;
  std::vector<std::int32_t> ids_that_fit();

  rapt_model* model_;
  std::unique_ptr<rapt_session, FreeSession> session_;
  std::string system_;
  SamplingOptions sampling_;
  std::int64_t most_, context_length_;
  std::vector<Message> said_;  // question, answer, question ...
  bool forgot_ = false;
};

}  // namespace rapt::tool
