// The activations that may end a linear layer (kernels.h). Layer: runtime.
#pragma once

namespace rapt {

enum class Activation : int { kNone = 0, kGeluErf = 1, kGeluTanh = 2, kSilu = 3 };
inline constexpr int kNumActivations = 4;

}  // namespace rapt
