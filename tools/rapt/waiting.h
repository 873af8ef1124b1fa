// How OpenMP's threads wait for work. Layer: tools.
#pragma once

namespace rapt::tool {

// Makes them sleep after a short spin, unless the environment says how they wait: a thread that spins on a busy machine takes the CPU
// from the one it waits for (150 tokens on two threads took 20 s instead of 0.5), and waking one for every layer of a token halves
// the speed of an idle one. OpenMP reads its environment when the program is loaded, so this starts the program anew, once, with the
// same arguments, OMP_WAIT_POLICY=passive and GOMP_SPINCOUNT. Where that is not possible all goes on as
// it is. Call it before anything is read, written or allocated.
void let_waiting_threads_sleep(char** argv);

}  // namespace rapt::tool
