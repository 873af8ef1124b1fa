// A CLI11 formatter whose usage line can be typed as it stands. Layer: tools.
#include "tools/rapt/help.h"

namespace rapt::tool {
namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    column_width(28);
    label("Positionals", "Arguments");
  }

  // "Usage: rapt generate MODEL --prompt TEXT [OPTIONS]"
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = "\nUsage: " + name;
    if (app->get_require_subcommand_min() > 0) return usage + " COMMAND [OPTIONS]\n";
    for (const CLI::Option* argument : app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
      usage += " " + make_option_usage(argument);
    }
    for (const CLI::Option* option : app->get_options([](const CLI::Option* o) { return o->nonpositional(); })) {
      // Of --prompt and --prompt-file one is required, which CLI11 does not know.
      if (option->get_required() || option->get_name() == "--prompt")
        usage += " " + option->get_name() + " " + option->get_type_name();
    }
    return usage + " [OPTIONS]\n";
  }

  // The name of the value alone: what it may be and what it is by default stand in the description.
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_positional() || option->get_type_size() == 0 ? "" : " " + option->get_type_name();
  }
};

}  // namespace

std::shared_ptr<CLI::Formatter> help_formatter() { return std::make_shared<HelpFormatter>(); }

}  // namespace rapt::tool
