/* rapt's inference engine: models that write text, and the attention modules they are made of. C ABI and manual.
 * Builds on rapt.h (status, errors, contexts). Link librapt_engine; it contains librapt. Compiles as C11 and C++17.
 *
 * 1. A first text
 *
 *     rapt_model* model;
 *     if (rapt_model_load("model.safetensors", NULL, &model) != RAPT_OK) return puts(rapt_last_error());
 *     rapt_generate_params call;
 *     rapt_generate_params_init(&call);
 *     call.prompt = "To be, or not";
 *     call.num_tokens = 100;
 *     call.on_text = print_piece;                 // int print_piece(const char* text, size_t n, void* user)
 *     rapt_generate(model, &call, NULL);
 *     rapt_model_free(model);
 *
 * A model is read-only after loading: any number of sessions and threads share it, one thread a session. No callback may throw.
 */
#ifndef RAPT_ENGINE_H_
#define RAPT_ENGINE_H_

#include "rapt/rapt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 2. Models --------------------------------------------------------------------------------------------------------- */

typedef struct rapt_model rapt_model;

/* How linear layers multiply. Attention inside is computed in f32, with two exceptions, in which what layers round is as coarse: models that
 * make vectors, with RAPT_ARITHMETIC_BF16, on levels that have bf16 for attention (rapt.h); and level amx_bf16 with quantised weights,
 * RAPT_ARITHMETIC_I8 and a cache of bf16. There it is computed in bf16. */
typedef enum rapt_arithmetic {
  /* The default. With quantised weights (Q4_0, Q8_0, Q6_K ...) inputs are rounded to 8 bits in blocks of 32, as llama.cpp does, or
   * more finely in the layers that matter most; several times faster. With others as RAPT_ARITHMETIC_F32. */
  RAPT_ARITHMETIC_I8 = 0,
  /* The weights' exact values, inputs as they are. In models that make vectors level amx_bf16 multiplies f32 weights as sums of three bf16
   * numbers each, six products for one: no less exact, but numbers below 2^-103 lose bits, and products below 2^-126 count as 0. */
  RAPT_ARITHMETIC_F32 = 1,
  /* Weights of any type and inputs are rounded to bf16, sums are f32: with f32 weights up to twice as fast, in tiles (amx_bf16) four
   * times, on Intel's cores without tiles half as fast. A rounded weight takes two bytes of memory. Layers of a Llama whose rounding
   * the later ones would magnify (the first seven fifteenths of its blocks, the last tenth, the values' projections and the head) go
   * as with RAPT_ARITHMETIC_F32. Needs ISA level avx512_bf16 or amx_bf16: RAPT_UNSUPPORTED on others. */
  RAPT_ARITHMETIC_BF16 = 2
} rapt_arithmetic;

/* How sessions keep keys and values. */
typedef enum rapt_kv_dtype {
  /* The default: f16 where linear layers round their inputs (RAPT_ARITHMETIC_BF16, or RAPT_ARITHMETIC_I8 with quantised
   * weights), bf16 with the latter on level amx_bf16, else f32, which is also all that backend "onednn" reads. Beside that
   * rounding the cache's is not seen, and a token reads half as many bytes. */
  RAPT_KV_AUTO = 0,
  RAPT_KV_F32 = 1,
  RAPT_KV_BF16 = 2,
  RAPT_KV_F16 = 3,
  RAPT_KV_I8 = 4 /* with a factor per token and head */
} rapt_kv_dtype;

typedef struct rapt_model_params {
  size_t struct_size;
  int num_threads;     /* as in rapt_context_params */
  const char* backend; /* of the attention inside: NULL = "rapt" */
  const char* isa;     /* NULL: the best, or RAPT_ISA */
  rapt_kv_dtype kv_dtype;
  rapt_arithmetic arithmetic; /* of the linear layers */
  /* Called while loading with 0 <= done <= 1; a return other than 0 cancels (RAPT_CANCELLED). May be NULL. */
  int (*on_progress)(double done, void* user);
  void* user;
} rapt_model_params;

