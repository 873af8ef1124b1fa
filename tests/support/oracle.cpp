#include "tests/support/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rapt::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const float* row(const rapt_tensor& t, std::int64_t b, std::int64_t h, std::int64_t i) {
  return static_cast<const float*>(t.data) + b * t.strides[0] + h * t.strides[1] + i * t.strides[2];
}

bool sees(rapt_causal causal, std::int64_t i, std::int64_t j, std::int64_t q_len, std::int64_t kv_len) {
  if (causal == RAPT_CAUSAL_TOP_LEFT) return j <= i;
  if (causal == RAPT_CAUSAL_BOTTOM_RIGHT) return j <= i + kv_len - q_len;
  return true;
}

// Where the values are numbers, |got - right| over the most that is allowed; where not, 0 if both are the same kind of thing.
double error_of(double got, double right, double most) {
  if (std::isnan(got) || std::isnan(right)) return std::isnan(got) && std::isnan(right) ? 0 : kInfinity;
  if (std::isinf(got) || std::isinf(right)) return got == right ? 0 : kInfinity;
  return got == right ? 0 : std::abs(got - right) / most;
}

// The larger error; NaN, where a bound is 0 or infinite by mistake, is none that passes.
double worse(double error, double than) { return std::isnan(error) || error > than ? error : than; }

struct RowOracle {
  std::vector<double> out, value_size;
  double lse, score_size;
};

RowOracle attend(const rapt_attention_params& p, double scale, std::int64_t b, std::int64_t h, std::int64_t i) {
  const std::int64_t kv_len = p.k.shape[2], dim = p.k.shape[3], dim_v = p.v.shape[3];
  const std::int64_t kv_head = h / (p.q.shape[1] / p.k.shape[1]);
  const auto dim_v_size = static_cast<std::size_t>(dim_v);
  RowOracle r = {std::vector<double>(dim_v_size), std::vector<double>(dim_v_size), -kInfinity, 0};
  const float* const q = row(p.q, b, h, i);
  std::vector<double> scores;
  double top = -kInfinity;
  for (std::int64_t j = 0; j < kv_len; ++j) {
    if (!sees(p.causal, i, j, p.q.shape[2], kv_len)) break;
    const float* const k = row(p.k, b, kv_head, j);
    double score = 0, size = 0;
    for (std::int64_t d = 0; d < dim; ++d) {
      const double term = static_cast<double>(q[d]) * static_cast<double>(k[d]);
      score += term;
      size += std::abs(term);
    }
    scores.push_back(scale * score);
    if (std::isnan(scores.back()) || scores.back() > top) top = scores.back();
    if (std::isfinite(scores.back())) r.score_size = std::max(r.score_size, std::abs(scale) * size);  // else it would allow anything
  }
  if (top == -kInfinity) return r;
  double sum = 0;
  for (std::size_t j = 0; j < scores.size(); ++j) {
    const double weight = std::exp(scores[j] - top);
    const float* v = row(p.v, b, kv_head, static_cast<std::int64_t>(j));
    sum += weight;
    for (std::size_t d = 0; d < dim_v_size; ++d) {
      r.out[d] += weight * static_cast<double>(v[d]);
      r.value_size[d] += weight * std::abs(static_cast<double>(v[d]));
    }
  }
  for (double& x : r.out) x /= sum;
  for (double& x : r.value_size) x /= sum;
  r.lse = top + std::log(sum);
  return r;
}

}  // namespace

Oracle oracle(const rapt_attention_params& p) {
  const double scale = std::isnan(p.softmax_scale) ? 1 / std::sqrt(static_cast<double>(p.q.shape[3])) : p.softmax_scale;
  Oracle all = {p.q.shape[0], p.q.shape[1], p.q.shape[2], p.v.shape[3], {}, {}, {}, {}};
  for (std::int64_t b = 0; b < all.batch; ++b)
    for (std::int64_t h = 0; h < all.heads; ++h)
      for (std::int64_t i = 0; i < all.length; ++i) {
        const RowOracle r = attend(p, scale, b, h, i);
        all.out.insert(all.out.end(), r.out.begin(), r.out.end());
        all.value_size.insert(all.value_size.end(), r.value_size.begin(), r.value_size.end());
        all.lse.push_back(r.lse);
        all.score_size.push_back(r.score_size);
      }
  return all;
}

double out_error(const Oracle& o, const rapt_tensor& out, ErrorBound bound) {
  double worst = 0;
  std::size_t element = 0, line = 0;
  for (std::int64_t b = 0; b < o.batch; ++b)
    for (std::int64_t h = 0; h < o.heads; ++h)
      for (std::int64_t i = 0; i < o.length; ++i, ++line)
        for (std::int64_t d = 0; d < o.dim; ++d, ++element) {
          const double most = 0x1p-24 * o.value_size[element] * (bound.fixed + bound.score * o.score_size[line]);
          worst = worse(error_of(static_cast<double>(row(out, b, h, i)[d]), o.out[element], most), worst);
        }
  return worst;
}

double lse_error(const Oracle& o, const rapt_tensor& lse, ErrorBound bound) {
  double worst = 0;
  std::size_t line = 0;
  for (std::int64_t b = 0; b < o.batch; ++b)
    for (std::int64_t h = 0; h < o.heads; ++h)
      for (std::int64_t i = 0; i < o.length; ++i, ++line) {
        const double most = 0x1p-24 * (std::abs(o.lse[line]) + bound.fixed + bound.score * o.score_size[line]);
        worst = worse(error_of(static_cast<double>(*row(lse, b, h, i)), o.lse[line], most), worst);
      }
  return worst;
}

}  // namespace rapt::test
