// Implements machine/limits.h.
#include "bench/machine/limits.h"

#include <algorithm>
#include <barrier>
#include <functional>
#include <thread>
#include <vector>

#include "bench/common/buffer.h"
#include "bench/common/timing.h"

namespace rapt::bench {
namespace {

// Does one piece of work and returns how much it was.
using Piece = std::function<double()>;

struct ThreadResult {
  double work = 0;
  Times times;
};

ThreadResult repeat(const Piece& piece, double seconds) {
  ThreadResult result;
  std::vector<double> samples;
  const double start = now();
  while (samples.empty() || now() - start < seconds) {
    const double before = now();
    result.work = piece();
    samples.push_back(now() - before);
  }
  result.times = summarize(std::move(samples));
  return result;
}

// make_piece runs on the thread that uses the piece, so that its memory is near.
Rate rate_of(int threads, double seconds, const std::function<Piece()>& make_piece) {
  std::vector<ThreadResult> results(threads);
  std::barrier start(threads);
  const auto run = [&](int index) {
    const Piece piece = make_piece();
    repeat(piece, seconds / 10);  // the clock rises, the pages come
    start.arrive_and_wait();
    results[index] = repeat(piece, seconds);
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(run, i);
  run(0);
  for (std::thread& other : others) other.join();
  Rate rate;
  rate.piece_seconds = results[0].times.min;
  rate.pieces = results[0].times.samples;
  for (const ThreadResult& result : results) {
    rate.best += result.work / result.times.min;
    rate.median += result.work / result.times.median;
  }
  return rate;
}

// Short, so that many are undisturbed; long against the 25 ns of reading the clock.
constexpr double kPieceSeconds = 1e-4;

Rate loop_rate(void (*loop)(std::int64_t), double work_per_step, int threads, double seconds) {
  return rate_of(threads, seconds, [=]() -> Piece {
    constexpr std::int64_t kProbe = 10'000;
    loop(kProbe);
    const double before = now();
    loop(kProbe);
    const auto steps = std::max<std::int64_t>(1, static_cast<std::int64_t>(kProbe * kPieceSeconds / (now() - before)));
    return [=] {
      loop(steps);
      return static_cast<double>(steps) * work_per_step;
    };
  });
}

}  // namespace

Rate fma_rate(const MachineLoops& loops, int threads, double seconds) {
  return loop_rate(loops.fma, loops.flops_per_step, threads, seconds);
}

Rate int8_rate(const MachineLoops& loops, int threads, double seconds) {
  return loop_rate(loops.int8, loops.int8_ops_per_step, threads, seconds);
}

Rate bf16_rate(const MachineLoops& loops, int threads, double seconds) {
  return loop_rate(loops.bf16_dot, loops.bf16_flops_per_step, threads, seconds);
}

namespace {

// A slice of memory as it comes, or with what lies 6 KiB behind asked for meanwhile: Zen 5 reads 44 instead of 40 GB/s so, out of DRAM.
void read_slice(const MachineLoops& loops, const float* data, std::int64_t bytes, bool ask_ahead) {
  if (!ask_ahead) return loops.read(data, bytes);
  constexpr std::int64_t kStep = 1024, kAhead = 6 * 1024;
  for (std::int64_t at = 0; at < bytes; at += kStep) {
    for (std::int64_t line = 0; line < kStep; line += 64)
      __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(data) + static_cast<std::uintptr_t>(at + kAhead + line)));
    loops.read(data + at / 4, kStep);
  }
}

Rate read_rate_of(const MachineLoops& loops, std::int64_t bytes, int threads, double seconds, bool ask_ahead) {
  constexpr std::int64_t kSlice = std::int64_t{1} << 20;
  // A piece is several passes over a small buffer, or the next slice of a large one.
  const std::int64_t slice = std::clamp<std::int64_t>(bytes / 1024 * 1024, 1024, kSlice);
  bytes = std::max(bytes / slice * slice, slice);
  return rate_of(threads, seconds, [&, bytes, slice, ask_ahead]() -> Piece {
    const auto buffer = std::make_shared<Buffer>(random_buffer(bytes / 4, 1));
    loops.read(buffer->get(), slice);
    const double before = now();
    loops.read(buffer->get(), slice);
    const auto passes =
        bytes > slice ? 1 : std::max<std::int64_t>(1, static_cast<std::int64_t>(kPieceSeconds / (now() - before)));
    return [&loops, buffer, bytes, slice, passes, ask_ahead, offset = std::int64_t{0}]() mutable {
      for (std::int64_t i = 0; i < passes; ++i) {
        read_slice(loops, buffer->get() + offset / 4, slice, ask_ahead);
        offset = (offset + slice) % bytes;
      }
      return static_cast<double>(passes * slice);
    };
  });
}

}  // namespace

Rate read_rate(const MachineLoops& loops, std::int64_t bytes, int threads, double seconds) {
  const Rate plain = read_rate_of(loops, bytes, threads, seconds / 2, false), ahead = read_rate_of(loops, bytes, threads, seconds / 2, true);
  return ahead.median > plain.median ? ahead : plain;
}

std::int64_t dram_bytes(std::int64_t l3_bytes, int threads) {
  const std::int64_t together = std::max<std::int64_t>(4 * l3_bytes, std::int64_t{256} << 20);
  return std::max<std::int64_t>(together / threads, std::int64_t{16} << 20);
}

double core_clock() {
#if defined(__x86_64__)
  // A chain of register additions advances by one a cycle on every x86-64 core.
  constexpr std::int64_t kRounds = 100'000;
  double best = 0;
  for (int i = 0; i < 20; ++i) {
    std::int64_t rounds = kRounds, value = 0, one = 1;
    const double before = now();
    asm volatile(
        ".p2align 6\n"
        "1:\n\t"
        ".rept 20\n\t"
        "add %[one], %[value]\n\t"
        ".endr\n\t"
        "dec %[rounds]\n\t"
        "jnz 1b"
        : [rounds] "+r"(rounds), [value] "+r"(value)
        : [one] "r"(one)
        : "cc");
    best = std::max(best, 20.0 * kRounds / (now() - before));
  }
  return best;
#else
  return 0;
#endif
}

}  // namespace rapt::bench
