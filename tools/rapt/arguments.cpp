// Option values are checked as text, before CLI11 converts them, so that every message can say what is right. Layer: tools.
#include "tools/rapt/arguments.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>

#include "rapt/rapt.h"

namespace rapt::tool {
namespace {

template <typename T>
std::optional<T> parse(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::string in_quotes(const std::string& text) { return "\"" + text + "\""; }

std::string short_number(double value) {
  std::string text = std::to_string(value);  // "0.500000"
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

CLI::Validator number(std::function<bool(double)> right, std::string what) {
  return CLI::Validator(
      [right = std::move(right), what = std::move(what)](std::string& text) {
        const std::optional<double> value = parse<double>(text);
        if (value && std::isfinite(*value) && right(*value)) return std::string();
        return "is " + in_quotes(text) + ", but must be " + what;
      },
      "");
}

std::vector<std::string> names_of(const char* (*name)(int)) {
  std::vector<std::string> names;
  for (int i = 0; name(i) != nullptr; ++i) names.emplace_back(name(i));
  return names;
}

// Levenshtein's distance, one row of the table at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  constexpr auto kMostSigned = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::string what =
      most < kMostSigned ? "from " + std::to_string(least) + " to " + std::to_string(most)
                         : "of at least " + std::to_string(least) + " and less than 2^" + (most == kMostSigned ? "63" : "64");
  return CLI::Validator(
      [=](std::string& text) {
        const std::optional<std::uint64_t> value = parse<std::uint64_t>(text);
        if (!value || *value < least || *value > most) return "is " + in_quotes(text) + ", but must be a whole number " + what;
        text = std::to_string(*value);  // CLI11 would read 010 as an octal number
        return std::string();
      },
      "");
}

CLI::Validator number_above(double bound) {
  return number([=](double x) { return x > bound; }, "a number greater than " + short_number(bound));
}

CLI::Validator number_from(double bound) {
  return number([=](double x) { return x >= bound; }, "a number not less than " + short_number(bound));
}

CLI::Validator number_above_up_to(double bound, double most) {
  return number([=](double x) { return bound < x && x <= most; },
                "a number greater than " + short_number(bound) + " and at most " + short_number(most));
}

CLI::Validator not_empty() {
  return CLI::Validator([](std::string& text) { return std::string(text.empty() ? "is empty, but must not be" : ""); }, "");
}

CLI::Validator one_of(std::vector<std::string> names) {
  return CLI::Validator(
      [names = std::move(names)](std::string& text) {
        if (std::find(names.begin(), names.end(), text) != names.end()) return std::string();
        return "is " + in_quotes(text) + ", but must be " + join(names, " or ");
      },
      "");
}

void add_threads_option(CLI::App& app, ComputeOptions& options) {
  app.add_option("--threads", options.threads,
                 "how many threads compute; never changes a result\n(default: all that the process may use)")
      ->type_name("N")
      ->transform(whole_number(1, RAPT_MAX_THREADS));
}

void add_backend_option(CLI::App& app, ComputeOptions& options, const std::vector<std::string>& names) {
  app.add_option("--backend", options.backend, "what computes attention: " + join(names, " or ") + "\n(default: rapt)")
      ->type_name("NAME")
      ->check(one_of(names));
}

void add_isa_option(CLI::App& app, ComputeOptions& options) {
  app.add_option("--isa", options.isa,
                 "the instruction set to use:\n" + join(isa_names(), " or ") + "\n(default: RAPT_ISA, or the best of the CPU)")
      ->type_name("NAME")
      ->check(one_of(isa_names()));
}

std::vector<std::string> isa_names() { return names_of(rapt_isa_name); }
std::vector<std::string> backend_names() { return names_of(rapt_backend_name); }

void parse_words(CLI::App& app, int argc, char** argv) {
  const std::string shield(1, '\0');  // behind a bracket, where CLI11 looks for one; no argument of a program can hold it
  for (CLI::App* command : app.get_subcommands({})) {
    for (CLI::Option* option : command->get_options()) {
      option->transform([](std::string word) { return word.ends_with('\0') ? word.substr(0, word.size() - 1) : word; });
    }
  }
  std::vector<std::string> words(argv + 1, argv + argc);
  for (std::string& word : words) {
    if (word.ends_with(']')) word += shield;
  }
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  app.parse(std::move(words));
}

std::string join(const std::vector<std::string>& names, std::string_view last_separator) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? last_separator : ", ";
    text += names[i];
  }
  return text;
}

std::string closest(std::string_view word, const std::vector<std::string>& names) {
  std::string best;
  std::size_t best_distance = word.size() / 3 + 1;  // one slip in three letters is a slip, more is another word
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(word, name);
    if (distance <= best_distance && (best.empty() || distance < best_distance)) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace rapt::tool
