// See text_stream.h.
#include "tools/rapt/text_stream.h"

#include <cstdio>

#include "tools/rapt/terminal.h"

namespace rapt::tool {
namespace {

// "prompt  13 tokens  0.004 s  3250 tok/s"; the rate counts the tokens that the time was spent on.
void print_rate(const char* what, std::int64_t tokens, double seconds, std::int64_t timed_tokens) {
  std::fprintf(stderr, "%s\t%lld tokens\t%.3f s\t", what, static_cast<long long>(tokens), seconds);
  if (timed_tokens > 0 && seconds > 0) {
    std::fprintf(stderr, "%.1f tok/s\n", static_cast<double>(timed_tokens) / seconds);
  } else {
    std::fputs("n/a\n", stderr);
  }
}

}  // namespace

void TextStream::receive(rapt_generate_params* params) {
  params->on_token = on_token;
  params->on_text = on_text;
  params->on_progress = on_progress;
  params->user = this;
}

int TextStream::on_token(std::int32_t, void*) { return interrupted() ? 1 : 0; }

int TextStream::on_progress(double, void*) { return interrupted() ? 1 : 0; }

int TextStream::on_text(const char* text, std::size_t size, void* user) {
  auto& stream = *static_cast<TextStream*>(user);
  try {
    print(std::string(text, size));
  } catch (const Failure& failure) {
    stream.failure_ = failure;
    return 1;
  }
  stream.text_.append(text, size);
  return interrupted() ? 1 : 0;
}

void TextStream::finish() {
  if (failure_) throw *failure_;
  if (!text_.ends_with('\n')) print("\n");
}

void print_stats(const rapt_generate_stats& stats) {
  const std::int64_t computed = stats.prompt_tokens - stats.reused_tokens;
  print_rate("prompt", computed, stats.prompt_seconds, computed);
  print_rate("generation", stats.generated_tokens, stats.generate_seconds, stats.generated_tokens - 1);
}

}  // namespace rapt::tool
