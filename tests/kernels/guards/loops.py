"""The innermost loops of an object file, from objdump's disassembly: which function, which instructions, which touch the stack.

Called by inner_loops_test.py. A loop is a jump back to an address of the same function; it is innermost if no other jump back lies
inside it.
"""

from __future__ import annotations

import re
import subprocess
from typing import NamedTuple

FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
# With frame pointers %rbp is one, and what lies at it is the stack as much as what lies at %rsp.
STACK = re.compile(r"\(%r[sb]p[,)]")


class Instruction(NamedTuple):
    address: int
    name: str
    operands: str

    @property
    def target(self) -> int | None:
        """Of a jump within the function."""
        found = re.match(r"([0-9a-f]+) <", self.operands) if self.name.startswith("j") else None
        return int(found[1], 16) if found else None

    @property
    def touches_stack(self) -> bool:
        return bool(STACK.search(self.operands)) and not self.name.startswith("lea")


class Loop(NamedTuple):
    function: str
    body: list[Instruction]

    @property
    def fmas(self) -> int:
        return sum(instruction.name.startswith("vfmadd") for instruction in self.body)

    @property
    def stack_accesses(self) -> list[Instruction]:
        return [instruction for instruction in self.body if instruction.touches_stack]


def disassemble(object_file: str) -> dict[str, list[Instruction]]:
    """Function -> its instructions, in the order of the addresses."""
    command = ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", "--wide", object_file]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    functions: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in text.splitlines():
        if found := FUNCTION.match(line):
            current = functions.setdefault(found[1], [])
        elif found := INSTRUCTION.match(line):
            current.append(Instruction(int(found[1], 16), found[2], found[3]))
    return functions


def innermost_loops(functions: dict[str, list[Instruction]]) -> list[Loop]:
    loops = []
    for function, instructions in functions.items():
        start = instructions[0].address if instructions else 0
        jumps = [(i.target, i.address) for i in instructions if i.target is not None and start <= i.target <= i.address]
        for head, tail in jumps:
            if not any((h, t) != (head, tail) and head <= h and t <= tail for h, t in jumps):
                loops.append(Loop(function, [i for i in instructions if head <= i.address <= tail]))
    return loops
