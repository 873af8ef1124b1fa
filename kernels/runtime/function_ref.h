// A call's view of a function object, without owning or allocating. Layer: runtime.
#pragma once
namespace rapt {

template <class Signature>
class FunctionRef;

template <class... Arguments>
class FunctionRef<void(Arguments...)> {
 public:
  template <class F>
  FunctionRef(F& f) : object_(&f), call_([](void* o, Arguments... arguments) { (*static_cast<F*>(o))(arguments...); }) {}
  void operator()(Arguments... arguments) const { call_(object_, arguments...); }

 private:
  void* object_;
  void (*call_)(void*, Arguments...);
};

}  // namespace rapt
