// `rapt info`: what this build and this machine have. Layer: tools. Lines of label, tab, name, tab, text; or JSON.
#include <memory>
#include <nlohmann/json.hpp>

#include "rapt/rapt.h"
#include "tools/rapt/arguments.h"
#include "tools/rapt/command.h"
#include "tools/rapt/failure.h"

namespace rapt::tool {
namespace {

constexpr const char* kDescription = "Shows the CPU, its instruction sets, caches, threads and the backends.";
constexpr const char* kFooter =
    "The text has one fact a line, as fields separated by tabs; scripts had better read the JSON.\n"
    "RAPT_ISA in the environment chooses the instruction set, here as everywhere.\n\n"
    "Examples:\n"
    "  rapt info\n"
    "  rapt info --json | jq -r .isa.chosen";

struct Availability {
  bool available;
  std::string why_not;
};

Availability availability(rapt_status status) {
  if (status == RAPT_OK) return {true, ""};
  return {false, text_of(Error(status, rapt_last_error()))};
}

nlohmann::ordered_json item(const std::string& name, const Availability& is) {
  nlohmann::ordered_json json = {{"name", name}, {"available", is.available}};
  if (!is.available) json["why_not"] = is.why_not;
  return json;
}

std::string as_json(const rapt_machine_info& machine) {
  nlohmann::ordered_json json;
  json["version"] = rapt_version();
  json["cpu"] = machine.cpu;
  json["isa"] = {{"chosen", machine.chosen_isa}, {"best", machine.best_isa}};
  for (const std::string& name : isa_names()) {
    json["isa"]["levels"].push_back(item(name, availability(rapt_isa_available(name.c_str()))));
  }
  json["threads"] = {
      {"default", machine.num_threads}, {"reason", machine.threads_reason}, {"logical_cpus", machine.logical_cpus}};
  json["openmp"] = machine.openmp;
  json["cache_bytes"] = {{"l1d", machine.l1d_bytes}, {"l2", machine.l2_bytes}, {"l3", machine.l3_bytes}};
  for (const std::string& name : backend_names()) {
    nlohmann::ordered_json backend = item(name, availability(rapt_backend_available(name.c_str())));
    if (backend["available"]) backend["version"] = rapt_backend_version(name.c_str());
    json["backends"].push_back(std::move(backend));
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string size_text(std::int64_t bytes) {
  if (bytes <= 0) return "unknown";
  return bytes % (1 << 20) == 0 ? std::to_string(bytes >> 20) + " MiB" : std::to_string(bytes >> 10) + " KiB";
}

std::string as_text(const rapt_machine_info& machine) {
  std::string text;
  const auto line = [&text](const std::string& label, const std::string& name, const std::string& fact) {
    text += label + "\t" + name + (fact.empty() ? "" : "\t" + fact) + "\n";
  };
  line("rapt", rapt_version(), "");
  line("cpu", machine.cpu, "");
  for (const std::string& name : isa_names()) {
    const Availability is = availability(rapt_isa_available(name.c_str()));
    line("isa", name, !is.available ? is.why_not : name == machine.chosen_isa ? "chosen" : "available");
  }
  line("threads", std::to_string(machine.num_threads), machine.threads_reason);
  line("cpus", std::to_string(machine.logical_cpus), "online");
  line("openmp", machine.openmp, "");
  line("cache", "L1d", size_text(machine.l1d_bytes));
  line("cache", "L2", size_text(machine.l2_bytes));
  line("cache", "L3", size_text(machine.l3_bytes));
  for (const std::string& name : backend_names()) {
    const Availability is = availability(rapt_backend_available(name.c_str()));
    line("backend", name, is.available ? rapt_backend_version(name.c_str()) : is.why_not);
  }
  return text;
}

}  // namespace

Command add_info(CLI::App& parent) {
  auto json = std::make_shared<bool>(false);
  CLI::App* app = parent.add_subcommand("info", kDescription)->footer(kFooter)->group("Commands");
  app->add_flag("--json", *json, "JSON in place of text");
  return {app, [json] {
            rapt_machine_info machine;
            rapt_machine_info_init(&machine);
            check(rapt_get_machine_info(&machine));
            print(*json ? as_json(machine) : as_text(machine));
            return 0;
          }};
}

}  // namespace rapt::tool
