/* rapt: exact attention on a CPU. This header is the C ABI and its manual; read it top to bottom.
 *
 *   O = softmax(mask(bias(softcap(softmax_scale * Q K')))) V          for every batch and head
 *
 * 1. A first call
 *
 *     float q[2*4*8*64], k[2*4*8*64], v[2*4*8*64], o[2*4*8*64];          // fill q, k and v
 *     rapt_attention_params call;
 *     rapt_attention_params_init(&call);
 *     call.q = rapt_tensor_f32(q, 2, 4, 8, 64);                          // batch, heads, length, head_dim
 *     call.k = rapt_tensor_f32(k, 2, 4, 8, 64);
 *     call.v = rapt_tensor_f32(v, 2, 4, 8, 64);
 *     call.out = rapt_tensor_f32(o, 2, 4, 8, 64);
 *     call.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
 *     if (rapt_attention(NULL, &call) != RAPT_OK) puts(rapt_last_error());
 *
 * What every function promises: it never prints, aborts, exits or throws; it reads and writes not one byte outside the
 * tensors it is given; it leaves the caller's affinity and floating-point mode as they were. One thing is beyond it: GNU OpenMP
 * prints a line and ends the process where the system gives it no thread (ulimit -u, a cgroup's pids); calls on one thread need none.
 * On a CPU with AMX the first use asks Linux for its tiles, after which sigaltstack refuses stacks below 12 KiB
 * (sysconf(_SC_SIGSTKSZ)); where the environment's RAPT_ISA names a lower level it does not ask. Compiles as C11 and C++17.
 */
#ifndef RAPT_RAPT_H_
#define RAPT_RAPT_H_

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(RAPT_BUILDING)
#define RAPT_API __attribute__((visibility("default")))
#else
#define RAPT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* 2. Status and errors ------------------------------------------------------------------------------------------- */

typedef enum rapt_status {
  RAPT_OK = 0,
  RAPT_INVALID_ARGUMENT = 1, /* an argument is wrong; the text names it and says what is right */
  RAPT_UNSUPPORTED = 2,      /* right, but this build, backend or CPU cannot do it */
  RAPT_OUT_OF_MEMORY = 3,
  RAPT_IO_ERROR = 4,     /* a file cannot be opened or read */
  RAPT_INVALID_FILE = 5, /* a file was read, and is not what it claims to be */
  RAPT_CANCELLED = 6,    /* a callback asked to stop */
  RAPT_INTERNAL = 7      /* a defect of rapt */
} rapt_status;

/* "RAPT_OK", "RAPT_INVALID_ARGUMENT", ... Never NULL. */
RAPT_API const char* rapt_status_name(rapt_status status);

/* The text of the calling thread's last failed call, e.g.
 * "rapt_attention: k.shape[3] is 96, but q.shape[3] is 128; the head sizes of q and k must agree".
 * Empty when nothing failed yet. Valid until the thread's next failing call. Never NULL. */
RAPT_API const char* rapt_last_error(void);

/* "0.1.0" */
RAPT_API const char* rapt_version(void);

/* 3. Tensors ----------------------------------------------------------------------------------------------------- */

typedef enum rapt_dtype {
  RAPT_F32 = 0,
  RAPT_BF16 = 1, /* the upper half of an f32 */
  RAPT_F16 = 2,  /* IEEE half */
  RAPT_I8 = 3,   /* K and V only, with k_scale and v_scale */
  RAPT_BOOL = 4  /* masks only: one byte, 0 is false */
} rapt_dtype;

/* A view, not owning: four dimensions [batch, heads, length, dim], strides in elements (any sign; 0 repeats an input).
 * The last dimension is contiguous (strides[3] == 1, or shape[3] <= 1). [B, L, H, D] storage and a fused QKV projection
 * are only other strides. data is aligned as its type is, the stride of an extent of 1 may be anything.
 * A tensor with an extent of 0 may have data == NULL; data == NULL otherwise means "not given". */
typedef struct rapt_tensor {
  void* data;
  rapt_dtype dtype;
  int64_t shape[4];
  int64_t strides[4];
} rapt_tensor;

