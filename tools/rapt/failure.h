// How a subcommand fails: by these exceptions and rapt::Error, which main.cpp and fetch_main.cpp turn into one line on stderr and an exit status. Layer: tools.
#pragma once
#include <stdexcept>
#include <string>

#include "rapt/rapt.hpp"

namespace rapt::tool {

// The exit statuses of the command; the help of `rapt` lists them.
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells have it

// The arguments are right, and yet it cannot be done. Exit status 1.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Ctrl-C between two calls of the library. Exit status 130, no message.
struct Interrupted : std::exception {};

// The exit status of a failed call of the library, and its text without the name of the function, which a reader of the command
// never called: "x is not a safetensors file" of "rapt_model_load: x is not a safetensors file".
int exit_status(const Error& error);
std::string text_of(const Error& error);

// One line on stderr, "who: text", in which a control character of a file's or a server's words shows as "?" and moves no cursor.
void complain(const std::string& who, std::string text);

// Writes `text` to stdout at once. Throws Failure when that is impossible (a full disk, a closed pipe).
void print(const std::string& text);

}  // namespace rapt::tool
