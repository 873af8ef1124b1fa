// How a subcommand fails: by exceptions that main.cpp turns into one line on stderr and an exit status. Layer: tools.
#pragma once
#include <stdexcept>
#include <string>

#include "rapt/rapt.h"

namespace rapt::tool {

// The exit statuses of the command; the help of `rapt` lists them.
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells have it

// An argument is wrong; the text says what is right. Exit status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The arguments are right, and yet it cannot be done. Exit status 1.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Ctrl-C. Exit status 130, no message.
struct Interrupted : std::exception {};

// Nothing for RAPT_OK; otherwise throws the one of the three that fits, with the library's own text.
void check(rapt_status status);

// Writes `text` to stdout at once. Throws Failure when that is impossible (a full disk, a closed pipe).
void print(const std::string& text);

}  // namespace rapt::tool
