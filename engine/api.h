// How C++ meets the C ABI: what stands behind its types; exceptions become a status and rapt_last_error(); parameter structs
// are checked for their size. Included by api*.cpp alone.
#pragma once
#include <cstring>
#include <exception>
#include <new>

#include "engine/error.h"
#include "engine/session.h"
#include "kernels/kernels.h"
#include "rapt/engine.h"

struct rapt_model : rapt::engine::LoadedModel {
  using LoadedModel::LoadedModel;
};

struct rapt_session : rapt::engine::Session {
  using Session::Session;
};

namespace rapt::engine {

// Runs body(); nothing escapes. where: the C function's name.
template <class Body>
rapt_status guarded(const char* where, Body&& body) noexcept {
  try {
    body();
    return RAPT_OK;
  } catch (const Error& error) {
    return fail(error.status(), where, "%s", error.what());
  } catch (const std::bad_alloc&) {
    return fail(RAPT_OUT_OF_MEMORY, where, "out of memory");
  } catch (const std::exception& error) {
    return fail(RAPT_INTERNAL, where, "%s", error.what());
  } catch (...) {
    return fail(RAPT_INTERNAL, where, "an exception of unknown type, perhaps from a callback");
  }
}

inline void need(const void* pointer, const char* name) {
  if (pointer == nullptr) throw_error(RAPT_INVALID_ARGUMENT, "%s is NULL", name);
}

// A caller's array has no more elements than there are addresses. What passes can be multiplied by sizes and counted up.
inline void check_count(std::size_t count, const char* name) {
  if (count > std::size_t{1} << 47) throw_error(RAPT_INVALID_ARGUMENT, "%s is %zu; no array is so long", name, count);
}

// struct_size says which version of the struct a caller was compiled with; a later one is longer, and its first fields are ours.
inline void check_struct_size(std::size_t found, std::size_t least, const char* name) {
  if (found < least) {
    throw_error(RAPT_INVALID_ARGUMENT, "%s->struct_size is %zu, but %zu is the least; set it with the struct's _init function",
                name, found, least);
  }
}

}  // namespace rapt::engine
