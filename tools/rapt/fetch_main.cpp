// The program rapt-fetch: what `rapt fetch` does once its arguments are checked. Layer: tools. Apart from `rapt`, because libcurl brings some
// thirty libraries into a process: 5 MB of memory and a slower start for commands that have nothing to fetch.
//   rapt-fetch NAME INDEX_URL FOLDER, of which the last two may be empty
#include <cstdio>
#include <memory>
#include <new>
#include <string>

#include "tools/rapt/failure.h"
#include "tools/rapt/fetch_catalog.h"
#include "tools/rapt/fetch_model.h"
#include "tools/rapt/terminal.h"

namespace rapt::tool {
namespace {

void run(const std::string& name, const std::string& index_url, const std::string& folder) {
  catch_interrupt();
  std::unique_ptr<Progress> bar;
  std::string shown;
  FetchOptions options;
  options.index_url = index_url;
  options.folder = folder;
  options.progress = [&](const char* step, double done) {
    if (shown != step) bar = std::make_unique<Progress>((shown = step) + " " + name);
    return Progress::on_progress(done, bar.get()) != 0;
  };
  for (const FetchModel& model : fetch_catalog()) {
    if (model.name != name) continue;
    const std::string path = fetch_model(model, options);
    bar.reset();
    return print(path + "\n");
  }
  throw Failure("there is no model " + name);
}

}  // namespace
}  // namespace rapt::tool

int main(int argc, char** argv) {
  using namespace rapt::tool;
  if (argc != 4) {
    std::fprintf(stderr, "rapt-fetch is a part of `rapt fetch`; see rapt fetch --help\n");
    return kExitUsage;
  }
  try {
    run(argv[1], argv[2], argv[3]);
    return 0;
  } catch (const Interrupted&) {
    return kExitInterrupted;
  } catch (const std::bad_alloc&) {
    complain("rapt fetch", "out of memory");
    return kExitFailure;
  } catch (const std::exception& error) {
    complain("rapt fetch", error.what());
    return kExitFailure;
  }
}
