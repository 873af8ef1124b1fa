"""with_rapt.py MODEL THREADS PROMPT: prints the token that follows."""

import sys

import rapt

model = rapt.Model(sys.argv[1], threads=int(sys.argv[2]))
print(next(model.generate(sys.argv[3], tokens=1)), end="")