static inline void rapt_model_params_init(rapt_model_params* params) {
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
}

/* Loads a GGUF file, a safetensors file, or a directory that holds model.safetensors. A GGUF file says everything about itself.
 * Beside a safetensors file stand config.json and the tokenizer's files, as Hugging Face has them, unless its metadata say family,
 * configuration and tokenizer (tools/convert_nanogpt.py writes them).
 * A model in several files: of GGUF files as llama.cpp's gguf-split names them, the path of the first, NAME-00001-of-00003.gguf; the others
 * stand beside it. Of safetensors files, their index, model.safetensors.index.json, or the directory that holds it; where
 * model.safetensors stands in it too, that is loaded, as Hugging Face's transformers does. At most 4,096 files.
 * The files are treated as hostile: RAPT_INVALID_FILE with what is wrong with them; RAPT_IO_ERROR, naming it, for one that is missing or
 * cannot be read; RAPT_UNSUPPORTED for a family, a type of weights, a level or a backend that rapt has not, or not here. After an error *model is
 * NULL. params may be NULL. */
RAPT_API rapt_status rapt_model_load(const char* path, const rapt_model_params* params, rapt_model** model);
RAPT_API void rapt_model_free(rapt_model* model); /* NULL is fine; free its sessions first */

/* The texts live as long as the model. */
typedef struct rapt_model_info {
  size_t struct_size;
  const char* family;    /* "gpt2", "llama", "mistral", "qwen2", "qwen3", "bert" */
  const char* tokenizer; /* "characters", "bpe", "wordpiece", or "none" */
  const char* chat;      /* the format of its conversations: "chatml", "llama3", or "none" that rapt knows */
  int64_t num_layers, num_heads, num_kv_heads, embed_dim, vocab_size, context_length;
  int64_t num_parameters; /* tied weights once */
  int writes_text;        /* 1: sessions and generation */
  int makes_vectors;      /* 1: rapt_embed, rapt_embed_ids */
  const char* kv_dtype;   /* what sessions keep: "f32", "bf16", "f16", "int8", or "none" where there are none */
} rapt_model_info;

static inline void rapt_model_info_init(rapt_model_info* info) {
  memset(info, 0, sizeof *info);
  info->struct_size = sizeof *info;
}

RAPT_API rapt_status rapt_model_get_info(const rapt_model* model, rapt_model_info* info);

/* 3. Text and tokens ------------------------------------------------------------------------------------------------ */

/* Writes at most `capacity` ids and sets *count to how many the text has (call with capacity 0 to ask).
 * text: UTF-8, `size` bytes. Special tokens ("<|im_end|>") are recognised in it, none are added. A character outside a character
 * vocabulary is RAPT_INVALID_ARGUMENT, naming it; a normalizer that makes far more of a text than any real one (64 times its bytes
 * and 1 MiB) RAPT_INVALID_FILE. */
RAPT_API rapt_status rapt_tokenize(const rapt_model* model, const char* text, size_t size, int32_t* ids, size_t capacity,
                                   size_t* count);
/* Writes at most `capacity` bytes, no NUL, and sets *size to how many there are. Ids outside the vocabulary are an error. */
RAPT_API rapt_status rapt_detokenize(const rapt_model* model, const int32_t* ids, size_t count, char* text, size_t capacity,
                                     size_t* size);

/* A tokenizer without its model: from a GGUF or .safetensors file (of several the first, or their index; the others need not be there), a
 * Hugging Face folder, a tokenizer.json, or a vocab.txt.
 * Read-only after loading: any number of threads share it. */
typedef struct rapt_tokenizer rapt_tokenizer;

