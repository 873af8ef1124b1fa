// Checks that the CPU this runs on, in practice the one that run_avx512.sh
// emulates, computes AVX-512 F/BW/DQ/VL instructions right. Prints OK and exits
// with 0, or prints what failed and exits with 1.
//
//   gcc -O2 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -o avx512_selftest avx512_selftest.c -lm
//   tests/emulation/run_avx512.sh -- ./avx512_selftest
#define _GNU_SOURCE
#include <immintrin.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

static int failures;
static float v[16], w[16], r[16];

#define CHECK(condition)                                                \
  do {                                                                  \
    if (!(condition)) {                                                 \
      ++failures;                                                       \
      printf("line %d: not so: %s\n", __LINE__, #condition);            \
    }                                                                   \
  } while (0)

// Hides from the compiler what memory holds, so that it computes nothing itself.
#define OPAQUE() __asm__ volatile("" ::: "memory")

static int linux_reports_avx512(void) {
  static const char *const wanted[] = {" avx512f", " avx512bw", " avx512dq", " avx512vl"};
  char line[8192];
  FILE *f = fopen("/proc/cpuinfo", "r");
  int found = 0;
  while (f && !found && fgets(line, sizeof line, f)) {
    if (strncmp(line, "flags", 5) != 0) continue;
    found = 1;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i) found &= strstr(line, wanted[i]) != NULL;
  }
  if (f) fclose(f);
  return found;
}

static void check_fma(void) {
  _mm512_storeu_ps(r, _mm512_fmadd_ps(_mm512_loadu_ps(v), _mm512_set1_ps(w[0]), _mm512_loadu_ps(w)));
  for (int i = 0; i < 16; ++i) CHECK(r[i] == fmaf(v[i], w[0], w[i]));
  // (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24, but 0 if the product is rounded.
  volatile float e = 1 + 0x1p-12f;
  _mm512_storeu_ps(r, _mm512_fmadd_ps(_mm512_set1_ps(e), _mm512_set1_ps(e), _mm512_set1_ps(-(1 + 0x1p-11f))));
  CHECK(r[0] == 0x1p-24f && r[15] == 0x1p-24f);
}

// Masked-off elements lie in an unreadable page and must not fault.
static void check_masked_access(void) {
  char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mprotect(pages + 4096, 4096, PROT_NONE) == 0);
  for (int n = 0; n <= 16; ++n) {
    float *p = (float *)(pages + 4096) - n;
    for (int i = 0; i < n; ++i) p[i] = 100 + i;
    OPAQUE();
    __mmask16 mask = (__mmask16)((1u << n) - 1);
    __m512 x = _mm512_maskz_loadu_ps(mask, p);
    _mm512_storeu_ps(r, x);
    for (int i = 0; i < 16; ++i) CHECK(r[i] == (i < n ? 100 + i : 0));
    _mm512_mask_storeu_ps(p, mask, _mm512_add_ps(x, x));
    OPAQUE();
    for (int i = 0; i < n; ++i) CHECK(p[i] == 200 + 2 * i);
    __mmask64 byte_mask = n == 16 ? ~(__mmask64)0 : ((__mmask64)1 << 4 * n) - 1;
    _mm512_storeu_si512(r, _mm512_maskz_loadu_epi8(byte_mask, p));
    CHECK(memcmp(r, p, 4 * (size_t)n) == 0);
  }
  munmap(pages, 8192);
}

static void check_scalef(void) {
  _mm512_storeu_ps(r, _mm512_scalef_ps(_mm512_loadu_ps(v), _mm512_set1_ps(-3)));
  for (int i = 0; i < 16; ++i) CHECK(r[i] == ldexpf(v[i], -3));
  volatile float one = 1;
  _mm512_storeu_ps(r, _mm512_scalef_ps(_mm512_set1_ps(one), _mm512_set1_ps(-149)));
  CHECK(r[0] == 0x1p-149f);
  _mm512_storeu_ps(r, _mm512_scalef_ps(_mm512_set1_ps(one), _mm512_set1_ps(-INFINITY)));
  CHECK(r[0] == 0);
}

static void check_permute_and_reduce(void) {
  static int index[16] = {15, 31, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0};
  OPAQUE();
  __m512 a = _mm512_loadu_ps(v), b = _mm512_loadu_ps(w);
  _mm512_storeu_ps(r, _mm512_permutex2var_ps(a, _mm512_loadu_si512(index), b));
  for (int i = 0; i < 16; ++i) CHECK(r[i] == (index[i] < 16 ? v[index[i]] : w[index[i] - 16]));
  CHECK(_mm512_reduce_add_ps(a) == 136);
  CHECK(_mm512_reduce_max_ps(a) == 16);
  CHECK(_mm512_reduce_min_ps(b) == -16);
  CHECK(_mm512_reduce_add_epi32(_mm512_loadu_si512(index)) == 15 + 31 + 22 + 6 + 21 + 5 + 20 + 4 + 19 + 3 + 18 + 2 + 17 + 1 + 16 + 0);
  CHECK(_mm512_cmp_ps_mask(a, _mm512_set1_ps(8), _CMP_LE_OQ) == 0xff);
  _mm512_mask_compressstoreu_ps(r, 0xaaaa, a);
  CHECK(r[0] == 2 && r[7] == 16);
}

// The guest kernel has to keep the upper registers and the masks across switches.
static void check_register_state(void) {
  struct timespec pause = {0, 30000000};
  long result = SYS_nanosleep;
  unsigned mask = 0;
  __asm__ volatile(
      "vmovups %[v], %%zmm31\n\t"
      "movl $0xa5a5, %[mask]\n\t"
      "kmovw %[mask], %%k7\n\t"
      "xorl %[mask], %[mask]\n\t"
      "syscall\n\t"
      "kmovw %%k7, %[mask]\n\t"
      "vaddps %%zmm31, %%zmm31, %%zmm30\n\t"
      "vmovups %%zmm30, %[r]"
      : "+a"(result), [mask] "+&r"(mask), [r] "=m"(r)
      : [v] "m"(v), "D"(&pause), "S"(0L)
      : "rcx", "r11", "memory", "xmm30", "xmm31", "k7");
  CHECK(result == 0);
  CHECK(mask == 0xa5a5);
  for (int i = 0; i < 16; ++i) CHECK(r[i] == 2 * v[i]);
}

int main(void) {
  for (int i = 0; i < 16; ++i) {
    v[i] = (float)(i + 1);
    w[i] = (float)(-i - 1);
  }
  OPAQUE();
  if (!linux_reports_avx512()) {
    puts("Linux does not report avx512f, avx512bw, avx512dq and avx512vl");
    return 1;
  }
  check_fma();
  check_masked_access();
  check_scalef();
  check_permute_and_reduce();
  check_register_state();
  printf("AVX-512 selftest: %s\n", failures ? "failed" : "OK");
  return failures != 0;
}
