// y += W_o concat(head_1, ..., head_h), head_i = softmax(q_i K' / sqrt(d)) V: over the tokens so far, whose keys and values are in
// a cache, or over all tokens of the sequence. Query heads may share key and value heads (Ainslie et al. 2023, "GQA").
// Who calls: transformer_block.cpp.
#pragma once
#include "engine/modules/linear.h"
#include "engine/modules/norm.h"
#include "engine/modules/rotary.h"
#include "engine/modules/scratch.h"
#include "engine/modules/tokens.h"

namespace rapt::engine {

struct SelfAttention {
  Linear query = {}, key = {}, value = {}, output = {};
  std::int64_t num_heads = 1, num_kv_heads = 1, head_dim = 1;
  Norm query_norm = {}, key_norm = {};  // of each head, before the rotation; empty: none
  std::int64_t window = -1;             // a token sees so many before it; -1: all

  // x, y: [rows, dim]. Keys and values of pieces are appended to their caches.
  void forward_add(rapt_context* context, const Tokens& tokens, std::int64_t layer, const Rotary& rotary, const float* x,
                   Scratch& scratch, float* y) const;

 private:
  bool attends_rounded(rapt_context* context, const Tokens& tokens, const Rotary& rotary) const;
  void forward_add_rounded(rapt_context* context, const Tokens& tokens, std::int64_t layer, const float* x, Scratch& scratch, float* y) const;
  void project(rapt_context* context, std::int64_t rows, const Rotary& rotary, const float* x, Scratch& scratch) const;
  void attend_pieces(rapt_context* context, const Tokens& tokens, std::int64_t layer, Scratch& scratch) const;
  template <class T>
  void attend_whole(rapt_context* context, const Tokens& tokens, std::int64_t layer, const T* q, std::int64_t ldq, const T* k,
                    const T* v, std::int64_t ldkv, T* out) const;
};

}  // namespace rapt::engine