RAPT_API rapt_status rapt_tokenizer_load(const char* path, rapt_tokenizer** tokenizer);
RAPT_API void rapt_tokenizer_free(rapt_tokenizer* tokenizer); /* NULL is fine */
RAPT_API const char* rapt_tokenizer_kind(const rapt_tokenizer* tokenizer); /* "characters", "bpe", "wordpiece" */
RAPT_API int64_t rapt_tokenizer_vocab_size(const rapt_tokenizer* tokenizer);

enum {
  RAPT_SPELL_SPECIALS = 1, /* "<|im_end|>" in the text becomes its letters, not the special token */
  RAPT_WRAP = 2            /* adds the tokens that the model wants around a text: [CLS] and [SEP], or a beginning */
};

/* As rapt_tokenize and rapt_detokenize. flags: of the enumeration above, added up. */
RAPT_API rapt_status rapt_tokenizer_encode(const rapt_tokenizer* tokenizer, const char* text, size_t size, int flags,
                                           int32_t* ids, size_t capacity, size_t* count);
RAPT_API rapt_status rapt_tokenizer_decode(const rapt_tokenizer* tokenizer, const int32_t* ids, size_t count, char* text,
                                           size_t capacity, size_t* size);

/* A conversation as the model's family writes it down, up to where the model's answer begins. The markers become special tokens;
 * what was said never does, whatever it looks like. A conversation without a system message gets the family's own, where it has one.
 * ids, capacity and count as in rapt_tokenize. RAPT_UNSUPPORTED: the model has no chat format that rapt knows. */
typedef struct rapt_chat_message {
  const char* role;    /* "system", as a rule the first alone, "user" or "assistant" */
  const char* content; /* UTF-8, NUL-terminated, as role */
} rapt_chat_message;

RAPT_API rapt_status rapt_chat_ids(const rapt_model* model, const rapt_chat_message* messages, size_t num_messages, int32_t* ids,
                                   size_t capacity, size_t* count);

/* 4. Sessions: one sequence and its KV cache -------------------------------------------------------------------------- */

typedef struct rapt_session rapt_session;

/* Any number of sessions; together those of a model hold at most the tokens of 256 contexts, or 65,536 pages of 64 tokens where that is
 * more, in 4 TB at most, and less where addresses are limited (ulimit -v). Beyond it what needs another page is RAPT_OUT_OF_MEMORY. What
 * sessions give back serves the model's next ones; the system gets it with rapt_model_free. A session keeps scratch memory for passes as
 * large as its largest until it is freed. */
RAPT_API rapt_status rapt_session_create(rapt_model* model, rapt_session** session);
RAPT_API void rapt_session_free(rapt_session* session);

/* Appends `count` tokens and computes them; the same bits whether given at once or in pieces (but with backend "onednn").
 * logits: [count, vocab_size] for every position, or NULL; last_logits: [vocab_size] of the last one, or NULL, as it must be if
 * count is 0.
 * More tokens than context_length in all, or an id outside the vocabulary, is RAPT_INVALID_ARGUMENT and changes nothing. */
RAPT_API rapt_status rapt_session_append(rapt_session* session, const int32_t* ids, size_t count, float* logits,
                                         float* last_logits);
RAPT_API int64_t rapt_session_length(const rapt_session* session);
RAPT_API void rapt_session_clear(rapt_session* session); /* back to length 0 */

/* Writes at most `capacity` of the tokens so far and sets *count to how many there are. */
RAPT_API rapt_status rapt_session_ids(const rapt_session* session, int32_t* ids, size_t capacity, size_t* count);

/* rapt_session_append for several sessions of one model in one pass over its weights, with the same bits as one by one (but with backend "onednn"):
 * counts[i] >= 1 tokens at ids[i] for sessions[i], each session once. last_logits[i]: [vocab_size], or NULL; last_logits may be
 * NULL. The sessions belong to the calling thread until it returns. An error changes none of them. */
