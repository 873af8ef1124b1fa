// Argument checks of rapt_merge and rapt_kv_append. Layer: kernels/attention.
#include <utility>

#include "kernels/attention/checker.h"

namespace rapt {
namespace {

// A tensor without elements passes with any strides; one of rows of no elements would be walked with them.
void check_head_size(Checker& check, const char* name, const rapt_tensor& t) {
  if (t.shape[3] < 1) check.wrong("%s.shape[3] is %" PRId64 "; a head size is at least 1", name, t.shape[3]);
}

}  // namespace

rapt_status make_merge_problem(const rapt_merge_params* params, const char* where, MergeProblem* problem) {
  if (!params) return fail(RAPT_INVALID_ARGUMENT, where, "params is NULL");
  if (params->struct_size != sizeof *params)
    return fail(RAPT_INVALID_ARGUMENT, where, "params.struct_size is %zu; call rapt_merge_params_init first", params->struct_size);
  const rapt_merge_params& p = *params;
  Checker check(where, DataCheck::kRequired);
  check.tensor("a", p.a, Use::kInput, kF32Only);
  check.tensor("b", p.b, Use::kInput, kF32Only);
  check.tensor("out", p.out, Use::kOutput, kF32Only);
  check.same_shape("b", p.b, "a", p.a, 4);
  check.same_shape("out", p.out, "a", p.a, 4);
  check.tensor("lse_a", p.lse_a, Use::kInput, kF32Only);
  check.tensor("lse_b", p.lse_b, Use::kInput, kF32Only);
  check.tensor("lse", p.lse, Use::kOutput, kF32Only);
  const std::pair<const char*, const rapt_tensor*> sums[] = {{"lse_a", &p.lse_a}, {"lse_b", &p.lse_b}, {"lse", &p.lse}};
  for (const auto& [name, tensor] : sums) {
    check.same_shape(name, *tensor, "a", p.a, 3);
    check.is(name, *tensor, 3, 1, "one value a row");
  }
  check_head_size(check, "a", p.a);
  if (check.status() != RAPT_OK) return check.status();
  *problem = {view(p.a), view(p.lse_a), view(p.b), view(p.lse_b), view(p.out), view(p.lse)};
  return RAPT_OK;
}

namespace {

void check_pages(Checker& check, const char* name, const rapt_tensor& pages, const char* from, const rapt_tensor& tokens) {
  check.tensor(name, pages, Use::kOutput, kStored);
  check.same(name, pages.shape[1], 1, from, tokens.shape[1], 1, "numbers of KV heads");
  check.same(name, pages.shape[3], 3, from, tokens.shape[3], 3, "head sizes");
}

void check_scales(Checker& check, const char* name, const rapt_tensor& scale, const char* pages_name, const rapt_tensor& pages) {
  if (raw(pages.dtype) != RAPT_I8) return;
  if (!scale.data && has_elements(pages)) return check.wrong("%s is not given, but %s is RAPT_I8", name, pages_name);
  if (!scale.data) return;
  check.tensor(name, scale, Use::kOutput, kF32Only);
  check.same_shape(name, scale, pages_name, pages, 3);
  check.is(name, scale, 3, 1, "one factor a token");
}

// Every page that the new tokens fall into must be in the table and exist.
void check_table(Checker& check, const rapt_kv_append_params& p) {
  const std::int64_t page_size = p.k_pages.shape[2];
  for (std::int64_t b = 0; b < p.k.shape[0]; ++b) {
    const std::int64_t first = p.kv_lengths[b], last = first + p.k.shape[2] - 1;
    if (first < 0 || first > kMaxExtent)
      return check.wrong("kv_lengths[%" PRId64 "] is %" PRId64 "; it is 0 to %" PRId64, b, first, kMaxExtent);
    if (last / page_size >= p.block_table_stride)
      return check.wrong("token %" PRId64 " of batch %" PRId64 " lies in page %" PRId64 " of the sequence, but block_table_stride is %" PRId64,
                         last, b, last / page_size, p.block_table_stride);
    for (std::int64_t i = first / page_size; i <= last / page_size; ++i) {
      const std::int64_t page = p.block_table[b * p.block_table_stride + i];
      if (page < 0 || page >= p.k_pages.shape[0])
        return check.wrong("block_table[%" PRId64 "] is %" PRId64 "; there are %" PRId64 " pages", b * p.block_table_stride + i, page,
                           p.k_pages.shape[0]);
    }
  }
}

}  // namespace

rapt_status make_append_problem(const rapt_kv_append_params* params, const char* where, AppendProblem* problem) {
  if (!params) return fail(RAPT_INVALID_ARGUMENT, where, "params is NULL");
  if (params->struct_size != sizeof *params)
    return fail(RAPT_INVALID_ARGUMENT, where, "params.struct_size is %zu; call rapt_kv_append_params_init first", params->struct_size);
  const rapt_kv_append_params& p = *params;
  Checker check(where, DataCheck::kRequired);
  check.tensor("k", p.k, Use::kInput, kF32Only);
  check.tensor("v", p.v, Use::kInput, kF32Only);
  check.same_shape("v", p.v, "k", p.k, 3);
  check_pages(check, "k_pages", p.k_pages, "k", p.k);
  check_pages(check, "v_pages", p.v_pages, "v", p.v);
  check.same_shape("v_pages", p.v_pages, "k_pages", p.k_pages, 3);
  check_scales(check, "k_scale", p.k_scale, "k_pages", p.k_pages);
  check_scales(check, "v_scale", p.v_scale, "v_pages", p.v_pages);
  check_head_size(check, "k", p.k);
  check_head_size(check, "v", p.v);
  if (p.k_pages.shape[2] < 1) check.wrong("k_pages.shape[2] is %" PRId64 "; a page holds at least one token", p.k_pages.shape[2]);
  if (raw(p.k_layout) != RAPT_KV_ROWS && raw(p.k_layout) != RAPT_KV_PANELS)
    check.wrong("k_layout is %d; it is RAPT_KV_ROWS (0) or RAPT_KV_PANELS (1)", raw(p.k_layout));
  const bool panels = raw(p.k_layout) == RAPT_KV_PANELS;
  if (panels) check.panels("k_pages", p.k_pages);
  if (!p.block_table) check.wrong("block_table is NULL");
  if (!p.kv_lengths) check.wrong("kv_lengths is NULL");
  if (p.block_table_stride > kMaxExtent) check.wrong("block_table_stride is %" PRId64 "; at most 2^40 is possible", p.block_table_stride);
  const bool empty = p.k.shape[0] == 0 || p.k.shape[1] == 0 || p.k.shape[2] == 0;
  if (check.status() == RAPT_OK && !empty) check_table(check, p);
  if (check.status() != RAPT_OK) return check.status();
  const auto scale_of = [](const rapt_tensor& scale, const rapt_tensor& pages) {
    return pages.dtype == RAPT_I8 ? view(scale) : TensorView{};
  };
  *problem = {view(p.k), view(p.v), view(p.k_pages), view(p.v_pages), scale_of(p.k_scale, p.k_pages), scale_of(p.v_scale, p.v_pages),
              {p.block_table, p.block_table_stride, p.k_pages.shape[2], panels}, p.kv_lengths};
  return RAPT_OK;
}

}  // namespace rapt
