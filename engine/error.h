// The one exception type of engine/: what went wrong, with the status that the C ABI returns for it. guarded() in api.h turns it
// into rapt_last_error(). Also printable(), which makes a name out of a file fit to be printed.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

#include "rapt/rapt.h"

namespace rapt::engine {

class Error : public std::runtime_error {
 public:
  Error(rapt_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  rapt_status status() const { return status_; }

 private:
  rapt_status status_;
};

// Throws Error with a printf text.
[[noreturn]] void throw_error(rapt_status status, const char* format, ...) __attribute__((format(printf, 2, 3)));

// 'name' for an error text, which stays UTF-8 that a terminal can show: control characters and bytes that are no character
// become '?', a long name loses its middle.
std::string printable(std::string_view name, std::size_t longest = 120);  // two and the rest of a text fit into rapt_last_error()

}  // namespace rapt::engine