RAPT_API rapt_status rapt_sessions_append(rapt_session* const* sessions, size_t num_sessions, const int32_t* const* ids,
                                          const size_t* counts, float* const* last_logits);

/* A session with the same tokens, at the cost of a list: keys and values are kept in pages of 64 tokens, which both share until
 * one of them writes to the last. */
RAPT_API rapt_status rapt_session_fork(const rapt_session* session, rapt_session** fork);

/* Forgets all but the first `length` tokens, 0 <= length <= rapt_session_length. */
RAPT_API rapt_status rapt_session_rollback(rapt_session* session, int64_t length);

/* The tokens with their keys and values in a file with a checksum, and a session made from it: it goes on with the same bits.
 * The file belongs to the model, its configuration included, and to the kv_dtype and arithmetic it was saved with; it may
 * travel to a machine with another ISA level, if kv_dtype is named: RAPT_KV_AUTO depends on the level. A model is known by its
 * configuration and by the names and first 4,096 bytes of its tensors: that two differ only after those is not seen. Saving
 * replaces a file at once when the new one is complete, follows symbolic links and keeps the permissions. RAPT_IO_ERROR, also for
 * a path to no regular file (a device, a pipe), changes nothing. */
RAPT_API rapt_status rapt_session_save(rapt_session* session, const char* path);
RAPT_API rapt_status rapt_session_load(rapt_model* model, const char* path, rapt_session** session);

/* 5. Generation ------------------------------------------------------------------------------------------------------- */

typedef struct rapt_generate_params {
  size_t struct_size;
  const char* prompt; /* UTF-8, NUL-terminated; before it the token with which the model's texts begin, if it wants one; or prompt_ids
                         as they are; one of the two. Not empty, but for a prompt whose model has such a token */
  const int32_t* prompt_ids;
  size_t num_prompt_ids;
  int64_t num_tokens;        /* to write, at most: 0 (the default) writes none; -1: until the model ends its text, or its context is full */
  double temperature;        /* > 0; 0 (the default) is greedy: the most likely token, the lowest id on a tie */
  int64_t top_k;             /* keep the k most likely tokens; 0 (default): all */
  double top_p;              /* keep the most likely tokens that sum to p, 0 < p <= 1 (default 1: all) */
  double repetition_penalty; /* > 0, 1 (default): none; divides positive and multiplies negative logits of tokens seen
                                (Keskar et al. 2019, CTRL) */
  uint64_t seed;             /* the same seed, the same text, on the same ISA level of every machine; from avx512_vnni on, of every
                                CPU of the same maker, since there Intel's have other exponentials */
  size_t prompt_chunk;       /* most tokens a forward pass of the prompt, up to 256; 0: 256 */
  int ignore_ends;           /* other than 0: a token with which the model ends a text is shown, and the text goes on */
  /* NULL, or a session of the model: tokens that it has and that the prompt begins with are not computed again, others are
   * forgotten. A conversation costs what is new in it. Afterwards it holds the prompt and all that was written but the last token, which
   * is not computed until another is asked for: to go on with rapt_session_append, append that token first. Where the model ended its
   * text nothing is missing. Past the context it holds at most the last context_length tokens. */
  rapt_session* session;
  /* Called for every token written, and for every piece of text: whole UTF-8 characters; bytes of the vocabulary that make none
   * come as they are. A return other than 0 stops, which is no error; a token that on_token refuses counts as generated and is not passed to on_text,
   * nor are bytes before it that still waited for the rest of their character.
   * Both may be NULL. */
  int (*on_token)(int32_t id, void* user);
  int (*on_text)(const char* text, size_t size, void* user);
  /* As in rapt_model_params, of a prompt, and of a context that is read again: called between two forward passes, so that a
   * long one can be cancelled. The session then has the tokens that were computed. */
  int (*on_progress)(double done, void* user);
  void* user;
} rapt_generate_params;

static inline void rapt_generate_params_init(rapt_generate_params* params) {
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
  params->top_p = 1;
  params->repetition_penalty = 1;
}