/* A contiguous tensor [batch, heads, length, dim]. Inputs are never written to, whatever the cast says. */
static inline rapt_tensor rapt_tensor_of(const void* data, rapt_dtype dtype, int64_t batch, int64_t heads, int64_t length,
                                         int64_t dim) {
  rapt_tensor t;
  memset(&t, 0, sizeof t);
  memcpy(&t.data, &data, sizeof t.data);
  t.dtype = dtype;
  t.shape[0] = batch;
  t.shape[1] = heads;
  t.shape[2] = length;
  t.shape[3] = dim;
  t.strides[3] = 1;
  t.strides[2] = dim;
  t.strides[1] = (int64_t)((uint64_t)length * (uint64_t)dim);
  t.strides[0] = (int64_t)((uint64_t)heads * (uint64_t)t.strides[1]);
  return t;
}

static inline rapt_tensor rapt_tensor_f32(const float* data, int64_t batch, int64_t heads, int64_t length, int64_t dim) {
  return rapt_tensor_of(data, RAPT_F32, batch, heads, length, dim);
}

/* 4. Attention --------------------------------------------------------------------------------------------------- */

/* Every query has a position: query i of batch b stands at p = q_offsets[b] + i, key j at j. Causal and window limits are relative to
 * it. Without q_offsets the corner decides:
 *   top left:      p = i
 *   bottom right:  p = i + kv_length - q_len      (the queries are the last of the keys' positions, as with a KV cache)
 * and RAPT_CAUSAL_NONE with a window is bottom right. A causal query sees the keys j <= p. */
typedef enum rapt_causal {
  RAPT_CAUSAL_NONE = 0,
  RAPT_CAUSAL_TOP_LEFT = 1,
  RAPT_CAUSAL_BOTTOM_RIGHT = 2
} rapt_causal;

/* How K lies in pages. PANELS: f32, bf16 or f16 as the kernels read it, written by rapt_kv_append, so that they transpose nothing;
 * the arithmetic is f32, but that of rows on level amx_bf16. A head's page of K is contiguous, of a multiple of 64 tokens. Its
 * order depends on the ISA level: contexts that write and that read the same pages must have the same one. */
typedef enum rapt_kv_layout { RAPT_KV_ROWS = 0, RAPT_KV_PANELS = 1 } rapt_kv_layout;

/* Changes the scores of one query row in place, after softcap, bias and ALiBi: s[0 .. num_keys-1] belong to the keys first_key,
 * first_key + 1, ... Natural units; -INFINITY hides a key. Called from many threads at a time. What it writes may depend on its arguments
 * alone: it may be called several times for the same keys, for keys that a mask hides afterwards, and with 0 in place of -INFINITY. It must
 * not call rapt_attention with the context of its own call, nor with NULL: RAPT_INVALID_ARGUMENT where that is the same context. */
typedef struct rapt_score_row {
  int64_t batch, head, query, first_key, num_keys;
} rapt_score_row;
typedef void (*rapt_score_fn)(float* s, const rapt_score_row* row, void* user);

