// The page of `rapt inspect`: one file of HTML without references to others, into which data is put. Layer: tools.
#pragma once

namespace rapt::tool {

// Where it has /*DATA*/null, the page wants a JavaScript object: inspect.cpp.
extern const char kInspectPage[];

}  // namespace rapt::tool