typedef struct rapt_generate_stats {
  size_t struct_size;
  int64_t prompt_tokens, generated_tokens;
  int64_t reused_tokens; /* of the prompt: the session had them */
  double prompt_seconds, generate_seconds; /* generate: after the first token */
  int stopped;                             /* 1: a callback asked for it */
  int ended;                               /* 1: the model ended its text; the token that says so is not counted */
} rapt_generate_stats;

static inline void rapt_generate_stats_init(rapt_generate_stats* stats) {
  memset(stats, 0, sizeof *stats);
  stats->struct_size = sizeof *stats;
}

/* Writes text after the prompt. Past the context it goes on as nanoGPT does: the last context_length tokens are read again
 * for every token. A prompt longer than the context is RAPT_INVALID_ARGUMENT. stats may be NULL. */
RAPT_API rapt_status rapt_generate(rapt_model* model, const rapt_generate_params* params, rapt_generate_stats* stats);

/* The same for callers that ask for each token: params as above, of the callbacks on_progress alone. What they point to is
 * copied, but for user; the model and the session must outlive the generation. A session that was changed meanwhile is
 * RAPT_INVALID_ARGUMENT. */
typedef struct rapt_generation rapt_generation;

RAPT_API rapt_status rapt_generation_start(rapt_model* model, const rapt_generate_params* params, rapt_generation** generation);
/* Writes one token: *id, and the text that is whole with it: *size bytes at *text, perhaps none, valid until the next call. At the
 * end *id is -1, and the text is the rest: bytes that never became a character. text and size may be NULL. After an error, or
 * RAPT_CANCELLED, the next call goes on where that one stopped. */
RAPT_API rapt_status rapt_generation_next(rapt_generation* generation, int32_t* id, const char** text, size_t* size);
RAPT_API void rapt_generation_free(rapt_generation* generation); /* NULL is fine */

/* Mean negative log-likelihood (natural log) of a text, in windows of context_length + 1 tokens that share one token, as
 * nanoGPT's train.py estimates it but over the whole text; the rest shorter than a window is left out, unless there is no whole window.
 * perplexity = exp(loss). on_progress as in rapt_model_params; it and num_tokens (predicted, for the mean) may be NULL. A text of fewer
 * than two tokens is RAPT_INVALID_ARGUMENT. */
RAPT_API rapt_status rapt_eval(rapt_model* model, const char* text, size_t size, int (*on_progress)(double done, void* user),
                               void* user, double* loss, int64_t* num_tokens);

/* 6. Vectors of texts --------------------------------------------------------------------------------------------------- */

/* For models whose info says makes_vectors (others: RAPT_UNSUPPORTED, as sessions and generation are of these): vectors[num_texts,
 * embed_dim], each of length 1, so that the dot product of two is their cosine. Text n is UTF-8, texts[n], sizes[n] bytes; what goes
 * beyond context_length tokens is cut off. The texts may be of any lengths in any order: none is padded. The same bits for a text alone
 * and in any company. on_progress as in rapt_model_params, called on this thread; NULL is fine. After RAPT_CANCELLED or an error
 * vectors hold anything. May be called from several threads at once. */
RAPT_API rapt_status rapt_embed(rapt_model* model, const char* const* texts, const size_t* sizes, size_t num_texts,
                                int (*on_progress)(double done, void* user), void* user, float* vectors);

/* The same from ids, those that the model wants around a text (RAPT_WRAP) among them. Text n has the ids offsets[n] ..
 * offsets[n + 1] - 1, at least one and at most context_length; offsets[0] is 0. */
RAPT_API rapt_status rapt_embed_ids(rapt_model* model, const int32_t* ids, const size_t* offsets, size_t num_texts,
                                    int (*on_progress)(double done, void* user), void* user, float* vectors);