/* Only q, k, v and out are needed. A pointer that is NULL and a tensor whose data is NULL are not given. */
typedef struct rapt_attention_params {
  size_t struct_size;   /* set by rapt_attention_params_init; how later versions know which fields you have */
  rapt_tensor q;        /* [batch, num_q_heads, q_len, head_dim] f32, bf16 or f16. The arithmetic is f32, except where q, k and v are all
                           bf16 and the level is amx_bf16, or avx512_bf16 on other CPUs than Intel's, where f32 is faster: products of bf16 with f32 sums,
                           weights rounded to bf16, and elements, products and sums below 2^-126 count as 0 */
  rapt_tensor k;        /* [batch, num_kv_heads, kv_len, head_dim]; num_q_heads is a multiple of num_kv_heads, */
  rapt_tensor v;        /* [batch, num_kv_heads, kv_len, head_dim_v]  and query head h reads KV head h / group_size; also i8 */
  rapt_tensor out;      /* [batch, num_q_heads, q_len, head_dim_v] f32, bf16 or f16; must not overlap q, k, v or itself */
  rapt_tensor lse;      /* [batch, num_q_heads, q_len, 1] f32 or not given: log(sum(exp(scores))) of each row, its sink among them */
  double softmax_scale; /* finite; NAN (the default) means 1 / sqrt(head_dim) */
  rapt_causal causal;

  /* Masks that are intervals of keys; whatever lies outside costs nothing. */
  int64_t window_left, window_right;   /* sees the keys p - window_left .. p + window_right; -1 (default): no limit */
  const int64_t* kv_lengths;           /* [batch]: keys in use; the default is all of k */
  const int64_t* q_offsets;            /* [batch]: position of query 0 */
  const int64_t* prefix_lengths;       /* [batch]: keys below it are visible to every query (prefix LM); not with window_left */

  /* Ragged batches: q, out and lse hold the queries of all sequences one after the other, k and v the keys; batch is 1. Sequence n
   * has the queries cu_seqlens_q[n] .. cu_seqlens_q[n+1] - 1 and likewise keys. q_offsets and prefix_lengths are then [num_sequences].
   * Queries after the last sequence belong to none: their rows of out, lse, entropy and max_score are not written.
   * Not together with kv_lengths, block_table, mask, bias, block_mask, documents, tree_mask or weights. */
  int64_t num_sequences;
  const int64_t *cu_seqlens_q, *cu_seqlens_k;  /* [num_sequences + 1], from 0, not falling; both or neither */

  /* Masks read element by element, where a block is not hidden as a whole. An extent of 1 for batch, heads or (mask, bias) q_len is
   * broadcast. With a block_table kv_len is, here and below, the largest of kv_lengths. */
  rapt_tensor mask;        /* [batch, num_q_heads, q_len, kv_len] bool (true: attend), or f32, bf16, f16: added, -infinity hides */
  rapt_tensor block_mask;  /* [batch, num_q_heads, ceil(q_len / block_mask_q), ceil(kv_len / block_mask_kv)] bool */
  int64_t block_mask_q, block_mask_kv;
  const int32_t *q_documents, *k_documents;  /* [batch, q_len], [batch, kv_len]: sees keys of its own document; both or neither */
  const uint64_t* tree_mask; /* [batch, q_len, ceil(q_len / 64)]: bit j: sees key kv_length - q_len + j; earlier keys are visible */

  /* Scores */
  double softcap;             /* > 0: s = softcap * tanh(s / softcap); 0 (default): none */
  rapt_tensor bias;           /* as an additive mask; for relative positions (T5, Swin) */
  const float* alibi_slopes;  /* [num_q_heads]: s -= slope * |p - j| */
  const float* sinks;         /* [num_q_heads]: a logit that takes weight and has no value; it counts in lse, not in max_score. Of
                                 results to be merged (rapt_merge) only one may have it */
  rapt_score_fn score;
  void* score_user;

  /* i8 keys and values: k = k_scale * stored, one factor a token and head. */
  rapt_tensor k_scale, v_scale;  /* [batch, num_kv_heads, kv_len, 1] f32 */

  /* Paged K and V: k, v and the scales are [num_pages, num_kv_heads, page_size, dim], key j of batch b lies in page
   * block_table[b * block_table_stride + j / page_size]. Needs kv_lengths. */
  const int32_t* block_table;
  int64_t block_table_stride;  /* entries from one batch's to the next's */
  rapt_kv_layout k_layout;

  /* More to know about the weights; each costs a second look at the keys. */
  rapt_tensor weights;          /* [batch, num_weight_heads, num_weight_rows, kv_len] f32: softmax of the chosen heads and rows */
  const int64_t* weight_heads;  /* [weights.shape[1]] query heads; default 0, 1, ... */
  const int64_t* weight_rows;   /* [weights.shape[2]] queries; default 0, 1, ... */
  rapt_tensor column_sums;      /* [batch, num_q_heads, kv_len, 1] f32: sum of the weights that each key got */
  rapt_tensor entropy;          /* [batch, num_q_heads, q_len, 1] f32: -sum(p log p), in nats */
  rapt_tensor max_score;        /* [batch, num_q_heads, q_len, 1] f32; -infinity for a row that sees nothing, NaN where a
                                   score is NaN or +infinity */
} rapt_attention_params;

