// Vectors of texts, in batches of bounded size. Who calls: api_embed.cpp.
#pragma once
#include <cstdint>
#include <span>

#include "engine/loaded_model.h"

namespace rapt::engine {

// vectors: [texts, embed_dim]. Text n has the ids offsets[n] ... offsets[n + 1] - 1.
void embed_ids(const LoadedModel& model, const std::int32_t* ids, std::span<const std::int64_t> offsets, float* vectors);

}  // namespace rapt::engine
