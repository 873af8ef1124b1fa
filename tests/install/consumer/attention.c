/* A first call in C. With q = 0 every key weighs the same, so a causal row is the mean of the values up to its own. */
#include <rapt/rapt.h>
#include <stdio.h>

int main(void) {
  const float q[3] = {0, 0, 0}, k[3] = {1, 2, 3}, v[3] = {1, 3, 8};
  const float expected[3] = {1, 2, 4};
  float out[3] = {0, 0, 0};
  rapt_attention_params call;
  rapt_attention_params_init(&call);
  call.q = rapt_tensor_f32(q, 1, 1, 3, 1);
  call.k = rapt_tensor_f32(k, 1, 1, 3, 1);
  call.v = rapt_tensor_f32(v, 1, 1, 3, 1);
  call.out = rapt_tensor_f32(out, 1, 1, 3, 1);
  call.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
  if (rapt_attention(NULL, &call) != RAPT_OK) {
    puts(rapt_last_error());
    return 1;
  }
  for (int i = 0; i < 3; ++i) {
    if (fabs(out[i] - expected[i]) > 1e-6) {
      printf("out[%d] is %g, but must be %g\n", i, out[i], expected[i]);
      return 1;
    }
  }
  printf("rapt %s: right\n", rapt_version());
  return 0;
}