/* Everything to its default: no tensors, scale 1 / sqrt(head_dim), no mask. Call it first. */
static inline void rapt_attention_params_init(rapt_attention_params* params) {
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
  params->softmax_scale = (double)NAN;
  params->window_left = -1;
  params->window_right = -1;
}

typedef struct rapt_context rapt_context;

/* Computes params->out (and lse). `context` may be NULL: the defaults of section 5, one hidden context a thread.
 * - A row that sees no key, or whose scores are all -infinity, gives 0 and lse = -infinity (with a sink: the sink), never NaN.
 * - NaN or infinity in something that a row sees reaches that row and no other; in something masked it reaches nothing.
 * - The same input gives the same bits for any number of threads, alone or in a batch, whole or in chunks of queries
 *   (chunks: not with backend "onednn", whose sums depend on the number of rows).
 * Memory beyond the tensors: rapt_workspace_size. Returns RAPT_INVALID_ARGUMENT, RAPT_UNSUPPORTED, RAPT_OUT_OF_MEMORY. */
RAPT_API rapt_status rapt_attention(rapt_context* context, const rapt_attention_params* params);

/* What rapt_attention would do with these parameters, as one line of text:
 * "rapt avx2, f32 products, 32 query heads on 8 KV heads, block 684x256, keys packed, values packed, 1 split, 48 tasks, causal, 1.6 MiB workspace a thread".
 * Writes at most `size` bytes with the final NUL (text may be NULL if size is 0). The tensors' data is not looked at: one with a shape is
 * given. The arrays (kv_lengths, block_table and so on) are read. Returns what rapt_attention would, but for RAPT_OUT_OF_MEMORY. */
RAPT_API rapt_status rapt_explain(rapt_context* context, const rapt_attention_params* params, char* text, size_t size);

/* The bytes that rapt_attention would take from the context's allocator, all threads together. Looks at what rapt_explain does. */
RAPT_API rapt_status rapt_workspace_size(rapt_context* context, const rapt_attention_params* params, size_t* bytes);

/* One attention over the keys of two, from the results over each: out = softmax over both. Shapes as `out` and `lse` above, all f32;
 * lse_a, lse_b and lse are required. `out` may be a or b, and `lse` lse_a or lse_b, exactly (same data and strides). Returns what rapt_attention returns. */
typedef struct rapt_merge_params {
  size_t struct_size;
  rapt_tensor a, lse_a; /* [batch, heads, length, dim], [batch, heads, length, 1] */
  rapt_tensor b, lse_b;
  rapt_tensor out, lse;
} rapt_merge_params;

static inline void rapt_merge_params_init(rapt_merge_params* params) {
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
}

RAPT_API rapt_status rapt_merge(rapt_context* context, const rapt_merge_params* params);

/* Appends tokens to a paged cache, converting to its storage: f32, bf16, f16, or i8 with the largest magnitude of a token and head at
 * 127. Token i of batch b becomes key kv_lengths[b] + i. Pages must be in the table; page_size a multiple of 64 for panels. kv_lengths is left as
 * it is: add `length` to it after the call. Sequences of one call that share a page must not both write into it.
 * Returns RAPT_INVALID_ARGUMENT, RAPT_UNSUPPORTED or RAPT_OUT_OF_MEMORY; after an error nothing has been written. */
typedef struct rapt_kv_append_params {
  size_t struct_size;
  rapt_tensor k, v;              /* new tokens, [batch, num_kv_heads, length, dim] f32 */
  rapt_tensor k_pages, v_pages;  /* [num_pages, num_kv_heads, page_size, dim] */
  rapt_tensor k_scale, v_scale;  /* [num_pages, num_kv_heads, page_size, 1] f32 for i8 pages */
  const int32_t* block_table;    /* as in rapt_attention_params */
  int64_t block_table_stride;
  const int64_t* kv_lengths;     /* [batch], before the call */
  rapt_kv_layout k_layout;
} rapt_kv_append_params;

