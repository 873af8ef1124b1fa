// See attend.h.
#include "engine/modules/attend.h"

#include "engine/error.h"

namespace rapt::engine {

rapt_tensor heads_in_rows(const float* data, std::int64_t batch, std::int64_t heads, std::int64_t length, std::int64_t dim,
                          std::int64_t ld) {
  rapt_tensor view = rapt_tensor_f32(data, batch, heads, length, dim);
  view.strides[0] = length * ld;
  view.strides[1] = dim;
  view.strides[2] = ld;
  return view;
}

void attend(rapt_context* context, const rapt_tensor& q, const rapt_tensor& k, const rapt_tensor& v, const rapt_tensor& out,
            bool causal) {
  rapt_attention_params call;
  rapt_attention_params_init(&call);
  call.q = q;
  call.k = k;
  call.v = v;
  call.out = out;
  call.causal = causal ? RAPT_CAUSAL_BOTTOM_RIGHT : RAPT_CAUSAL_NONE;
  const rapt_status status = rapt_attention(context, &call);
  if (status != RAPT_OK) throw Error(status, rapt_last_error());
}

}  // namespace rapt::engine
