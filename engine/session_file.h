// A session's tokens and their keys and values in a file. All numbers are little-endian:
//
//   "RAPTSES2"                          8 bytes
//   fingerprint of the model            u64, see WeightReader::fingerprint
//   arithmetic of its linear layers     u64, Arithmetic of kernels.h
//   type of the cache (rapt_dtype), layers, KV heads, head_dim, tokens   u64 each
//   the tokens' ids                     i32 each
//   for each 64 tokens and each layer: keys, values [KV heads, tokens, head_dim], then for i8 their factors [KV heads, tokens]
//   CRC-32 (zlib's) of all before it    u32
//
// What is stored is independent of page layout and ISA level. Who calls: api_session.cpp.
#pragma once
#include <memory>
#include <string>

#include "engine/session.h"

namespace rapt::engine {

// rapt_session_save: RAPT_IO_ERROR leaves what was there before.
void save_session(Session& session, const std::string& path);

// Reads the tokens into an empty session. RAPT_INVALID_FILE if the file is damaged, RAPT_INVALID_ARGUMENT if it is of another
// model, arithmetic or type of cache; then the session is of no use.
void load_session(const std::string& path, Session& session);

}  // namespace rapt::engine
