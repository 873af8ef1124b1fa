"""The innermost loops of an object file, from objdump's disassembly: which function, which instructions, which touch the stack.

Called by inner_loops_test.py. A loop is a natural loop of the control flow: the blocks from which a jump to a block that dominates it
can be reached without passing that block. (A jump back alone is none: compilers put unlikely blocks behind the function, and those jump
back too.)
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
        return sum(instruction.name.startswith(("vfmadd", "vdpbf16ps", "tdpbf16ps")) for instruction in self.body)

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


class Block(NamedTuple):
    instructions: list[Instruction]
    successors: list[int]  # indices of blocks


def is_jump(instruction: Instruction) -> bool:
    return instruction.name.startswith("j")


def ends(instruction: Instruction) -> bool:
    """Whether what follows is not reached from it."""
    return instruction.name.split()[0] in ("jmp", "ret", "ud2", "hlt")


def basic_blocks(instructions: list[Instruction]) -> list[Block]:
    addresses = [i.address for i in instructions]
    leaders = {addresses[0]} | {i.target for i in instructions if i.target in set(addresses)}
    leaders |= {addresses[n + 1] for n, i in enumerate(instructions[:-1]) if is_jump(i) or ends(i)}
    starts = sorted(leaders)
    index = {address: n for n, address in enumerate(starts)}
    bodies: list[list[Instruction]] = [[] for _ in starts]
    current = 0
    for instruction in instructions:
        current = index.get(instruction.address, current)
        bodies[current].append(instruction)
    blocks = []
    for n, body in enumerate(bodies):
        last = body[-1]
        successors = [index[last.target]] if last.target in index else []
        if not ends(last) and n + 1 < len(bodies):
            successors.append(n + 1)
        blocks.append(Block(body, successors))
    return blocks


def predecessors(blocks: list[Block]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in blocks]
    for n, block in enumerate(blocks):
        for successor in block.successors:
            found[successor].append(n)
    return found


def dominators(blocks: list[Block], before: list[list[int]]) -> list[set[int]]:
    """For each block those that every way to it passes, itself among them."""
    everything = set(range(len(blocks)))
    found = [everything] * len(blocks)
    found[0] = {0}
    changed = True
    while changed:
        changed = False
        for n in range(1, len(blocks)):
            reached = [found[p] for p in before[n]]
            new = ({n} | set.intersection(*reached)) if reached else everything
            if new != found[n]:
                found[n], changed = new, True
    return found


def natural_loops(blocks: list[Block]) -> list[set[int]]:
    """The blocks of each loop; loops of one head are one."""
    before = predecessors(blocks)
    dominated_by = dominators(blocks, before)
    loops: dict[int, set[int]] = {}
    for n, block in enumerate(blocks):
        for head in block.successors:
            if head not in dominated_by[n] or not before[n] and n:
                continue
            body, todo = loops.setdefault(head, {head}), [n]
            while todo:
                at = todo.pop()
                if at not in body:
                    body.add(at)
                    todo += before[at]
    return list(loops.values())


def innermost_loops(functions: dict[str, list[Instruction]]) -> list[Loop]:
    found = []
    for function, instructions in functions.items():
        if not any(i.target is not None and i.target <= i.address for i in instructions):
            continue
        blocks = basic_blocks(instructions)
        loops = natural_loops(blocks)
        for loop in loops:
            if not any(other < loop for other in loops):
                found.append(Loop(function, [i for n in sorted(loop) for i in blocks[n].instructions]))
    return found
