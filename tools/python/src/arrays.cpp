// Implements arrays.h. Views come through DLPack: nothing is copied.
#include "arrays.h"

#include <string>
#include <utility>

namespace nb = nanobind;

namespace {

using View = nb::ndarray<nb::ro>;

// The element type; -1 if rapt has none like it. NumPy's bfloat16 comes as uint16 (_arrays.py sees to it), which a caller's own
// array of uint16 must not be taken for: `converted` says which of the two it is.
int type_of(nb::dlpack::dtype type, bool converted) {
  const auto is = [&](nb::dlpack::dtype_code code, int bits) {
    return type.code == static_cast<std::uint8_t>(code) && type.bits == bits;
  };
  if (is(nb::dlpack::dtype_code::Float, 32)) return RAPT_F32;
  if (is(nb::dlpack::dtype_code::Float, 16)) return RAPT_F16;
  if (is(nb::dlpack::dtype_code::Bfloat, 16)) return RAPT_BF16;
  if (is(nb::dlpack::dtype_code::UInt, 16) && converted) return RAPT_BF16;
  if (is(nb::dlpack::dtype_code::Int, 8)) return RAPT_I8;
  if (is(nb::dlpack::dtype_code::Bool, 8)) return RAPT_BOOL;
  return -1;
}

// Missing dimensions at the end have extent 1.
rapt_tensor as_tensor(const View& view, int type) {
  rapt_tensor tensor{};
  tensor.data = const_cast<void*>(view.data());  // rapt never writes to an input
  tensor.dtype = static_cast<rapt_dtype>(type);
  for (size_t i = 0; i < 4; ++i) {
    tensor.shape[i] = i < view.ndim() ? static_cast<int64_t>(view.shape(i)) : 1;
    tensor.strides[i] = i < view.ndim() ? view.stride(i) : 1;
  }
  return tensor;
}

bool has_dimensions(const View& view, Form form) { return view.ndim() == 4 || (form == Form::kRows && view.ndim() == 3); }

bool has_contiguous_rows(const rapt_tensor& t) {
  return t.strides[3] == 1 || t.shape[3] <= 1 || t.shape[0] == 0 || t.shape[1] == 0 || t.shape[2] == 0;
}

// Whether a level of forward-mode differentiation is open; where PyTorch does not say, it may be.
bool differentiates_forward(nb::handle torch) {
  const nb::object forward = nb::getattr(torch.attr("autograd"), "forward_ad", nb::none());
  return !forward.is_none() && nb::cast<int>(nb::getattr(forward, "_current_level", nb::int_(0))) >= 0;
}

}  // namespace

Arrays::Arrays(nb::handle library)
    : library_(library), torch_(std::strcmp(nb::cast<const char*>(library.attr("__name__")), "torch") == 0) {
  array_type_ = library.attr(torch_ ? "Tensor" : "ndarray");
  tangents_ = torch_ && differentiates_forward(library);
}

// Of the class itself, and a tensor without what DLPack cannot say. Subclasses may mean anything.
bool Arrays::usual(nb::handle array) const {
  if (array.type().ptr() != array_type_.ptr() || tangents_) return false;
  const auto is_false = [](const nb::object& value) { return value.ptr() == Py_False; };
  return !torch_ ||
         (array.attr("is_cpu").ptr() == Py_True && is_false(array.attr("requires_grad")) && is_false(array.attr("is_neg")()));
}

// False where the array cannot be exported; why is for _arrays.py to say.
bool Arrays::take(nb::handle array, bool output, View& view) const {
  nb::object source = nb::borrow(array);
  try {
    // Ten times as fast as Tensor.__dlpack__, which is written in Python.
    if (torch_) source = library_.attr("utils").attr("dlpack").attr("to_dlpack")(array);
  } catch (const nb::python_error&) {
    return false;
  }
  nb::ndarray<> writable;
  if (!output) return nb::try_cast(source, view, false);
  if (!nb::try_cast(source, writable, false)) return false;
  view = View(writable);
  return true;
}

const View& Arrays::keep(const char* name, nb::handle array, bool output) {
  View view;
  if (!take(array, output, view))
    throw nb::value_error(
        (std::string(name) + " has no DLPack view in CPU memory; its strides must be whole elements").c_str());
  if (view.device_type() != nb::device::cpu::value)
    throw nb::value_error((std::string(name) + " is not in CPU memory").c_str());
  kept_.push_back(std::move(view));
  return kept_.back();
}

rapt_tensor Arrays::tensor(const char* name, nb::handle array, const TensorKind& kind) {
  View view;
  if (usual(array) && take(array, kind.output, view) && has_dimensions(view, kind.form)) {
    const int type = type_of(view.dtype(), false);
    const rapt_tensor tensor = as_tensor(view, type);
    if (type >= 0 && kind.types.bits >> type & 1 && has_contiguous_rows(tensor)) {
      kept_.push_back(std::move(view));
      return tensor;
    }
  }
  const nb::module_ python = nb::module_::import_("rapt._arrays");
  const nb::object checked = python.attr("check_array")(library_, name, array, python.attr(kind.types.in_python), kind.layout,
                                                        static_cast<int>(kind.form), kind.output);
  const View& kept = keep(name, checked, kind.output);
  const int type = type_of(kept.dtype(), true);
  if (type < 0) throw std::logic_error("rapt: an array that _arrays.py did not check");
  return as_tensor(kept, type);
}
