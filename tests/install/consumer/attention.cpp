// A first call in C++, on a context of one thread. Queries of 0 weigh all keys the same: each output is the mean of the values.
#include <rapt/rapt.h>

#include <cmath>
#include <iostream>
#include <vector>

int main() {
  const std::vector<float> q(2 * 4, 0.0F), k(3 * 4, 1.0F), v = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<float> out(2 * 4);
  rapt_context_params options;
  rapt_context_params_init(&options);
  options.num_threads = 1;
  rapt_context* context = nullptr;
  rapt_attention_params call;
  rapt_attention_params_init(&call);
  call.q = rapt_tensor_f32(q.data(), 1, 1, 2, 4);
  call.k = rapt_tensor_f32(k.data(), 1, 1, 3, 4);
  call.v = rapt_tensor_f32(v.data(), 1, 1, 3, 4);
  call.out = rapt_tensor_f32(out.data(), 1, 1, 2, 4);
  if (rapt_context_create(&options, &context) != RAPT_OK || rapt_attention(context, &call) != RAPT_OK) {
    std::cout << rapt_last_error() << '\n';
    return 1;
  }
  rapt_context_destroy(context);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float expected = static_cast<float>(5 + i % 4);
    if (std::fabs(out[i] - expected) > 1e-5F) {
      std::cout << "out[" << i << "] is " << out[i] << ", but must be " << expected << '\n';
      return 1;
    }
  }
  std::cout << "rapt " << rapt_version() << ": right\n";
}
