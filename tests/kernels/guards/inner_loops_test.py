"""inner_loops_test.py COMPILER BUILD_TYPE OBJECT...: the inner loops of the ISA objects keep everything in registers, and functions that
call others set up a frame, so that perf can say who called (GCC gives leaf functions that need no stack none, whatever the flags).

A register tile that does not fit after a change still computes the right numbers, slower by a third; nothing else notices. An inner
loop is an innermost loop without calls that does at least four fused multiply-adds (or dot products of bf16, of pairs or tiles) a round. It must not touch the stack; what a level
with sixteen registers cannot hold is in ALLOWED, with its reason.
"""

from __future__ import annotations

import pathlib
import re
import shutil
import sys

from loops import Instruction, Loop, disassemble, innermost_loops
from skip import skip

COMPILER = "GNU"
BUILD_TYPES = ("Release", "RelWithDebInfo")
LEAST_FMAS = 4
# What a level must have: a guard that finds no loop guards nothing.
REQUIRED_F32 = (r"gemm_f32_\d+x\d+__\w+$", r"gemm_bias_f32_\d+x\d+__\w+$", r"\bgemm_tiles<", r"\brow_exp<", r"\bdequant_gemv_panels<")
REQUIRED_AVX512 = (*REQUIRED_F32, r"gemm_max_f32_\d+x\d+__\w+$", r"gemm_exp_f32_\d+x\d+__\w+$", r"\bsoftmax_last_tiles<")
REQUIRED_BF16 = (r"gemm_bf16_\d+x\d+__\w+$", r"gemm_max_bf16_\d+x\d+__\w+$", r"gemm_exp_bf16_\d+x\d+__\w+$", r"\bbf16_softmax_narrow_tiles<", r"\bbf16_panel<",
                 r"\bbf16_row_exp<")
REQUIRED_INTEL = (r"\bgemv_panels<", r"gemm_f32_\d+x\d+__\w+$", r"gemm_bias_f32_\d+x\d+__\w+$", r"gemm_max_f32_\d+x\d+__\w+$", r"\bgemm_tiles<", r"\brow_exp<", r"\bweigh_rows<")
REQUIRED_AMX = (r"\bint8_gemv_panels<", r"gemm_bf16_\d+x\d+__\w+$", r"\btile_max_rows<", r"\btile_weigh<", r"\bbf16_row_exp<", r"\btile_transposed_strip<", r"\btile_stored_columns<")
REQUIRED = {"avx2": REQUIRED_F32, "avx512": REQUIRED_AVX512, "avx512_intel": REQUIRED_INTEL, "avx512_bf16": REQUIRED_BF16, "amx_bf16": REQUIRED_AMX}

# Level, function, the most stack accesses in a round, why.
ALLOWED = (
    ("avx2", r"^row_exp<", 27, "sixteen registers for four vectors, four sums and twelve constants, which are operands of the FMAs"),
    ("avx2", r"^gemm_tiles<.*, true, float>$", 1, "the mask of the last columns"),
    ("avx2", r"^gelu_erf<", 6, "constants"),
    ("avx2", r"^dequant_gemv_panels<simd::Avx2, 1, (Q[45]_[01]|IQ4_XS)<", 14, "words of nibbles, kept for their upper halves, in 394 instructions of 32 inputs"),
    ("avx2", r"^dequant_gemv_panels<simd::Avx2, 1, Q2_K<", 23, "two scales and two offsets of each vector beside four sums, in 492 instructions of 32 inputs"),
    ("avx512", r"^dequant_gemv_panels<simd::Avx512, 2, Q2_K<", 3, "a mask and a pointer beside sixteen scales and offsets, in 911 instructions of 32 inputs"),
    ("avx512", r"^dequant_gemv_panels<simd::Avx512, 2, Q6_K<", 2, "a pointer, in 1025 instructions of 32 inputs"),
    ("avx2", r"^(softcap|gelu_tanh)<", 1, "constants"),
    ("avx2", r"^transposed_strip<simd::Avx2, 4, ", 4, "a pointer, once in 175 instructions; one of eight sums in the loop of the last columns"),
    ("avx512", r"^transposed_strip<simd::Avx512, 4, signed char>$", 1, "the pointer to the factors, once in 209 instructions"),
    ("avx512_bf16", r"^gemm_exp_bf16_4x64", 1, "what its counter is compared with, once in 587 instructions of four rows: every register holds a pointer"),
    ("avx512_bf16", r"^bf16_softmax_narrow_tiles<simd::Avx512Bf16, 8, 2, 64>$", 2, "a pointer, in 814 instructions of eight rows: every register holds one"),
    ("amx_bf16", r"^int8_gemv_panels<simd::AmxBf16, IQ4_XS<", 3, "what its counter is compared with and an offset, in 285 instructions"),
    ("amx_bf16", r"^int8_gemv_panels<simd::AmxBf16, Q[45]_K<", 1, "what its counter is compared with, once in 282 instructions"),
    ("avx512", r"^softmax_last_tiles<simd::Avx512, 5, 2>$", 1, "what its counter is compared with, once in 399 instructions: every register holds a pointer"),
)

