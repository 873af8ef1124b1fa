// Vectors of texts, in batches of bounded size. Who calls: api_embed.cpp.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/loaded_model.h"

namespace rapt::engine {

// As in rapt_embed: called on the caller's thread alone, or not at all where it is null.
struct EmbedProgress {
  int (*on_progress)(double done, void* user);
  void* user;
};

// Refuses a model that writes text.
void check_embeds(const LoadedModel& model);

// vectors: [texts, embed_dim]. Text n has the ids offsets[n] ... offsets[n + 1] - 1.
void embed_ids(const LoadedModel& model, const std::int32_t* ids, std::span<const std::int64_t> offsets, EmbedProgress progress,
               float* vectors);

// The same from texts, each between the tokens that the model wants around it, its end cut off where the context is full.
void embed_texts(const LoadedModel& model, std::span<const std::string_view> texts, EmbedProgress progress, float* vectors);

}  // namespace rapt::engine