/* 7. Looking inside ------------------------------------------------------------------------------------------------------ */

typedef struct rapt_inspect_params {
  size_t struct_size;
  const int32_t* ids; /* a text, with what the model wants around it; 1 to context_length of them */
  size_t num_ids;
  /* The softmax of every head of a layer, weights[num_heads, num_ids, num_ids] (row i: how much token i takes from each), and
   * its entropy[num_heads, num_ids] in nats. Both are valid during the call. A return other than 0 is RAPT_CANCELLED. */
  int (*on_layer)(int64_t layer, const float* weights, const float* entropy, void* user);
  /* How long each phase takes in a pass that does nothing else, in their order: "embedding", then for every layer "projections",
   * "attention", "output" and "feed forward", then "head"; layer -1: of none. */
  void (*on_phase)(const char* phase, int64_t layer, double seconds, void* user);
  void* user; /* either callback may be NULL */
} rapt_inspect_params;

static inline void rapt_inspect_params_init(rapt_inspect_params* params) {
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
}

/* What the model does with a text, from the kernels' own outputs. For models that write and for those that make vectors.
 * RAPT_INVALID_FILE where a weight or an entropy is no finite number. */
RAPT_API rapt_status rapt_inspect(rapt_model* model, const rapt_inspect_params* params);

/* 8. Attention modules: the Transformer paper's, from PyTorch state dicts ---------------------------------------------- */

/* y = concat(head_1, ..., head_h) W_o + b_o,  head_i = softmax(scale * (x W_q)(x W_k)') (x W_v)
 * (Vaswani et al. 2017, sections 3.2.1 and 3.2.2). */
typedef struct rapt_module rapt_module; /* serves one call at a time: one for each thread that calls */

typedef struct rapt_module_params {
  size_t struct_size;
  const char* prefix; /* of the tensor names in the file, e.g. "encoder.0.self_attn."; NULL: "" */
  int64_t num_heads;  /* for multi-head attention; embed_dim is a multiple of it */
  int causal;         /* other than 0: a causal mask */
  double dropout;     /* 0 <= p < 1: accepted, and the identity, because this is inference */
  rapt_model_params model; /* threads, backend, ISA; rapt_module_params_init fills it */
} rapt_module_params;

static inline void rapt_module_params_init(rapt_module_params* params) {
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
  params->num_heads = 1;
  rapt_model_params_init(&params->model);
}

/* SingleHeadAttention: three projections, one head, no output projection. Tensor names: {query,key,value}.weight (and .bias),
 * or q_proj/k_proj/v_proj, or W_q/W_k/W_v. */
RAPT_API rapt_status rapt_single_head_attention_load(const char* safetensors, const rapt_module_params* params,
                                                     rapt_module** module);
/* MultiHeadAttention: names as torch.nn.MultiheadAttention (in_proj_weight, in_proj_bias, out_proj.weight, out_proj.bias), or
 * q_proj, k_proj, v_proj, out_proj with .weight and .bias, or heads.N.{query,key,value} and proj. */
RAPT_API rapt_status rapt_multi_head_attention_load(const char* safetensors, const rapt_module_params* params,
                                                    rapt_module** module);
RAPT_API void rapt_module_free(rapt_module* module);
RAPT_API int64_t rapt_module_embed_dim(const rapt_module* module);  /* of the input */
RAPT_API int64_t rapt_module_output_dim(const rapt_module* module);

/* y[batch, q_len, output_dim] from query [batch, q_len, embed_dim] and key_value [batch, kv_len, embed_dim], contiguous.
 * key_value NULL: self-attention (kv_len is ignored). A causal mask is aligned bottom right. */
RAPT_API rapt_status rapt_module_forward(rapt_module* module, int64_t batch, int64_t q_len, const float* query, int64_t kv_len,
                                         const float* key_value, float* y);

#ifdef __cplusplus
}
#endif
#endif /* RAPT_ENGINE_H_ */