static inline void rapt_kv_append_params_init(rapt_kv_append_params* params) {
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
}

RAPT_API rapt_status rapt_kv_append(rapt_context* context, const rapt_kv_append_params* params);

/* 5. Contexts: threads, backend, ISA level, allocator ------------------------------------------------------------- */

enum { RAPT_MAX_THREADS = 4096 };

typedef struct rapt_context_params {
  size_t struct_size;
  int num_threads;     /* at most RAPT_MAX_THREADS; 0: as many as affinity, container quota and OMP_NUM_THREADS allow */
  const char* backend; /* NULL = "rapt"; see rapt_backend_name */
  const char* isa;     /* NULL: the best the CPU has, or the environment's RAPT_ISA; see rapt_isa_name */
  /* Both or neither. alloc returns `bytes` bytes aligned to `alignment` (a power of two, at most 4096), or NULL. */
  void* (*alloc)(size_t bytes, size_t alignment, void* user);
  void (*free)(void* pointer, void* user);
  void* user;
} rapt_context_params;

static inline void rapt_context_params_init(rapt_context_params* params) {
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
}

/* `params` may be NULL: all defaults. A context serves one call at a time; use one for each thread that calls. After an error (of the argument
 * that rapt_last_error names; RAPT_UNSUPPORTED for a level or backend that is not here; RAPT_OUT_OF_MEMORY) *context is NULL. */
RAPT_API rapt_status rapt_context_create(const rapt_context_params* params, rapt_context** context);
RAPT_API void rapt_context_destroy(rapt_context* context); /* NULL is fine */

/* What the context settled on. `context` may be NULL as in rapt_attention; where there can be no default one, because RAPT_ISA names no level,
 * they give 0 and "". All texts that functions here return live as long as the program. */
RAPT_API int rapt_context_num_threads(rapt_context* context);
RAPT_API const char* rapt_context_backend(rapt_context* context);
RAPT_API const char* rapt_context_isa(rapt_context* context);

/* 6. What this build and this machine have -------------------------------------------------------------------------- */

/* Names by index from 0; NULL past the last. Every name is listed, whether or not it can run here. */
RAPT_API const char* rapt_isa_name(int index);     /* "scalar", "avx2", ... from the lowest level to the highest */
RAPT_API const char* rapt_backend_name(int index); /* "rapt", "reference", "onednn" */

/* RAPT_OK, or RAPT_UNSUPPORTED with rapt_last_error() saying why this CPU or this build cannot. */
RAPT_API rapt_status rapt_isa_available(const char* isa);
RAPT_API rapt_status rapt_backend_available(const char* backend);

/* Version text of what stands behind a backend ("oneDNN 2.6.3"), or why it is missing; "no such backend" for another name. */
RAPT_API const char* rapt_backend_version(const char* backend);

typedef struct rapt_machine_info {
  size_t struct_size;
  char cpu[64];             /* brand string */
  const char* best_isa;     /* the highest level the CPU has; without tiles where RAPT_ISA keeps them from being asked for */
  const char* chosen_isa;   /* that, or lower by RAPT_ISA */
  int logical_cpus;         /* online */
  int num_threads;          /* what num_threads = 0 means */
  char threads_reason[128]; /* which limit decided it: "affinity mask of 2 CPUs" */
  int64_t l1d_bytes, l2_bytes, l3_bytes; /* per core for L1 and L2; 0: unknown */
  char openmp[64];          /* "OpenMP 201511" or "none" */
} rapt_machine_info;

static inline void rapt_machine_info_init(rapt_machine_info* info) {
  memset(info, 0, sizeof *info);
  info->struct_size = sizeof *info;
}

RAPT_API rapt_status rapt_get_machine_info(rapt_machine_info* info);

#ifdef __cplusplus
}
#endif
#endif /* RAPT_RAPT_H_ */
