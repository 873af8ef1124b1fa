// How OpenMP's threads wait for work. Layer: tools.
#pragma once

namespace rapt::tool {

// Makes them sleep between two forward passes, unless the environment says how they wait: one that spins on a busy machine takes the CPU
// from the one it waits for. (Within a pass they are kept, kernels/runtime/team.h, and sleep by themselves.) OpenMP reads its environment
// when the program is loaded, so this starts the program anew, once, with the same arguments and OMP_WAIT_POLICY=passive. Where that is
// not possible all goes on as it is. Call it before anything is read, written or allocated.
void let_waiting_threads_sleep(char** argv);

}  // namespace rapt::tool
