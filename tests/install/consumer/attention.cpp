// A first call in C++. Queries of 0 weigh all keys the same: each output is the mean of the values.
#include <cmath>
#include <iostream>
#include <rapt/rapt.hpp>
#include <vector>

int main() {
  const std::vector<float> q(2 * 4, 0.0F), k(3 * 4, 1.0F), v = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<float> out(2 * 4);
  rapt::Attention call;
  call.q = rapt::tensor(q, {1, 1, 2, 4});
  call.k = rapt::tensor(k, {1, 1, 3, 4});
  call.v = rapt::tensor(v, {1, 1, 3, 4});
  call.out = rapt::tensor(out, {1, 1, 2, 4});
  rapt::attention(call);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float expected = static_cast<float>(5 + i % 4);
    if (std::fabs(out[i] - expected) > 1e-5F) {
      std::cout << "out[" << i << "] is " << out[i] << ", but must be " << expected << '\n';
      return 1;
    }
  }
  std::cout << "rapt " << rapt_version() << ": right\n";
}
