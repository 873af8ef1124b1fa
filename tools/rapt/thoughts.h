// What a conversation keeps of an answer. Layer: tools. Called by conversation.cpp.
#pragma once
#include <string>
#include <string_view>

namespace rapt::tool {

// The answer without what the model thought first, up to </think>: as the templates of models that think write earlier answers down.
inline std::string without_thoughts(const std::string& answer) {
  constexpr std::string_view kEnd = "</think>";
  const std::size_t end = answer.rfind(kEnd);
  if (end == std::string::npos) return answer;
  const std::size_t begin = answer.find_first_not_of('\n', end + kEnd.size());
  return begin == std::string::npos ? "" : answer.substr(begin);
}

}  // namespace rapt::tool
