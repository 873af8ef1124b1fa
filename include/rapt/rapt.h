/* rapt: exact attention on a CPU. This header is the C ABI and its manual; read it top to bottom.
 *
 *   O = softmax(mask(softmax_scale * Q K')) V          for every batch and head
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
 * tensors it is given; it leaves the caller's affinity and floating-point mode as they were. Compiles as C11 and C++17.
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

typedef enum rapt_dtype { RAPT_F32 = 0 } rapt_dtype;

/* A view, not owning: four dimensions [batch, heads, length, dim], strides in elements (any sign; 0 repeats an input).
 * The last dimension is contiguous (strides[3] == 1, or shape[3] <= 1). [B, L, H, D] storage and a fused QKV projection
 * are only other strides. A tensor with an extent of 0 may have data == NULL; data == NULL otherwise means "not given". */
typedef struct rapt_tensor {
  void* data;
  rapt_dtype dtype;
  int64_t shape[4];
  int64_t strides[4];
} rapt_tensor;

/* A contiguous f32 tensor [batch, heads, length, dim]. Inputs are never written to, whatever the cast says. */
static inline rapt_tensor rapt_tensor_f32(const float* data, int64_t batch, int64_t heads, int64_t length, int64_t dim) {
  rapt_tensor t;
  memset(&t, 0, sizeof t);
  memcpy(&t.data, &data, sizeof t.data);
  t.dtype = RAPT_F32;
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

/* 4. Attention --------------------------------------------------------------------------------------------------- */

/* Where the diagonal of a causal mask lies when q_len != kv_len. Query i sees key j when
 *   top left:      j <= i
 *   bottom right:  j <= i + kv_len - q_len       (the queries are the last of the keys' positions, as with a KV cache) */
typedef enum rapt_causal {
  RAPT_CAUSAL_NONE = 0,
  RAPT_CAUSAL_TOP_LEFT = 1,
  RAPT_CAUSAL_BOTTOM_RIGHT = 2
} rapt_causal;

typedef struct rapt_attention_params {
  size_t struct_size;   /* set by rapt_attention_params_init; how later versions know which fields you have */
  rapt_tensor q;        /* [batch, num_q_heads, q_len, head_dim] */
  rapt_tensor k;        /* [batch, num_kv_heads, kv_len, head_dim]; num_q_heads is a multiple of num_kv_heads, */
  rapt_tensor v;        /* [batch, num_kv_heads, kv_len, head_dim_v]  and query head h reads KV head h / group_size */
  rapt_tensor out;      /* [batch, num_q_heads, q_len, head_dim_v]; must not overlap q, k, v or itself */
  rapt_tensor lse;      /* [batch, num_q_heads, q_len, 1] or data == NULL: log(sum(exp(scores))) of each row */
  double softmax_scale; /* finite; NAN (the default) means 1 / sqrt(head_dim) */
  rapt_causal causal;
} rapt_attention_params;

/* Everything to its default: no tensors, scale 1 / sqrt(head_dim), no mask. Call it first. */
static inline void rapt_attention_params_init(rapt_attention_params* params) {
  memset(params, 0, sizeof *params);
  params->struct_size = sizeof *params;
  params->softmax_scale = (double)NAN;
}

typedef struct rapt_context rapt_context;

/* Computes params->out (and lse). `context` may be NULL: the defaults of section 5, one hidden context a thread.
 * - A row that sees no key, or whose scores are all -infinity, gives 0 and lse = -infinity, never NaN.
 * - NaN or infinity in something that a row sees reaches that row and no other; in something masked it reaches nothing.
 * - The same input gives the same bits for any number of threads, alone or in a batch, whole or in chunks of queries.
 * Memory beyond the tensors: rapt_workspace_size. Returns RAPT_INVALID_ARGUMENT, RAPT_UNSUPPORTED, RAPT_OUT_OF_MEMORY. */
RAPT_API rapt_status rapt_attention(rapt_context* context, const rapt_attention_params* params);

/* What rapt_attention would do with these parameters, as one line of text:
 * "rapt avx2, 32 query heads on 8 KV heads, block 192x512, keys packed, values in place, 1 split, 64 tasks, 0.9 MiB workspace a thread".
 * Writes at most `size` bytes with the final NUL (text may be NULL if size is 0). The data pointers are not looked at. */
RAPT_API rapt_status rapt_explain(rapt_context* context, const rapt_attention_params* params, char* text, size_t size);

/* The bytes that rapt_attention would take from the context's allocator, all threads together. */
RAPT_API rapt_status rapt_workspace_size(rapt_context* context, const rapt_attention_params* params, size_t* bytes);

/* One attention over the keys of two, from the results over each: out = softmax over both. Shapes as `out` and `lse` above;
 * lse_a, lse_b and lse are required. `out` may be a or b, and `lse` lse_a or lse_b, exactly (same data and strides). */
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

/* 5. Contexts: threads, backend, ISA level, allocator ------------------------------------------------------------- */

typedef struct rapt_context_params {
  size_t struct_size;
  int num_threads;     /* 0: as many as the process may use (affinity, container quota, OMP_NUM_THREADS) */
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

/* `params` may be NULL: all defaults. A context serves one call at a time; use one for each thread that calls. */
RAPT_API rapt_status rapt_context_create(const rapt_context_params* params, rapt_context** context);
RAPT_API void rapt_context_destroy(rapt_context* context); /* NULL is fine */

/* What the context settled on. `context` may be NULL as in rapt_attention. */
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

/* Version text of what stands behind a backend ("oneDNN 2.6.3"), or why it is missing. */
RAPT_API const char* rapt_backend_version(const char* backend);

typedef struct rapt_machine_info {
  size_t struct_size;
  char cpu[64];             /* brand string */
  const char* best_isa;     /* the highest level the CPU has */
  const char* chosen_isa;   /* that, or lower by RAPT_ISA */
  int logical_cpus;         /* online */
  int num_threads;          /* what num_threads = 0 means */
  char threads_reason[128]; /* which limit decided it: "affinity mask of 2 CPUs" */
  int64_t l1d_bytes, l2_bytes, l3_bytes; /* per core for L1 and L2; 0: unknown */
  char openmp[64];          /* "OpenMP 4.5 (201511)" or "none" */
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
