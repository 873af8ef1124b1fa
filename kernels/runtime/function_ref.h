// A call's view of a function object, without owning or allocating. Layer: runtime.
#pragma once
#include <cstdint>
#include <type_traits>

namespace rapt {

template <class Signature>
class FunctionRef;

template <class... Arguments>
class FunctionRef<void(Arguments...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cv_t<F>, FunctionRef>)  // else a copy would refer to its original
  FunctionRef(F& f) : object_(&f), call_([](void* o, Arguments... arguments) { (*static_cast<F*>(o))(arguments...); }) {}
  void operator()(Arguments... arguments) const { call_(object_, arguments...); }

 private:
  void* object_;
  void (*call_)(void*, Arguments...);
};

// What a parallel loop calls.
using TaskRef = FunctionRef<void(std::int64_t task, int thread)>;

}  // namespace rapt