# Loops of quantised weights that still spill: new, not tuned, and no part of attention. A name leaves the list when its loop is clean.
NOT_YET = r"^(int8_rows|dequantize_panel)<"


def short(function: str) -> str:
    """The name without namespaces, return type and parameters."""
    name = function.replace("(anonymous namespace)::", "").replace("rapt::", "")
    return re.sub(r"^(?:float|bool|void) ", "", name.split("(")[0])


def allowed(level: str, function: str) -> int:
    return max((most for at, pattern, most, _ in ALLOWED if at == level and re.search(pattern, function)), default=0)


def is_inner(loop: Loop) -> bool:
    return loop.fmas >= LEAST_FMAS and not any(instruction.name.startswith("call") for instruction in loop.body)


def without_frame(functions: dict[str, list[Instruction]]) -> list[str]:
    def has(body: list[Instruction], name: str, operands: str = "") -> bool:
        return any(i.name == name and i.operands.startswith(operands) for i in body)

    return [name for name, body in functions.items() if has(body, "call") and not has(body, "mov", "%rsp,%rbp")]


def check(level: str, loops: list[Loop]) -> list[str]:
    """What is wrong with the loops of one level."""
    inner = [loop for loop in loops if is_inner(loop)]
    wrong = [f"{level}: no inner loop of {pattern}" for pattern in REQUIRED[level] if not any(re.search(pattern, short(l.function)) for l in inner)]
    for loop in inner:
        count, most = len(loop.stack_accesses), allowed(level, short(loop.function))
        if count and re.search(NOT_YET, short(loop.function)):
            print(f"{level}: not guarded yet: {short(loop.function)}: {count} stack accesses")
        elif count > most:
            first = loop.stack_accesses[0]
            wrong.append(f"{level}: {short(loop.function)}: {count} stack accesses in a loop of {len(loop.body)} instructions at "
                         f"{loop.body[0].address:#x}, at most {most} allowed; the first is {first.name} {first.operands}")  # fmt: skip
    print(f"{level}: {len(inner)} inner loops, {sum(bool(l.stack_accesses) for l in inner)} of them touch the stack")
    return wrong


def main() -> int:
    compiler, build_type, *objects = sys.argv[1:]
    if compiler.split()[0] != COMPILER or build_type not in BUILD_TYPES:
        skip(f"the loops of {compiler} in a build of type {build_type or 'none'} are not what is shipped; "
             f"{COMPILER} and {' or '.join(BUILD_TYPES)} are")  # fmt: skip
    if not shutil.which("objdump"):
        skip("objdump is not installed (Debian: binutils)")
    wrong = []
    for path in objects:
        level = pathlib.Path(path).name.split(".")[0]
        if level in REQUIRED:
            functions = disassemble(path)
            wrong += check(level, innermost_loops(functions))
            wrong += [f"{level}: {short(name)} calls others without a frame" for name in without_frame(functions)]
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
