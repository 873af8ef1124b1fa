// Model, Session and Generation of rapt._core: the calls of engine.h for Python. Layer: tools; called by module.cpp.
#pragma once
#include <nanobind/nanobind.h>

void bind_models(nanobind::module_& m);
